package measure

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// listed is a counter with the first eight bytes of its value.
type listed struct {
	prefix uint64
	n      int
}

func (top) Append(dst []byte, cell []uint64, pool *Pool) []byte {
	if cell[0] == 0 {
		return dst
	}
	c := counters{cell, pool}
	if c.count() <= fewListed {
		var list [fewListed]listed
		return c.append(dst, list[:0])
	}
	var list [mostCounters]listed
	return c.append(dst, list[:0])
}

// fewListed is up to how many counters Append has no need to clear memory for all there may be.
const fewListed = 16

// append appends the encoding. list is memory.
func (c counters) append(dst []byte, list []listed) []byte {
	block := c.block()
	level := load64(block, atLevel)
	dst = binary.AppendUvarint(dst, level)
	var buf [mostShort]byte
	for _, l := range c.sorted(block, list) {
		kind, b, text := c.value(block, l.n, &buf)
		from := len(dst)
		dst = appendValue(append(dst, 0), kind, b, text)
		if size := len(dst) - from - 1; size < 0x80 {
			dst[from] = byte(size)
		} else {
			dst = append(binary.AppendUvarint(dst[:from], uint64(size)), typeText)
			dst = append(dst, text...)
		}
		at := c.counter(l.n)
		dst = binary.AppendUvarint(dst, load64(block, at+inCount))
		if level > 0 {
			dst = binary.AppendUvarint(dst, load64(block, at+inError))
		}
	}
	return dst
}

// value is that of counter n.
func (c counters) value(block []byte, n int, buf *[mostShort]byte) (kind Kind, b uint64, text []byte) {
	at := c.counter(n)
	return unpack(c.pool, byte(load64(block, at+inTag)), load64(block, at+inWord), buf)
}

// sorted appends the counters to list, in the order of the bytes of their values.
func (c counters) sorted(block []byte, list []listed) []listed {
	var buf [mostShort]byte
	for n := range c.count() {
		list = append(list, listed{prefix(c.value(block, n, &buf)), n})
	}
	slices.SortFunc(list, func(a, b listed) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return c.compare(block, a.n, b.n)
	})
	return list
}

// prefix is the first eight bytes of a value's bytes, with zeros behind them if there are less.
func prefix(kind Kind, b uint64, text []byte) uint64 {
	var first [16]byte
	if kind == Text {
		first[0] = typeText
		copy(first[1:8], text)
	} else {
		appendBits(first[:0], kind, b)
	}
	return binary.BigEndian.Uint64(first[:])
}

// compare compares the bytes of the values of two counters that begin alike, so that they are of the same kind.
func (c counters) compare(block []byte, i, j int) int {
	var bufI, bufJ [mostShort]byte
	kind, x, text := c.value(block, i, &bufI)
	_, y, other := c.value(block, j, &bufJ)
	if kind == Text {
		return bytes.Compare(text, other)
	}
	var first, second [16]byte
	return bytes.Compare(appendBits(first[:0], kind, x), appendBits(second[:0], kind, y))
}
