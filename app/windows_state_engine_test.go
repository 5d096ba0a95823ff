package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// waits tells whether readiness names a condition.
func (e *engine) waits(condition string) bool {
	e.t.Helper()
	_, body := e.get("/readyz")
	return strings.Contains(body, `"name":"`+condition+`"`)
}

// A record of a version to come holds its partition of the partials, and nothing else, until somebody can read it.
func TestPartialThatCannotBeReadHoldsItsPartition(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	r.create(partialsTopic, partitions, "cleanup.policy", "delete")
	e := r.watching()
	r.feed(240)
	r.exactlyOnce()
	r.eventually("readiness", e.ready)
	poison := &kgo.Record{Topic: partialsTopic, Partition: 2, Value: []byte{99, 'x', 1, 2, 3}}
	r.write(poison)
	r.eventually("the reason", func() bool {
		_, body := e.get("/readyz")
		return e.waits("aggregates") && strings.Contains(body, fmt.Sprintf("partition 2 waits at offset %d", poison.Offset))
	})
	r.feed(600)
	r.exactlyOnce() // outputs do not wait
	r.eventually("finals of the other partitions", func() bool { return e.metric(`stream_engine_insights_total{kind="final"}`) > 0 })
	time.Sleep(time.Second)
	if n := e.metric("stream_engine_partials_unreadable_total"); n != 1 {
		t.Errorf("%v records that cannot be read", n)
	}
	if !e.waits("aggregates") || !e.says(`"level":"error"`, `"partition":2`, "update this instance") {
		t.Error("nobody is told")
	}
	// Another instance does not go over it either, and neither forgets what is behind it.
	must(t, e.stop())
	e = r.watching()
	r.eventually("the reason after a restart", func() bool { return e.waits("aggregates") })
	_, err := r.admin.DeleteRecords(t.Context(), kadm.Offsets{partialsTopic: {2: {Topic: partialsTopic, Partition: 2, At: poison.Offset + 1}}})
	must(t, err)
	r.requireFinalsStand(r.requireWindows())
	r.eventually("readiness", e.ready)
}

// stuckRestore has an instance make windows and stop; nobody can read their changelog from then on, until what it returns is
// removed.
func (r *rig) stuckRestore() *kfake.FaultHandle {
	r.t.Helper()
	first := r.watching()
	r.feed(240)
	r.exactlyOnce()
	r.eventually("insights", func() bool { return first.sum("stream_engine_insights_total") > 0 })
	must(r.t, first.stop())
	return r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: changelogTopic, Err: kerr.KafkaStorageError, Count: -1})
}

// While windows are restored, events go on, and the instance says that it is not ready. It stops in time, and shares its
// partitions out in time.
func TestEventsGoOnWhileWindowsAreRestored(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	stuck := r.stuckRestore()
	second := r.watching("SHUTDOWN_TIMEOUT=30s")
	r.feed(240)
	r.exactlyOnce()
	if !second.waits("restored") {
		t.Error("ready without its windows")
	}
	began := time.Now()
	must(t, second.stop())
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the stop took %s", took)
	}
	third, fourth := r.watching(), r.watching()
	r.feed(240)
	r.exactlyOnce()
	stuck.Remove()
	r.feed(240)
	r.exactlyOnce()
	r.requireFinalsStand(r.requireWindows())
	r.eventually("readiness of both", func() bool { return third.ready() && fourth.ready() })
}

// A partition that was idle may come back with events for windows that have closed without it: within the retention they
// are corrected, beyond it what is missing is a dead letter.
func TestEventsOfAPartitionThatWasIdleAreNotLost(t *testing.T) {
	t.Parallel()
	for name, retention := range map[string]string{"within the retention": "1h", "beyond it": "0s"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newWindowRig(t)
			r.with("max_groups: 1000", "retention: "+retention)
			r.with("group_by: [user]", "group_by: [{user: kind}]")
			write := func(user string, n int) {
				r.write(&kgo.Record{Topic: sourceTopic, Partition: int32(event{User: user}.user()), Value: fmt.Appendf(nil, `{"user":%q,"n":%d,"kind":"k"}`, user, n)})
			}
			e := r.watching()
			for n := range 5 {
				write("u1", 100*n)
				write("u2", 100*n)
			}
			final := func(n, revision int) func() bool {
				return func() bool {
					for _, list := range r.insights() {
						i := list[len(list)-1]
						if i.Window.Start.UnixMilli() == epoch && i.Final && string(i.Measures["n"]) == fmt.Sprint(n) {
							return true
						}
					}
					return false
				}
			}
			r.eventually("the first window to close without partition 3", final(2, 1))
			r.eventually("the last one as well", func() bool { return e.sum("stream_engine_windows_open") == 0 })
			write("u3", 7)
			r.caughtUp()
			if retention == "1h" {
				r.eventually("the correction", final(3, 2))
				r.eventually("its metric", func() bool { return e.sum("stream_engine_window_revisions_total") == 1 })
				r.letters(0)
				return
			}
			r.eventually("the dead letter", func() bool { return len(r.committed(deadTopic)) == 1 })
			letter := r.letters(1)[0]
			var document struct {
				Pipeline, Aggregate string
				Window              struct{ Start, End time.Time }
				Group               map[string]string
				Measures            map[string]int
			}
			must(t, json.Unmarshal(letter.Value, &document))
			if document.Aggregate != "users" || document.Window.Start.UnixMilli() != epoch || document.Group["user"] != "k" || document.Measures["n"] != 1 || document.Measures["s"] != 7 {
				t.Errorf("%s", letter.Value)
			}
			for name, want := range map[string]string{"__connect.errors.stage": "late", "__connect.errors.class.name": "partial_expired", "__connect.errors.topic": partialsTopic} {
				if got := header(letter, name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if n := e.sum("stream_engine_partials_expired_total"); n != 1 {
				t.Errorf("%v partials have expired", n)
			}
			if final(2, 1)(); !final(2, 1)() {
				t.Error("the window has changed")
			}
		})
	}
}

// Instances with an old and a new pipeline file work side by side: what one adds counts from then on, and an aggregate
// with other windows is another one.
func TestPipelineFilesOfTwoVersionsCountSideBySide(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	old := r.watching("SESSION_TIMEOUT=2s")
	feed := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			r.feed(6)
		}
	}
	feed(300 * time.Millisecond)
	r.with("measures: {n: count(), s: sum(n)}", "measures: {most: max(n), n: count(), s: sum(n)}")
	r.with("aggregates:\n", "aggregates:\n  - {name: everything, window: {tumbling: 5s}, measures: {n: count()}}\n")
	young := r.watching("SESSION_TIMEOUT=2s")
	r.eventually("both to work", func() bool { feed(50 * time.Millisecond); return young.sum("stream_engine_partials_total") > 0 })
	feed(500 * time.Millisecond)
	must(t, old.stop())
	feed(500 * time.Millisecond)
	r.exactlyOnce()
	all := r.requireWindows()
	r.requireFinalsStand(all)
	var with, without, others int
	for _, list := range all {
		switch i := list[len(list)-1]; {
		case i.Aggregate == "everything":
			others++
		case i.Measures["most"] == nil || string(i.Measures["most"]) == "null":
			without++
		default:
			with++
		}
	}
	if with == 0 || without == 0 || others == 0 {
		t.Errorf("%d windows have the new measure, %d not, %d are of the new aggregate", with, without, others)
	}
	r.eventually("readiness", young.ready)
}

// Without transactions nothing is lost, and when nothing goes wrong nothing counts twice.
func TestAtLeastOnceCountsWindows(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	settings := []string{"DELIVERY_GUARANTEE=at_least_once", "SESSION_TIMEOUT=10s"} // one that ends would be a reason to count twice
	e := r.watching(settings...)
	r.feed(300)
	r.exactlyOnce()
	must(t, e.stop())
	e = r.watching(settings...)
	r.feed(300)
	r.exactlyOnce()
	r.requireFinalsStand(r.requireWindows())
	for _, q := range asked[*kmsg.OffsetCommitRequest](r) {
		sources, progress := 0, false
		for _, topic := range q.Topics {
			if topic.Topic == sourceTopic {
				sources = len(topic.Partitions)
				for _, p := range topic.Partitions {
					progress = progress || p.Metadata != nil && strings.Contains(*p.Metadata, ";w=")
				}
			}
		}
		if progress && sources != partitions {
			t.Errorf("a commit with progress names %d of the source partitions", sources)
		}
	}
	// After a crash up to one commit interval counts twice: that is said, and is nobody's fault.
	r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.UnknownMemberID, Count: 1})
	r.feed(300)
	r.caughtUp()
	want, why := r.counted(), ""
	r.eventually("at least what was fed", func() bool {
		got, open := latest(r.insights(), "users")
		less := 0
		for key, line := range want {
			var have, least int
			_, _ = fmt.Sscanf(got[key], "n=%d", &have)
			_, _ = fmt.Sscanf(line, "n=%d", &least)
			if have < least {
				less++
			}
		}
		why = fmt.Sprintf("%d open, %d less: %s", open, less, differences(got, want))
		return open == 0 && less == 0
	}, &why)
	if e.says(`"level":"error"`) {
		t.Error("an error in the log")
	}
}

// A stream at rest costs no transactions, and what is gone from an instance is gone from its metrics.
func TestNothingIsWrittenWhenNothingHappens(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	first := r.watching("SESSION_TIMEOUT=10s")
	second := r.watching("SESSION_TIMEOUT=10s")
	half := fmt.Sprintf(`"partitions":%d`, 3*partitions/2) // of the source, of the replay topic and of the partials
	r.eventually("a half for each", func() bool { return first.says(half, "reading") && second.says(half, "reading") })
	for range 20 {
		r.feed(24)
		time.Sleep(20 * time.Millisecond)
	}
	r.exactlyOnce()
	r.requireWindows()
	r.eventually("all partitions to be idle", func() bool {
		return first.sum("stream_engine_source_idle")+second.sum("stream_engine_source_idle") == partitions
	})
	time.Sleep(500 * time.Millisecond)
	r.forget()
	time.Sleep(1500 * time.Millisecond)
	if n := len(asked[*kmsg.EndTxnRequest](r)); n != 0 {
		var wrote []string
		for _, q := range asked[*kmsg.ProduceRequest](r) {
			for _, topic := range q.Topics {
				wrote = append(wrote, fmt.Sprint(topic.Topic, " ", len(topic.Partitions)))
			}
		}
		t.Errorf("%d transactions, with %v", n, wrote)
	}
	series := func(e *engine, name string) int {
		_, body := e.get("/metrics")
		return strings.Count(body, name+"{")
	}
	for _, name := range []string{"\nstream_engine_windows_open", "\nstream_engine_groups", "\nstream_engine_window_state_bytes", "\nstream_engine_source_idle"} {
		if n, m := series(first, name), series(second, name); n+m != partitions || n == 0 || m == 0 {
			t.Errorf("%s: %d and %d partitions", name, n, m)
		}
	}
}

// Brokers that hang while windows are restored or merged keep nobody from stopping.
func TestStopIsBoundedWhenBrokersHangUnderWindows(t *testing.T) {
	t.Parallel()
	for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.ListOffsets, kmsg.Metadata, kmsg.AddPartitionsToTxn} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			r := newWindowRig(t)
			first := r.watching()
			r.feed(240)
			r.exactlyOnce()
			must(t, first.stop())
			hangs := func(int) deed { return deed{late: 8 * time.Second} }
			second := r.watching("SHUTDOWN_TIMEOUT=1s", "TRANSACTION_TIMEOUT=2s")
			r.eventually("the group", func() bool { return second.says("joined group") })
			r.wire.on(key, hangs)
			r.feed(60)
			time.Sleep(300 * time.Millisecond)
			began := time.Now()
			if err := second.stop(); err != nil && !strings.Contains(err.Error(), "SHUTDOWN_TIMEOUT") {
				t.Errorf("Run returned %v", err)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("the stop took %s", took)
			}
			r.wire.on(key, nil)
			r.watching()
			r.exactlyOnce()
			r.requireWindows()
		})
	}
}
