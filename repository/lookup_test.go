package repository

import (
	"testing"
	"time"

	"data-stream-engine/model"
)

func TestOneMessageIsFoundAgain(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b", "c")
	r.transaction(false, topic, 0, "aborted")
	source := NewSource(r.client, r.observer, SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 1 << 20})
	look := func(offset int64) (found string, err error) {
		at := model.Origin{TopicPartition: model.TopicPartition{Topic: topic}, Offset: offset}
		err = source.Lookup(within(t, 30*time.Second), at, func(m *model.Message) error {
			if m.Topic != topic || m.Offset != offset {
				t.Errorf("%+v", m)
			}
			found = string(m.Value)
			return nil
		})
		return found, err
	}
	for offset, want := range []string{"a", "b", "c"} {
		if got, err := look(int64(offset)); err != nil || got != want {
			t.Errorf("%d: %q, %v", offset, got, err)
		}
	}
	for _, offset := range []int64{3, 5, 99} {
		_, err := look(offset)
		requireClass(t, err, model.DataLost)
	}
	if r.fake != nil {
		must(t, r.fake.MoveTopicPartition(topic, 0, (r.fake.LeaderFor(topic, 0)+1)%3))
		if got, err := look(1); err != nil || got != "b" {
			t.Errorf("after the leader moved: %q, %v", got, err)
		}
	}
}
