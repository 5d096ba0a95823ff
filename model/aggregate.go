package model

import "time"

// Aggregate is one entry of `aggregates:` in a pipeline file: measures over the events of a group in a window of event
// time. Its expressions see the transformed event, or the source event if OfSource is set.
type Aggregate struct {
	Name      string // letters, digits, '.', '_' and '-'
	At        Place
	OfSource  bool
	Where     *Expression // nil: every event that passes the filter
	GroupBy   []GroupField
	Window    Window
	Measures  []Measure // at least one
	Emit      Emit
	Retention time.Duration // how long a closed window may still be corrected
	Late      Policy        // the fate of events that come too late
	MaxGroups int           // of one window; what is beyond counts in a group of its own
	Detect    *Detect       // nil: no anomalies are looked for
}

// GroupField is one value that groups are told apart by.
type GroupField struct {
	Name  string // in insights: the field's own, unless the file gives another
	Value Expression
}

// WindowKind is the shape of windows.
type WindowKind string

// The kinds of windows.
const (
	Tumbling WindowKind = "tumbling" // side by side
	Hopping  WindowKind = "hopping"  // of Size, one begins every Every
	Session  WindowKind = "session"  // as long as no Gap lies between two events
)

// Window is how event time is cut into windows. All durations are whole milliseconds.
type Window struct {
	Kind  WindowKind
	Size  time.Duration // of a tumbling or hopping window
	Every time.Duration // of a hopping window
	Gap   time.Duration // of a session
	Grace time.Duration // how far events may be behind the watermark and still count
}

// Emit says when insights are written.
type Emit string

// The ways to emit.
const (
	EmitUpdates Emit = "updates" // while the window is open, and once it has closed
	EmitFinal   Emit = "final"   // once it has closed
)

// Measure is one value of an insight: a function over the events of a group and window.
type Measure struct {
	Name      string
	Text      string // as it is written: percentile(latency, 95)
	At        Place
	Function  string      // a name of service/measure
	Argument  *Expression // nil for count. Blanks before it may stand for the rest of Text, so that its columns are the file's
	Parameter float64     // the p of percentile, the k of top; otherwise 0
}

// Detect says which values of a measure are anomalies: those far from what the group usually has, or beyond fixed limits.
type Detect struct {
	Measure    string
	Sigma      float64 // 0: not compared with the group's history
	MinWindows int     // of history before anything is compared
	Above      *float64
	Below      *float64
	At         Place
}
