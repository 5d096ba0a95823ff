package repository

import (
	"io"
	"testing"
	"time"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// reached waits for a word of the stream about partition 0 that came after now, and fits.
func (g *reading) reached(topic string, position, highWatermark int64) {
	g.t.Helper()
	since := time.Now()
	var p, high int64
	var answered time.Time
	var ok bool
	for deadline := since.Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		p, high, answered, ok = g.s.Reached(model.TopicPartition{Topic: topic})
		if ok && p == position && high == highWatermark && answered.After(since) {
			return
		}
	}
	g.t.Fatalf("at %d of %d, %s ago, %t; want %d of %d", p, high, time.Since(answered), ok, position, highWatermark)
}

// A partition is at its end when everything that was written was read, transactions that are open included.
func TestTheEndOfAPartitionIsItsHighWatermark(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	g := r.open(topic, 1<<20, map[int32]int64{0: 0})
	g.reached(topic, 0, 0)
	r.fill(topic, 0, "a", "b", "c")
	g.until(map[int32][]string{0: {"a", "b", "c"}})
	g.reached(topic, 3, 3)
	end := r.leaveOpen(topic, 0, "open")
	g.reached(topic, 3, 4)
	end(false)
	for g.next[0] < 5 {
		must(t, g.fetch())
	}
	g.reached(topic, 5, 5)
	g.s.Seek(model.TopicPartition{Topic: topic}, 1)
	if p, high, _, ok := g.s.Reached(model.TopicPartition{Topic: topic}); ok && p == high {
		t.Errorf("at %d of %d after a seek to 1", p, high)
	}
	if _, _, _, ok := g.s.Reached(model.TopicPartition{Topic: "not mine"}); ok {
		t.Error("another topic's partition is reached")
	}
}

// Compaction may take what lies before the end: no position ever gets there by reading, and yet nothing is left to read.
func TestAHoleUpToTheEndIsTheEnd(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	g := r.open(topic, 1<<20, map[int32]int64{0: 0})
	r.fill(topic, 0, "a", "b")
	g.until(map[int32][]string{0: {"a", "b"}})
	r.on(kmsg.Fetch, func(_ int, q request) (kmsg.Response, error, bool) {
		return logged(q, topic, 7, 9, nil), nil, true
	})
	must(t, g.fetch())
	time.Sleep(time.Second) // a transaction is open: what it wrote will be there
	if p, end, _, ok := g.s.Reached(model.TopicPartition{Topic: topic}); ok && p >= end {
		t.Errorf("at %d of %d while a transaction is open", p, end)
	}
	r.on(kmsg.Fetch, func(_ int, q request) (kmsg.Response, error, bool) {
		return logged(q, topic, 9, 9, nil), nil, true
	})
	must(t, g.fetch()) // hears of the end at 9
	must(t, g.fetch()) // and that nothing lies before it
	g.reached(topic, 2, 2)
}

// Nothing is known of a partition that cannot be fetched: it must not be taken for idle.
func TestNothingIsKnownOfAPartitionInTrouble(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	g := r.open(topic, 1<<20, map[int32]int64{0: 0})
	tp := model.TopicPartition{Topic: topic}
	unknown := func() bool { _, _, _, ok := g.s.Reached(tp); return !ok }
	g.reached(topic, 0, 0)
	must(t, g.fetch()) // that there is nothing is told once
	for name, trouble := range map[string]func(int, request) (kmsg.Response, error, bool){
		"no answer": func(int, request) (kmsg.Response, error, bool) { return nil, io.EOF, true },
		"an error": func(_ int, q request) (kmsg.Response, error, bool) {
			a := logged(q, topic, -1, -1, nil)
			a.Topics[0].Partitions[0].ErrorCode = 56
			return a, nil, true
		},
	} {
		r.on(kmsg.Fetch, trouble)
		eventually(t, name, unknown)
		r.on(kmsg.Fetch, nil)
		g.reached(topic, 0, 0)
	}
	must(t, r.fake.DeleteTopic(topic))
	eventually(t, "the end of the topic", unknown)
}

func TestNothingIsKnownBeforeTheFirstAnswer(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	r.on(kmsg.Fetch, func(int, request) (kmsg.Response, error, bool) {
		r.fake.SleepControl(func() { time.Sleep(300 * time.Millisecond) })
		return nil, nil, false
	})
	g := r.open(topic, 1<<20, map[int32]int64{0: 0})
	if _, _, _, ok := g.s.Reached(model.TopicPartition{Topic: topic}); ok {
		t.Error("it was reached at once")
	}
	g.reached(topic, 0, 0)
}
