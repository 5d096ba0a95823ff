// Package projection finds the wanted fields of an event in its JSON: one pass over the bytes checks all of it and notes
// where the value of each wanted top-level field begins and ends. Nothing is decoded and nothing is copied.
//
// What it accepts is exactly what encoding/json accepts, and of a key that repeats the last value counts, as there.
// The package never changes, keeps or logs an event, never allocates per event, never panics whatever the bytes are,
// and never recurses: a hostile event costs what an honest one of its length does.
package projection

import (
	"math"
	"math/bits"
)

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
	Text    // a string without escapes; it may hold non-ASCII and invalid UTF-8
	Escaped // a string with at least one backslash
	List
	Object
)

// Field is one wanted field: its value is JSON[Start:End], the quotes of strings included. Of a key that repeats it is the
// last value. The Kind of a field that the event does not have is Missing.
type Field struct {
	Start, End uint32
	Kind       Kind
}

// Member is a stretch of the object: one member with a wanted name, or a run of adjacent members that nobody wants with
// the commas and white space between them as they came. It goes from the opening quote of the (first) key to the end of
// the (last) value.
type Member struct {
	Field      int32 // index into Event.Fields; -1: a run of members that nobody wants
	Start, End uint32
}

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
	end := p.members(json, i+1, e)
	if end < 0 || end != len(json) && skipSpace(json, end) != len(json) {
		e.reset(json, p.count)
		return Invalid
	}
	return IsObject
}

func (e *Event) reset(json []byte, fields int) {
	e.JSON = json
	e.Members = e.Members[:0]
	if cap(e.Fields) < fields {
		e.Fields = make([]Field, fields)
	}
	e.Fields = e.Fields[:fields]
	clear(e.Fields)
}

// members reads the members of an object whose brace is before json[i], and returns the index behind its closing brace,
// or -1.
func (p *Projection) members(json []byte, i int, e *Event) int {
	i = skipSpace(json, i)
	if i < len(json) && json[i] == '}' {
		return i + 1
	}
	run := false // the last member is a run of unknown ones, and nothing came between
	for {
		start := i
		field, at := p.key(json, i, e)
		if at < 0 {
			return -1
		}
		end, kind := 0, Missing
		if json[at] == '"' {
			end, kind = stringEnd(json, at+1)
		} else {
			end, kind = value(json, at, 1, &e.open)
		}
		if end < 0 {
			return -1
		}
		switch {
		case field >= 0:
			f := &e.Fields[field]
			if f.Kind == Missing {
				e.Members = append(e.Members, Member{Field: field, Start: uint32(start), End: uint32(end)})
			}
			*f = Field{Start: uint32(at), End: uint32(end), Kind: kind}
			run = false
		case run:
			e.Members[len(e.Members)-1].End = uint32(end)
		default:
			e.Members = append(e.Members, Member{Field: -1, Start: uint32(start), End: uint32(end)})
			run = true
		}
		if i = end; i+2 < len(json) && json[i] == ',' {
			i++
			if json[i] == ' ' {
				i++
			}
			if json[i] == '"' {
				continue
			}
		}
		i = skipSpace(json, end)
		if i == len(json) {
			return -1
		}
		if json[i] != ',' {
			break
		}
		i = skipSpace(json, i+1)
	}
	if json[i] != '}' {
		return -1
	}
	return i + 1
}

// key reads the key whose opening quote is json[i], and its colon. It returns which wanted field that is, or -1, and where
// the value begins, or -1.
func (p *Projection) key(json []byte, i int, e *Event) (field int32, at int) {
	if i > len(json)-9 || json[i] != '"' {
		return p.oddKey(json, i, e)
	}
	i++
	first, last := word(json[i:]), uint64(0)
	end := i
	if m := special(first); m != 0 {
		first &= (m&-m)>>7 - 1 // the bytes below the mark
		end += bits.TrailingZeros64(m) / 8
		if json[end] != '"' {
			return p.oddKey(json, i-1, e)
		}
	} else {
		var kind Kind
		end, kind = stringEnd(json, i+8)
		if kind != Text {
			return p.oddKey(json, i-1, e)
		}
		end--
		last = word(json[end-8:])
	}
	field = p.find(first, last, json[i:end])
	if field < 0 && p.replaced {
		field = p.findDecoded(json[i:end], e)
	}
	return field, valueStart(json, end+1)
}

// oddKey is key for what has an escape, a mistake, or the end of the JSON near.
func (p *Projection) oddKey(json []byte, i int, e *Event) (field int32, at int) {
	if i >= len(json) || json[i] != '"' {
		return -1, -1
	}
	end, _ := stringEnd(json, i+1)
	if end < 0 {
		return -1, -1
	}
	return p.findDecoded(json[i+1:end-1], e), valueStart(json, end)
}
