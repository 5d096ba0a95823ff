package model

import (
	"fmt"
	"time"
)

// Pipeline is what one pipeline file asks for, after its variables were filled in. Nothing in it is compiled: it is
// the file's words with their places, so that whoever finds a fault in them can point at it.
type Pipeline struct {
	File       string // the name that messages give the file, as it was handed to the parser
	Name       string // letters, digits, '.', '_' and '-': it becomes part of topic names
	Source     Source
	Filter     *Expression // nil: every event passes
	Transform  Transform
	Outputs    []Output // at least one
	Aggregates []Aggregate
}

// Source says which topic is read and what its records are.
type Source struct {
	Topic      string
	EventTime  *Expression   // nil: the record's own timestamp
	MaxFuture  time.Duration // how far an event may be ahead of its record; only aggregates care
	Tombstones Policy        // records without a value
	NotObjects Policy        // records whose value is JSON but not an object
}

// Policy is the fate of a record that is not an event.
type Policy string

// The policies. The zero value is not one of them: the parser fills the default in.
const (
	PolicyDeadLetter Policy = "dead_letter"
	PolicyDrop       Policy = "drop"
)

// Transform changes an event: first Set, then Rename, then Keep or Remove. Every expression of Set sees the event as
// it was before the transform.
type Transform struct {
	Set    []Assign
	Rename []Rename
	Keep   []string // nil: all; never together with Remove
	Remove []string
}

// Assign gives a field the value of an expression.
type Assign struct {
	Field string
	Value Expression
}

// Rename gives a field another name. A field that the event does not have is left alone.
type Rename struct {
	From, To string
}

// Output is one topic that events go to. Its expressions see the transformed event.
type Output struct {
	Topic string
	Key   *Expression // nil: no key, and the partition follows the source's
	When  *Expression // nil: every event
}

// Expression is the text of an expression and the place of its first character in the pipeline file.
type Expression struct {
	Text string
	At   Place
	// Wrapped is true when the text stands in the file in another form than here - quoted with escapes, folded over
	// several lines, filled in from a variable - so that a column in it has no exact place in the file.
	Wrapped bool
}

// Place is a line and a column of a file, both counted from 1, columns in characters.
type Place struct {
	Line, Column int
}

func (p Place) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }
