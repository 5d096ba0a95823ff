package app_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fault is what the brokers answer to a request, several times in a row.
type fault struct {
	key   kmsg.Key
	err   *kerr.Error
	times int
	fence bool   // the request comes only after a transaction was lost
	topic string // of a Produce or a Fetch; empty: the usual one
}

var (
	again    = []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions}
	lostByUs = []*kerr.Error{kerr.InvalidProducerEpoch, kerr.InvalidTxnState, kerr.ProducerFenced}
)

func faults() []fault {
	var all []fault
	add := func(key kmsg.Key, fence bool, times int, errs ...*kerr.Error) {
		for _, err := range errs {
			all = append(all, fault{key: key, err: err, times: times, fence: fence})
		}
	}
	add(kmsg.EndTxn, false, 1, lostByUs...)
	add(kmsg.EndTxn, false, 3, again...)
	add(kmsg.AddOffsetsToTxn, false, 30, kerr.ConcurrentTransactions)
	add(kmsg.AddOffsetsToTxn, false, 1, lostByUs...)
	add(kmsg.AddPartitionsToTxn, false, 30, kerr.ConcurrentTransactions)
	add(kmsg.AddPartitionsToTxn, false, 2, kerr.UnknownTopicOrPartition, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.InvalidProducerEpoch)
	add(kmsg.Produce, false, 3, kerr.NotEnoughReplicas, kerr.CoordinatorLoadInProgress, kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition)
	add(kmsg.Produce, false, 1, kerr.InvalidProducerEpoch, kerr.InvalidTxnState, kerr.OutOfOrderSequenceNumber, kerr.InvalidProducerIDMapping, kerr.UnknownProducerID)
	add(kmsg.TxnOffsetCommit, false, 3, again...)
	add(kmsg.TxnOffsetCommit, false, 1, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress, kerr.FencedInstanceID, kerr.InvalidProducerEpoch)
	add(kmsg.InitProducerID, true, 3, again...)
	add(kmsg.InitProducerID, true, 1, kerr.ProducerFenced, kerr.InvalidProducerEpoch)
	add(kmsg.OffsetFetch, true, 5, kerr.UnstableOffsetCommit, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator)
	add(kmsg.FindCoordinator, true, 2, kerr.CoordinatorNotAvailable)
	add(kmsg.Heartbeat, false, 1, kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.NotCoordinator)
	add(kmsg.Fetch, false, 2, kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError)
	return all
}

// install makes the brokers answer so. Produce and Fetch fail for the engine's topics only as the engine uses them.
func (f fault) install(r *rig) *kfake.FaultHandle {
	x := kfake.Fault{Keys: []kmsg.Key{f.key}, Err: f.err, Count: f.times}
	switch f.key {
	case kmsg.Produce:
		x.Topic = cmp.Or(f.topic, outputTopic)
	case kmsg.Fetch:
		x.Topic = cmp.Or(f.topic, sourceTopic)
	case kmsg.OffsetFetch: // the tests look at the group's offsets as well
		x.When = func(q kmsg.Request) bool { return q.(*kmsg.OffsetFetchRequest).RequireStable }
	}
	h := r.fake.Fault(x)
	if f.fence {
		r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced, TopLevel: true})
		for range 4 { // a coordinator that is known is not asked for
			r.fake.RehashCoordinators()
		}
	}
	return h
}

// Whatever the brokers answer, each event comes out once and in order, and the engine goes on and is ready again.
func TestEachEventComesOutOnceWhateverBrokersAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("SESSION_TIMEOUT=1s")
	r.feed(100)
	r.exactlyOnce()
	for _, f := range faults() {
		ok := t.Run(fmt.Sprintf("%s/%d/%s", f.key.Name(), f.err.Code, f.err.Message), func(t *testing.T) {
			r.t = t
			h := f.install(r)
			for range 3 {
				r.feed(20)
				time.Sleep(5 * time.Millisecond)
			}
			r.eventually("the fault", func() bool {
				r.feed(1)
				return h.Hits() >= f.times
			})
			r.feed(20)
			r.exactlyOnce()
			r.eventually("readiness", e.ready)
		})
		if !ok {
			break
		}
	}
	r.t = t
	e.requireCounts(float64(r.sent), 0) // what was given up is not counted
}

// The same when connections break: before the broker has seen the request, or after it has done what was asked.
func TestEachEventComesOutOnceWhateverConnectionsBreak(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start()
	r.feed(100)
	r.exactlyOnce()
	for _, key := range []kmsg.Key{kmsg.EndTxn, kmsg.TxnOffsetCommit, kmsg.AddOffsetsToTxn, kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.Fetch, kmsg.Heartbeat} {
		for name, d := range map[string]deed{"drop": {drop: true}, "lose": {lose: true}} {
			ok := t.Run(key.Name()+"/"+name, func(t *testing.T) {
				r.t = t
				const times = 2
				r.wire.on(key, first(times, d))
				if key == kmsg.AddPartitionsToTxn { // the partitions of the transaction before are not added again
					r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced, TopLevel: true})
				}
				r.eventually("the fault", func() bool {
					r.feed(1)
					return r.wire.asked(key) > times
				})
				r.feed(50)
				r.exactlyOnce()
				r.eventually("readiness", e.ready)
			})
			if !ok {
				break
			}
		}
	}
	r.t = t
}

// What is lost with the connection while a producer or a member is set up is asked for again as well.
func TestStartOutlastsBrokenConnections(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	keys := []kmsg.Key{kmsg.Metadata, kmsg.ApiVersions, kmsg.FindCoordinator, kmsg.InitProducerID, kmsg.OffsetFetch, kmsg.ListOffsets, kmsg.OffsetCommit, kmsg.JoinGroup, kmsg.SyncGroup}
	for i, key := range keys {
		r.wire.on(key, first(2, deed{drop: i%2 == 0, lose: i%2 == 1}))
	}
	r.feed(100)
	e := r.start()
	r.exactlyOnce()
	for _, key := range keys {
		if n := r.wire.asked(key); n < 3 {
			t.Errorf("%s was asked %d times", key.Name(), n)
		}
	}
	r.eventually("readiness", e.ready)
	must(t, e.stop())
}

// A few seconds of everything at once: connections break before and after, answers are late, brokers refuse,
// coordinators and leaders move. The seed makes the choice, not the timing; a machine with much else to do needs longer
// until enough has gone wrong.
func TestEachEventComesOutOnceThroughAStorm(t *testing.T) {
	t.Parallel()
	const least, most, lost = 4 * time.Second, time.Minute, 5
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			r := newRig(t)
			engines := []*engine{r.start("COMMIT_MAX_RECORDS=40"), r.start("INSTANCE_ID=a")}
			r.feed(100)
			r.caughtUp()
			s := storm{r: r, rng: rand.New(rand.NewPCG(seed, 0))}
			r.wire.every(s.befall)
			given := func() (n float64) {
				for _, e := range engines {
					n += e.metric(`stream_engine_transactions_total{outcome="unknown"}`) + e.metric(`stream_engine_transactions_total{outcome="aborted"}`)
				}
				return n
			}
			for began := time.Now(); time.Since(began) < least || given() < lost && time.Since(began) < most; time.Sleep(10 * time.Millisecond) {
				r.feed(20)
				s.blow()
			}
			r.wire.every(nil)
			s.calm()
			r.feed(50)
			r.exactlyOnce()
			for _, e := range engines {
				r.eventually("readiness", e.ready)
			}
			if n := given(); n < lost {
				t.Errorf("only %v transactions were given up: no storm", n)
			}
			for _, e := range engines {
				must(t, e.stop())
			}
		})
	}
}

// storm chooses what goes wrong.
type storm struct {
	r       *rig
	mu      sync.Mutex
	rng     *rand.Rand
	handles []*kfake.FaultHandle
}

func (s *storm) chance(percent int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.IntN(100) < percent
}

// befall is for the wire.
func (s *storm) befall(kmsg.Key) deed {
	switch {
	case s.chance(2):
		return deed{drop: true}
	case s.chance(2):
		return deed{lose: true}
	case s.chance(2):
		return deed{late: 50 * time.Millisecond}
	}
	return deed{}
}

// blow is called every few milliseconds.
func (s *storm) blow() {
	if s.chance(20) {
		all := faults()
		s.mu.Lock()
		f := all[s.rng.IntN(len(all))]
		s.mu.Unlock()
		f.fence = false
		if f.err != kerr.FencedInstanceID { // another test's: the instance would go on under another name
			s.handles = append(s.handles, f.install(s.r))
		}
	}
	if s.chance(3) {
		s.r.fake.RehashCoordinators()
	}
	if s.chance(3) {
		s.r.fake.ShufflePartitionLeaders()
	}
}

// calm takes back what has not happened yet.
func (s *storm) calm() {
	for _, h := range s.handles {
		h.Remove()
	}
}
