package app_test

import (
	"fmt"
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
	fence bool // the request comes only after a transaction was lost
}

var (
	again    = []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions}
	lostByUs = []*kerr.Error{kerr.InvalidProducerEpoch, kerr.InvalidTxnState, kerr.ProducerFenced}
)

func faults() []fault {
	var all []fault
	add := func(key kmsg.Key, fence bool, times int, errs ...*kerr.Error) {
		for _, err := range errs {
			all = append(all, fault{key, err, times, fence})
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
		x.Topic = outputTopic
	case kmsg.Fetch:
		x.Topic = sourceTopic
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
}
