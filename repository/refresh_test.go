package repository

import (
	"slices"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// An operator may delete one of several topics; who leads the partitions of the others is looked at all the same.
func TestATopicThatIsGoneDoesNotKeepTheOthersFromBeingLookedAt(t *testing.T) {
	r := fakeRig(t)
	gone, there := r.topic(1), r.topic(1)
	s, err := NewSource(r.client, r.observer, SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 1 << 20, Wait: 50 * time.Millisecond}).
		Open(t.Context(), map[model.TopicPartition]model.Position{{Topic: gone}: {}, {Topic: there}: {}})
	must(t, err)
	defer s.Close()
	_, well, _ := r.observer.told()
	_, err = r.admin.DeleteTopic(within(t, time.Minute), gone)
	must(t, err)
	for range 10 {
		r.forget()
		if err := s.refresh(within(t, 10*time.Second)); err == nil || !strings.Contains(err.Error(), gone) {
			t.Fatalf("nothing is said of the topic that is gone: %v", err)
		}
		looked := slices.ContainsFunc(r.asked(kmsg.Metadata), func(q request) bool {
			topics := q.Request.(*kmsg.MetadataRequest).Topics
			return len(topics) == 1 && *topics[0].Topic == there
		})
		if !looked {
			t.Fatal("the other topic was not looked at")
		}
	}
	if _, recovered, _ := r.observer.told(); len(recovered) != len(well) {
		t.Errorf("told that all is well: %q", recovered)
	}
}

// A topic that is gone stays so until somebody makes it again: meanwhile positions in the others are put right.
func TestATopicThatIsGoneKeepsNoOtherFromBeingMended(t *testing.T) {
	r := fakeRig(t)
	gone, there := r.topic(1), r.topic(1)
	r.fill(there, 0, "a", "b")
	s, err := NewSource(r.client, r.observer, SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 1 << 20, Wait: 50 * time.Millisecond}).
		Open(t.Context(), map[model.TopicPartition]model.Position{{Topic: gone}: {}, {Topic: there}: {Offset: 2}})
	must(t, err)
	defer s.Close()
	_, err = r.admin.DeleteTopic(within(t, time.Minute), gone)
	must(t, err)
	ctx := within(t, time.Minute)
	go func() {
		for f, err := s.Next(ctx); err == nil; f, err = s.Next(ctx) {
			f.Release()
		}
	}()
	s.Seek(model.TopicPartition{Topic: there}, 100)
	eventually(t, "word of the loss", func() bool { _, _, lost := r.observer.told(); return slices.Contains(lost, "0: 100 to 2") })
}
