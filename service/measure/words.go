package measure

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Blocks hold little-endian words; these load and store one.

func load16(b []byte, at int) uint16     { return binary.LittleEndian.Uint16(b[at:]) }
func store16(b []byte, at int, v uint16) { binary.LittleEndian.PutUint16(b[at:], v) }
func load32(b []byte, at int) uint32     { return binary.LittleEndian.Uint32(b[at:]) }
func store32(b []byte, at int, v uint32) { binary.LittleEndian.PutUint32(b[at:], v) }
func load64(b []byte, at int) uint64     { return binary.LittleEndian.Uint64(b[at:]) }
func store64(b []byte, at int, v uint64) { binary.LittleEndian.PutUint64(b[at:], v) }

// plus adds counts. They stay at the largest int64 when it is reached, which needs forged states: what wraps would order
// wrongly, and this is associative too.
func plus(a, b uint64) uint64 {
	if sum, carry := bits.Add64(a, b, 0); carry == 0 && sum <= math.MaxInt64 {
		return sum
	}
	return math.MaxInt64
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// reader takes an encoding apart. What is cut short, or longer than it has to be, makes it bad; from then on it has no
// more bytes and returns zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) fail() { r.rest, r.bad = nil, true }

// uvarint reads a number of up to 64 bits in its shortest form.
func (r *reader) uvarint() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		v := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || r.rest[n-1] == 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count reads how often something was there: at least once.
func (r *reader) count() uint64 {
	n := r.uvarint()
	if n == 0 || n > math.MaxInt64 {
		r.fail()
		return 0
	}
	return n
}

// take reads n bytes.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}
