package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
)

// paused is how long these tests look at a group that stands still.
const paused = 1500 * time.Millisecond

func (e *engine) pause() {
	e.t.Helper()
	_, err := e.app.Control().Pause(e.t.Context(), "maintenance")
	must(e.t, err)
}

func (e *engine) resume() {
	e.t.Helper()
	must(e.t, e.app.Control().Resume(e.t.Context()))
}

// still tells whether the instance has told the group that it stands still.
func (r *rig) still(all ...*engine) bool {
	for _, e := range all {
		for _, other := range all {
			found := false
			for _, s := range e.app.Control().Instances() {
				found = found || s.Instance == other.name() && s.State == "paused" && s.Alive
			}
			if !found {
				return false
			}
		}
	}
	return true
}

func (e *engine) name() string {
	for _, s := range e.app.Control().Instances() {
		if s.Age == 0 {
			return s.Instance
		}
	}
	return ""
}

// requireStill holds that nothing is written and no offset moves.
func (r *rig) requireStill() {
	r.t.Helper()
	before, commits := len(r.committed(outputTopic)), len(asked[*kmsg.TxnOffsetCommitRequest](r))+len(asked[*kmsg.OffsetCommitRequest](r))
	time.Sleep(paused)
	if now := len(r.committed(outputTopic)); now != before {
		r.t.Errorf("%d records were written while the group is paused", now-before)
	}
	if now := len(asked[*kmsg.TxnOffsetCommitRequest](r)) + len(asked[*kmsg.OffsetCommitRequest](r)); now != commits {
		r.t.Errorf("%d commits were made while the group is paused", now-commits)
	}
}

func TestPauseHoldsForTheWholeGroupAcrossRestartsAndForThoseWhoComeLater(t *testing.T) {
	t.Parallel()
	for _, guarantee := range []string{"exactly_once", "at_least_once"} {
		t.Run(guarantee, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			setting := "DELIVERY_GUARANTEE=" + guarantee
			all := []*engine{r.start(setting), r.start(setting), r.start(setting)}
			r.eventually("all at work", func() bool {
				r.feed(4)
				return all[0].ready() && all[1].ready() && all[2].ready() && len(r.committed(outputTopic)) > 0
			})
			r.feed(400)
			all[1].pause()
			r.eventually("all standing still", func() bool { return r.still(all...) })
			r.feed(200)
			rebalances := all[0].metric("stream_engine_rebalances_total")
			r.requireStill()
			for _, e := range all {
				if status, body := e.get("/readyz"); status != 200 || !strings.Contains(body, "maintenance") || !strings.Contains(body, all[1].name()) {
					t.Errorf("readyz: %d %s", status, body)
				}
				if status, body := e.get("/livez"); status != 200 {
					t.Errorf("livez: %d %s", status, body)
				}
				if e.metric("stream_engine_paused") != 1 {
					t.Error("the metric does not say so")
				}
			}
			if now := all[0].metric("stream_engine_rebalances_total"); now != rebalances {
				t.Error("the group rebalanced")
			}
			r.eventually("what waits in the lag", func() bool {
				waiting := 0.0
				for _, e := range all {
					waiting += e.sum("kafka_consumergroup_lag")
				}
				return waiting >= 200
			})
			must(t, all[0].stop())
			all[0] = r.start(setting)
			later := r.start(setting)
			r.eventually("the new ones standing still", func() bool { return r.still(all[0], all[1], all[2], later) })
			r.feed(50)
			r.requireStill()
			joins := len(asked[*kmsg.JoinGroupRequest](r))
			later.resume()
			r.exactlyOnce()
			if now := len(asked[*kmsg.JoinGroupRequest](r)); now != joins {
				t.Error("to resume, somebody joined again")
			}
			for _, e := range all {
				r.eventually("the end of the note", func() bool {
					_, body := e.get("/readyz")
					return !strings.Contains(body, "maintenance")
				})
			}
		})
	}
}

// While nothing is read, time stands still for windows too: what waits must find them open.
func TestWindowsStandStillWhileTheGroupIsPaused(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	e, other := r.watching(), r.watching()
	r.eventually("both at work", func() bool { return e.ready() && other.ready() })
	r.feed(150) // one window and a half
	r.eventually("insights", func() bool { return len(r.insights()) > 0 })
	other.pause()
	r.eventually("both standing still", func() bool { return r.still(e, other) })
	before := len(r.committed(insightsTopic))
	r.forget()
	r.feed(40)
	time.Sleep(2 * paused) // longer than a partition takes to be idle, and all windows to close
	if now := len(r.committed(insightsTopic)); now != before {
		t.Errorf("%d insights were written while the group is paused", now-before)
	}
	if n := len(asked[*kmsg.EndTxnRequest](r)); n > 0 {
		t.Errorf("%d transactions were ended", n)
	}
	must(t, other.stop()) // a stop writes nothing either
	if now := len(r.committed(insightsTopic)); now != before {
		t.Errorf("%d insights were written by a stop while the group is paused", now-before)
	}
	r.eventually("the other's partitions, standing still", func() bool { return len(e.partitions()) == partitions })
	r.requireStill()
	e.resume()
	r.exactlyOnce()
	r.requireWindows()
	if n := e.sum("stream_engine_restore_seconds_count"); n == 0 {
		t.Error("the windows of the other instance were not restored")
	}
}

// partitions are those of the source that the instance tells the group of.
func (e *engine) partitions() map[int32]bool {
	all := map[int32]bool{}
	for _, s := range e.app.Control().Instances() {
		if s.Age == 0 {
			for _, p := range s.Partitions {
				all[p.Partition] = true
			}
		}
	}
	return all
}

// A group that is paused before it has read anything begins where it would have begun.
func TestPauseBeforeTheFirstEventHoldsTheBeginning(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.feed(50)
	value, err := json.Marshal(model.Pause{By: "somebody", At: time.Now(), Reason: "not yet"})
	must(t, err)
	r.write(&kgo.Record{Topic: controlTopic, Key: []byte("pause"), Value: value})
	r.mu.Lock()
	r.want = map[string][]int{} // latest: what is there is not read
	r.mu.Unlock()
	e := r.start("KAFKA_AUTO_OFFSET_RESET=latest")
	r.eventually("standing still", func() bool { return r.still(e) })
	r.eventually("the beginning", func() bool {
		done, err := r.admin.FetchOffsets(t.Context(), groupID)
		return err == nil && len(done.Offsets()[sourceTopic]) == partitions
	})
	r.feed(60)
	if n := len(r.committed(outputTopic)); n > 0 {
		t.Errorf("%d events were processed", n)
	}
	e.resume()
	r.exactlyOnce()
}

// A pause is no reason to forget what is under way, nor is a broker that is away a reason to go on.
func TestPauseDuringTroubleLosesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("TRANSACTION_TIMEOUT=2s")
	r.feed(100)
	r.exactlyOnce()
	away := func(kmsg.Key) deed { return deed{drop: true} }
	for n := range 3 {
		r.feed(100)
		r.wire.every(away)
		time.Sleep(time.Duration(n) * 20 * time.Millisecond)
		if _, err := e.app.Control().Pause(t.Context(), "x"); err == nil {
			t.Error("a pause without brokers succeeded")
		} else if !strings.Contains(err.Error(), "5s") {
			t.Errorf("the error does not say how long it tried: %v", err)
		}
		r.wire.every(nil)
		e.pause()
		r.eventually("standing still", func() bool { return r.still(e) })
		r.feed(20)
		r.wire.every(away)
		r.eventually("away", func() bool { return !e.ready() })
		r.wire.every(nil)
		r.eventually("ready", e.ready)
		r.requireStill()
		e.resume()
		r.exactlyOnce()
	}
}

// Pausing and resuming over and over, with traffic, changes nothing.
func TestPausesInARowLoseNothing(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	one, two := r.watching("IDLE_TIMEOUT=10s"), r.watching("IDLE_TIMEOUT=10s")
	for n := range 12 {
		r.feed(30)
		asking := []*engine{one, two}[n%2]
		asking.pause()
		r.feed(30)
		time.Sleep(time.Duration(n*15) * time.Millisecond)
		asking.resume()
	}
	r.exactlyOnce()
	r.requireFinalsStand(r.requireWindows())
	for _, e := range []*engine{one, two} {
		if n := e.sum("stream_engine_partials_overlap_total"); n > 0 {
			t.Errorf("%v events were read twice", n)
		}
	}
}

// The topic must be one that keeps what it is told.
func TestControlTopicThatForgetsIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		partitions int32
		policy     string
		says       string
	}{"policy": {1, "delete", "cleanup.policy"}, "partitions": {3, "compact", "3 partitions"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			other := fmt.Sprint(groupID, "-", name)
			r.create(other+"-dead-letter", 1)
			r.create(other+"-control", c.partitions, "cleanup.policy", c.policy)
			e := r.start("KAFKA_GROUP_ID=" + other)
			e.requireEnded(model.Misconfigured)
			if err := e.stop(); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), other+"-control") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What is replayed meanwhile waits like any event, and is seen waiting.
func TestTheLagOfReplaysIsKnownWhileTheGroupIsPaused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.with("output:\n", failing+"output:\n")
	r.feed(users)
	r.write(r.poison(event{User: "u3", N: 7, Kind: "bad"}))
	e := r.start()
	r.caughtUp()
	ids := idsOf(r.letters(1))
	e.pause()
	r.eventually("standing still", func() bool { return r.still(e) })
	waiting := fmt.Sprintf(`kafka_consumergroup_lag{consumergroup="engine",partition="3",topic=%q}`, replayTopic)
	for n := range 2 { // the second one comes when it could not be asked for once
		if n == 1 {
			denied := r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: replayTopic, Err: kerr.TopicAuthorizationFailed, Count: 1})
			r.eventually("an answer that does not help", func() bool { return denied.Hits() == 1 })
			r.eventually("a note of it", func() bool {
				_, body := e.get("/readyz")
				return strings.Contains(body, `"name":"lag"`) && strings.Contains(body, replayTopic)
			})
		}
		if done := e.replay(model.ReplayRequest{IDs: ids}); done.Count != 1 {
			t.Fatalf("%+v", done)
		}
		r.eventually("the replay in the lag", func() bool { return e.metric(waiting) > float64(n) })
	}
	e.resume()
	r.replayed()
	r.eventually("the end of the lag", func() bool { return e.metric(waiting) == 0 })
	if _, body := e.get("/readyz"); strings.Contains(body, `"name":"lag"`) {
		t.Errorf("the note stays: %s", body)
	}
}
