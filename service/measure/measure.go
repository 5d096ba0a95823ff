// Package measure is the functions of aggregates: count, sum, distinct and the like, one file each. A measure is
// commutative and associative: whatever the order of the events and however they were cut into pieces, the state of the
// same events is the same bytes (top, beyond its counters, is the exception, and says so).
//
// A measure lives in two forms. While a transaction is open its state is a cell of some words in a table, made for speed.
// What travels and what is kept is its encoding: bytes that Merge joins, without a cell. The package never does I/O and
// knows nothing of windows, groups or topics.
package measure

import "math"

// Kind is what an argument is.
type Kind uint8

// The kinds of arguments. A measure skips Nil: a field that an event does not have changes nothing but count().
const (
	Nil Kind = iota
	Bool
	Int
	Float
	Text
)

// Scalar is the value of an argument.
type Scalar struct {
	Kind Kind
	Bits uint64 // Bool: 0 or 1; Int: an int64; Float: the bits of a finite float64
	Text []byte // Text; UTF-8, valid until the next event
}

// Int is the value of an Int.
func (s Scalar) Int() int64 { return int64(s.Bits) }

// Float is the value of a Float.
func (s Scalar) Float() float64 { return math.Float64frombits(s.Bits) }

// Order is the place of an event among all events: what first and last go by.
type Order struct {
	Time      int64 // event time, milliseconds since 1970
	Partition int32
	Offset    int64
}

// Input is an argument as Add takes it. What its fields hold is each measure's own business.
type Input struct {
	Skip bool // Add has nothing to do
	A, B uint64
	Text []byte
	Order
}

// Measure is one function with its parameter. It is immutable, and its methods may be called by several goroutines, each
// with cells and a Pool of its own.
type Measure interface {
	// Prepare fills in from an argument, or says why the event cannot count: the event is a dead letter then, so that
	// Prepare must not depend on what came before. It does not mind what in was used for; a kind that is not taken is an
	// error. x and at are read, and pointers only because they fit into no registers.
	Prepare(in *Input, x *Scalar, at *Order) error

	// Words is the size of a cell. A cell of zeros is one without events.
	Words() int
	// Add counts an event.
	Add(cell []uint64, pool *Pool, in *Input)
	// Append appends the encoding of a cell, and leaves that as it is. The encoding of no events is empty.
	Append(dst []byte, cell []uint64, pool *Pool) []byte

	// Valid tells whether bytes that came from outside are an encoding. The methods below take nothing else.
	Valid(state []byte) bool
	// Merge appends the encoding of the events of both. dst shares no memory with a and b.
	Merge(dst, a, b []byte) []byte
	// AppendJSON appends the value as it stands in an insight.
	AppendJSON(dst, state []byte) []byte
	// Number is the value as a number, for the detection of anomalies. ok is false when there is none, as with an average
	// of nothing, or when the measure is none.
	Number(state []byte) (n float64, ok bool)
}
