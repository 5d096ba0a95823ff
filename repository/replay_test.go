package repository

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/recordbatch"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (r *rig) replays(group string) *Replays {
	r.t.Helper()
	compressor, err := recordbatch.NewCompressor(recordbatch.None)
	must(r.t, err)
	return NewReplays(r.another(), r.observer, NewPool(512<<10), compressor, group, 10*time.Second)
}

// replayGroup makes the replay topic of a new group.
func (r *rig) replayGroup(partitions int32, config ...string) string {
	r.t.Helper()
	group := unique(r.t)
	r.create(group+replaySuffix, partitions, config...)
	return group
}

func letters(n int, partitions int32) (list []model.Message) {
	for i := range n {
		list = append(list, model.Message{Partition: int32(i) % partitions, Timestamp: int64(1000 + i), Key: fmt.Append(nil, "k", i), Value: fmt.Append(nil, "v", i),
			Headers: []model.Header{{Key: []byte("h"), Value: fmt.Append(nil, i)}}})
	}
	return list
}

// Everything of one request is there at once, as it was, or nothing of it is.
func TestAReplayIsOneTransaction(t *testing.T) {
	r := newRig(t)
	group := r.replayGroup(3)
	ctx := within(t, 30*time.Second)
	first := r.replays(group)
	notes, err := first.Begin(ctx)
	must(t, err)
	if notes != "" {
		t.Errorf("a new group says %q", notes)
	}
	refused, err := first.Send(ctx, letters(1000, 3), 3)
	must(t, err)
	if len(refused) != 0 {
		t.Errorf("%d refused", len(refused))
	}
	seen, wanted := 0, map[model.TopicPartition][]int64{{Topic: group + replaySuffix}: {0, 1, 2, 100}}
	must(t, NewLetters(r.client, r.observer, SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 8 << 20}).Read(ctx, wanted, func(*model.Message) error { seen++; return nil }))
	if seen > 0 {
		t.Errorf("%d are seen before the commit", seen)
	}
	must(t, first.Commit(ctx, "one=1,two=2"))
	if n := r.replayed(group); n != 1000 {
		t.Errorf("%d are there", n)
	}
	second := r.replays(group)
	if notes, err = second.Begin(ctx); err != nil || notes != "one=1,two=2" {
		t.Errorf("%q, %v", notes, err)
	}
	_, err = second.Send(ctx, letters(10, 3), 3)
	must(t, err)
	must(t, second.Abort(ctx))
	if n := r.replayed(group); n != 1000 {
		t.Errorf("%d are there after one was given up", n)
	}
}

// What a crashed instance has left undone is ended by the next one, which may be another; and who comes back is fenced.
func TestAReplayThatWasLeftUndoneIsEndedByTheNext(t *testing.T) {
	r := newRig(t)
	group := r.replayGroup(2)
	ctx := within(t, 30*time.Second)
	frozen := r.replays(group)
	_, err := frozen.Begin(ctx)
	must(t, err)
	_, err = frozen.Send(ctx, letters(20, 2), 2)
	must(t, err)
	next := r.replays(group)
	notes, err := next.Begin(ctx)
	must(t, err)
	if notes != "" {
		t.Errorf("it says %q", notes)
	}
	_, err = next.Send(ctx, letters(5, 2), 2)
	must(t, err)
	must(t, next.Commit(ctx, "next"))
	requireClass(t, frozen.Commit(ctx, ""), model.Transient)
	requireClass(t, frozen.Commit(ctx, "frozen"), model.Fenced)
	must(t, frozen.Abort(ctx))
	if n := r.replayed(group); n != 5 {
		t.Errorf("%d are there", n)
	}
}

// What the topic takes in no form is named, and the others go.
func TestRecordsThatTheReplayTopicRefusesAreNamed(t *testing.T) {
	r := newRig(t)
	group := r.replayGroup(1, "max.message.bytes", "2000")
	ctx := within(t, 30*time.Second)
	list := letters(5, 1)
	list[3].Value = []byte(strings.Repeat("x", 5000))
	replays := r.replays(group)
	_, err := replays.Begin(ctx)
	must(t, err)
	refused, err := replays.Send(ctx, list, 1)
	must(t, err)
	if len(refused) != 1 || refused[3] == nil {
		t.Errorf("refused: %v", refused)
	}
	must(t, replays.Commit(ctx, ""))
	if n := r.replayed(group); n != 4 {
		t.Errorf("%d are there", n)
	}
}

// A request is more than a Produce request holds.
func TestReplaysOfManyMegabytesAreSentInPieces(t *testing.T) {
	r := newRig(t)
	group := r.replayGroup(2)
	ctx := within(t, 60*time.Second)
	list := letters(40, 2)
	for i := range list {
		list[i].Value = []byte(strings.Repeat(fmt.Sprint(i%10), 400_000))
	}
	replays := r.replays(group)
	_, err := replays.Begin(ctx)
	must(t, err)
	_, err = replays.Send(ctx, list, 2)
	must(t, err)
	must(t, replays.Commit(ctx, "x"))
	if n := r.replayed(group); n != 40 {
		t.Errorf("%d are there", n)
	}
}

// marked waits until the markers of all transactions are written: EndTxn answers before.
func (r *rig) marked(topic string) {
	r.t.Helper()
	eventually(r.t, "the markers of "+topic, func() bool {
		ends, err := r.admin.ListEndOffsets(r.t.Context(), topic)
		stable, wrong := r.admin.ListCommittedOffsets(r.t.Context(), topic)
		same := err == nil && wrong == nil
		ends.Each(func(o kadm.ListedOffset) {
			s, ok := stable.Lookup(topic, o.Partition)
			same = same && ok && s.Offset == o.Offset
		})
		return same
	})
}

// replayed is how many committed records the replay topic of a group has.
func (r *rig) replayed(group string) (n int) {
	r.t.Helper()
	r.marked(group + replaySuffix)
	for _, values := range r.committed(group + replaySuffix) {
		n += len(values)
	}
	return n
}

func (r *rig) deleteTo(topic string, partition int32, offset int64) {
	r.t.Helper()
	_, err := r.admin.DeleteRecords(r.t.Context(), kadm.Offsets{topic: {partition: {Topic: topic, Partition: partition, At: offset}}})
	must(r.t, err)
}

// Letters are found wherever they lie, and what is not there is left out, whatever the reason.
func TestSingleRecordsAreFoundAmongHoles(t *testing.T) {
	r := newRig(t)
	topic := r.topic(2)
	r.fill(topic, 0, "a", "b", "c", "d")
	r.transaction(false, topic, 0, "aborted", "aborted")
	r.marked(topic)
	r.fill(topic, 0, "e")
	r.fill(topic, 1, "f")
	r.deleteTo(topic, 0, 1)
	l := NewLetters(r.client, r.observer, SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 1 << 20})
	a, b := model.TopicPartition{Topic: topic}, model.TopicPartition{Topic: topic, Partition: 1}
	var got []string
	must(t, l.Read(within(t, 30*time.Second), map[model.TopicPartition][]int64{a: {99, 3, 0, 1, 4, 5, 6, 7, 3, 8}, b: {0, 1, 7}, {Topic: topic, Partition: 92770}: {0}}, func(m *model.Message) error {
		got = append(got, fmt.Sprintf("%d-%d=%s", m.Partition, m.Offset, m.Value))
		return nil
	}))
	slices.Sort(got)
	if want := []string{"0-1=b", "0-3=d", "0-7=e", "1-0=f"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, _, lost := r.observer.told(); len(lost) > 0 {
		t.Errorf("somebody was told that messages are lost: %q", lost)
	}
}

func TestARecordThatIsNotThereSaysWhy(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b", "c")
	r.transaction(false, topic, 0, "aborted")
	r.marked(topic)
	r.fill(topic, 0, "d")
	r.deleteTo(topic, 0, 1)
	l := NewLetters(r.client, r.observer, SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 1 << 20})
	find := func(topic string, partition int32, offset int64) (*model.Message, error) {
		return l.Find(within(t, 30*time.Second), model.Origin{TopicPartition: model.TopicPartition{Topic: topic, Partition: partition}, Offset: offset})
	}
	if m, err := find(topic, 0, 5); err != nil || string(m.Value) != "d" || m.Topic != topic || m.Offset != 5 {
		t.Errorf("%+v, %v", m, err)
	}
	for name, c := range map[string]struct {
		topic     string
		partition int32
		offset    int64
		class     model.Class
		says      string
	}{
		"no topic":     {"nowhere", 0, 0, model.NotFound, "no topic"},
		"no partition": {topic, 1, 0, model.NotFound, "1 partitions"},
		"below":        {topic, -1, 0, model.NotFound, "1 partitions"},
		"deleted":      {topic, 0, 0, model.Deleted, "begins at offset 1"},
		"aborted":      {topic, 0, 3, model.Deleted, "no record at this offset"},
		"a marker":     {topic, 0, 4, model.Deleted, "no record at this offset"},
		"the next one": {topic, 0, 6, model.NotFound, "ends at offset 6"},
		"far ahead":    {topic, 0, 600, model.NotFound, "ends at offset 6"},
	} {
		_, err := find(c.topic, c.partition, c.offset)
		if model.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The replay topic grows with the source; nobody minds if somebody else was faster.
func TestATopicGrows(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	topics := NewTopics(r.client, NewRetry(r.observer))
	for _, n := range []int32{3, 3, 2} {
		must(t, topics.Grow(within(t, 30*time.Second), topic, n))
		if counts, err := r.client.PartitionCounts(t.Context(), []string{topic}); err != nil || counts[topic] != 3 {
			t.Errorf("%v, %v", counts, err)
		}
	}
}

// Compaction may leave nothing between a record and the end: it is not waited for.
func TestARecordThatWasCompactedAwayAtTheEndIsDeleted(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b", "c", "d")
	r.on(kmsg.Fetch, func(_ int, q request) (kmsg.Response, error, bool) { return logged(q, topic, 4, 4, nil), nil, true })
	letters := NewLetters(r.client, r.observer, SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 8 << 20})
	_, err := letters.Find(within(t, 10*time.Second), model.Origin{TopicPartition: model.TopicPartition{Topic: topic}, Offset: 1})
	requireClass(t, err, model.Deleted)
	if n := len(r.asked(kmsg.Fetch)); n != hollowTries {
		t.Errorf("asked %d times", n)
	}
}
