package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// atLeastOnce waits for the group and holds the output against what was fed: each event, and the first of each in order.
// It returns how many came more than once.
func (r *rig) atLeastOnce() (repeated int) {
	r.t.Helper()
	r.caughtUp()
	got := r.output()
	for user, want := range r.want {
		seen := map[int]bool{}
		firsts := slices.DeleteFunc(slices.Clone(got[user]), func(n int) bool {
			again := seen[n]
			seen[n] = true
			return again
		})
		if !slices.Equal(firsts, want) {
			r.t.Errorf("%s: %s", user, difference(firsts, want))
		}
		repeated += len(got[user]) - len(firsts)
	}
	return repeated
}

func TestAtLeastOnceNeedsNoTransactions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("DELIVERY_GUARANTEE=at_least_once")
	for range 5 {
		r.feed(100)
		if n := r.atLeastOnce(); n != 0 {
			t.Errorf("%d events came more than once, and nothing went wrong", n)
		}
	}
	if n := len(asked[*kmsg.AddOffsetsToTxnRequest](r)) + len(asked[*kmsg.AddPartitionsToTxnRequest](r)) + len(asked[*kmsg.TxnOffsetCommitRequest](r)) + len(asked[*kmsg.EndTxnRequest](r)); n > 0 {
		t.Errorf("%d requests of transactions", n)
	}
	for _, q := range asked[*kmsg.InitProducerIDRequest](r) {
		if q.TransactionalID != nil {
			t.Errorf("transactional id %s", *q.TransactionalID)
		}
	}
	commits := asked[*kmsg.OffsetCommitRequest](r)
	for _, q := range commits {
		if q.MemberID == "" || q.Generation < 1 {
			t.Errorf("a commit that nothing fences: %+v", q)
		}
	}
	if len(commits) < 5 {
		t.Errorf("%d commits", len(commits))
	}
	e.requireCounts(500, 0)
	for _, outcome := range []string{"committed", "aborted", "unknown"} {
		if n := e.metric(`stream_engine_transactions_total{outcome="` + outcome + `"}`); n != 0 {
			t.Errorf("%v transactions %s", n, outcome)
		}
	}
}

// requireProduced holds commits to the output: every event below a committed offset has come out. What goes to a
// partition that takes records may be committed while another one refuses them.
func (r *rig) requireProduced(commits []*kmsg.OffsetCommitRequest) {
	r.t.Helper()
	done := map[int32]int64{}
	for _, q := range commits {
		for _, topic := range q.Topics {
			for _, p := range topic.Partitions {
				done[p.Partition] = max(done[p.Partition], p.Offset)
			}
		}
	}
	out := r.output()
	for _, rec := range r.committed(sourceTopic) {
		var e event
		must(r.t, json.Unmarshal(rec.Value, &e))
		if rec.Offset < done[rec.Partition] && !slices.Contains(out[e.User], e.N) {
			r.t.Errorf("event %d of %s is committed and was not produced", e.N, e.User)
		}
	}
}

// Offsets are committed only when everything that was made of the events is acknowledged.
func TestAtLeastOnceCommitsOnlyWhatWasProduced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("DELIVERY_GUARANTEE=at_least_once")
	r.feed(100)
	r.atLeastOnce()
	stuck := r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: outputTopic, Partitions: []int32{1}, Err: kerr.NotEnoughReplicas, Count: -1})
	r.forget()
	r.feed(100)
	must(t, stuck.Wait(t.Context(), 5))
	r.requireProduced(asked[*kmsg.OffsetCommitRequest](r))
	stuck.Remove()
	r.feed(20)
	if n := r.atLeastOnce(); n != 0 {
		t.Errorf("%d events came more than once: the same batch again is known to the broker", n)
	}
	r.eventually("readiness", e.ready)
}

func TestAtLeastOnceLosesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start("DELIVERY_GUARANTEE=at_least_once", "SESSION_TIMEOUT=1s")
	r.feed(100)
	r.atLeastOnce()
	again := 0
	for _, f := range []fault{
		{key: kmsg.Produce, err: kerr.NotLeaderForPartition, times: 3}, {key: kmsg.Produce, err: kerr.OutOfOrderSequenceNumber, times: 1}, {key: kmsg.Produce, err: kerr.UnknownProducerID, times: 1},
		{key: kmsg.OffsetCommit, err: kerr.CoordinatorLoadInProgress, times: 3}, {key: kmsg.OffsetCommit, err: kerr.NotCoordinator, times: 2}, {key: kmsg.OffsetCommit, err: kerr.RebalanceInProgress, times: 1},
		{key: kmsg.OffsetCommit, err: kerr.IllegalGeneration, times: 1}, {key: kmsg.OffsetCommit, err: kerr.UnknownMemberID, times: 1}, {key: kmsg.Heartbeat, err: kerr.RebalanceInProgress, times: 1},
	} {
		t.Run(fmt.Sprintf("%s/%d", f.key.Name(), f.err.Code), func(t *testing.T) {
			r.t = t
			h := f.install(r)
			r.feed(50)
			r.eventually("the fault", func() bool {
				r.feed(1)
				return h.Hits() >= f.times
			})
			again = r.atLeastOnce() - again
		})
	}
	for key, d := range map[kmsg.Key]deed{kmsg.Produce: {lose: true}, kmsg.OffsetCommit: {lose: true}, kmsg.Fetch: {drop: true}} {
		t.Run(key.Name()+"/broken connection", func(t *testing.T) {
			r.t = t
			r.wire.on(key, first(2, d))
			before := r.atLeastOnce()
			r.feed(50)
			r.eventually("the fault", func() bool {
				r.feed(1)
				return r.wire.asked(key) > 2
			})
			if n := r.atLeastOnce() - before; n != 0 {
				t.Errorf("%d events came more than once: nothing had to be done again but the request", n)
			}
		})
	}
	r.t = t
}
