package service

import (
	"encoding/json"
	"time"

	"data-stream-engine/model"
)

// Outcome is the fate of a message.
type Outcome string

// The outcomes.
const (
	Forwarded    Outcome = "forwarded"
	Filtered     Outcome = "filtered"
	DeadLettered Outcome = "dead_letter"
)

// Explanation is what a pipeline makes of one message, stage by stage. The fate and the records are what the engine
// would produce, from the same code; what is said about parts of expressions is worked out beside it.
type Explanation struct {
	Outcome Outcome `json:"outcome"`
	// Stage is where the event ended, when it was not forwarded.
	Stage model.Stage `json:"stage,omitempty"`
	// Why says in one line what ended it.
	Why       string     `json:"why,omitempty"`
	Code      string     `json:"code,omitempty"` // of a dead letter
	Bytes     int        `json:"bytes"`          // of the value
	Fields    int        `json:"fields"`         // top-level fields of the event
	Filter    *Condition `json:"filter,omitempty"`
	EventTime *Timed     `json:"event_time,omitempty"`
	Transform []Change   `json:"transform,omitempty"`
	Outputs   []Routed   `json:"outputs,omitempty"`
	// Aggregates are there for an event that was filtered by its outputs too: it counts all the same.
	Aggregates []Gauged          `json:"aggregates,omitempty"`
	Records    []ExplainedRecord `json:"records"` // what is produced; a dead letter is a record too
}

// Condition is an expression that is true or false.
type Condition struct {
	Expression string `json:"expression"`
	At         string `json:"at"` // file:line:column
	Result     Result `json:"result"`
	// Joined is && or || when Parts are the operands of a chain of them, otherwise there is one part: the whole.
	Joined string `json:"joined,omitempty"`
	Parts  []Part `json:"parts"`
}

// Result is what a condition or a part of one came to.
type Result string

// The results.
const (
	True         Result = "true"
	False        Result = "false"
	Failed       Result = "error"
	NotEvaluated Result = "not evaluated" // what stands before it decided
)

// Part is one operand of a condition, with what it read.
type Part struct {
	Expression string `json:"expression"`
	Result     Result `json:"result"`
	Error      string `json:"error,omitempty"`
	Reads      []Read `json:"reads,omitempty"`
}

// Read is a field that an expression reads, and its value. Without a value the event does not have it.
type Read struct {
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value,omitempty"`
}

// Timed is the time that the pipeline found in the event.
type Timed struct {
	Expression string `json:"expression"`
	At         string `json:"at"`
	Time       string `json:"time,omitempty"` // RFC 3339
	Error      string `json:"error,omitempty"`
	Reads      []Read `json:"reads,omitempty"`
}

// Action is the kind of a Change.
type Action string

// The actions.
const (
	ActionSet    Action = "set"
	ActionRename Action = "rename"
	ActionRemove Action = "remove"
	ActionFail   Action = "fail" // the expression of set that made the event a dead letter
)

// Change is what a transform does with one field.
type Change struct {
	Action     Action          `json:"action"`
	Field      string          `json:"field"`        // its name in the event
	To         string          `json:"to,omitempty"` // its new name
	Expression string          `json:"expression,omitempty"`
	At         string          `json:"at,omitempty"`
	Before     json.RawMessage `json:"before,omitempty"` // without one the event does not have it
	After      json.RawMessage `json:"after,omitempty"`
	Error      string          `json:"error,omitempty"`
	Reads      []Read          `json:"reads,omitempty"` // of an expression that failed
}

// Routed is what one output makes of the event.
type Routed struct {
	Topic     string     `json:"topic"`
	Taken     bool       `json:"taken"` // false for all when one of them fails: nothing is produced then
	When      *Condition `json:"when,omitempty"`
	KeyOf     string     `json:"key_expression,omitempty"`
	Key       *string    `json:"key,omitempty"`
	Partition *int32     `json:"partition,omitempty"`
	Error     string     `json:"error,omitempty"`
	Reads     []Read     `json:"reads,omitempty"` // of a key that failed
}

// Gauged is what one aggregate makes of the event.
type Gauged struct {
	Aggregate string     `json:"aggregate"`
	Counted   bool       `json:"counted"`         // false for all when the event is a dead letter
	Late      bool       `json:"late,omitempty"`  // it would count, had it come earlier
	Where     *Condition `json:"where,omitempty"` // when it is not true, there is nothing below
	Group     []Input    `json:"group,omitempty"`
	// Windows are those that the event is in, by their beginning; of many only the first ones. A session has no window
	// yet: it joins what is no further apart than Gap.
	Windows  []Span    `json:"windows,omitempty"`
	Of       int       `json:"windows_count,omitempty"`
	Gap      string    `json:"session_gap,omitempty"`
	Measures []Input   `json:"measures,omitempty"`
	Error    string    `json:"error,omitempty"`
	Lateness *Lateness `json:"lateness,omitempty"`
}

// Input is what a group or a measure takes from the event.
type Input struct {
	Name       string          `json:"name"`
	Expression string          `json:"expression"`      // of a measure the whole call
	Value      json.RawMessage `json:"value,omitempty"` // without one there is none: count(), or it failed
	Error      string          `json:"error,omitempty"`
	Reads      []Read          `json:"reads,omitempty"` // of what failed
}

// Span is a window.
type Span struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Lateness says against what an event was late.
type Lateness struct {
	Watermark  time.Time `json:"watermark"` // of its source partition, before it
	Grace      string    `json:"grace"`
	DeadLetter bool      `json:"dead_letter"` // it is one too; otherwise it is only counted
}

// ExplainedRecord is a record that is produced.
type ExplainedRecord struct {
	Topic      string          `json:"topic"`
	Partition  int32           `json:"partition"`
	Key        *string         `json:"key"`
	DeadLetter bool            `json:"dead_letter,omitempty"`
	Value      json.RawMessage `json:"value,omitempty"` // of an output: JSON
	Text       *string         `json:"text,omitempty"`  // of a dead letter: the value as it came
}
