// Package view is everything live that an operator sees, as documents: how healthy the service is and why, what flows,
// how far each partition is, what the pipeline looks like. It shows the whole group: what this instance knows of itself,
// and what the other ones tell. It decides nothing, asks no broker by itself, and knows nothing of HTTP. Once a second it
// takes a look at the counters; documents are made when somebody asks for them.
package view

import (
	"time"

	"data-stream-engine/model"
)

// Status is whether the service is healthy, and when it is not, why, since when, and what comes next.
type Status struct {
	Level     model.Level `json:"level"`
	Title     string      `json:"title"`  // a few words, without a full stop
	Reason    string      `json:"reason"` // one or two sentences
	Since     time.Time   `json:"since"`  // of the title
	Ready     bool        `json:"ready"`  // of this instance
	Waiting   []Waiting   `json:"waiting"`
	Pipeline  string      `json:"pipeline"` // its name
	Group     string      `json:"group"`
	Replica   string      `json:"replica"`  // this instance
	Replicas  int         `json:"replicas"` // that are alive, this one included
	Instances []Instance  `json:"instances"`
	Version   string      `json:"version"`
	Delivery  string      `json:"delivery"` // exactly_once, at_least_once
	StartedAt time.Time   `json:"started_at"`
	LoadedAt  time.Time   `json:"loaded_at"` // the pipeline file
	Exact     bool        `json:"aggregates_exact"`

	Control     *model.Pause `json:"control"`        // null: nobody has paused the group
	NextRetryAt *time.Time   `json:"next_retry_at"`  // null: nothing is tried again
	Attempts    *int         `json:"attempts"`       // that failed so far
	LastCommit  *time.Time   `json:"last_commit_at"` // null: none yet
	Restore     *Restore     `json:"restore"`        // null: nothing is being restored
	Storage     *Storage     `json:"storage"`        // null: nothing is stored
}

// Waiting is a condition that keeps this instance from being ready.
type Waiting struct {
	Name   string    `json:"name"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// Instance is what an instance of the group has told last. The partitions that it has are named; how far they are is in
// Partitions.
type Instance struct {
	model.InstanceStatus
	Partitions []int32 `json:"partitions"` // of the source
	Merging    []int32 `json:"merging"`    // of the partials
}

// Restore is how far the state of windows has been read back.
type Restore struct {
	Done float64        `json:"done"` // 0 to 1
	Left *model.Seconds `json:"left_seconds"`
}

// Storage is how the store of insights and dead letters is.
type Storage struct {
	Kind   string  `json:"kind"` // sqlite, postgres
	OK     bool    `json:"ok"`
	Reason *string `json:"reason"`
	Behind *int64  `json:"behind"` // records that are not stored yet; null: not known
}

// Partitions are the partitions of the source and of the partials, with the instances that have them.
type Partitions struct {
	Source []SourcePartition `json:"source"`
	State  []StatePartition  `json:"state"`
}

// SourcePartition is a partition of the source. Its state is one of active, idle, paused, away, unassigned.
type SourcePartition struct {
	model.PartitionStatus
	Position *int64  `json:"position"` // null: not known
	Owner    *string `json:"owner"`    // null: nobody that is alive
}

// StatePartition is a partition of the partials.
type StatePartition struct {
	model.MergeStatus
	Owner *string `json:"owner"`
}

// Pipeline is the pipeline that this instance runs.
type Pipeline struct {
	Name       string      `json:"name"`
	File       string      `json:"file"`
	Text       string      `json:"text"` // of the file, as it was when it was loaded
	LoadedAt   time.Time   `json:"loaded_at"`
	Source     string      `json:"source"`     // topic
	Partitions *int        `json:"partitions"` // of the source; null: not known yet
	Stages     []Stage     `json:"stages"`
	Aggregates []Aggregate `json:"aggregates"`
}

// Stage is a part of the picture of the pipeline: source, filter, transform, output:<topic>, aggregate:<name>. Filter and
// transform are there even when the file has none.
type Stage struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"` // source, filter, transform, output, aggregate
	Title string `json:"title"`
	Lines *Lines `json:"lines"` // of the file; null: it has none for it
}

// Lines are the first and the last line, counted from 1.
type Lines [2]int

// Aggregate is an aggregate of the pipeline.
type Aggregate struct {
	Name     string    `json:"name"`
	GroupBy  []string  `json:"group_by"` // names of the group's values
	Where    *string   `json:"where"`
	Detect   *string   `json:"detect"`
	Of       string    `json:"of"` // event, source
	Window   Window    `json:"window"`
	Measures []Measure `json:"measures"`
}

// Window is how an aggregate cuts event time.
type Window struct {
	Kind  model.WindowKind `json:"kind"`
	Size  model.Seconds    `json:"size_seconds"`  // of tumbling and hopping windows
	Every model.Seconds    `json:"every_seconds"` // of hopping ones; tumbling: the size
	Gap   model.Seconds    `json:"gap_seconds"`   // of sessions
	Grace model.Seconds    `json:"grace_seconds"`
	Text  string           `json:"text"` // as a pipeline file has it: {tumbling: 1m, grace: 30s}
}

// Measure is a value of an aggregate's insights.
type Measure struct {
	Name       string  `json:"name"`
	Expression string  `json:"expression"`
	Kind       string  `json:"kind"`  // number, top, time, text
	About      *string `json:"about"` // how exact it is; null: exact
}
