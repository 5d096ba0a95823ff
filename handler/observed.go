package handler

import (
	"maps"
	"slices"
	"sync"
	"time"

	"data-stream-engine/model"
)

// Observed is what the engine has told of itself, for whoever shows it to a person.
type Observed struct {
	Instance    string // INSTANCE_ID, or the random name that stands for it
	Phase       string // what it is about, troubles aside: starting, reading, standby, paused, stopping
	Generations int    // of the group that were joined
	Totals      Totals
	Latency     []model.Latency // of the last ten seconds
	LastCommit  time.Time       // zero: none yet
	Report      Report
	Troubles    []Trouble // that last, the oldest first

	// Source are the partitions of the source as they were at the time of Surveyed. When the group has taken them back,
	// the last that was known of them stays until others are read.
	Source   []SourceState
	Surveyed time.Time

	Merging []MergeState
	Restore RestoreState
	Exact   bool // no events have counted twice, as far as that is known
	Repeats bool // events may count twice, as at least once allows
}

// Trouble is an operation that has failed for a while.
type Trouble struct {
	Op       string
	Err      error
	Since    time.Time
	Attempts int
	Next     time.Time // zero: not known
}

// SourceState is a partition of the source that this instance reads.
type SourceState struct {
	Partition int32
	Position  int64
	End       int64 // high watermark; -1: not known
	Events    int64 // read since the assignment
	Watermark int64 // milliseconds since 1970, or model.NoWatermark
	IdleSince time.Time
}

// MergeState is a partition of the partials that this instance merges.
type MergeState struct {
	Partition int32
	Watermark int64 // as above
	Open      int
	Groups    int
	Restored  float64 // 0 to 1
}

// RestoreState is how far the restore of windows is.
type RestoreState struct {
	Partitions int     // to be restored; 0: none
	Done       float64 // of all, 0 to 1
	Since      time.Time
	Err        string // why the last attempt failed
}

// observer is what Watch remembers for Observed. It is safe for concurrent use.
type observer struct {
	mu          sync.Mutex
	instance    string
	generations int
	commit      time.Time
	source      []SourceState
	surveyed    time.Time
	latency     latencies
}

func newObserver() *observer { return &observer{} }

func (o *observer) named(instance string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.instance = instance
}

// joined notes another generation of the group, and how many source partitions it has for this instance.
func (o *observer) joined(partitions int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.generations++
	if partitions == 0 {
		o.source, o.surveyed = nil, time.Now()
	}
}

func (o *observer) committed(at time.Time, spans []span) {
	o.mu.Lock()
	o.commit = at
	o.mu.Unlock()
	o.latency.add(at, spans)
}

func (o *observer) survey(at time.Time, list []SourceState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.source, o.surveyed = list, at
}

// Observed is what is known now.
func (w *Watch) Observed() Observed {
	o := w.seen
	o.mu.Lock()
	all := Observed{Instance: o.instance, Generations: o.generations, LastCommit: o.commit,
		Source: slices.Clone(o.source), Surveyed: o.surveyed}
	o.mu.Unlock()
	all.Latency = o.latency.recent(time.Now())
	all.Totals = w.Metrics.Totals()
	all.Report = w.Readiness.Report()
	all.Phase, all.Troubles = w.lasting()
	w.windows.show(&all)
	return all
}

// lasting is what the engine is about, and the troubles that are worth a person's attention.
func (w *Watch) lasting() (phase string, list []Trouble) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for op, t := range w.troubles {
		if t.lasting {
			list = append(list, Trouble{op, t.err, t.since, t.times, t.next})
		}
	}
	slices.SortFunc(list, func(a, b Trouble) int { return a.Since.Compare(b.Since) })
	return w.state, list
}

// show adds what is known of windows.
func (w *windowWatch) show(o *Observed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, number := range slices.Sorted(maps.Keys(w.merging)) {
		m := w.merging[number]
		if done, waits := w.restore.left[number]; waits {
			m.Restored = done
		}
		o.Merging = append(o.Merging, m)
	}
	o.Restore = w.restore.state()
	o.Exact, o.Repeats = !w.inexact, w.repeats
}

// restoration is how far a restore of several partitions, one after the other, is.
type restoration struct {
	total int
	left  map[int32]float64 // how much of each is done
	began time.Time
	err   string
}

func (r *restoration) state() RestoreState {
	if len(r.left) == 0 {
		return RestoreState{}
	}
	done := float64(r.total - len(r.left))
	for _, part := range r.left {
		done += part
	}
	return RestoreState{Partitions: r.total, Done: done / float64(r.total), Since: r.began, Err: r.err}
}
