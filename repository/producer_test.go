package repository

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// On a new cluster it is the question for the coordinator that creates __transaction_state: InitProducerID alone would be
// answered 16 for ever. -1/-1 asks for whatever producer id and epoch come next; 0/0 would be those of another producer.
func TestProducerOutlastsTheCoordinatorOfANewCluster(t *testing.T) {
	r := fakeRig(t)
	r.on(kmsg.InitProducerID, first(broker.NotCoordinator, broker.CoordinatorLoading))
	p := r.initialised(unique(t))
	var order []kmsg.Key
	for _, q := range r.asked(kmsg.FindCoordinator, kmsg.InitProducerID) {
		order = append(order, kmsg.Key(q.Key()))
		switch q := q.Request.(type) {
		case *kmsg.FindCoordinatorRequest:
			if q.CoordinatorType != 1 || q.CoordinatorKey != p.cfg.TransactionalID {
				t.Errorf("%+v", q)
			}
		case *kmsg.InitProducerIDRequest:
			if q.ProducerID != -1 || q.ProducerEpoch != -1 || *q.TransactionalID != p.cfg.TransactionalID || q.TransactionTimeoutMillis != 10_000 {
				t.Errorf("%+v", q)
			}
		}
	}
	if want := []kmsg.Key{kmsg.FindCoordinator, kmsg.InitProducerID, kmsg.FindCoordinator, kmsg.InitProducerID, kmsg.InitProducerID}; !slices.Equal(order, want) {
		t.Errorf("asked %v", order)
	}
	if p.id < 0 || p.epoch < 0 {
		t.Errorf("producer id %d, epoch %d", p.id, p.epoch)
	}
}

func TestProducerWithoutTransactionsGetsAnIDFromAnyBroker(t *testing.T) {
	r := fakeRig(t)
	p := r.initialised("")
	if q := r.asked(kmsg.InitProducerID); len(q) != 1 || q[0].Request.(*kmsg.InitProducerIDRequest).TransactionalID != nil {
		t.Errorf("%v", q)
	}
	if n := len(r.asked(kmsg.FindCoordinator)); n != 0 || p.id < 0 {
		t.Errorf("%d coordinators asked for, id %d", n, p.id)
	}
	must(t, p.Begin(within(t, time.Minute), "g"))
	must(t, p.End(within(t, time.Minute), true))
	if n := len(r.asked(kmsg.AddOffsetsToTxn, kmsg.AddPartitionsToTxn, kmsg.EndTxn)); n != 0 {
		t.Errorf("%d calls of a transaction that nobody wanted", n)
	}
}

// The answer 51 - the transaction before still writes its markers - passes within milliseconds, and in a cluster with
// replicas nearly every transaction gets it: 20 ms of backoff would be the larger part of a commit.
func TestTransactionsInAHurryAskAgainAtOnce(t *testing.T) {
	const times = 20
	for _, c := range []struct {
		key kmsg.Key
		do  func(*Producer) error
	}{
		{kmsg.InitProducerID, func(p *Producer) error { return p.Init(within(t, time.Minute)) }},
		{kmsg.AddOffsetsToTxn, func(p *Producer) error { return p.Begin(within(t, time.Minute), "g") }},
		{kmsg.AddPartitionsToTxn, func(p *Producer) error {
			return p.add(within(t, time.Minute), []model.TopicPartition{{Topic: "out", Partition: 0}})
		}},
		{kmsg.EndTxn, func(p *Producer) error {
			if err := p.Begin(within(t, time.Minute), "g"); err != nil {
				return err
			}
			return p.End(within(t, time.Minute), true)
		}},
	} {
		t.Run(c.key.Name(), func(t *testing.T) {
			r := fakeRig(t)
			r.create("out", 1)
			p := r.initialised(unique(t))
			r.on(c.key, first(slices.Repeat([]int16{broker.ConcurrentTransactions}, times)...))
			must(t, c.do(p))
			asked := r.asked(c.key)
			if len(asked) != times+1 {
				t.Fatalf("asked %d times", len(asked))
			}
			var pauses []time.Duration
			for i := 1; i < len(asked); i++ {
				pauses = append(pauses, asked[i].at.Sub(asked[i-1].at))
			}
			// Taken at the broker, where two requests may come closer than they were sent.
			slices.Sort(pauses)
			if middle := pauses[len(pauses)/2]; middle < 500*time.Microsecond || pauses[0] > 10*time.Millisecond {
				t.Errorf("pauses of %s to %s, half of them above %s", pauses[0], pauses[len(pauses)-1], middle)
			}
			if retries, _, _ := r.observer.told(); len(retries) > 0 {
				t.Errorf("told of what is as usual: %v", retries)
			}
		})
	}
}

func TestTransactionOutlastsAnswersThatPass(t *testing.T) {
	ctx := within(t, time.Minute)
	for key, codes := range map[kmsg.Key][]int16{
		kmsg.AddPartitionsToTxn: {broker.UnknownTopicOrPartition, broker.UnknownTopicOrPartition, broker.CoordinatorLoading, broker.NotCoordinator, broker.ConcurrentTransactions},
		kmsg.AddOffsetsToTxn:    {broker.CoordinatorLoading, broker.CoordinatorNotAvailable, broker.NotCoordinator},
		kmsg.TxnOffsetCommit:    {broker.CoordinatorLoading, broker.ConcurrentTransactions, broker.NotCoordinator, broker.UnknownTopicOrPartition},
		kmsg.EndTxn:             {broker.CoordinatorLoading, broker.NotCoordinator, broker.ConcurrentTransactions},
		kmsg.Produce:            {19, broker.CoordinatorLoading, broker.UnknownTopicOrPartition, broker.UnknownTopicID, 7, -1},
	} {
		t.Run(key.Name(), func(t *testing.T) {
			r := fakeRig(t)
			topic := r.topic(1)
			p := r.initialised(unique(t))
			r.on(key, first(codes...))
			must(t, p.Begin(ctx, "g"))
			write(t, p, p.batch(topic, 0, "a", "b"))
			must(t, p.CommitOffsets(ctx, "g", model.Assignment{Generation: -1}, map[model.TopicPartition]model.Position{{Topic: topic, Partition: 0}: {Offset: 5, LeaderEpoch: -1}}))
			must(t, p.End(ctx, true))
			if n := len(r.asked(key)); n != len(codes)+1 {
				t.Errorf("asked %d times", n)
			}
			r.requireCommitted(topic, map[int32][]string{0: {"a", "b"}})
		})
	}
}

// Every call goes to the coordinator of its own: the transaction's for the transaction, the group's for its offsets.
func TestCoordinatorsThatMoveAreFoundAgain(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(2)
	p := r.initialised(unique(t))
	ctx := within(t, time.Minute)
	tp := model.TopicPartition{Topic: topic, Partition: 0}
	move := func() {
		for was := r.fake.CoordinatorFor(p.cfg.TransactionalID); r.fake.CoordinatorFor(p.cfg.TransactionalID) == was; {
			r.fake.RehashCoordinators()
		}
	}
	for i := range 5 {
		move()
		must(t, p.Begin(ctx, "g"))
		move()
		write(t, p, p.batch(topic, 0, fmt.Sprint(i)))
		move()
		must(t, p.CommitOffsets(ctx, "g", model.Assignment{Generation: -1}, map[model.TopicPartition]model.Position{tp: {Offset: int64(i), LeaderEpoch: -1}}))
		move()
		must(t, p.End(ctx, true))
	}
	r.requireCommitted(topic, map[int32][]string{0: {"0", "1", "2", "3", "4"}})
}

// The broker answers a repeated EndTxn as the first.
func TestLostAnswerToTheEndOfATransactionIsAskedForAgain(t *testing.T) {
	for _, commit := range []bool{true, false} {
		for name, hangUp := range map[string]func(*rig, request) (kmsg.Response, error, bool){
			"nothing was done": func(*rig, request) (kmsg.Response, error, bool) { return nil, io.EOF, true },
			"it was done":      func(r *rig, q request) (kmsg.Response, error, bool) { return r.lost(q) },
		} {
			t.Run(fmt.Sprintf("%s/%v", name, commit), func(t *testing.T) {
				r := fakeRig(t)
				topic := r.topic(1)
				p := r.initialised(unique(t))
				ctx := within(t, time.Minute)
				write(t, p, p.batch(topic, 0, "a"))
				r.on(kmsg.EndTxn, func(n int, q request) (kmsg.Response, error, bool) {
					if n == 1 {
						return hangUp(r, q)
					}
					return nil, nil, false
				})
				must(t, p.End(ctx, commit))
				write(t, p, p.batch(topic, 0, "b"))
				must(t, p.End(ctx, true))
				want := []string{"a", "b"}
				if !commit {
					want = want[1:]
				}
				r.requireCommitted(topic, map[int32][]string{0: want})
			})
		}
	}
}

// Adding partitions ahead takes a round trip off the commit; what is not written to any more is not added for ever.
func TestPartitionsOfTheLastTransactionAreAddedAhead(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(4)
	p := r.initialised(unique(t))
	ctx := within(t, time.Minute)
	added := func() []int32 {
		var got []int32
		for _, q := range r.asked(kmsg.AddPartitionsToTxn) {
			for _, t := range q.Request.(*kmsg.AddPartitionsToTxnRequest).Topics {
				got = append(got, t.Partitions...)
			}
		}
		slices.Sort(got)
		r.on(kmsg.AddPartitionsToTxn, nil)
		return got
	}
	for i, step := range []struct{ begin, write, missing []int32 }{
		{nil, []int32{0, 1}, []int32{0, 1}},
		{[]int32{0, 1}, []int32{1, 2}, []int32{2}},
		{[]int32{1, 2}, nil, nil},
		{nil, []int32{3}, []int32{3}},
		{[]int32{3}, []int32{3, 3}, nil},
	} {
		must(t, p.Begin(ctx, "g"))
		if got := added(); !slices.Equal(got, step.begin) {
			t.Errorf("transaction %d: %v were added ahead, want %v", i, got, step.begin)
		}
		var batches []Outgoing
		for _, n := range step.write {
			batches = append(batches, p.batch(topic, n, fmt.Sprint(i)))
		}
		write(t, p, batches...)
		if got := added(); !slices.Equal(got, step.missing) {
			t.Errorf("transaction %d: %v were added late, want %v", i, got, step.missing)
		}
		must(t, p.End(ctx, true))
	}
	for _, q := range r.asked(kmsg.AddOffsetsToTxn) {
		if q.Request.(*kmsg.AddOffsetsToTxnRequest).Group != "g" {
			t.Errorf("%+v", q.Request)
		}
	}
	if n := len(r.asked(kmsg.AddOffsetsToTxn)); n != 5 {
		t.Errorf("the group's offsets were added %d times in 5 transactions", n)
	}
	r.requireCommitted(topic, map[int32][]string{0: {"0"}, 1: {"0", "1"}, 2: {"1"}, 3: {"3", "4", "4"}})
}

// After a reload an output may be left out, and its topic deleted.
func TestATopicThatIsGoneIsNotAddedAhead(t *testing.T) {
	r := newRig(t)
	gone, there := r.topic(1), r.topic(1)
	p := r.initialised(unique(t))
	ctx := within(t, 20*time.Second)
	must(t, p.Begin(ctx, "g"))
	write(t, p, p.batch(gone, 0, "a"), p.batch(there, 0, "b"))
	must(t, p.End(ctx, true))
	_, err := r.admin.DeleteTopic(ctx, gone)
	must(t, err)
	eventually(t, "that the brokers know", func() bool {
		_, err := r.another().RefreshTopics(ctx, gone)
		return broker.Code(err) == broker.UnknownTopicOrPartition
	})
	must(t, p.Begin(ctx, "g"))
	write(t, p, p.batch(there, 0, "c"))
	must(t, p.End(ctx, true))
	r.requireCommitted(there, map[int32][]string{0: {"b", "c"}})
}

func TestNothingIsEndedThatWasNotBegun(t *testing.T) {
	r := fakeRig(t)
	p := r.initialised(unique(t))
	must(t, p.End(within(t, time.Minute), true))
	must(t, p.End(within(t, time.Minute), false))
	if n := len(r.asked(kmsg.EndTxn)); n != 0 {
		t.Errorf("EndTxn was sent %d times; the broker would answer 48", n)
	}
}

// A refused partition says why; the ones that were not attempted because of it (55) do not.
func TestRefusedPartitionIsTheOneThatIsNamed(t *testing.T) {
	for _, codes := range [][]int16{{55, 3}, {3, 55}, {55, 29, 55}, {51, 55}, {55, 0}, {55, 51, 29}, {29, 3}} {
		r := kmsg.NewPtrAddPartitionsToTxnResponse()
		var want int16
		for i, code := range codes {
			x := kmsg.NewAddPartitionsToTxnResponseTopic()
			y := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
			y.Partition, y.ErrorCode = int32(i), code
			x.Partitions = append(x.Partitions, y)
			r.Topics = append(r.Topics, x)
			if code != 0 && (want == 0 || want == 55 || code == 29) {
				want = code
			}
		}
		if got := broker.Code(fakeless().checkAdded(r)); got != want {
			t.Errorf("%v: %d, want %d", codes, got, want)
		}
	}
	if err := fakeless().checkAdded(kmsg.NewPtrAddPartitionsToTxnResponse()); err != nil {
		t.Error(err)
	}
}

// fakeless is a producer that talks to nobody.
func fakeless() *Producer {
	return NewProducer(broker.New(nil, nil, ""), NewRetry(&observer{}), NewPool(1<<10), ProducerConfig{TransactionalID: "x"})
}
