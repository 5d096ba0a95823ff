package harness

import (
	"math"
	"time"
)

// Event is a login, as it came or as the transform left it. Numbers are json.Number.
type Event = map[string]any

// Aggregate is one entry of `aggregates:` as a test means it, written down by hand beside the pipeline file.
type Aggregate struct {
	Name     string
	Window   Window
	OfSource bool             // of: source
	Where    func(Event) bool // nil: every event that is forwarded
	GroupBy  []string         // fields
	Measures []Measure
	Drops    bool // late: drop
	// Since is where the pipeline file with this aggregate begins to count for everybody, as offsets of the source. A
	// window with an event before it may be incomplete, or missing. Not for sessions. Nil: it counted from the beginning.
	Since Offsets
}

// Measure is one line of `measures:`.
type Measure struct {
	Name      string
	Function  string // as in the pipeline file
	Of        string // a field; empty for count
	Parameter float64
	Since     Offsets // as that of Aggregate
}

// Offsets are places in a topic, by partition.
type Offsets map[int32]int64

// before tells whether an event lies before the offsets.
func (o Offsets) before(e *counted) bool { return e.Offset < o[e.Partition] }

// Window is how an aggregate cuts time: a session when there is a gap, hopping when there is a hop, otherwise tumbling.
type Window struct {
	Size, Every time.Duration
	Gap         time.Duration
	Grace       time.Duration
}

// Everything below is in milliseconds since 1970.

const never = math.MinInt64

// late tells whether an event comes too late for a partition whose watermark is wm.
func (w Window) late(at, wm int64) bool {
	if w.Gap > 0 {
		return at+w.Grace.Milliseconds() < wm
	}
	pane := w.pane()
	return floor(at, pane)+pane+w.Grace.Milliseconds() <= wm
}

// pane is what windows are put together of.
func (w Window) pane() int64 {
	a, b := w.Size.Milliseconds(), w.Every.Milliseconds()
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// starts are those of the windows that an event belongs to, the last one first. Sessions have none.
func (w Window) starts(at int64) []int64 {
	size, every := w.Size.Milliseconds(), w.Every.Milliseconds()
	if every == 0 {
		every = size
	}
	var starts []int64
	for start := floor(at, every); start+size > at; start -= every {
		starts = append(starts, start)
	}
	return starts
}

// sessionEnd is what insights give as the end of a session: the time of its last event (docs/aggregation.md).
func sessionEnd(last int64) int64 { return last }

// floor is the next multiple of step at or below x.
func floor(x, step int64) int64 {
	rest := x % step
	if rest < 0 {
		rest += step
	}
	return x - rest
}
