package measure

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// maxText is how many bytes a text may have that a measure keeps. Without a bound one event could fill a record.
const maxText = 1 << 10

// The first byte of a value's bytes. They are what tells values apart and orders them: false, true, integers by size,
// numbers with a fraction or beyond an int64 by size, text by its bytes.
const (
	typeFalse = 0x01
	typeTrue  = 0x02
	typeZero  = 0x14 // the integer 0; n bytes of a larger one follow typeZero+n, of a negative one typeZero-n
	typeFloat = 0x21
	typeText  = 0x30
)

// canonical is the one form of a value: a number without a fraction is an Int if it fits, so that 5 and 5.0 are the same.
//
// Values are passed on as their kind and bits where every event comes by: a Scalar does not fit into registers.
func canonical(kind Kind, b uint64) (Kind, uint64) {
	if kind == Float {
		if f := math.Float64frombits(b); f == math.Trunc(f) && f >= math.MinInt64 && f < math.MaxInt64 {
			return Int, uint64(int64(f))
		}
	}
	return kind, b
}

// number is the canonical form of an argument that has to be a number.
func number(function string, x *Scalar) (Kind, uint64, error) {
	if x.Kind != Int && (x.Kind != Float || !finite(x.Bits)) {
		return Nil, 0, fmt.Errorf("%s takes numbers, not %s", function, describe(*x))
	}
	kind, b := canonical(x.Kind, x.Bits)
	return kind, b, nil
}

// scalar is the canonical form of an argument of any kind but Nil. most is how many bytes a text may have.
func scalar(function string, x *Scalar, most int) (Kind, uint64, error) {
	switch {
	case x.Kind == Text && len(x.Text) > most:
		return Nil, 0, fmt.Errorf("%s takes text of at most %d bytes, not of %d; give it a part of the text, or a hash", function, most, len(x.Text))
	case x.Kind == Float && !finite(x.Bits), x.Kind > Text, x.Kind == Nil:
		return Nil, 0, fmt.Errorf("%s takes booleans, numbers and text, not %s", function, describe(*x))
	}
	kind, b := canonical(x.Kind, x.Bits)
	return kind, b, nil
}

func finite(float uint64) bool { return float>>52&0x7ff != 0x7ff }

// appendValue appends the bytes of a canonical value.
func appendValue(dst []byte, kind Kind, b uint64, text []byte) []byte {
	if kind == Text {
		return append(append(dst, typeText), text...)
	}
	return appendBits(dst, kind, b)
}

// appendBits is appendValue for what is not text. Integers are as short as they can be, after the tuple layer of
// FoundationDB; floats have their sign flipped so that they order like numbers.
func appendBits(dst []byte, kind Kind, b uint64) []byte {
	switch kind {
	case Bool:
		return append(dst, typeFalse+byte(b&1))
	case Int:
		if int64(b) < 0 {
			size := (bits.Len64(-b) + 7) / 8
			return appendTail(append(dst, typeZero-byte(size)), b-1, size)
		}
		size := (bits.Len64(b) + 7) / 8
		return appendTail(append(dst, typeZero+byte(size)), b, size)
	case Float:
		return binary.BigEndian.AppendUint64(append(dst, typeFloat), ordered(b))
	default:
		return dst
	}
}

// appendTail appends the lower bytes of v.
func appendTail(dst []byte, v uint64, size int) []byte {
	dst = binary.BigEndian.AppendUint64(dst, v<<(64-8*size))
	return dst[:len(dst)-8+size]
}

// ordered maps the bits of floats to numbers of the same order.
func ordered(b uint64) uint64 {
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

// unordered takes ordered back.
func unordered(b uint64) uint64 {
	if b>>63 == 0 {
		return ^b
	}
	return b &^ (1 << 63)
}

// parseValue reads the bytes of a value, all of v. If it is text, that is what follows the first of them. ok is false for
// what appendValue does not write.
func parseValue(v []byte) (kind Kind, b uint64, ok bool) {
	if len(v) == 0 {
		return Nil, 0, false
	}
	switch t, tail := v[0], v[1:]; {
	case t == typeText:
		return Text, 0, len(tail) <= maxText
	case t == typeFalse || t == typeTrue:
		return Bool, uint64(t - typeFalse), len(tail) == 0
	case t >= typeZero-8 && t <= typeZero+8:
		b, ok = parseInt(int(t)-typeZero, tail)
		return Int, b, ok
	case t == typeFloat && len(tail) == 8:
		b = unordered(binary.BigEndian.Uint64(tail))
		kind, _ = canonical(Float, b)
		return Float, b, kind == Float && finite(b)
	}
	return Nil, 0, false
}

// parseInt reads an integer of |size| bytes, which is negative if size is.
func parseInt(size int, tail []byte) (b uint64, ok bool) {
	if len(tail) != max(size, -size) {
		return 0, false
	}
	for _, c := range tail {
		b = b<<8 | uint64(c)
	}
	if size >= 0 {
		return b, size == 0 || tail[0] != 0 && b <= math.MaxInt64
	}
	b = b - 1<<(-8*size) + 1 // for 8 bytes the shift leaves nothing, as it should
	return b, int64(b) < 0 && bits.Len64(-b) > 8*(-size-1)
}

// valueOf is the value of valid bytes, Nil if there are none.
func valueOf(v []byte) Scalar {
	kind, b, _ := parseValue(v)
	x := Scalar{Kind: kind, Bits: b}
	if kind == Text {
		x.Text = v[1:]
	}
	return x
}

// asNumber is a canonical value as a number, if it is one.
func asNumber(kind Kind, b uint64) (float64, bool) {
	switch kind {
	case Int:
		return float64(int64(b)), true
	case Float:
		return math.Float64frombits(b), true
	default:
		return 0, false
	}
}

// hash is XXH64 with the seed 0 of the bytes of a canonical value. It is part of the format of distinct.
func hash(kind Kind, b uint64, text []byte) uint64 {
	var buf [64]byte
	if kind != Text {
		return xxhash.Sum64(appendBits(buf[:0], kind, b))
	}
	buf[0] = typeText
	if len(text) < len(buf) {
		return xxhash.Sum64(buf[:1+copy(buf[1:], text)])
	}
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(buf[:1]) // cannot fail
	_, _ = d.Write(text)
	return d.Sum64()
}

// compareNumbers is exact: an integer beyond 2^53 is not rounded to meet a float.
func compareNumbers(kindA Kind, a uint64, kindB Kind, b uint64) int {
	switch {
	case kindA == Int && kindB == Int:
		return cmp.Compare(int64(a), int64(b))
	case kindA == Int:
		return compareIntFloat(int64(a), math.Float64frombits(b))
	case kindB == Int:
		return -compareIntFloat(int64(b), math.Float64frombits(a))
	}
	return cmp.Compare(math.Float64frombits(a), math.Float64frombits(b))
}

func compareIntFloat(i int64, f float64) int {
	switch {
	case f >= math.MaxInt64: // as a float this is 2^63, one more than any integer
		return -1
	case f < math.MinInt64:
		return 1
	}
	whole := math.Trunc(f)
	if c := cmp.Compare(i, int64(whole)); c != 0 {
		return c
	}
	return cmp.Compare(0, f-whole)
}
