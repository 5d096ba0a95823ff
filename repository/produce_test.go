package repository

import (
	"bytes"
	"context"
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
		if n > 1 {
			return nil, nil, false
		}
		r.lost(q)
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

func TestProducersThatLostTheirPlaceAreToldSo(t *testing.T) {
	for code, class := range map[int16]model.Class{47: model.Fenced, 48: model.Fenced, 90: model.Fenced, 49: model.Fenced, 45: model.Fenced, 59: model.Fenced,
		22: model.Rejoin, 25: model.Rejoin, 27: model.Rejoin, 82: model.Replaced, 29: model.Unauthorized, 53: model.Unauthorized, 30: model.Unauthorized} {
		for _, key := range []kmsg.Key{kmsg.Produce, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.InitProducerID} {
			r := sharedRig(t)
			p := r.initialised("x")
			ctx := within(t, time.Minute)
			r.on(key, first(code))
			var err error
			for _, step := range []func() error{
				func() error { return p.Init(ctx) },
				func() error { return p.Begin(ctx, "g") },
				func() error { _, err := p.Produce(ctx, []Outgoing{p.batch("shared", 0, "a")}); return err },
				func() error {
					return p.CommitOffsets(ctx, "g", model.Assignment{Generation: -1}, map[model.TopicPartition]model.Position{{Topic: "shared"}: {LeaderEpoch: -1}})
				},
				func() error { return p.End(ctx, true) },
			} {
				if err = step(); err != nil {
					break
				}
			}
			if model.ClassOf(err) != class || broker.Code(err) != code {
				t.Errorf("%d from %s: %s, %v", code, key.Name(), model.ClassOf(err), err)
			}
			if n := len(r.asked(key)); n != 1 {
				t.Errorf("%d from %s: asked %d times", code, key.Name(), n)
			}
			r.on(key, nil)
		}
	}
}

// sharedRig is one cluster for the many rows of a table.
func sharedRig(t *testing.T) *rig {
	t.Helper()
	r := fakeRig(t, kfake.SeedTopics(1, "shared"))
	return r
}

// What a real broker says to a producer whose transactional id another one has taken.
func TestSecondProducerFencesTheFirst(t *testing.T) {
	for name, step := range map[string]func(context.Context, *Producer, string) error{
		"produce": func(ctx context.Context, p *Producer, topic string) error {
			_, err := p.Produce(ctx, []Outgoing{p.batch(topic, 0, "late")})
			return err
		},
		"add":    func(ctx context.Context, p *Producer, topic string) error { return p.Begin(ctx, "g") },
		"commit": func(ctx context.Context, p *Producer, _ string) error { return p.End(ctx, true) },
		"abort":  func(ctx context.Context, p *Producer, _ string) error { return p.End(ctx, false) },
		"offsets": func(ctx context.Context, p *Producer, topic string) error {
			return p.CommitOffsets(ctx, "g", model.Assignment{Generation: -1}, map[model.TopicPartition]model.Position{{Topic: topic}: {LeaderEpoch: -1}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			topic := r.topic(1)
			ctx := within(t, time.Minute)
			old := r.initialised(unique(t))
			write(t, old, old.batch(topic, 0, "zombie"))
			young := r.initialised(old.TransactionalID())
			requireClass(t, step(ctx, old, topic), model.Fenced)
			write(t, young, young.batch(topic, 0, "alive"))
			must(t, young.End(ctx, true))
			r.requireCommitted(topic, map[int32][]string{0: {"alive"}})
		})
	}
}

func TestCommittedIsVisibleAndAbortedIsNot(t *testing.T) {
	r := newRig(t)
	topic := r.topic(3)
	ctx := within(t, time.Minute)
	p := r.initialised(unique(t))
	want := map[int32][]string{}
	for i := range 30 {
		must(t, p.Begin(ctx, topic))
		commit := i%3 != 1
		var batches []Outgoing
		for n := range int32(3) {
			a, b := fmt.Sprintf("%d-%d-a", n, i), fmt.Sprintf("%d-%d-b", n, i)
			batches = append(batches, p.batch(topic, n, a), p.batch(topic, n, b, b))
			if commit {
				want[n] = append(want[n], a, b, b)
			}
		}
		write(t, p, batches...)
		must(t, p.End(ctx, commit))
	}
	r.requireCommitted(topic, want)
	if got := p.sequences[model.TopicPartition{Topic: topic, Partition: 2}]; got != 90 {
		t.Errorf("sequence %d after 90 records", got)
	}
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

// The one record that the topic does not take is told from all others, which are written in their order, and the
// sequences go on without a gap.
func TestTooLargeRecordsAreToldFromTheOthers(t *testing.T) {
	for _, id := range []string{"", "transactional"} {
		t.Run(id, func(t *testing.T) {
			r := newRig(t)
			topic := r.topic(2, "max.message.bytes", "2000")
			p := r.producer("")
			if id != "" {
				p = r.producer(unique(t))
			}
			ctx := within(t, time.Minute)
			must(t, p.Init(ctx))
			var values, want []string
			for i := range 40 {
				v := fmt.Sprintf("%d-%s", i, strings.Repeat("x", 50))
				if i == 0 || i == 17 || i == 39 {
					v = fmt.Sprintf("%d-%s", i, strings.Repeat("X", 5000))
				} else {
					want = append(want, v)
				}
				values = append(values, v)
			}
			refused, err := p.Produce(ctx, []Outgoing{p.batch(topic, 0, values...), p.batch(topic, 1, "beside"), p.batch(topic, 0, "behind"), p.batch(topic, 0, "last")})
			must(t, err)
			var offsets []int64
			for _, x := range refused {
				offsets = append(offsets, x.Record.Offset)
				if x.Topic != topic || x.Record.Topic != source.Topic || x.Record.Partition != source.Partition || string(x.Record.Value) != values[x.Record.Offset-100] {
					t.Errorf("%+v", x)
				}
				requireClass(t, x.Err, model.Rejected)
			}
			slices.Sort(offsets)
			if !slices.Equal(offsets, []int64{100, 117, 139}) {
				t.Errorf("refused are %v", offsets)
			}
			write(t, p, p.batch(topic, 0, "next"))
			must(t, p.End(ctx, true))
			r.requireCommitted(topic, map[int32][]string{0: append(want, "behind", "last", "next"), 1: {"beside"}})
		})
	}
}

func TestInvalidRecordIsToldFromTheOthers(t *testing.T) {
	for _, code := range []int16{10, 18, 32, 43, 44, 87} {
		r := fakeRig(t)
		topic := r.topic(1)
		p := r.initialised("x")
		r.on(kmsg.Produce, func(_ int, q request) (kmsg.Response, error, bool) {
			for _, t := range q.Request.(*kmsg.ProduceRequest).Topics {
				if bytes.Contains(t.Partitions[0].Records, []byte("bad")) {
					return failing(q.Request, code), nil, true
				}
			}
			return nil, nil, false
		})
		refused, err := p.Produce(within(t, time.Minute), []Outgoing{p.batch(topic, 0, "a", "b", "bad", "c", "d")})
		if err != nil || len(refused) != 1 || string(refused[0].Record.Value) != "bad" || broker.Code(refused[0].Err) != code {
			t.Errorf("%d: %v, %v", code, refused, err)
		}
		must(t, p.End(within(t, time.Minute), true))
		r.requireCommitted(topic, map[int32][]string{0: {"a", "b", "c", "d"}})
	}
}

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

func FuzzReadProduce(f *testing.F) {
	a := kmsg.NewPtrProduceResponse()
	a.Version = 8
	x := kmsg.NewProduceResponseTopic()
	x.Topic = "t"
	for n := range int32(3) {
		y := kmsg.NewProduceResponseTopicPartition()
		y.Partition, y.ErrorCode, y.ErrorMessage = n, int16(n*46), kmsg.StringPtr("why")
		y.ErrorRecords = []kmsg.ProduceResponseTopicPartitionErrorRecord{{RelativeOffset: 3, ErrorMessage: kmsg.StringPtr("x")}}
		x.Partitions = append(x.Partitions, y)
	}
	a.Topics = append(a.Topics, x)
	f.Add(a.AppendTo(nil))
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := fakeless()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		answers := []error{errPending, errPending}
		byPartition := map[model.TopicPartition]int{{Topic: "t", Partition: 0}: 0, {Topic: "t", Partition: 1}: 1}
		err := p.readProduce(ctx, b, byPartition, answers)
		if len(b) < 4 && err == nil {
			t.Error("nothing was taken for an answer")
		}
	})
}
