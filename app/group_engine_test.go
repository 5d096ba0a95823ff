package app_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// requireReplaced waits until the instance has noticed that another one has its name, and says so.
func (e *engine) requireReplaced(instance string) {
	e.t.Helper()
	for end := time.Now().Add(30 * time.Second); e.metric("stream_engine_instance_fenced_total") == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			e.t.Fatal("it has not noticed")
		}
	}
	if n := e.metric("stream_engine_instance_fenced_total"); n != 1 {
		e.t.Errorf("fenced %v times", n)
	}
	if !e.says(`"level":"error"`, "INSTANCE_ID="+instance) {
		e.t.Error("no error names the INSTANCE_ID")
	}
}

// transactionalIDs are those that were initialised.
func (r *rig) transactionalIDs() map[string]int {
	ids := map[string]int{}
	for _, q := range asked[*kmsg.InitProducerIDRequest](r) {
		if q.TransactionalID != nil && strings.HasPrefix(*q.TransactionalID, groupID+"-") {
			ids[*q.TransactionalID]++
		}
	}
	return ids
}

// Two processes with one INSTANCE_ID: the first one gives the name up and goes on under another, and nothing is lost or
// done twice.
func TestSecondProcessWithOneInstanceIDTakesTheName(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]bool{"idle": false, "under load": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			one := r.start("INSTANCE_ID=twin", "SESSION_TIMEOUT=2s")
			r.feed(100)
			r.exactlyOnce()
			other := r.start("INSTANCE_ID=twin", "SESSION_TIMEOUT=2s")
			for end := time.Now().Add(2 * time.Second); busy && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				r.feed(10)
			}
			one.requireReplaced("twin")
			r.feed(100)
			r.exactlyOnce()
			r.eventually("readiness of both", func() bool { return one.ready() && other.ready() })
			if n := other.metric("stream_engine_instance_fenced_total"); n != 0 {
				t.Errorf("the second one was fenced %v times", n)
			}
			r.eventually("a transactional id of its own for each", func() bool {
				ids := r.transactionalIDs()
				return len(ids) == 2 && ids[groupID+"-twin"] > 0
			})
			must(t, one.stop())
			must(t, other.stop())
		})
	}
}

// A commit is where the loss of the name shows first.
func TestCommitThatAnotherProcessWithOurNameFencesIsDoneAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("INSTANCE_ID=twin")
	r.feed(100)
	r.exactlyOnce()
	r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.FencedInstanceID})
	r.feed(100)
	e.requireReplaced("twin")
	r.exactlyOnce()
	if ids := r.transactionalIDs(); len(ids) != 2 {
		t.Errorf("transactional ids %v", ids)
	}
}

// What is open when members come and go is committed before the partitions are given up, and each goes on where the
// other stopped.
func TestMembersComeAndGoUnderLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.start("SESSION_TIMEOUT=2s")
	r.feed(100)
	r.caughtUp()
	join := func() *engine {
		e := r.start("SESSION_TIMEOUT=2s")
		r.eventually("a share of the work", func() bool {
			r.feed(10)
			return e.metric(`stream_engine_events_total{outcome="forwarded"}`) > 0
		})
		return e
	}
	second, third := join(), join()
	must(t, first.stop())
	for range 100 {
		r.feed(10)
		time.Sleep(5 * time.Millisecond)
	}
	r.exactlyOnce()
	for _, e := range []*engine{second, third} {
		if n := e.metric(`stream_engine_transactions_total{outcome="unknown"}`) + e.metric(`stream_engine_transactions_total{outcome="aborted"}`); n > 1 {
			t.Errorf("%v transactions were thrown away in a rebalance", n)
		}
		must(t, e.stop())
	}
}

func TestMoreInstancesThanPartitionsStandBy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var engines []*engine
	for i := range 2*partitions + 1 { // of the source and of the replay topic
		engines = append(engines, r.start("INSTANCE_ID=i"+strconv.Itoa(i)))
	}
	standing := func() (found *engine) {
		for _, e := range engines {
			if e.says("standing by without a partition") && !e.says(`"message":"reading"`) {
				found = e
			}
		}
		return found
	}
	r.eventually("an instance without a partition that is ready", func() bool { return standing() != nil && standing().ready() })
	r.feed(100)
	r.exactlyOnce()
	time.Sleep(1200 * time.Millisecond)
	if status, body := standing().get("/livez"); status != 200 {
		t.Errorf("livez: %d %s", status, body)
	}
	spare := standing()
	if n := spare.metric(`stream_engine_events_total{outcome="forwarded"}`); n != 0 {
		t.Errorf("%v events", n)
	}
	must(t, spare.stop())
}

// A transaction that the coordinator gives up is done again with half as many records, until one passes.
func TestTransactionThatTakesTooLongIsHalved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("TRANSACTION_TIMEOUT=1s", "COMMIT_MAX_RECORDS=400")
	r.feed(12)
	r.exactlyOnce()
	r.forget()
	const slow = 6 // two rounds of three leaders
	r.wire.on(kmsg.Produce, first(slow, deed{late: 1200 * time.Millisecond}))
	r.feed(2000)
	r.exactlyOnce()
	var halves []int
	for _, found := range regexp.MustCompile(`"records":(\d+),.*took too long`).FindAllStringSubmatch(e.log.String(), -1) {
		n, err := strconv.Atoi(found[1])
		must(t, err)
		halves = append(halves, n)
	}
	if len(halves) < 2 || slices.Max(halves) > 200 {
		t.Errorf("then with %v records", halves)
	}
	r.eventually("readiness", e.ready)
	r.backlog(20_000)
	r.exactlyOnce()
	var largest int64
	for _, n := range r.stepsFrom(12 / partitions) {
		largest = max(largest, n)
	}
	if largest <= 200 {
		t.Errorf("at most %d records in a transaction: it did not grow back", largest)
	}
}

// A leader that takes no connection loses one transaction after the other: that is said, and not tried as fast as it goes.
func TestTransactionsThatAreLostAllTheTimeAreTriedSlowly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start()
	r.feed(50)
	r.exactlyOnce()
	r.forget()
	r.wire.on(kmsg.Produce, func(int) deed { return deed{drop: true} })
	r.feed(50)
	r.eventually("the reason", func() bool {
		status, body := e.get("/readyz")
		return status == 503 && strings.Contains(body, "produce")
	})
	time.Sleep(3 * time.Second)
	if n := len(asked[*kmsg.InitProducerIDRequest](r)); n > 30 {
		t.Errorf("%d attempts in a few seconds", n)
	}
	if e.ready() {
		t.Error("ready while nothing can be produced")
	}
	r.wire.on(kmsg.Produce, nil)
	r.exactlyOnce()
	r.eventually("readiness", e.ready)
}
