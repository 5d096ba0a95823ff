package recordbatch

import (
	"encoding/binary"
	"math/bits"
)

// Records hold their numbers as zigzag base-128 varints, as Protocol Buffers' sint64 does.

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// varintLen is the number of bytes that appendVarint writes: seven bits each.
func varintLen(v int64) int {
	return (bits.Len64(zigzag(v)|1) + 6) / 7
}

func appendVarint(b []byte, v int64) []byte {
	u := zigzag(v)
	switch {
	case u < 0x80:
		return append(b, byte(u))
	case u < 1<<14: // the lengths and deltas of most records
		return append(b, byte(u)|0x80, byte(u>>7))
	}
	return binary.AppendUvarint(b, u)
}

// putVarint writes v to the start of b, which has room for it.
func putVarint(b []byte, v int64) {
	u := zigzag(v)
	switch {
	case u < 0x80:
		b[0] = byte(u)
	case u < 1<<14:
		b[0], b[1] = byte(u)|0x80, byte(u>>7)
	default:
		binary.PutUvarint(b, u)
	}
}

// varint reads the number at p[i:] and the index behind it, which is -1 when there is none. It takes a negative i for
// the failure of the read before, so that a row of reads needs one check.
func varint(p []byte, i int) (v int64, next int) {
	if uint(i) >= uint(len(p)) {
		return 0, -1
	}
	c := p[i]
	if c < 0x80 {
		return unzigzag(uint64(c)), i + 1
	}
	if i+1 < len(p) && p[i+1] < 0x80 {
		return unzigzag(uint64(c&0x7f) | uint64(p[i+1])<<7), i + 2
	}
	u, n := binary.Uvarint(p[i:])
	if n <= 0 {
		return 0, -1
	}
	return unzigzag(u), i + n
}
