package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/repository/recordbatch"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sent is every batch that reached a broker, as it was.
func (r *rig) sent() []kmsg.RecordBatch {
	r.t.Helper()
	var all []kmsg.RecordBatch
	for _, raw := range r.sentBytes() {
		var b kmsg.RecordBatch
		must(r.t, b.ReadFrom(raw))
		all = append(all, b)
	}
	return all
}

func (r *rig) sentBytes() [][]byte {
	var all [][]byte
	for _, q := range r.asked(kmsg.Produce) {
		for _, t := range q.Request.(*kmsg.ProduceRequest).Topics {
			for _, p := range t.Partitions {
				all = append(all, p.Records)
			}
		}
	}
	return all
}

// A new sequence would write the batch a second time; other bytes under the same sequence would lose one of them.
func TestBatchThatHasToWaitIsSentAgainAsItWas(t *testing.T) {
	for _, id := range []string{"", "transactional"} {
		for _, code := range []int16{19, 14, 3, 5, 7, 20, 100, -1, 56} {
			t.Run(fmt.Sprint(id, "/", code), func(t *testing.T) {
				r := fakeRig(t)
				topic := r.topic(1)
				p := r.initialised(id)
				write(t, p, p.batch(topic, 0, "before"))
				r.on(kmsg.Produce, first(code, code))
				write(t, p, p.batch(topic, 0, "a", "b"))
				write(t, p, p.batch(topic, 0, "after"))
				must(t, p.End(within(t, time.Minute), true))
				raw, batches := r.sentBytes(), r.sent()
				if len(raw) != 4 || !bytes.Equal(raw[0], raw[1]) || !bytes.Equal(raw[0], raw[2]) {
					t.Fatalf("%d batches were sent, not three times the same and one more", len(raw))
				}
				if batches[0].FirstSequence != 1 || batches[3].FirstSequence != 3 {
					t.Errorf("sequences %d and %d", batches[0].FirstSequence, batches[3].FirstSequence)
				}
				r.requireCommitted(topic, map[int32][]string{0: {"before", "a", "b", "after"}})
			})
		}
	}
}

// The brokers say so of an append that happened but was not replicated in time, and know it by its sequence.
func TestBatchThatIsThereAlreadyIsNotWrittenTwice(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut} {
		r := fakeRig(t)
		topic := r.topic(1)
		p := r.initialised("x")
		hits := r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: e, Count: 3})
		write(t, p, p.batch(topic, 0, "a"))
		write(t, p, p.batch(topic, 0, "b"))
		must(t, p.End(within(t, time.Minute), true))
		if hits.Hits() != 3 {
			t.Errorf("%d answers", hits.Hits())
		}
		r.requireCommitted(topic, map[int32][]string{0: {"a", "b"}})
	}
}

func TestDuplicateSequenceMeansWritten(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	p := r.initialised("")
	r.on(kmsg.Produce, func(n int, q request) (kmsg.Response, error, bool) {
		if n == 2 { // lost's own
			return nil, nil, false
		}
		if n == 1 {
			r.lost(q)
		}
		return failing(q.Request, broker.DuplicateSequence), nil, true
	})
	write(t, p, p.batch(topic, 0, "a", "b"))
	r.on(kmsg.Produce, nil)
	write(t, p, p.batch(topic, 0, "c"))
	if got := r.sent()[0].FirstSequence; got != 2 {
		t.Errorf("sequence %d after two records", got)
	}
}

// Two Produce requests of one transactional id at one broker break each other's verification at the coordinator, and so
// does TxnOffsetCommit beside Produce (19 and 14 in 5 to 20 % of transactions).
func TestEachBrokerHasOneProduceRequestInFlightForAllItsPartitions(t *testing.T) {
	const partitions, rounds = 12, 3
	r := fakeRig(t)
	topic := r.topic(partitions)
	leaders := map[int32]int{}
	for n := range int32(partitions) {
		leaders[r.fake.LeaderFor(topic, n)]++
	}
	p := r.initialised(unique(t))
	var mu sync.Mutex
	inFlight, most, beside := map[int32]int{}, 0, 0
	r.on(kmsg.Produce, func(_ int, q request) (kmsg.Response, error, bool) {
		mu.Lock()
		inFlight[q.node]++
		most = max(most, inFlight[q.node])
		mu.Unlock()
		r.fake.SleepControl(func() { time.Sleep(20 * time.Millisecond) })
		mu.Lock()
		inFlight[q.node]--
		mu.Unlock()
		n := 0
		for _, t := range q.Request.(*kmsg.ProduceRequest).Topics {
			n += len(t.Partitions)
		}
		if n != leaders[q.node] {
			t.Errorf("broker %d leads %d partitions, a request had %d", q.node, leaders[q.node], n)
		}
		return nil, nil, false
	})
	r.on(kmsg.TxnOffsetCommit, func(int, request) (kmsg.Response, error, bool) {
		mu.Lock()
		defer mu.Unlock()
		for _, n := range inFlight {
			beside += n
		}
		return nil, nil, false
	})
	var batches []Outgoing
	want := map[int32][]string{}
	for i := range rounds {
		for n := range int32(partitions) {
			v := fmt.Sprintf("%d-%d", n, i)
			batches = append(batches, p.batch(topic, n, v))
			want[n] = append(want[n], v)
		}
	}
	ctx := within(t, time.Minute)
	write(t, p, batches...)
	must(t, p.CommitOffsets(ctx, "g", model.Assignment{Generation: -1}, map[model.TopicPartition]model.Position{{Topic: topic, Partition: 0}: {Offset: 5, LeaderEpoch: -1}}))
	must(t, p.End(ctx, true))
	if got := len(r.asked(kmsg.Produce)); got != rounds*len(leaders) || len(leaders) < 2 || most != 1 || beside != 0 {
		t.Errorf("%d requests for %d rounds at %d brokers, %d at once at one, %d beside TxnOffsetCommit", got, rounds, len(leaders), most, beside)
	}
	r.requireCommitted(topic, want)
}

// Whether the batch was written is not known. In a transaction a new epoch settles it; sending again could come after
// the broker has given the transaction up.
func TestProduceWithoutAnAnswerEndsTheTransaction(t *testing.T) {
	for name, hangUp := range map[string]func(*rig, request) (kmsg.Response, error, bool){
		"nothing was written": func(*rig, request) (kmsg.Response, error, bool) { return nil, io.EOF, true },
		"it was written":      func(r *rig, q request) (kmsg.Response, error, bool) { return r.lost(q) },
	} {
		t.Run(name, func(t *testing.T) {
			r := fakeRig(t)
			topic := r.topic(1)
			p := r.initialised(unique(t))
			ctx := within(t, time.Minute)
			r.on(kmsg.Produce, func(n int, q request) (kmsg.Response, error, bool) {
				if n == 1 {
					return hangUp(r, q)
				}
				return nil, nil, false
			})
			b := p.batch(topic, 0, "lost")
			_, err := p.Produce(ctx, []Outgoing{b})
			requireClass(t, err, model.Fenced)
			if len(p.pool.free) != 0 {
				t.Error("the builder is free though the connection may still be reading it")
			}
			r.on(kmsg.Produce, nil)
			must(t, p.Init(ctx))
			write(t, p, p.batch(topic, 0, "again"))
			must(t, p.End(ctx, true))
			if n := len(r.asked(kmsg.Produce)); n != 1 {
				t.Errorf("Produce was sent %d times after Init", n)
			}
			r.requireCommitted(topic, map[int32][]string{0: {"again"}})
		})
	}
}

func TestProduceWithoutAnAnswerIsRepeatedWithoutTransactions(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	p := r.initialised("")
	r.on(kmsg.Produce, func(n int, q request) (kmsg.Response, error, bool) {
		switch n {
		case 1:
			return nil, io.EOF, true
		case 2, 5:
			return r.lost(q) // which is requests 3 and 6 as well
		}
		return nil, nil, false
	})
	write(t, p, p.batch(topic, 0, "a", "b"))
	if len(p.pool.free) != 0 {
		t.Error("the builder is free though a connection may still be reading it")
	}
	write(t, p, p.batch(topic, 0, "c"))
	r.requireCommitted(topic, map[int32][]string{0: {"a", "b", "c"}})
	retries, recovered, _ := r.observer.told()
	if len(retries) != 3 || !slices.Contains(recovered, "produce") {
		t.Errorf("told of %q and %q", retries, recovered)
	}
	write(t, p, p.batch(topic, 0, "d"))
	if len(p.pool.free) != 1 {
		t.Errorf("%d builders came back", len(p.pool.free))
	}
}

// A broker that has forgotten the producer gets everything all the same, in order and once, from a new producer id.
func TestForgottenProducerGoesOnWithANewIDWithoutTransactions(t *testing.T) {
	for _, code := range []int16{45, 59} {
		r := fakeRig(t)
		topic := r.topic(2)
		p := r.initialised("")
		write(t, p, p.batch(topic, 0, "a"), p.batch(topic, 1, "x"))
		before := p.id
		r.on(kmsg.Produce, func(n int, q request) (kmsg.Response, error, bool) {
			if n == 1 {
				return nil, io.EOF, true // so that a connection may still be reading the batch
			}
			return first(0, code, code)(n, q)
		})
		write(t, p, p.batch(topic, 0, "b", "c"), p.batch(topic, 0, "d"))
		write(t, p, p.batch(topic, 1, "y"), p.batch(topic, 0, "e"))
		if p.id == before || p.sequences[model.TopicPartition{Topic: topic}] != 4 {
			t.Errorf("code %d: producer id %d, before %d; sequence %d", code, p.id, before, p.sequences[model.TopicPartition{Topic: topic}])
		}
		r.requireCommitted(topic, map[int32][]string{0: {"a", "b", "c", "d", "e"}, 1: {"x", "y"}})
		if _, recovered, _ := r.observer.told(); !slices.Contains(recovered, renewing) {
			t.Errorf("code %d: recovered: %q", code, recovered)
		}
	}
}

// A transaction ends with it: only its coordinator may give out the next epoch.
func TestForgottenProducerEndsTheTransaction(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	p := r.initialised(unique(t))
	r.on(kmsg.Produce, first(59))
	_, err := p.Produce(within(t, time.Minute), []Outgoing{p.batch(topic, 0, "a")})
	requireClass(t, err, model.Fenced)
}

// Whoever stops does not wait for a broker that hangs, and does not end a transaction that a request on its way could
// begin anew.
func TestProduceEndsWithItsContextAndLeavesTheTransactionToInit(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	p := r.initialised(unique(t))
	release := make(chan struct{})
	r.on(kmsg.Produce, func(n int, _ request) (kmsg.Response, error, bool) {
		if n == 1 {
			r.fake.SleepControl(func() { <-release })
		}
		return nil, nil, false
	})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	began := time.Now()
	if _, err := p.Produce(ctx, []Outgoing{p.batch(topic, 0, "late")}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if len(p.pool.free) != 0 {
		t.Error("the builder is free though the connection may still be reading it")
	}
	requireClass(t, p.End(within(t, time.Minute), false), model.Fenced)
	if n := len(r.asked(kmsg.EndTxn)); n != 0 {
		t.Errorf("%d EndTxn", n)
	}
	must(t, p.Init(within(t, time.Minute)))
	close(release)
	write(t, p, p.batch(topic, 0, "again"))
	must(t, p.End(within(t, time.Minute), true))
	r.requireCommitted(topic, map[int32][]string{0: {"again"}})
}

func TestEveryCompressionIsReadByOthers(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	value := strings.Repeat("compressible ", 100)
	var want []string
	for codec := recordbatch.None; codec <= recordbatch.Zstd; codec++ {
		c, err := recordbatch.NewCompressor(codec)
		must(t, err)
		p := NewProducer(r.client, NewRetry(r.observer), NewPool(64<<10), ProducerConfig{TransactionalID: unique(t), TransactionTimeout: 10 * time.Second, Compressor: c})
		must(t, p.Init(within(t, time.Minute)))
		write(t, p, p.batch(topic, 0, codec.String(), value))
		must(t, p.End(within(t, time.Minute), true))
		want = append(want, codec.String(), value)
	}
	r.requireCommitted(topic, map[int32][]string{0: want})
}

// Kafka counts sequences in 31 bits and goes on with 0. A negative one would be an invalid record: at 20,000 events a
// second to one partition that is after 30 hours.
func TestSequencesGoOnWithZero(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	p := r.initialised(unique(t))
	tp := model.TopicPartition{Topic: topic, Partition: 0}
	r.fill(topic, 0, "not empty") // into an empty log brokers may take no sequence but 0
	want := []string{"not empty"}
	p.sequences[tp] = math.MaxInt32 - 4
	if r.fake != nil { // that cluster counts one less: it goes on after MaxInt32-1
		p.sequences[tp] = math.MaxInt32 - 3
	}
	write(t, p, p.batch(topic, 0, "a", "b", "c", "d", "e"))
	want = append(want, "a", "b", "c", "d", "e")
	if got := p.sequences[tp]; r.fake == nil && got != 0 || r.fake != nil && got != 1 {
		t.Fatalf("after the last sequence comes %d", got)
	}
	if r.fake == nil {
		for range 3 {
			write(t, p, p.batch(topic, 0, "f", "g"))
			want = append(want, "f", "g")
		}
	}
	must(t, p.End(within(t, time.Minute), true))
	r.requireCommitted(topic, map[int32][]string{0: want})
}
