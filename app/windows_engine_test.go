package app_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestWindowsCountEveryEventAndCloseWhenTrafficStops(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	e := r.watching()
	for range 20 {
		r.feed(60)
		time.Sleep(20 * time.Millisecond)
	}
	r.feed(30, func(x *event) { x.Kind = "noise" })
	r.exactlyOnce()
	all := r.requireWindows()
	r.requireFinalsStand(all)
	updates := 0
	for _, list := range all {
		updates += len(list) - 1
	}
	if updates == 0 {
		t.Error("no insight was written before its window closed")
	}
	r.eventually("readiness", e.ready)
	for name, want := range map[string]float64{"stream_engine_windows_open": 0, "stream_engine_window_late_total": 0, "stream_engine_partials_overlap_total": 0, "stream_engine_groups_overflow_total": 0,
		`stream_engine_insights_total{kind="final"}`: float64(len(all)), `stream_engine_insights_total{kind="update"}`: float64(updates), "stream_engine_source_idle": partitions} {
		r.eventually(name, func() bool { return e.sum(name) == want })
	}
	must(t, e.stop())
}

// What a window had before a stop is restored, and what comes afterwards is added.
func TestRestartRestoresWindowsAndGoesOn(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	for range 3 {
		e := r.watching()
		r.feed(170)
		r.exactlyOnce()
		r.eventually("insights", func() bool { return e.sum("stream_engine_insights_total") > 0 })
		must(t, e.stop())
	}
	e := r.watching()
	r.feed(100)
	r.exactlyOnce()
	r.requireFinalsStand(r.requireWindows())
	if !e.says("restored windows", `"groups":`) {
		t.Error("the log does not say that windows were restored")
	}
	if n := e.sum("stream_engine_restore_seconds_count"); n != partitions {
		t.Errorf("%v partitions were restored", n)
	}
}

// A process that is gone from one moment to the next leaves an open transaction and a place in the group. What it had not
// committed is counted by the next one.
func TestCrashCountsNoEventTwice(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	for n := range 3 {
		client := fmt.Sprint("victim", n)
		e := r.watching("KAFKA_CLIENT_ID="+client, "SESSION_TIMEOUT=1s", "TRANSACTION_TIMEOUT=1s", "SHUTDOWN_TIMEOUT=1s")
		r.eventually("the first events", func() bool {
			r.feed(40)
			return e.metric(`stream_engine_events_total{outcome="forwarded"}`) > 0 && e.sum("stream_engine_partials_total") > 0
		})
		r.feed(40)
		r.crash(e, client)
		r.feed(40)
	}
	r.watching("SESSION_TIMEOUT=1s")
	r.exactlyOnce()
	r.requireFinalsStand(r.requireWindows())
}

// Whatever the brokers answer, the same.
func TestWindowsAreExactWhateverBrokersAnswer(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	e := r.watching("SESSION_TIMEOUT=1s", "TRANSACTION_TIMEOUT=1s")
	r.feed(100)
	r.exactlyOnce()
	all := faults()
	for _, topic := range []string{partialsTopic, changelogTopic, insightsTopic} {
		all = append(all, fault{key: kmsg.Produce, err: kerr.NotLeaderForPartition, times: 2, topic: topic}, fault{key: kmsg.Produce, err: kerr.InvalidProducerEpoch, times: 1, topic: topic})
	}
	for _, err := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.KafkaStorageError, kerr.UnknownTopicOrPartition} {
		all = append(all, fault{key: kmsg.Fetch, err: err, times: 2, topic: partialsTopic})
	}
	for _, f := range all {
		h := f.install(r)
		r.eventually("the fault "+f.key.Name()+" "+f.err.Message, func() bool {
			r.feed(7)
			time.Sleep(5 * time.Millisecond)
			return h.Hits() >= f.times
		})
	}
	r.feed(60)
	r.exactlyOnce()
	r.requireFinalsStand(r.requireWindows())
	r.eventually("readiness", e.ready)
}

// Each merges what the group gives it, and goes on with what another one had.
func TestWindowsMoveBetweenInstances(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	feed := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			r.feed(6)
		}
	}
	first := r.watching("SESSION_TIMEOUT=2s")
	feed(500 * time.Millisecond)
	second := r.watching("SESSION_TIMEOUT=2s")
	feed(time.Second)
	third := r.watching("SESSION_TIMEOUT=2s")
	feed(time.Second)
	must(t, first.stop())
	feed(time.Second)
	r.exactlyOnce()
	r.requireFinalsStand(r.requireWindows())
	for _, e := range []*engine{second, third} {
		if e.sum("stream_engine_partials_total") == 0 {
			t.Error("an instance has merged nothing")
		}
		r.eventually("readiness", e.ready)
		must(t, e.stop())
	}
}

// An instance with partitions of one of the two topics alone does its part, and one without any waits.
func TestMoreInstancesThanPartitionsOfWindows(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	var engines []*engine
	for n := range 2*partitions + 1 {
		engines = append(engines, r.watching("INSTANCE_ID=i"+strconv.Itoa(n)))
	}
	r.eventually("all of them to be ready", func() bool {
		r.feed(4)
		return !slices.ContainsFunc(engines, func(e *engine) bool { return !e.ready() })
	})
	for range 20 {
		r.feed(20)
		time.Sleep(20 * time.Millisecond)
	}
	r.exactlyOnce()
	r.requireFinalsStand(r.requireWindows())
	for _, e := range engines {
		must(t, e.stop())
	}
}

// The offsets that a transaction commits are what fences an instance which has lost its partitions, partition by partition.
// So with progress go those of all source partitions, and with changed windows that of their partials, moved or not.
func TestEveryPartitionWithNewsIsFenced(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	e := r.watching()
	r.feed(24)
	r.exactlyOnce()
	r.forget()
	for n := range 5 {
		r.write(r.events("u1", 30+100*n)...) // of one source partition
		time.Sleep(150 * time.Millisecond)
	}
	r.exactlyOnce()
	r.requireWindows()
	must(t, e.stop())
	progress, commits := 0, 0
	wrote, committed := map[string]map[int32]bool{}, map[string]map[int32]bool{}
	note := func(all map[string]map[int32]bool, topic string, partition int32) {
		if all[topic] == nil {
			all[topic] = map[int32]bool{}
		}
		all[topic][partition] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.seen {
		switch q := q.(type) {
		case *kmsg.ProduceRequest:
			for _, topic := range q.Topics {
				for _, p := range topic.Partitions {
					note(wrote, topic.Topic, p.Partition)
				}
			}
		case *kmsg.TxnOffsetCommitRequest:
			for _, topic := range q.Topics {
				for _, p := range topic.Partitions {
					note(committed, topic.Topic, p.Partition)
				}
			}
		case *kmsg.EndTxnRequest:
			if len(wrote[partialsTopic]) > 0 {
				progress++
				if len(committed[sourceTopic]) != partitions {
					t.Errorf("a transaction with progress commits %v of the source", committed[sourceTopic])
				}
			}
			for p := range wrote[changelogTopic] {
				commits++
				if !committed[partialsTopic][p] {
					t.Errorf("a transaction changes windows of partition %d and commits %v of the partials", p, committed[partialsTopic])
				}
			}
			clear(wrote)
			clear(committed)
		}
	}
	if progress < 5 || commits < 5 {
		t.Errorf("%d transactions with progress, %d changed partitions", progress, commits)
	}
}
