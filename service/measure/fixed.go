package measure

import (
	"encoding/binary"
	"math/bits"
	"strconv"
)

// fixed is a number with 9 decimals: 128 bits in two's complement that count billionths. Adding wraps around, so that the
// order of additions never matters.
type fixed struct{ hi, lo uint64 }

const billion = 1_000_000_000

// fixedOf is the fixed number nearest to a number, the even one of two. It is worked out in whole numbers alone, since two
// machines may differ in the last bit of a product of floats. ok is false beyond 2^63.
func fixedOf(kind Kind, b uint64) (f fixed, ok bool) {
	if kind == Int {
		if int64(b) < 0 {
			f.hi, f.lo = bits.Mul64(-b, billion)
			return f.negated(), true
		}
		f.hi, f.lo = bits.Mul64(b, billion)
		return f, true
	}
	exponent, mantissa := int(b>>52&0x7ff), b&(1<<52-1)
	if exponent == 0 {
		exponent = 1
	} else {
		mantissa |= 1 << 52
	}
	shift := exponent - 1075 // the number is mantissa times 2^shift
	if shift > 11 || shift == 11 && mantissa > 1<<52 {
		return f, false
	}
	f.hi, f.lo = bits.Mul64(mantissa, billion)
	if shift >= 0 {
		f = fixed{f.hi<<shift | f.lo>>(64-shift), f.lo << shift}
	} else {
		f = f.halved(-shift)
	}
	if b>>63 != 0 {
		f = f.negated()
	}
	return f, true
}

// halved is a number that is not negative divided by 2^n, rounded to the nearest, half to even.
func (f fixed) halved(n int) fixed {
	if n > 127 { // what is here has less bits than that
		return fixed{}
	}
	q := f.shifted(n)
	half := f.shifted(n-1).lo & 1
	rest := fixed{f.hi &^ (^uint64(0) << max(n-65, 0)), f.lo &^ (^uint64(0) << min(n-1, 64))} // the bits below half
	if half == 1 && (rest != fixed{} || q.lo&1 == 1) {
		q = q.plus(fixed{lo: 1})
	}
	return q
}

// shifted is f >> n.
func (f fixed) shifted(n int) fixed {
	if n >= 64 {
		return fixed{lo: f.hi >> (n - 64)}
	}
	return fixed{f.hi >> n, f.lo>>n | f.hi<<(64-n)}
}

func (f fixed) plus(g fixed) fixed {
	lo, carry := bits.Add64(f.lo, g.lo, 0)
	hi, _ := bits.Add64(f.hi, g.hi, carry)
	return fixed{hi, lo}
}

func (f fixed) negated() fixed {
	lo, borrow := bits.Sub64(0, f.lo, 0)
	hi, _ := bits.Sub64(0, f.hi, borrow)
	return fixed{hi, lo}
}

// magnitude is f without its sign, as a number without sign.
func (f fixed) magnitude() (m fixed, negative bool) {
	if f.hi>>63 != 0 {
		return f.negated(), true
	}
	return f, false
}

// over is f divided by n, which is above 0, rounded to the nearest, half to even.
func (f fixed) over(n uint64) fixed {
	m, negative := f.magnitude()
	q, rest := m.divided(n)
	if rest > n-rest || rest == n-rest && q.lo&1 == 1 {
		q = q.plus(fixed{lo: 1})
	}
	if negative {
		q = q.negated()
	}
	return q
}

// divided takes f as a number without sign.
func (f fixed) divided(n uint64) (q fixed, rest uint64) {
	q.hi, rest = f.hi/n, f.hi%n
	q.lo, rest = bits.Div64(rest, f.lo, n)
	return q, rest
}

// append appends f in its shortest form: seven bits a byte, the sign in the lowest bit.
func (f fixed) append(dst []byte) []byte {
	sign := uint64(int64(f.hi) >> 63)
	hi, lo := (f.hi<<1|f.lo>>63)^sign, f.lo<<1^sign
	for hi != 0 {
		dst = append(dst, byte(lo)|0x80)
		hi, lo = hi>>7, lo>>7|hi<<57
	}
	return binary.AppendUvarint(dst, lo)
}

// fixed reads what append wrote.
func (r *reader) fixed() fixed {
	var hi, lo uint64
	for i := range 19 { // 7 times 18 are 126 bits
		if i == len(r.rest) {
			break
		}
		b := r.rest[i]
		if i == 18 && b > 3 || i > 0 && b == 0 {
			break
		}
		v := uint64(b & 0x7f)
		switch n := 7 * i; {
		case n < 64:
			lo |= v << n
			hi |= v >> (64 - n)
		default:
			hi |= v << (n - 64)
		}
		if b < 0x80 {
			r.rest = r.rest[i+1:]
			sign := -(lo & 1)
			return fixed{hi>>1 ^ sign, (lo>>1 | hi<<63) ^ sign}
		}
	}
	r.fail()
	return fixed{}
}

// appendJSON writes all decimals that f has and no zeros behind them.
func (f fixed) appendJSON(dst []byte) []byte {
	m, negative := f.magnitude()
	if negative {
		dst = append(dst, '-')
	}
	whole, fraction := m.divided(billion)
	const most = 10_000_000_000_000_000_000 // the largest power of ten in 64 bits
	if upper, lower := whole.divided(most); upper.lo != 0 {
		dst = strconv.AppendUint(dst, upper.lo, 10)
		dst = appendDigits(dst, lower, 19)
	} else {
		dst = strconv.AppendUint(dst, lower, 10)
	}
	if fraction == 0 {
		return dst
	}
	dst = appendDigits(append(dst, '.'), fraction, 9)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendDigits writes v with that many digits.
func appendDigits(dst []byte, v uint64, digits int) []byte {
	from := len(dst)
	for range digits {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; i >= from; i-- {
		dst[i] = '0' + byte(v%10)
		v /= 10
	}
	return dst
}

// float is the nearest float64.
func (f fixed) float() float64 {
	var buf [48]byte
	n, _ := strconv.ParseFloat(string(f.appendJSON(buf[:0])), 64) // it is a number, and far from the largest
	return n
}
