package measure

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// percentile is the number that p percent of the numbers do not exceed: the middle of the bucket with the smallest number
// for which that is so, which is at most 0.79 % away from that number if it lies within 2^-30 and 2^63.
//
// Its encoding is 1 if there was a number with a fraction, otherwise 0, and for each bucket in use how far behind the last
// it is and how many numbers are in it.
type percentile struct{ billionths uint64 } // of a percent

const hundred = 100 * billion

func percentileOf(p float64) Measure {
	if !(p > 0 && p < 100) { // definitions come from a topic
		p = 50
	}
	return percentile{uint64(math.Round(p * billion))}
}

// Prepare fills in the bucket, and whether the number has a fraction.
func (percentile) Prepare(in *Input, x *Scalar, _ *Order) error {
	if in.Skip = x.Kind == Nil; in.Skip {
		return nil
	}
	kind, b, err := number("percentile", x)
	if err != nil {
		return err
	}
	in.A, in.B = uint64(bucketOf(kind, b)), 0
	if kind == Float {
		in.B = hasFraction
	}
	return nil
}

func (percentile) Append(dst []byte, cell []uint64, pool *Pool) []byte {
	h := histogram{cell, pool}
	if h.count() == 0 {
		return dst
	}
	w := writer{dst: append(dst, byte(cell[0]>>16&1)), next: 0}
	h.each(w.add)
	return w.dst
}

// writer appends buckets in their order.
type writer struct {
	dst  []byte
	next int
}

func (w *writer) add(bucket int, n uint64) {
	w.dst = binary.AppendUvarint(w.dst, uint64(bucket-w.next))
	w.dst = binary.AppendUvarint(w.dst, n)
	w.next = bucket + 1
}

// walker goes through the buckets of an encoding. At the end, and when it is bad, bucket is buckets.
type walker struct {
	reader
	whole  bool
	bucket int
	n      uint64
}

func walk(state []byte) walker {
	w := walker{reader: reader{rest: state}, whole: true, bucket: -1}
	if len(state) > 0 {
		w.whole = state[0] == 0
		w.rest = state[1:]
		w.bad = state[0] > 1 || len(w.rest) == 0
	}
	w.step()
	return w
}

func (w *walker) step() {
	if len(w.rest) == 0 {
		w.bucket, w.n = buckets, 0
		return
	}
	var skipped uint64
	if len(w.rest) > 1 && w.rest[0]|w.rest[1] < 0x80 && w.rest[1] > 0 { // most are so
		skipped, w.n, w.rest = uint64(w.rest[0]), uint64(w.rest[1]), w.rest[2:]
	} else {
		skipped, w.n = w.uvarint(), w.count()
	}
	if w.bad || skipped >= uint64(buckets-w.bucket-1) {
		w.fail()
		w.bucket, w.n = buckets, 0
		return
	}
	w.bucket += 1 + int(skipped)
}

func (percentile) Valid(state []byte) bool {
	w := walk(state)
	for ; w.bucket < buckets; w.step() {
		if w.whole && !hasWhole(w.bucket) {
			return false
		}
	}
	return !w.bad
}

func (percentile) Merge(dst, a, b []byte) []byte {
	x, y := walk(a), walk(b)
	if x.bucket == buckets && y.bucket == buckets {
		return dst
	}
	fraction := byte(1)
	if x.whole && y.whole {
		fraction = 0
	}
	w := writer{dst: append(dst, fraction)}
	for x.bucket < buckets || y.bucket < buckets {
		at := min(x.bucket, y.bucket)
		var n uint64
		if x.bucket == at {
			n = x.n
			x.step()
		}
		if y.bucket == at {
			n = plus(n, y.n)
			y.step()
		}
		w.add(at, n)
	}
	return w.dst
}

// value is the middle of the bucket with the number of that rank, Nil if there are none.
func (p percentile) value(state []byte) (Kind, uint64) {
	var n, below uint64
	for w := walk(state); w.bucket < buckets; w.step() {
		n = plus(n, w.n)
	}
	rank := p.rank(n)
	for w := walk(state); w.bucket < buckets; w.step() {
		if below = plus(below, w.n); below >= rank {
			return middle(w.bucket, w.whole)
		}
	}
	return Nil, 0
}

// rank is p percent of n, rounded up. As floats 99.9 % of 1,000 would be a little more than 999.
func (p percentile) rank(n uint64) uint64 {
	hi, lo := bits.Mul64(n, p.billionths)
	rank, rest := bits.Div64(hi, lo, hundred)
	if rest > 0 {
		rank++
	}
	return rank
}

func (p percentile) AppendJSON(dst, state []byte) []byte {
	kind, b := p.value(state)
	return appendScalar(dst, Scalar{Kind: kind, Bits: b})
}

func (p percentile) Number(state []byte) (float64, bool) { return asNumber(p.value(state)) }
