package aggregate

import (
	"encoding/binary"

	"data-stream-engine/service/measure"
)

// A value is what is kept of a group in a window, a pane or a session, in memory and in the changelog alike: flags, the
// number of insights that were written of it, for a session its length, and the measures by ascending id.
type value struct {
	final    bool   // the last insight of it said so, and nothing has come since
	closed   bool   // an insight of it said so once
	shown    bool   // of a session: there is an insight of it from its first event to its last
	revision uint64 // insights so far
	length   int64  // of a session: from its first event to its last
	measures []byte
}

const (
	flagFinal = 1 << iota
	flagClosed
	flagShown
)

// append writes a value with its measures.
func (v *value) append(dst []byte) []byte { return append(v.appendHead(dst), v.measures...) }

func (v *value) appendHead(dst []byte) []byte {
	flags := byte(0)
	if v.final {
		flags |= flagFinal
	}
	if v.closed {
		flags |= flagClosed
	}
	if v.shown {
		flags |= flagShown
	}
	dst = binary.AppendUvarint(append(dst, flags), v.revision)
	return binary.AppendUvarint(dst, uint64(v.length))
}

func parseValue(b []byte) (value, error) {
	d := decoder{rest: b}
	flags := d.byte()
	v := value{final: flags&flagFinal != 0, closed: flags&flagClosed != 0, shown: flags&flagShown != 0, revision: d.uvarint(), length: int64(d.uvarint())}
	v.measures = d.rest
	if d.bad || v.length < 0 {
		return v, errCut
	}
	return v, nil
}

// known is a value that was written here or has been checked.
func known(b []byte) value {
	v, _ := parseValue(b)
	return v
}

// functions are the measures that a series knows.
type functions []function

type function struct {
	id uint32
	measure.Measure
}

// of is the function with an id, nil when there is none. There are few.
func (f functions) of(id uint32) measure.Measure {
	for i := range f {
		if f[i].id == id {
			return f[i].Measure
		}
	}
	return nil
}

// check says whether measures are in order and states of functions that are known.
func (f functions) check(measures []byte) error {
	d, last := decoder{rest: measures}, int64(-1)
	for len(d.rest) > 0 {
		id, state := d.uint32(), d.bytes()
		m := f.of(id)
		if d.bad || m == nil || int64(id) <= last || !m.Valid(state) {
			return errCut
		}
		last = int64(id)
	}
	if d.bad {
		return errCut
	}
	return nil
}

// merge appends the measures of both a and b, which are checked. scratch is memory for one state.
func (f functions) merge(dst, a, b, scratch []byte) (merged, reuse []byte) {
	x, y := decoder{rest: a}, decoder{rest: b}
	idX, stateX := next(&x)
	idY, stateY := next(&y)
	for idX != none || idY != none {
		switch {
		case idX < idY:
			dst = appendMeasure(dst, uint32(idX), stateX)
			idX, stateX = next(&x)
		case idY < idX:
			dst = appendMeasure(dst, uint32(idY), stateY)
			idY, stateY = next(&y)
		default:
			scratch = f.of(uint32(idX)).Merge(scratch[:0], stateX, stateY)
			dst = appendMeasure(dst, uint32(idX), scratch)
			idX, stateX = next(&x)
			idY, stateY = next(&y)
		}
	}
	return dst, scratch
}

// none is behind the ids of all measures.
const none = 1 << 32

// next is the next measure of a list.
func next(d *decoder) (id uint64, state []byte) {
	if len(d.rest) == 0 {
		return none, nil
	}
	return uint64(d.uint32()), d.bytes()
}

// stateOf is the state of one measure, nil when it is not among them.
func stateOf(measures []byte, id uint32) []byte {
	d := decoder{rest: measures}
	for {
		found, state := next(&d)
		if found == uint64(id) {
			return state
		}
		if found > uint64(id) || d.bad {
			return nil
		}
	}
}
