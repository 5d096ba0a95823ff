package app_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A few seconds of everything at once, with windows: every one has each event once in the end. Finals may be corrected:
// what is held up long enough looks idle for a moment.
func TestWindowsAreExactThroughAStorm(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			r := newWindowRig(t)
			engines := []*engine{r.watching("COMMIT_MAX_RECORDS=40", "TRANSACTION_TIMEOUT=2s"), r.watching("INSTANCE_ID=a", "TRANSACTION_TIMEOUT=2s")}
			r.feed(100)
			r.caughtUp()
			s := storm{r: r, rng: rand.New(rand.NewPCG(seed, 7))}
			r.wire.every(s.befall)
			for end := time.Now().Add(4 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				r.feed(20)
				s.blow()
			}
			r.wire.every(nil)
			s.calm()
			r.feed(50)
			r.exactlyOnce()
			r.requireWindows()
			for _, e := range engines {
				r.eventually("readiness", e.ready)
				if n := e.sum("stream_engine_partials_overlap_total"); n != 0 {
					t.Errorf("%v progress records overlap", n)
				}
				must(t, e.stop())
			}
		})
	}
}

// An instance that freezes in the middle of its work loses its partitions, and comes back to them when the one that took
// over is gone again: nothing that it had in memory may pass for what the other one has committed.
func TestInstanceThatWasFrozenTakesNothingForItsOwn(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	frozen := r.watching("SESSION_TIMEOUT=1s", "TRANSACTION_TIMEOUT=1s")
	r.feed(120)
	r.exactlyOnce()
	for range 3 {
		r.wire.every(func(kmsg.Key) deed { return deed{late: 1500 * time.Millisecond} })
		other := r.watching("KAFKA_CLIENT_ID=other", "SESSION_TIMEOUT=1s", "TRANSACTION_TIMEOUT=1s")
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			r.feed(6)
		}
		r.wire.every(nil)
		r.feed(60)
		must(t, other.stop())
		r.exactlyOnce()
	}
	r.requireWindows()
	r.eventually("readiness", frozen.ready)
	if n := frozen.sum("stream_engine_partials_overlap_total"); n != 0 {
		t.Errorf("%v progress records overlap", n)
	}
}

// Windows with more groups than a transaction may hold close over several of them, and no group is left out or comes twice.
func TestManyGroupsCloseOverSeveralTransactions(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	r.with("group_by: [user]", "group_by: [{user: n}]")
	r.with("window: {tumbling: 1s}", "window: {tumbling: 10s}")
	r.with("max_groups: 1000", "emit: final")
	r.backlog(3000)
	e := r.watching("COMMIT_MAX_RECORDS=100")
	r.exactlyOnce()
	var finals, n int
	why := ""
	r.eventually("the finals of all groups", func() bool {
		finals, n = 0, 0
		for key, list := range r.insights() {
			for _, i := range list {
				var m int
				must(t, json.Unmarshal(i.Measures["n"], &m))
				n += m
				if !i.Final || i.Revision != 1 || len(list) > 1 {
					t.Fatalf("%s: %s", key, list)
				}
			}
			finals++
		}
		why = fmt.Sprint(finals, " finals of ", n, " events")
		return finals == 3000 && n == 3000
	}, &why)
	r.eventually("closed windows", func() bool { return e.sum("stream_engine_windows_open") == 0 })
	most := 0
	for _, q := range asked[*kmsg.TxnOffsetCommitRequest](r) {
		for _, topic := range q.Topics {
			if topic.Topic == partialsTopic {
				most++
			}
		}
	}
	if most < 3000/100/partitions {
		t.Errorf("only %d merge commits", most)
	}
}

// More partitions of the source are read from their beginning, and windows wait for what they have to say.
func TestPartitionsThatAreAddedToTheSourceHoldWindowsOpen(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	first := r.watching("SESSION_TIMEOUT=2s")
	r.feed(240)
	r.exactlyOnce()
	_, err := r.admin.UpdatePartitions(t.Context(), partitions+2, sourceTopic)
	must(t, err)
	var records []*kgo.Record
	for n, m := range r.events("u9", 210, 220, 230, 240) {
		m.Partition = partitions + int32(n%2)
		records = append(records, m)
	}
	r.eventually("the new partition", func() bool {
		r.producer.ForceMetadataRefresh()
		return r.producer.ProduceSync(t.Context(), records[0]).FirstErr() == nil
	})
	r.write(records[1:]...)
	second := r.watching("SESSION_TIMEOUT=2s")
	r.feed(120)
	r.caughtUp()
	r.requireWindows()
	r.eventually("all source partitions to be idle", func() bool { // the replay topic has grown too, which the group shares out anew
		return first.sum("stream_engine_source_idle")+second.sum("stream_engine_source_idle") == partitions+2
	})
}

// Hopping windows and sessions are counted as exactly, across a crash and a restart.
func TestHoppingWindowsAndSessionsAcrossACrash(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	r.with("aggregates:\n", `aggregates:
  - {name: hops, group_by: [user], window: {hopping: {size: 2s, every: 500ms}}, measures: {n: count(), s: sum(n)}, max_groups: 1000}
  - {name: visits, group_by: [user], window: {session: 300ms, grace: 0s}, measures: {n: count(), s: sum(n)}, max_groups: 1000}
`)
	pause := func() { // in the time of the events
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sent += 50
	}
	for n := range 4 {
		client := fmt.Sprint("victim", n)
		e := r.watching("KAFKA_CLIENT_ID="+client, "SESSION_TIMEOUT=1s", "TRANSACTION_TIMEOUT=1s", "SHUTDOWN_TIMEOUT=1s")
		r.eventually("insights", func() bool {
			r.feed(24)
			pause()
			return e.sum("stream_engine_insights_total") > 0
		})
		if n%2 == 0 {
			r.crash(e, client)
		} else {
			must(t, e.stop())
		}
		r.feed(24)
		pause()
	}
	r.watching("SESSION_TIMEOUT=1s")
	r.exactlyOnce()
	r.requireWindows()
	want, why := r.sessionsAndHops(), ""
	r.eventually("all hopping windows and sessions", func() bool {
		got, open := map[string]string{}, 0
		for _, list := range r.insights() {
			i := list[len(list)-1]
			if i.document == "" || i.Aggregate == "users" {
				continue
			}
			if !i.Final {
				open++
			}
			got[fmt.Sprintf("%s %d-%d %v", i.Aggregate, i.Window.Start.UnixMilli()-epoch, i.Window.End.UnixMilli()-epoch, i.Group["user"])] = fmt.Sprintf("n=%s s=%s", i.Measures["n"], i.Measures["s"])
		}
		why = fmt.Sprint(open, " open; ", differences(got, want))
		return open == 0 && differences(got, want) == differences(nil, nil)
	}, &why)
}

// sessionsAndHops is what the two aggregates above have to say of what was fed.
func (r *rig) sessionsAndHops() map[string]string {
	lines, counts, sums := map[string]string{}, map[string]int{}, map[string]int{}
	add := func(key string, n int) { counts[key], sums[key] = counts[key]+1, sums[key]+n }
	for user, list := range r.want {
		first := 0
		for i, n := range list {
			at := n * step
			for start := at / 500 * 500; start > at-2000; start -= 500 {
				add(fmt.Sprintf("hops %d-%d %s", start, start+2000, user), n)
			}
			if i > 0 && at-list[i-1]*step > 300 {
				first = i
			}
			if i == len(list)-1 || list[i+1]*step-at > 300 {
				key := fmt.Sprintf("visits %d-%d %s", list[first]*step, at, user)
				for _, m := range list[first : i+1] {
					add(key, m)
				}
			}
		}
	}
	for key := range counts {
		lines[key] = fmt.Sprintf("n=%d s=%d", counts[key], sums[key])
	}
	return lines
}

// Who moves the group's offsets back makes events count twice. It is noticed and said; nothing can be done about it.
func TestOffsetsThatSomebodyMovedBackAreNoticed(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	e := r.watching()
	r.feed(240)
	r.exactlyOnce()
	r.eventually("insights", func() bool { return e.sum("stream_engine_insights_total") > 0 })
	must(t, e.stop())
	back := kadm.Offsets{}
	back.Add(kadm.Offset{Topic: sourceTopic, Partition: 1, At: 3, LeaderEpoch: -1})
	must(t, r.admin.CommitAllOffsets(t.Context(), groupID, back))
	e = r.watching()
	r.caughtUp()
	r.eventually("the metric", func() bool { return e.sum("stream_engine_partials_overlap_total") > 0 })
	r.eventually("the log", func() bool { return e.says(`"level":"error"`, "moved the offsets of a source partition back") })
}

// A source topic that is deleted and created again is another log, which windows follow: nothing of it overlaps with what
// was read before.
func TestWindowsFollowASourceThatIsCreatedAgain(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	e := r.watching()
	r.feed(240)
	r.exactlyOnce()
	r.requireWindows()
	_, err := r.admin.DeleteTopics(t.Context(), sourceTopic)
	must(t, err)
	r.create(sourceTopic, partitions)
	r.producer.PurgeTopicsFromClient(sourceTopic)
	r.write(r.events("u1", r.sent+200)...)
	r.sent += 300
	r.feed(120)
	r.caughtUp()
	r.requireWindows()
	if n := e.sum("stream_engine_partials_overlap_total"); n != 0 {
		t.Errorf("%v overlaps", n)
	}
	r.eventually("readiness", e.ready)
}
