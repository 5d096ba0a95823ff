package handler

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
)

// watched is a Watch with everything that can be seen of it.
type watched struct {
	*Watch
	t   *testing.T
	log *bytes.Buffer
}

func newWatched(t *testing.T) watched {
	log := &bytes.Buffer{}
	return watched{NewWatch(NewMetrics("g", "test"), NewReadiness(ConditionBroker, ConditionAssigned), NewProgress(), zerolog.New(zerolog.SyncWriter(log))), t, log}
}

func (w watched) requireReady(want bool) {
	w.t.Helper()
	if r := w.Readiness.Report(); r.Ready != want {
		w.t.Errorf("ready: %v; waiting for %v", r.Ready, r.Waiting)
	}
}

// lines is how many log lines have the text; they are forgotten.
func (w watched) lines(text string) int {
	n := strings.Count(w.log.String(), text)
	w.log.Reset()
	return n
}

var (
	passing  = &model.Error{Class: model.Transient, Op: "reach", Subject: "broker", Err: errors.New("refused")}
	aclError = &model.Error{Class: model.Unauthorized, Op: "produce to", Subject: "out", Err: errors.New("denied"), Hint: "an ACL is missing"}
)

// meeting is an error during whose telling something else happens.
type meeting struct {
	once sync.Once
	meet func()
}

func (m *meeting) Error() string {
	m.once.Do(m.meet)
	return "away"
}

func TestReadinessFollowsTheLastWord(t *testing.T) {
	w := newWatched(t)
	w.Working(1)
	var other sync.WaitGroup
	w.Retrying("fetch", &model.Error{Class: model.Unauthorized, Err: &meeting{meet: func() {
		other.Go(func() { w.Recovered("fetch") })
		time.Sleep(50 * time.Millisecond) // in which it would be over before the trouble is told
	}}})
	other.Wait()
	w.requireReady(true)
}

func TestTroubleThatPassesInAMomentIsNotWorthAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.Working(3)
		w.requireReady(true)
		w.lines("")
		for range 9 {
			w.Retrying("produce", passing)
			time.Sleep(patience / 10)
		}
		w.requireReady(true)
		w.Recovered("produce")
		if n := w.lines("\n"); n != 0 {
			t.Errorf("%d lines", n)
		}
	})
}

func TestTroubleThatLastsIsSaidNowAndThenUntilItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.Working(3)
		for range 200 { // 20 s
			w.Retrying("produce", passing)
			time.Sleep(patience / 10)
		}
		w.requireReady(false)
		if got := w.Readiness.Report().Waiting[0].Reason; got != passing.Error() {
			t.Errorf("reason: %s", got)
		}
		if n := w.lines("trying again"); n != 2 {
			t.Errorf("%d lines in 20 s, one in %s is enough", n, repeatLog)
		}
		if age := w.Progress.Age(); age > patience {
			t.Errorf("an instance that goes on trying makes progress; the last was %s ago", age)
		}
		w.Recovered("produce")
		w.requireReady(true)
		if n := w.lines("works again"); n != 1 {
			t.Errorf("%d lines", n)
		}
		w.Retrying("produce", passing) // begins to count anew
		w.requireReady(true)
	})
}

func TestOneOfTwoTroublesKeepsFromBeingReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.Working(3)
		for range 2 {
			w.Retrying("produce", passing)
			w.Retrying("fetch", passing)
			time.Sleep(patience)
		}
		w.Recovered("fetch")
		w.requireReady(false)
		w.Recovered("something else")
		w.requireReady(false)
		w.Recovered("produce")
		w.requireReady(true)
	})
}

func TestCommitsDoNotHideTroubleWithOnePartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.Working(3)
		for range 30 {
			w.Retrying("fetch", passing)
			w.Moved(model.Result{Forwarded: 1})
			time.Sleep(patience / 10)
		}
		w.requireReady(false)
		if n := w.lines("trying again"); n != 1 {
			t.Errorf("%d lines", n)
		}
		w.Recovered("fetch")
		w.requireReady(true)
	})
}

// What cannot pass by itself is said at once.
func TestMissingPermissionIsSaidAtOnce(t *testing.T) {
	w := newWatched(t)
	w.Working(3)
	w.Retrying("fetch", aclError)
	w.requireReady(false)
	if n := w.lines("an ACL is missing"); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// Reading works in between the attempts at a transaction that is refused: only a commit, or another assignment, shows
// that the trouble is over.
func TestReadingAgainDoesNotProveThatCommittingWorks(t *testing.T) {
	w := newWatched(t)
	for range 3 {
		w.Working(3)
		w.Failing(aclError)
		w.requireReady(false)
	}
	w.Working(3)
	w.requireReady(false)
	w.Moved(model.Result{})
	w.requireReady(true)
	w.Failing(aclError)
	w.Joining()
	w.requireReady(false)
	w.Working(1)
	w.requireReady(true)
}

// One lost transaction is as usual in a rebalance, one after the other is not.
func TestTransactionsThatAreLostForAWhileKeepFromBeingReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		fenced := &model.Error{Class: model.Fenced, Op: "produce to", Subject: "broker 2", Err: errors.New("no answer")}
		for range 3 {
			w.Working(3)
			w.GivenUp(fenced)
			w.Working(3)
			w.requireReady(true)
			w.Moved(model.Result{})
			time.Sleep(patience)
		}
		for range 5 {
			w.Working(3)
			w.GivenUp(fenced)
			time.Sleep(patience / 3)
		}
		w.requireReady(false)
		w.Working(3)
		w.requireReady(false)
		w.Moved(model.Result{})
		w.requireReady(true)
	})
}

func TestReadingProvesThatTheStartWorks(t *testing.T) {
	w := newWatched(t)
	w.Failing(aclError)
	w.requireReady(false)
	w.Working(3)
	w.requireReady(true)
	w.Joining()
	w.Failing(aclError)
	w.requireReady(false)
	w.Joining()
	w.StandBy()
	w.requireReady(true)
}

// Whoever met a trouble may end without a word about it, as the reader of an assignment that is over does.
func TestTroubleOfAnEndedRunDoesNotKeepTheNextFromBeingReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, begin := range []func(watched){func(w watched) { w.Working(3) }, func(w watched) { w.StandBy() }} {
			w := newWatched(t)
			w.Working(3)
			for range 3 {
				w.Retrying("fetch", passing)
				time.Sleep(patience)
			}
			w.requireReady(false)
			begin(w)
			w.requireReady(true)
			w.Retrying("fetch", passing)
			w.requireReady(true)
		}
	})
}

func TestLostMessagesAreCountedAndNamed(t *testing.T) {
	w := newWatched(t)
	w.Lost(model.TopicPartition{Topic: "in", Partition: 7}, 100, 130)
	w.Lost(model.TopicPartition{Topic: "in", Partition: 7}, 100, 90) // the log was cut off: nothing is known of what was there
	if n := family(t, w.Metrics, "stream_engine_records_lost_total").GetMetric()[0].GetCounter().GetValue(); n != 30 {
		t.Errorf("%v messages lost", n)
	}
	if n := w.lines(`"partition":7`); n != 2 {
		t.Errorf("%d lines", n)
	}
}

func TestFirstEventsAreSaidOnce(t *testing.T) {
	w := newWatched(t)
	w.Moved(model.Result{Consumed: 5, Filtered: 5})
	w.Moved(model.Result{Consumed: 5, Forwarded: 2})
	w.Moved(model.Result{Consumed: 5, Forwarded: 2})
	if n := w.lines("first events"); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// Offsets that stay unstable for longer than a transaction may be open are the work of one that hangs; the broker's
// answer does not say so.
func TestOffsetsThatAreUnstableForTooLongAreExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.outlasts(10 * time.Second)
		unstable := &model.Error{Class: model.Transient, Op: "fetch the committed offset of", Subject: "in-0 in group g", Code: 88, Err: errors.New("Unstable Offset Commit (code 88)")}
		for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(500 * time.Millisecond) {
			w.Retrying("fetch committed offsets", unstable)
			w.Retrying("fetch", passing)
			w.Retrying("fetch committed offsets", unstable)
			for _, c := range w.Readiness.Report().Waiting {
				if got, want := strings.Contains(c.Reason, "hangs") && strings.Contains(c.Reason, "in-0 in group g"), time.Since(began) >= 20*time.Second; c.Name == ConditionBroker && got != want {
					t.Fatalf("after %s: %s", time.Since(began), c.Reason)
				}
			}
		}
		if unstable.Hint != "" {
			t.Error("the error itself was changed")
		}
		if n := w.lines("find-hanging"); n == 0 {
			t.Error("the log does not tell")
		}
	})
}
