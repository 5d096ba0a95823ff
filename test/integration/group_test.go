package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"data-stream-engine/test/harness"
)

type ctx = context.Context

func TestInstancesJoinAndLeaveUnderLoad(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(6, 4))
	stop := st.FeedFor(1500)
	first := st.Start("", nil)
	first.AwaitReady(t, soon)
	second := st.Start("", nil)
	second.AwaitReady(t, soon)
	time.Sleep(time.Second)
	third := st.Start("fixed", nil)
	third.AwaitReady(t, soon)
	for _, i := range []*harness.Instance{second, third} {
		harness.Until(t, soon, i.Name+" has a share of the work", func(context.Context) error {
			if i.Events(t, "forwarded") == 0 {
				return errors.New("it has forwarded nothing")
			}
			return nil
		})
	}
	second.Stop(t)
	time.Sleep(time.Second)
	fourth := st.Start("", nil)
	fourth.AwaitReady(t, soon)
	first.Stop(t)
	time.Sleep(time.Second)
	stop()
	st.Finish(soon)
}

// A dynamic member that is killed is missed after its session; the others then do its work.
func TestWorkOfAKilledInstanceIsTakenOver(t *testing.T) {
	st := suite.NewStream(t)
	stop := st.FeedFor(800)
	first, second := st.Start("", nil), st.Start("", nil)
	first.AwaitReady(t, soon)
	second.AwaitReady(t, soon)
	time.Sleep(1500 * time.Millisecond)
	first.Kill()
	time.Sleep(2 * time.Second)
	stop()
	st.Finish(late)
}

func TestStaticMemberRestartsWithoutARebalance(t *testing.T) {
	st := suite.NewStream(t)
	stop := st.FeedFor(800)
	first, second := "a", "b" // the first one leads the group: its restart must not share out anew
	if suite.IsEmbedded() {
		first, second = "b", "a" // its broker takes a member that forgot what it owned for one with another subscription
	}
	instances := map[string]*harness.Instance{first: st.Start(first, nil)}
	instances[first].AwaitReady(t, soon)
	instances[second] = st.Start(second, nil)
	instances[second].AwaitReady(t, soon)
	a, b := instances["a"], instances["b"]
	time.Sleep(time.Second) // until both have what is theirs
	before := b.Metric(t, "stream_engine_rebalances_total")

	a.Stop(t)
	a = st.Start("a", nil)
	a.AwaitReady(t, soon)
	began := time.Now()
	a.Kill()
	a = st.Start("a", nil)
	a.AwaitReady(t, soon)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a killed static member was back after %s: as long as a session", took)
	}
	time.Sleep(time.Second)
	if a.Events(t, "forwarded") == 0 {
		t.Error("a does nothing after its restart")
	}
	if after := b.Metric(t, "stream_engine_rebalances_total"); after != before {
		t.Errorf("b went through %g rebalances while a was restarted", after-before)
	}
	stop()
	st.Finish(soon)
}

func TestTwoProcessesWithOneInstanceIDAreToldAndBothGoOn(t *testing.T) {
	st := suite.NewStream(t)
	stop := st.FeedFor(1000)
	first := st.Start("twin", nil)
	first.AwaitReady(t, soon)
	time.Sleep(500 * time.Millisecond)
	second := st.Start("twin", nil)
	second.AwaitReady(t, soon)
	first.Says(t, soon, `"error"`, "INSTANCE_ID", "twin")
	at := first.Events(t, "forwarded")
	harness.Until(t, soon, "both go on", func(_ ctx) error {
		if a, b := first.Events(t, "forwarded")-at, second.Events(t, "forwarded"); a == 0 || b == 0 {
			return fmt.Errorf("the first forwarded %g events since, the second %g", a, b)
		}
		return nil
	})
	if got := first.Metric(t, "stream_engine_instance_fenced_total"); got != 1 {
		t.Errorf("stream_engine_instance_fenced_total is %g, not 1", got)
	}
	time.Sleep(time.Second)
	stop()
	st.Finish(soon)
	for _, i := range []*harness.Instance{first, second} {
		if n := strings.Count(i.Log(), "took over INSTANCE_ID"); n > 1 {
			t.Errorf("%s was replaced %d times: the two go on fighting", i.Name, n)
		}
	}
}

// A process that stands still for longer than its session wakes up in the middle of a transaction that is not its own
// any more.
func TestZombieIsFencedAndNothingIsDuplicated(t *testing.T) {
	for _, kind := range []string{"", "static"} {
		t.Run("member"+kind, func(t *testing.T) {
			st := suite.NewStream(t)
			stop := st.FeedFor(1500)
			zombie, other := st.Start(kind, longTransactions), st.Start("", nil)
			zombie.AwaitReady(t, soon)
			other.AwaitReady(t, soon)
			inTransaction(t, zombie)
			zombie.Pause()
			time.Sleep(8 * time.Second) // beyond its session, not beyond its transaction
			zombie.Resume()
			harness.Until(t, soon, "the zombie is back in the group", func(c ctx) error {
				status, body, err := zombie.Get(c, "/readyz")
				if err == nil && status != http.StatusOK {
					err = fmt.Errorf("%d %s", status, body)
				}
				return err
			})
			time.Sleep(2 * time.Second)
			stop()
			st.Finish(late)
			givenUp(t, zombie)
			if zombie.Fate() != "running" || other.Fate() != "running" {
				t.Errorf("zombie: %s, other: %s", zombie.Fate(), other.Fate())
			}
		})
	}
}

// longTransactions are open nearly all the time: small fetches, and 2 s and more from commit to commit.
var longTransactions = harness.Env{"COMMIT_INTERVAL": "4s", "KAFKA_FETCH_MAX_BYTES": "64KiB"}

// inTransaction waits until an engine with longTransactions is in the middle of one.
func inTransaction(t *testing.T, engine *harness.Instance) {
	t.Helper()
	before := engine.Events(t, "forwarded")
	harness.Until(t, soon, "it commits", func(_ ctx) error {
		if engine.Events(t, "forwarded") == before {
			return errors.New("nothing new is forwarded")
		}
		return nil
	})
	time.Sleep(time.Second)
}

// givenUp checks that a transaction was, so that the test was about something.
func givenUp(t *testing.T, engine *harness.Instance) {
	t.Helper()
	aborted := engine.Metric(t, `stream_engine_transactions_total{outcome="aborted"}`)
	if unknown := engine.Metric(t, `stream_engine_transactions_total{outcome="unknown"}`); aborted+unknown == 0 {
		t.Error("no transaction was given up: there was none open, or it was not fenced")
	}
}

// The zombie's place is taken by a new process with its INSTANCE_ID, as an orchestrator would do it.
func TestZombieMeetsItsReplacement(t *testing.T) {
	st := suite.NewStream(t)
	stop := st.FeedFor(1500)
	zombie := st.Start("pod-0", longTransactions)
	zombie.AwaitReady(t, soon)
	inTransaction(t, zombie)
	zombie.Pause()
	time.Sleep(500 * time.Millisecond)
	replacement := st.Start("pod-0", nil)
	replacement.AwaitReady(t, soon)
	time.Sleep(time.Second)
	zombie.Resume()
	zombie.Says(t, soon, `"error"`, "INSTANCE_ID", "pod-0")
	time.Sleep(2 * time.Second)
	stop()
	st.Finish(late)
	givenUp(t, zombie)
}

func TestMoreInstancesThanPartitionsStandBy(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(1, 1))
	first := st.Start("", nil)
	first.AwaitReady(t, soon)
	spare := st.Start("", nil)
	spare.AwaitReady(t, soon)
	st.Feed(200)
	st.Finish(soon)
	for _, i := range []*harness.Instance{first, spare} {
		if i.Events(t, "forwarded") > 0 {
			i.Stop(t)
		}
	}
	st.Feed(200)
	st.Finish(soon)
}
