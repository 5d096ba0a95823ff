package measure

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Merge adds counters of the same value. A value that one of the two does not have may have been there up to its floor
// times; that much is added to its count and to its error. If they are too many, those with the highest counts stay.
func (t top) Merge(dst, a, b []byte) []byte {
	if len(a) == 0 || len(b) == 0 {
		return append(append(dst, a...), b...)
	}
	j, n, merged := join(a, b), 0, dst
	floor := plus(j.a.floor, j.b.floor)
	merged = binary.AppendUvarint(merged, floor)
	for j.next() {
		if n++; n > t.counters {
			return t.mergeMost(dst, a, b)
		}
		merged = j.entry.append(merged, floor > 0)
	}
	return merged
}

// mergeMost is Merge for more values than there are counters. Of those that count the same as the last that stays, those
// with the smaller bytes stay.
func (t top) mergeMost(dst, a, b []byte) []byte {
	counts := make([]uint64, 0, 2*t.counters)
	j := join(a, b)
	floor := plus(j.a.floor, j.b.floor)
	for j.next() {
		counts = append(counts, j.entry.count)
	}
	slices.Sort(counts)
	left, stay := counts[:len(counts)-t.counters], counts[len(counts)-t.counters:]
	least, ties := stay[0], 0
	for ties < len(stay) && stay[ties] == least {
		ties++
	}
	dst = binary.AppendUvarint(dst, max(floor, left[len(left)-1]))
	for j = join(a, b); j.next(); {
		switch e := j.entry; {
		case e.count > least:
			dst = e.append(dst, true)
		case e.count == least && ties > 0:
			ties--
			dst = e.append(dst, true)
		}
	}
	return dst
}

// joint goes through the values of two encodings.
type joint struct {
	a, b  roster
	x, y  entry // the next of each
	entry entry
}

func join(a, b []byte) joint {
	j := joint{a: enlist(a), b: enlist(b)}
	j.x, j.y = j.a.next(), j.b.next()
	return j
}

// next makes entry the next of both. It is false at the end.
func (j *joint) next() bool {
	var c int
	switch {
	case j.x.value == nil && j.y.value == nil:
		return false
	case j.x.value == nil:
		c = 1
	case j.y.value == nil:
		c = -1
	default:
		c = bytes.Compare(j.x.value, j.y.value)
	}
	switch {
	case c < 0:
		j.entry = entry{j.x.value, plus(j.x.count, j.b.floor), plus(j.x.error, j.b.floor)}
	case c > 0:
		j.entry = entry{j.y.value, plus(j.y.count, j.a.floor), plus(j.y.error, j.a.floor)}
	default:
		j.entry = entry{j.x.value, plus(j.x.count, j.y.count), plus(j.x.error, j.y.error)}
	}
	if c <= 0 {
		j.x = j.a.next()
	}
	if c >= 0 {
		j.y = j.b.next()
	}
	return true
}
