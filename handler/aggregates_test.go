package handler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

// known is a Stream that says the same of every partition.
type known struct {
	Stream
	end      int64
	answered time.Time
	ok       bool
}

func (k *known) Reached(model.TopicPartition) (position, high int64, answered time.Time, ok bool) {
	return 0, k.end, k.answered, k.ok
}

// A source partition is idle only as long as a broker says that nothing is left to read.
func TestPartitionIsIdleOnlyWhileItIsKnownToBeAtItsEnd(t *testing.T) {
	const timeout = 10 * time.Second
	for name, c := range map[string]struct {
		before bool                                 // it was idle when it was assigned
		at     func(k *known, passed time.Duration) // what the broker says
		after  time.Duration
		want   bool
	}{
		"at its end, not for long":            {at: func(*known, time.Duration) {}, after: timeout - 2*time.Second},
		"at its end":                          {at: func(*known, time.Duration) {}, after: timeout + 2*time.Second, want: true},
		"behind":                              {at: func(k *known, _ time.Duration) { k.end = 6 }, after: time.Minute},
		"not asked":                           {at: func(k *known, _ time.Duration) { k.ok = false }, after: time.Minute},
		"asked long ago":                      {at: func(k *known, _ time.Duration) { k.answered = time.Now().Add(-recent) }, after: time.Minute},
		"behind for a moment":                 {at: func(k *known, p time.Duration) { k.end = 5 + int64(p/(5*time.Second))%2 }, after: time.Minute},
		"idle before, and not asked yet":      {before: true, at: func(k *known, _ time.Duration) { k.ok = false }, after: 3 * time.Second, want: true},
		"idle before, and still at its end":   {before: true, at: func(*known, time.Duration) {}, after: time.Minute, want: true},
		"idle before, and cannot be read":     {before: true, at: func(k *known, _ time.Duration) { k.ok = false }, after: time.Minute},
		"idle before, and its end has moved":  {before: true, at: func(k *known, _ time.Duration) { k.end = 6 }, after: time.Minute},
		"idle before, and at its end at last": {before: true, at: func(k *known, p time.Duration) { k.ok = p > 30*time.Second }, after: time.Minute, want: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			tp := model.TopicPartition{Topic: "in", Partition: 3}
			s := &aggregate.Source{Partition: 3, Position: 5, Idle: c.before}
			w := &windows{sources: map[model.TopicPartition]*aggregate.Source{tp: s}, atEnd: map[model.TopicPartition]time.Time{tp: time.Now()}}
			w.announcer = aggregate.NewAnnouncer(nil, []*aggregate.Source{s}, 1, time.Second, timeout, time.Now())
			began, watch := time.Now(), newWatched(t)
			for time.Since(began) < c.after {
				k := &known{end: 5, answered: time.Now(), ok: true}
				c.at(k, time.Since(began))
				w.look(k, watch.Watch, time.Now())
				time.Sleep(500 * time.Millisecond)
			}
			if s.Idle != c.want {
				t.Errorf("%s: idle %v", name, s.Idle)
			}
		})
	}
}

// A source may have the name that a group's partials would have.
func TestPartialsAndReplaysAreToldFromTheSource(t *testing.T) {
	list := []model.TopicPartition{{Topic: "in"}, {Topic: partialsOfRig}, {Topic: "g-replay"}, {Topic: "in", Partition: 1}}
	r := newMergeRig(t, Config{})
	if source, replay, partials := r.split(list); len(source) != 2 || len(replay) != 1 || len(partials) != 1 {
		t.Errorf("%v, %v and %v", source, replay, partials)
	}
	r.processor = plain(t)
	if source, replay, partials := r.split(list); len(source) != 3 || len(replay) != 1 || len(partials) != 0 {
		t.Errorf("without aggregates %v, %v and %v", source, replay, partials)
	}
}

// Who waits for events does not wait longer than windows may.
func TestWaitForEventsEndsInTimeForWindows(t *testing.T) {
	for name, c := range map[string]struct {
		windows *windows
		emit    time.Duration
		want    time.Duration
	}{
		"no windows": {nil, 100 * time.Millisecond, idle}, "soon": {&windows{}, 100 * time.Millisecond, 100 * time.Millisecond}, "later": {&windows{}, time.Minute, idle},
	} {
		r := &run{Engine: &Engine{cfg: Config{EmitInterval: c.emit}}, windows: c.windows}
		if got := r.idle(); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestStandByWaitsForNoWindows(t *testing.T) {
	w := newWatched(t)
	w.Restoring(0, 1)
	w.StandBy()
	w.requireReady(false)
	w.Restoring()
	w.requireReady(true)
}

// A restore that a broker holds up passes; one that is impossible has a condition of its own, which rings a bell.
func TestARestoreThatIsImpossibleIsToldFromOneThatTakesLong(t *testing.T) {
	w := newWatched(t)
	w.Working(1)
	w.Restoring(0, 1)
	conditions := func() (names []string) {
		for _, c := range w.Readiness.Report().Waiting {
			names = append(names, c.Name)
		}
		return names
	}
	w.RestoreFailed(0, passing)
	if got := conditions(); !slices.Equal(got, []string{ConditionRestored}) {
		t.Errorf("a broker is away: %q", got)
	}
	w.RestoreFailed(0, unknown(model.TopicPartition{Topic: "g-changelog"}, errors.New("format 7")))
	if got := conditions(); !slices.Equal(got, []string{ConditionRestored, ConditionUnrestorable}) {
		t.Errorf("nobody can read it: %q", got)
	}
	w.Restored(0)
	if got := conditions(); !slices.Equal(got, []string{ConditionRestored}) {
		t.Errorf("the next partition: %q", got)
	}
}

// Groups take memory from the first event on. Whatever the limits of a transaction, it is committed when that is much, and
// nothing is left out, however many workers have collected.
func TestAggregatesThatTakeMuchMemoryAreCommittedEarly(t *testing.T) {
	const each, partitions = 40_000, 2
	long := strings.Repeat("x", 900)
	for _, workers := range []int{1, 2} {
		s := &script{t: t, weight: 10, file: `
name: p
source: {topic: in}
output: [{topic: out}]
aggregates: [{name: a, group_by: [g], window: {tumbling: 1d}, measures: {f: first(v)}}]
`}
		s.add(100<<20, map[int32]int{0: each, 1: each}, map[int32]int64{0: 0, 1: 0}, func(offset int64) []byte { return fmt.Appendf(nil, `{"g":%d,"v":"%s"}`, offset, long) })
		s.play(Config{Workers: workers, CommitMaxRecords: 1 << 30, CommitMaxBytes: 1 << 30, EmitInterval: time.Hour, IdleTimeout: time.Hour})
		if n := len(s.commits); n < 2 {
			t.Errorf("%d workers: %d commits of %d MiB", workers, n, each*partitions*len(long)>>20)
		}
		partials, none := 0, model.Origin{}
		for to, log := range s.logs {
			for _, from := range log {
				if from == none && strings.HasPrefix(to, "2-") {
					partials++
				}
			}
		}
		if n := total(s.moved()); n != each*partitions || partials < each {
			t.Errorf("%d workers: %d messages, %d partials", workers, n, partials)
		}
	}
}
