package repository

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAllPartitionsOfABrokerComeInOneAnswer(t *testing.T) {
	const partitions = 20
	r := fakeRig(t, kfake.NumBrokers(1))
	topic := r.topic(partitions)
	from, want := map[int32]int64{}, map[int32][]string{}
	for n := range int32(partitions) {
		from[n], want[n] = 0, numbered(fmt.Sprint(n, "-"), 5)
		r.fill(topic, n, want[n]...)
	}
	g := r.open(topic, 1<<20, from)
	g.until(want)
	if g.fetches != 1 {
		t.Errorf("%d answers", g.fetches)
	}
	q := r.asked(kmsg.Fetch)[0].Request.(*kmsg.FetchRequest)
	if len(q.Topics) != 1 || len(q.Topics[0].Partitions) != partitions || q.IsolationLevel != 1 {
		t.Errorf("%+v", q)
	}
}

// A client that hands out what was aborted counts it; one that does not step over a trailing marker stands still for ever.
func TestOnlyCommittedRecordsAreSeenAndMarkersArePassed(t *testing.T) {
	r := newRig(t)
	topic := r.topic(2)
	r.fill(topic, 0, "plain")
	r.transaction(false, topic, 0, "aborted", "aborted too")
	r.transaction(true, topic, 0, "committed")
	r.transaction(false, topic, 0, "aborted last")
	r.transaction(false, topic, 1, "nothing else")
	g := r.open(topic, 1<<20, map[int32]int64{0: 0, 1: 0})
	g.until(map[int32][]string{0: {"plain", "committed"}})
	ends, err := r.admin.ListEndOffsets(within(t, time.Minute), topic)
	must(t, err)
	for tries := 0; g.next[0] < 8 || g.next[1] < 2; tries++ {
		if tries == 20 {
			t.Fatalf("positions %v, the ends are %v", g.next, ends)
		}
		must(t, g.fetch())
	}
	end := r.leaveOpen(topic, 0, "still open")
	r.fill(topic, 1, "beside")
	g.until(map[int32][]string{0: {"plain", "committed"}, 1: {"beside"}})
	end(true)
	r.fill(topic, 0, "behind")
	g.until(map[int32][]string{0: {"plain", "committed", "still open", "behind"}, 1: {"beside"}})
}

// At 20,000 events a second asking for each byte costs four times as much; asking an idle broker again and again costs
// both sides for nothing.
func TestBrokersMayCollectBeforeTheyAnswer(t *testing.T) {
	r := fakeRig(t, kfake.NumBrokers(1))
	topic := r.topic(1)
	g := r.open(topic, 4<<20, map[int32]int64{0: 0})
	must(t, g.fetch()) // that there is nothing is told once
	time.Sleep(1200 * time.Millisecond)
	idle := r.asked(kmsg.Fetch)
	if len(idle) > 4 {
		t.Errorf("%d requests in 1.2 s of silence", len(idle))
	}
	for _, q := range idle {
		if f := q.Request.(*kmsg.FetchRequest); f.MinBytes != 1 || f.MaxWaitMillis != 500 {
			t.Errorf("idle: at least %d bytes, %d ms", f.MinBytes, f.MaxWaitMillis)
		}
	}
	r.forget()
	r.fill(topic, 0, "a")
	g.until(map[int32][]string{0: {"a"}})
	var f *kmsg.FetchRequest
	eventually(t, "the request after that", func() bool {
		for _, q := range r.asked(kmsg.Fetch) {
			if f = q.Request.(*kmsg.FetchRequest); f.MinBytes != 1 { // it is not of the silence
				return true
			}
		}
		return false
	})
	if f.MinBytes != fetchEnough || f.MaxWaitMillis != 50 || f.MaxBytes != 4<<20 {
		t.Errorf("flowing: at least %d of %d bytes, %d ms", f.MinBytes, f.MaxBytes, f.MaxWaitMillis)
	}
}

func TestNothingIsLostOrDoubledWhileLeadersMoveAndConnectionsBreak(t *testing.T) {
	const partitions, rounds = 3, 40
	r := fakeRig(t)
	topic := r.topic(partitions)
	r.on(kmsg.Fetch, func(n int, _ request) (kmsg.Response, error, bool) { return nil, io.EOF, n%7 == 3 })
	g := r.open(topic, 1<<20, map[int32]int64{0: 0, 1: 0, 2: 0})
	want := map[int32][]string{}
	for i := range rounds {
		for n := range int32(partitions) {
			want[n] = append(want[n], numbered(fmt.Sprintf("%d-%d-", n, i), 3)...)
		}
	}
	var writers sync.WaitGroup
	writers.Go(func() {
		cl, err := kgo.NewClient(kgo.SeedBrokers(r.bootstrap...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Error(err)
			return
		}
		defer cl.Close()
		for i := range rounds {
			for n := range int32(partitions) {
				if err := cl.ProduceSync(context.Background(), kgoRecords(topic, n, want[n][3*i:3*i+3])...).FirstErr(); err != nil {
					t.Error(err)
				}
			}
			if i%4 == 0 {
				if err := r.fake.MoveTopicPartition(topic, rand.Int32N(partitions), rand.Int32N(3)); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	defer writers.Wait()
	g.until(want)
}

func TestErrorsOfAPartitionPass(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID,
		kerr.KafkaStorageError, kerr.TopicAuthorizationFailed, kerr.UnknownServerError, kerr.CorruptMessage} {
		r := fakeRig(t)
		topic := r.topic(2)
		r.fill(topic, 0, "a", "b")
		r.fill(topic, 1, "c")
		hits := r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Partitions: []int32{0}, Err: e, Count: 3})
		g := r.open(topic, 1<<20, map[int32]int64{0: 0, 1: 0})
		g.until(map[int32][]string{0: {"a", "b"}, 1: {"c"}})
		retries, _, lost := r.observer.told()
		if hits.Hits() != 3 || len(retries) == 0 || len(lost) != 0 || !strings.Contains(fmt.Sprint(retries), fmt.Sprintf("code %d", e.Code)) {
			t.Errorf("%s: %d answers, told of %q, lost %v", e.Message, hits.Hits(), retries, lost)
		}
		eventually(t, "that it recovered", func() bool { _, recovered, _ := r.observer.told(); return slices.Contains(recovered, "fetch") })
		g.s.Close()
	}
}

func TestPositionsOutOfRangeMoveToTheNearestMessage(t *testing.T) {
	for name, c := range map[string]struct {
		from, to int64
		want     []string
	}{
		"retention was faster": {1, 3, []string{"d", "e", "new"}},
		"the log was cut off":  {100, 5, []string{"new"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			topic := r.topic(1)
			r.fill(topic, 0, "a", "b", "c", "d", "e")
			if c.from < 5 {
				r.deleteUpTo(topic, 3)
			}
			g := r.open(topic, 1<<20, map[int32]int64{0: c.from})
			g.next[0] = c.to
			eventually(t, "word of the loss", func() bool { _, _, lost := r.observer.told(); return len(lost) > 0 })
			r.fill(topic, 0, "new")
			g.until(map[int32][]string{0: c.want})
			if _, _, lost := r.observer.told(); !slices.Equal(lost, []string{fmt.Sprintf("0: %d to %d", c.from, c.to)}) {
				t.Errorf("told of %q", lost)
			}
		})
	}
}

func (r *rig) deleteUpTo(topic string, offset int64) {
	r.t.Helper()
	o, err := r.admin.ListStartOffsets(within(r.t, time.Minute), topic)
	must(r.t, err)
	offsets := o.Offsets()
	x := offsets[topic][0]
	x.At = offset
	offsets[topic][0] = x
	_, err = r.admin.DeleteRecords(within(r.t, time.Minute), offsets)
	must(r.t, err)
}

// Whoever seeks knows better than a correction that was computed before.
func TestSeekOutlastsACorrectionOnItsWay(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b", "c", "d")
	r.deleteUpTo(topic, 1)
	opened := make(chan *Stream, 1)
	r.on(kmsg.ListOffsets, func(n int, _ request) (kmsg.Response, error, bool) {
		if n == 2 { // both ends were asked for
			s := <-opened
			s.Seek(model.TopicPartition{Topic: topic}, 3)
		}
		return nil, nil, false
	})
	g := r.open(topic, 1<<20, map[int32]int64{0: 0})
	opened <- g.s
	g.until(map[int32][]string{0: {"d"}})
}

func TestSeekDropsWhatWasFetchedBefore(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, numbered("", 10)...)
	g := r.open(topic, 1<<20, map[int32]int64{0: 0})
	tp := model.TopicPartition{Topic: topic}
	for range 20 {
		if rand.N(2) == 0 {
			time.Sleep(rand.N(20 * time.Millisecond)) // an answer waits to be taken
		}
		from := rand.Int64N(10)
		g.s.Seek(tp, from)
		g.values, g.next[0] = map[int32][]string{}, from
		g.until(map[int32][]string{0: numbered("", 10)[from:]})
	}
	time.Sleep(700 * time.Millisecond) // by now a broker holds a request of the old position back
	g.s.Seek(tp, 3)
	r.fill(topic, 0, "10") // which this answers
	g.values, g.next[0] = map[int32][]string{}, 3
	g.until(map[int32][]string{0: numbered("", 11)[3:]})
	g.s.Seek(model.TopicPartition{Topic: "not mine"}, 3)
}

func TestDeletedTopicIsWaitedForAndItsSuccessorIsAnotherOne(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b")
	g := r.open(topic, 1<<20, map[int32]int64{0: 0})
	g.until(map[int32][]string{0: {"a", "b"}})
	_, err := r.admin.DeleteTopic(within(t, time.Minute), topic)
	must(t, err)
	eventually(t, "word of the deleted topic", func() bool {
		retries, _, _ := r.observer.told()
		return slices.ContainsFunc(retries, func(s string) bool { return strings.Contains(s, topic) && strings.Contains(s, "code 3") })
	})
	r.create(topic, 1)
	r.fill(topic, 0, "of the successor", "too", "three")
	err = g.fetch()
	requireClass(t, err, model.Recreated)
	if !strings.Contains(fmt.Sprint(err), topic) {
		t.Errorf("%v", err)
	}
	if _, _, lost := r.observer.told(); len(lost) != 0 {
		t.Errorf("lost %v: nothing of this topic was", lost)
	}
}
