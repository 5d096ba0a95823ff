package measure

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
)

// top is the k most frequent values: space-saving (Metwally, Agrawal, El Abbadi 2005) with max(64, 8k) counters, joined as
// mergeable summaries (Agarwal et al. 2012; Cafaro et al. 2016). As long as no more values than counters were seen the
// counts are exact. Beyond that a new value takes over the counter of the rarest and what it had counted as its error:
//
//	count - error <= events of a value <= count
//	events of a value without a counter <= floor <= count of each that has one
//	sum of all counts <= events, so that floor and error are at most events / counters
//
// From there on which of several rare values has a counter depends on order and cuts: it is the one measure of which a
// replay may differ.
//
// The encoding is the floor, which is 0 while the counts are exact, and the counters in the order of the bytes of their
// values: the length of the bytes, the bytes, the count and, if the floor is above 0, the error.
type top struct{ values, counters int }

const (
	mostValues     = 100
	fewestCounters = 64
	mostCounters   = 8 * mostValues
)

func topOf(k float64) Measure {
	if !(k >= 1) { // definitions come from a topic
		k = 1
	}
	return top{int(min(k, mostValues)), Counters(k)}
}

// Counters is how many counters top(x, k) has.
func Counters(k float64) int { return max(fewestCounters, 8*int(min(k, mostValues))) }

// Prepare fills in what counters tells values apart by: a hash with the form of the value in its lowest byte, and the word
// or the text. The hash is not part of the format.
func (top) Prepare(in *Input, x *Scalar, _ *Order) error {
	if in.Skip = x.Kind == Nil; in.Skip {
		return nil
	}
	kind, b, err := scalar("top", x, maxText)
	if err != nil {
		return err
	}
	form, word := pack(kind, b, x.Text)
	scattered := scatter(word)
	if form == formLong {
		scattered = hash(kind, b, x.Text)
	}
	in.A, in.B, in.Text = scattered&^0xff|uint64(form), word, x.Text
	return nil
}

// entry is a counter of an encoding.
type entry struct {
	value        []byte
	count, error uint64
}

func (e entry) append(dst []byte, lossy bool) []byte {
	dst = append(binary.AppendUvarint(dst, uint64(len(e.value))), e.value...)
	dst = binary.AppendUvarint(dst, e.count)
	if lossy {
		dst = binary.AppendUvarint(dst, e.error)
	}
	return dst
}

// before tells whether e is listed before f: it has the higher count, or the smaller bytes.
func (e entry) before(f entry) bool {
	return e.count > f.count || e.count == f.count && bytes.Compare(e.value, f.value) < 0
}

// roster goes through the counters of an encoding.
type roster struct {
	reader
	floor uint64
}

func enlist(state []byte) roster {
	r := roster{reader: reader{rest: state}}
	if len(state) > 0 {
		r.floor = r.uvarint()
	}
	return r
}

// next is the next counter. Its value is nil at the end, and when the encoding is bad.
func (r *roster) next() (e entry) {
	if len(r.rest) == 0 {
		return e
	}
	e.value = r.take(r.uvarint())
	e.count = r.count()
	if r.floor > 0 {
		e.error = r.uvarint()
	}
	if r.bad {
		return entry{}
	}
	return e
}

func (t top) Valid(state []byte) bool {
	if len(state) == 0 {
		return true
	}
	r := enlist(state)
	if r.floor > math.MaxInt64 || len(r.rest) == 0 {
		return false
	}
	n, last := 0, []byte(nil)
	for e := r.next(); e.value != nil; e = r.next() {
		if _, _, ok := parseValue(e.value); !ok || bytes.Compare(last, e.value) >= 0 || e.error > r.floor || r.floor > e.count {
			return false
		}
		last = e.value
		n++
	}
	return !r.bad && n <= t.counters && (r.floor == 0 || n == t.counters)
}

// AppendJSON lists the k counters with the highest counts.
func (t top) AppendJSON(dst, state []byte) []byte {
	var buf [mostValues + 1]entry
	best := buf[:0]
	r := enlist(state)
	for e := r.next(); e.value != nil; e = r.next() {
		if len(best) == t.values && !e.before(best[len(best)-1]) {
			continue
		}
		best = append(best, e)
		for i := len(best) - 1; i > 0 && e.before(best[i-1]); i-- {
			best[i], best[i-1] = best[i-1], e
		}
		best = best[:min(len(best), t.values)]
	}
	dst = append(dst, '[')
	for i, e := range best {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendScalar(append(dst, `{"value":`...), valueOf(e.value))
		dst = strconv.AppendUint(append(dst, `,"count":`...), e.count, 10)
		if e.error > 0 {
			dst = strconv.AppendUint(append(dst, `,"error":`...), e.error, 10)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// Number is never there: a list is none.
func (top) Number([]byte) (float64, bool) { return 0, false }
