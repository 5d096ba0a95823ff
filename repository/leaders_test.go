package repository

import (
	"bytes"
	"context"
	"testing"
	"time"

	"data-stream-engine/repository/broker"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestNewLeaderGetsTheSameBytes(t *testing.T) {
	for _, id := range []string{"", "x"} {
		r := fakeRig(t)
		topic := r.topic(2)
		p := r.initialised(id)
		write(t, p, p.batch(topic, 0, "before"), p.batch(topic, 1, "before"))
		was := r.fake.LeaderFor(topic, 0)
		to := (was + 1) % 3
		must(t, r.fake.MoveTopicPartition(topic, 0, to))
		r.forget()
		write(t, p, p.batch(topic, 0, "moved"), p.batch(topic, 1, "stayed"))
		must(t, p.End(within(t, time.Minute), true))
		var nodes []int32
		var bodies [][]byte
		for _, q := range r.asked(kmsg.Produce) {
			for _, t := range q.Request.(*kmsg.ProduceRequest).Topics {
				for _, b := range t.Partitions {
					if b.Partition == 0 {
						nodes, bodies = append(nodes, q.node), append(bodies, b.Records)
					}
				}
			}
		}
		if len(nodes) != 2 || nodes[0] != was || nodes[1] != to || !bytes.Equal(bodies[0], bodies[1]) {
			t.Errorf("the leader moved from %d to %d; the batch went to %v", was, to, nodes)
		}
		r.requireCommitted(topic, map[int32][]string{0: {"before", "moved"}, 1: {"before", "stayed"}})
	}
}

// A disk that fails takes its partitions' leadership away, and its broker goes on answering 56.
func TestFailedDiskLetsTheNewLeaderBeFound(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	p := r.initialised("")
	write(t, p, p.batch(topic, 0, "before"))
	was := r.fake.LeaderFor(topic, 0)
	must(t, r.fake.MoveTopicPartition(topic, 0, (was+1)%3))
	r.on(kmsg.Produce, func(_ int, q request) (kmsg.Response, error, bool) {
		if q.node == was {
			return failing(q.Request, 56), nil, true
		}
		return nil, nil, false
	})
	_, err := p.Produce(within(t, 10*time.Second), []Outgoing{p.batch(topic, 0, "after")})
	must(t, err)
	r.requireCommitted(topic, map[int32][]string{0: {"before", "after"}})
}

func TestManyPartitionsThatMovedCostOneLookAtTheMetadata(t *testing.T) {
	const partitions = 40
	r := fakeRig(t, kfake.NumBrokers(2))
	topic := r.topic(partitions)
	p := r.initialised("")
	var batches []Outgoing
	for n := range int32(partitions) {
		write(t, p, p.batch(topic, n, "a"))
		must(t, r.fake.MoveTopicPartition(topic, n, 1-r.fake.LeaderFor(topic, n)))
		batches = append(batches, p.batch(topic, n, "b"))
	}
	r.forget()
	write(t, p, batches...)
	if n := len(r.asked(kmsg.Metadata)); n > 8 {
		t.Errorf("metadata was asked for %d times for two answers with errors", n)
	}
}

func TestStopDoesNotWaitForABrokerThatIsAway(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	p := r.initialised("")
	r.on(kmsg.Produce, func(_ int, q request) (kmsg.Response, error, bool) { return failing(q.Request, 5), nil, true })
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err := p.Produce(ctx, []Outgoing{p.batch(topic, 0, "a")})
	if took := time.Since(started); err == nil || took > 10*time.Second {
		t.Errorf("%v after %s", err, took)
	}
}

func TestTopicThatIsNotThereIsWaitedFor(t *testing.T) {
	r := newRig(t)
	topic := unique(t)
	p := r.initialised(unique(t))
	done := make(chan error, 1)
	ctx := within(t, time.Minute)
	go func() {
		_, err := p.Produce(ctx, []Outgoing{p.batch(topic, 0, "a")})
		done <- err
	}()
	eventually(t, "word of the missing topic", func() bool {
		retries, _, _ := r.observer.told()
		return len(retries) > 0
	})
	r.create(topic, 1)
	must(t, <-done)
	must(t, p.End(ctx, true))
	r.requireCommitted(topic, map[int32][]string{0: {"a"}})
}

// A leader that is not known ends the attempt before it began, for all batches: none of them was written.
func TestBatchesBesideAPartitionWithoutALeaderAreNotTakenForWritten(t *testing.T) {
	for _, id := range []string{"", "x"} {
		r := fakeRig(t)
		topic := r.topic(3)
		p := r.initialised(id)
		r.on(kmsg.Metadata, func(n int, q request) (kmsg.Response, error, bool) {
			m := q.Request.(*kmsg.MetadataRequest)
			if len(m.Topics) == 0 || q.GetVersion() < 10 || n > 4 {
				return nil, nil, false
			}
			a := q.ResponseKind().(*kmsg.MetadataResponse)
			x := kmsg.NewMetadataResponseTopic()
			x.Topic = &topic
			for i := range int32(3) {
				y := kmsg.NewMetadataResponseTopicPartition()
				y.Partition, y.Leader = i, r.fake.LeaderFor(topic, i)
				if i == 1 {
					y.Leader, y.ErrorCode = -1, broker.LeaderNotAvailable
				}
				x.Partitions = append(x.Partitions, y)
			}
			a.Topics = append(a.Topics, x)
			return a, nil, true
		})
		write(t, p, p.batch(topic, 0, "a"), p.batch(topic, 1, "b"), p.batch(topic, 2, "c"))
		must(t, p.End(within(t, time.Minute), true))
		r.requireCommitted(topic, map[int32][]string{0: {"a"}, 1: {"b"}, 2: {"c"}})
	}
}
