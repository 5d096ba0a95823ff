// Package projection finds the wanted fields of an event in its JSON: one pass over the bytes checks all of it and notes
// where the value of each wanted top-level field begins and ends. Nothing is decoded and nothing is copied.
//
// What it accepts is exactly what encoding/json accepts, and of a key that repeats the last value counts, as there.
// The package never changes, keeps or logs an event, never allocates per event, never panics whatever the bytes are,
// and never recurses: a hostile event costs what an honest one of its length does.
package projection

import "math"

// maxDepth is how deep lists and objects may lie in each other: encoding/json refuses the 10,001st level.
const maxDepth = 10_000

// maxLength is the longest JSON, in bytes: spans are 32 bits wide, and so is a record of Kafka.
const maxLength = math.MaxInt32

// Kind is what kind of JSON value a span holds.
type Kind uint8

// The kinds of values. Number is every number that is no Int.
const (
	Missing Kind = iota
	Null
	False
	True
	Int     // integer syntax: no fraction, no exponent
	Number  // any other number
	Text    // a string of ASCII without escapes: its bytes are its text
	Unicode // a string without escapes that is not all ASCII; it may hold invalid UTF-8
	Escaped // a string with at least one backslash
	List
	Object
)

// Field is one wanted field: its value is JSON[Start:End], the quotes of strings included, and with its key it is
// JSON[Key:End]. Of a key that repeats it is the last value. The Kind of a field that the event does not have is Missing.
type Field struct {
	Key, Start, End uint32
	Kind            Kind
}

// Member is a stretch of the object: one member with a wanted name, or a run of adjacent members that nobody wants with
// the commas and white space between them as they came. It goes from the opening quote of the (first) key to the end of
// the (last) value.
type Member struct {
	Field      int32 // index into Event.Fields; -1: a run of members that nobody wants
	Start, End uint32
}

// memberSize is what a Member takes in memory, in bytes.
const memberSize = 12

// Event is what a scan found. It is reused from event to event; its slices are good until the next scan.
type Event struct {
	JSON []byte
	// Fields has one field for each wanted name, in the order of the names.
	Fields []Field
	// Members is in the order of the object. A wanted key that repeats is there once, at its first place and with its
	// first span, while its Field has the last value. A repetition ends a run.
	Members []Member

	open    levels
	decoded []byte // a key with escapes, as text
}

// Verdict is what the whole of the bytes is.
type Verdict uint8

// The verdicts. Of what is no object all fields are Missing and there are no members.
const (
	IsObject  Verdict = iota
	NotObject         // valid JSON, but no object
	Invalid           // encoding/json refuses it, or it is longer than 2 GiB - 1
)

// Scan checks json and finds the wanted fields of it. The event keeps json, it does not copy it.
func (p *Projection) Scan(json []byte, e *Event) Verdict {
	e.reset(json, p.count)
	if len(json) > maxLength {
		return Invalid
	}
	i := skipSpace(json, 0)
	if i == len(json) {
		return Invalid
	}
	if json[i] != '{' {
		if end, _ := value(json, i, 0, &e.open); end < 0 || skipSpace(json, end) != len(json) {
			return Invalid
		}
		return NotObject
	}
	end := p.object(json, i+1, e)
	if end < 0 || end != len(json) && skipSpace(json, end) != len(json) {
		e.reset(json, p.count)
		return Invalid
	}
	return IsObject
}

// Release forgets the event, and gives back memory that is larger than limit bytes: of one with very many members.
func (e *Event) Release(limit int) {
	e.JSON, e.Members = nil, e.Members[:0]
	clear(e.Fields)
	if cap(e.Members)*memberSize > limit {
		e.Members = nil
	}
	if cap(e.decoded) > limit {
		e.decoded = nil
	}
}

// Begin makes e an event of so many fields, all of them missing: whoever writes an event says where they are.
func (e *Event) Begin(fields int) { e.reset(nil, fields) }

func (e *Event) reset(json []byte, fields int) {
	e.JSON = json
	e.Members = e.Members[:0]
	if cap(e.Fields) < fields {
		e.Fields = make([]Field, fields)
	}
	e.Fields = e.Fields[:fields]
	clear(e.Fields)
}
