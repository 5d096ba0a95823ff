package model

import "time"

// Level says how much attention the service needs.
type Level string

// The levels, the worst first.
const (
	LevelBad    Level = "bad"    // it does not work
	LevelWarn   Level = "warn"   // it works, somebody should look soon
	LevelWait   Level = "wait"   // it is working on it: starting, restoring, rebalancing
	LevelPaused Level = "paused" // on purpose
	LevelOK     Level = "ok"
)

// Pause is the wish that the whole group stands still. It is kept in the control topic.
type Pause struct {
	By     string    `json:"by"` // the instance that was asked
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// InstanceStatus is what one instance tells the group of itself every few seconds, through the control topic.
type InstanceStatus struct {
	Instance   string            `json:"instance"` // INSTANCE_ID, or the random name of this process
	Version    string            `json:"version"`
	StartedAt  time.Time         `json:"started_at"`
	At         time.Time         `json:"at"`    // when it was told
	Every      Seconds           `json:"every"` // when to expect the next one
	Ready      bool              `json:"ready"`
	State      string            `json:"state"` // starting, restoring, reading, standby, paused, away, stopping
	Waiting    []string          `json:"waiting,omitempty"`
	Pipeline   string            `json:"pipeline"`             // hash of the file in use
	LoadedAt   time.Time         `json:"loaded_at"`            // when it was loaded
	Rates      Rates             `json:"rates"`                // per second, over the last seconds
	Partitions []PartitionStatus `json:"partitions"`           // of the source that it has
	Merging    []MergeStatus     `json:"merging"`              // partitions of the partials that it has
	Inexact    bool              `json:"inexact"`              // counts may be off: offsets were moved from outside
	LastCommit *time.Time        `json:"last_commit_at"`       // nil: none yet
	EndToEnd   []Latency         `json:"end_to_end,omitempty"` // of the last ten seconds, the shortest first

	// For whoever reads it, measured by when it arrived and not by the other's clock.
	Age   Seconds `json:"age_seconds"`
	Alive bool    `json:"alive"` // it told something lately, and not that it stops
}

// Latency is about how long some events took, from the timestamp of their record to the commit of what they became.
type Latency struct {
	Seconds Seconds `json:"seconds"`
	Events  float64 `json:"events"`
}

// Seconds is a duration that JSON has as a number of seconds.
type Seconds float64

// Rates are events per second by what became of them, and how far the instance is behind.
type Rates struct {
	In         float64  `json:"in"`
	Forwarded  float64  `json:"forwarded"`
	Filtered   float64  `json:"filtered"`
	DeadLetter float64  `json:"dead_letter"`
	Late       float64  `json:"late"`
	Lag        *int64   `json:"lag"`         // messages; null: not known
	P50        *float64 `json:"p50_seconds"` // end to end; null: nothing was committed
	P99        *float64 `json:"p99_seconds"`
	// Edges are events per second on each way of the pipeline: source>filter, filter>transform, filter>filtered,
	// transform>filtered (no output's condition met), source>dead (by decode and filter), transform>dead, output:<topic>,
	// aggregate:<name>, aggregates>dead (late).
	Edges map[string]float64 `json:"edges,omitempty"`
}

// PartitionStatus is a partition of the source.
type PartitionStatus struct {
	Partition int32      `json:"partition"`
	State     string     `json:"state"` // active, idle, paused, away, unassigned
	Position  int64      `json:"position"`
	End       *int64     `json:"end"` // high watermark; null: not known
	Lag       *int64     `json:"lag"`
	Rate      float64    `json:"rate"`      // events per second
	Watermark *time.Time `json:"watermark"` // null: no event yet, or no aggregates
	IdleSince *time.Time `json:"idle_since,omitempty"`
}

// MergeStatus is a partition of the partials topic, where groups are merged.
type MergeStatus struct {
	Partition   int32      `json:"partition"`
	Watermark   *time.Time `json:"watermark"`
	WindowsOpen int        `json:"windows_open"`
	Groups      int        `json:"groups"`
	Restored    float64    `json:"restored"` // 0 to 1
}

// Mark is something that happened, beside the rates.
type Mark struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"` // rebalance, reload, pause, broker
	Text string    `json:"text"`
}

// Point is a second of the history.
type Point struct {
	At int64 `json:"t"` // milliseconds since 1970
	Rates
}

// Reloaded is what a reload of the pipeline file has changed.
type Reloaded struct {
	Changed []Difference `json:"changed"` // empty: the file is the same
}

// Difference is one difference between two pipeline files.
type Difference struct {
	What string `json:"what"` // a path in the file
	From string `json:"from"` // empty: it was not there
	To   string `json:"to"`   // empty: it is not there any more
}

// ReplayRequest selects dead letters to replay: by id, or by what a DeadLetterQuery says.
type ReplayRequest struct {
	IDs   []string // partition-offset in the dead-letter topic
	Query DeadLetterQuery
	Key   string // of idempotency: a request with the same key and content is done once
}

// Replayed is what became of a replay.
type Replayed struct {
	Count   int       `json:"replayed"`
	Topic   string    `json:"topic"`
	At      time.Time `json:"at"`
	Refused []Refusal `json:"refused,omitempty"`
}

// Refusal is a dead letter that was not replayed, and why.
type Refusal struct {
	ID  string `json:"id"`
	Why string `json:"why"`
}
