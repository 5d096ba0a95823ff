package model

import (
	"encoding/json"
	"time"
)

// InsightKind says what an insight record is about.
type InsightKind string

// The kinds.
const (
	InsightWindow  InsightKind = "window"
	InsightSession InsightKind = "session"
	InsightAnomaly InsightKind = "anomaly"
)

// Insight is a record of the insights topic as a store keeps it, one for each key.
type Insight struct {
	Key        string // of the record: a JSON array
	Kind       InsightKind
	Aggregate  string
	Definition string          // id, the second element of the key
	Group      json.RawMessage // an object, in the order of group_by
	Start, End time.Time       // of the window
	Final      bool
	Revision   int64
	UpdatedAt  time.Time
	Document   json.RawMessage // the whole record's value
	At         TopicOffset     // of the record
}

// TopicOffset is a place in a topic.
type TopicOffset struct {
	TopicPartition
	Offset int64
}

// DeadLetter is a record of the dead-letter topic, without its content, as a store keeps it.
type DeadLetter struct {
	At        TopicOffset // of the letter
	Stage     Stage
	Code      string
	Reason    string      // may quote values of the event
	Source    TopicOffset // of the event
	LastInSet int64       // offset of the last event that it stands for; that of Source for one event
	FailedAt  time.Time
	Truncated int // bytes of the value before it was cut off; 0: whole
	Bytes     int // of the value as it is in the topic
	Replays   int // how often the event had been replayed before
	LateFor   []string
}

// DeadLetterKind is a stage and a code: what dead letters are counted by.
type DeadLetterKind struct {
	Stage Stage
	Code  string
}

// DeadLetterCount is how many dead letters of a kind are kept.
type DeadLetterCount struct {
	DeadLetterKind
	Count  int64
	LastAt time.Time
	Recent []int64 // of the last 15 minutes, 30 s each, the latest last
}

// InsightQuery selects insights. Zero values select everything.
type InsightQuery struct {
	Aggregate string
	Kind      InsightKind
	From, To  time.Time         // windows that start at or after From and before To
	Group     map[string]string // values of group fields, as text or as JSON
	Final     *bool
	Limit     int
	Cursor    string // of the page before; opaque
}

// InsightPage is one page of insights, the latest window first.
type InsightPage struct {
	Items []Insight
	Next  string // cursor of the next page; empty: this is the last one
}

// GroupQuery selects the groups of one aggregate with their last windows, for people: see GroupTable.
type GroupQuery struct {
	Aggregate string
	Measure   string    // by which they are ordered, the largest first; empty: by group
	Search    string    // words, each of which is part of a value of the group, whatever the case
	Window    time.Time // start of the window by which they are ordered; zero: the latest whole one
	Windows   int       // how many windows of each group
	Limit     int
}

// GroupTable is a table of groups over the last windows of an aggregate.
type GroupTable struct {
	Groups  int64 // of the aggregate in the window that orders them
	Matched int64 // of these: found by the search
	Window  time.Time
	Rows    []GroupRow
}

// GroupRow is one group with its windows, the earliest first. A window without events is not there.
type GroupRow struct {
	Group   json.RawMessage
	Windows []Insight
}

// DeadLetterQuery selects dead letters. Zero values select everything.
type DeadLetterQuery struct {
	Stage    Stage
	Code     string
	From, To time.Time // of the failure
	Limit    int
	Cursor   string
}

// DeadLetterPage is one page of dead letters, the latest first.
type DeadLetterPage struct {
	Items []DeadLetter
	Next  string
}
