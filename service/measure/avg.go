package measure

import "encoding/binary"

// avg is the average of numbers, of their exact sum, rounded to 9 decimals at the end. Its encoding is how many there were,
// and their sum.
type avg struct{}

func (avg) Prepare(in *Input, x *Scalar, _ *Order) error { return prepareFixed("avg", in, x) }

func (avg) Words() int { return 3 }

func (avg) Add(cell []uint64, _ *Pool, in *Input) {
	f := fixed{cell[1], cell[0]}.plus(fixed{in.B, in.A})
	cell[0], cell[1] = f.lo, f.hi
	cell[2]++
}

func (avg) Append(dst []byte, cell []uint64, _ *Pool) []byte {
	return appendAverage(dst, cell[2], fixed{cell[1], cell[0]})
}

func appendAverage(dst []byte, n uint64, total fixed) []byte {
	if n == 0 {
		return dst
	}
	return total.append(binary.AppendUvarint(dst, n))
}

func (avg) Valid(state []byte) bool {
	if len(state) == 0 {
		return true
	}
	r := reader{rest: state}
	r.count()
	r.fixed()
	return !r.bad && len(r.rest) == 0
}

func (avg) Merge(dst, a, b []byte) []byte {
	n, x := averaged(a)
	m, y := averaged(b)
	return appendAverage(dst, plus(n, m), x.plus(y))
}

func (avg) AppendJSON(dst, state []byte) []byte {
	n, total := averaged(state)
	if n == 0 {
		return append(dst, "null"...)
	}
	return total.over(n).appendJSON(dst)
}

func (avg) Number(state []byte) (float64, bool) {
	n, total := averaged(state)
	if n == 0 {
		return 0, false
	}
	return total.over(n).float(), true
}

func averaged(state []byte) (n uint64, total fixed) {
	if len(state) == 0 {
		return 0, fixed{}
	}
	r := reader{rest: state}
	n = r.count()
	return n, r.fixed()
}
