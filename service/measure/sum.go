package measure

import "fmt"

// sum is the sum of numbers with 9 decimals, each rounded to them once, half to even. It wraps around beyond 1.7e29, after
// 1.8e10 events of the largest size, 2^63. Its encoding is the sum, and empty for 0.
type sum struct{}

// prepareFixed is Prepare of sum and avg: A is the lower and B the upper half of the number.
func prepareFixed(function string, in *Input, x *Scalar) error {
	if in.Skip = x.Kind == Nil; in.Skip {
		return nil
	}
	kind, b, err := number(function, x)
	if err != nil {
		return err
	}
	f, ok := fixedOf(kind, b)
	if !ok {
		return fmt.Errorf("%s takes numbers from -2^63 to 2^63, not %s", function, appendScalar(nil, *x))
	}
	in.A, in.B = f.lo, f.hi
	return nil
}

func (sum) Prepare(in *Input, x *Scalar, _ *Order) error { return prepareFixed("sum", in, x) }

func (sum) Words() int { return 2 }

func (sum) Add(cell []uint64, _ *Pool, in *Input) {
	f := fixed{cell[1], cell[0]}.plus(fixed{in.B, in.A})
	cell[0], cell[1] = f.lo, f.hi
}

func (sum) Append(dst []byte, cell []uint64, _ *Pool) []byte {
	return appendSum(dst, fixed{cell[1], cell[0]})
}

func appendSum(dst []byte, f fixed) []byte {
	if f == (fixed{}) {
		return dst
	}
	return f.append(dst)
}

func (sum) Valid(state []byte) bool {
	r := reader{rest: state}
	return len(state) == 0 || r.fixed() != fixed{} && len(r.rest) == 0
}

func (sum) Merge(dst, a, b []byte) []byte { return appendSum(dst, summed(a).plus(summed(b))) }

func (sum) AppendJSON(dst, state []byte) []byte { return summed(state).appendJSON(dst) }

func (sum) Number(state []byte) (float64, bool) { return summed(state).float(), true }

func summed(state []byte) fixed {
	r := reader{rest: state}
	return r.fixed()
}
