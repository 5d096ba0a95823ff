package measure

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
)

// place is first and last: the value of the event that comes before or after all others by event time, partition and
// offset. Its encoding is the three, and the bytes of the value.
//
// Only events of two topics can agree in all three. Then the smaller value by its bytes counts, so that nothing depends
// on who comes when.
type place struct {
	function string
	sign     int // 1: the last; -1: the first
}

func (p place) Prepare(in *Input, x *Scalar, at *Order) error {
	if in.Skip = x.Kind == Nil; in.Skip {
		return nil
	}
	kind, b, err := scalar(p.function, x, maxText)
	if err != nil {
		return err
	}
	form, word := pack(kind, b, x.Text)
	in.A, in.B, in.Text, in.Order = uint64(form), word, x.Text, *at
	return nil
}

// Words are the time, the offset, the partition beside the form of the value, and the value. The form is 0 when there is
// none.
func (place) Words() int { return 4 }

func (p place) Add(cell []uint64, pool *Pool, in *Input) {
	form := byte(cell[2])
	if form != 0 {
		c := in.compare(Order{int64(cell[0]), int32(cell[2] >> 32), int64(cell[1])}) * p.sign
		if c < 0 || c == 0 && !p.smaller(cell, pool, in) {
			return
		}
		drop(pool, form, cell[3])
	}
	word := in.B
	if byte(in.A) == formLong {
		word = keep(pool, in.Text)
	}
	cell[0], cell[1] = uint64(in.Time), uint64(in.Offset)
	cell[2], cell[3] = uint64(uint32(in.Partition))<<32|in.A, word
}

// smaller tells whether the value of an event has smaller bytes than that of the cell.
func (place) smaller(cell []uint64, pool *Pool, in *Input) bool {
	kind, b := Text, uint64(0)
	if form := byte(in.A); form < formLong {
		kind, b = Kind(form), in.B
	}
	var buf [mostShort]byte
	has, c, text := unpack(pool, byte(cell[2]), cell[3], &buf)
	var x, y [2 * maxText]byte
	return bytes.Compare(appendValue(x[:0], kind, b, in.Text), appendValue(y[:0], has, c, text)) < 0
}

func (o Order) compare(p Order) int {
	return cmp.Or(cmp.Compare(o.Time, p.Time), cmp.Compare(o.Partition, p.Partition), cmp.Compare(o.Offset, p.Offset))
}

func (place) Append(dst []byte, cell []uint64, pool *Pool) []byte {
	form := byte(cell[2])
	if form == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, zigzag(int64(cell[0])))
	dst = binary.AppendUvarint(dst, zigzag(int64(int32(cell[2]>>32))))
	dst = binary.AppendUvarint(dst, zigzag(int64(cell[1])))
	var buf [mostShort]byte
	kind, b, text := unpack(pool, form, cell[3], &buf)
	return appendValue(dst, kind, b, text)
}

// placed takes an encoding apart; what is left of r is the bytes of the value.
func placed(state []byte) (at Order, r reader) {
	r = reader{rest: state}
	at.Time = unzigzag(r.uvarint())
	partition := unzigzag(r.uvarint())
	at.Offset = unzigzag(r.uvarint())
	at.Partition = int32(partition)
	if partition < math.MinInt32 || partition > math.MaxInt32 {
		r.fail()
	}
	return at, r
}

func (place) Valid(state []byte) bool {
	if len(state) == 0 {
		return true
	}
	_, r := placed(state)
	_, _, ok := parseValue(r.rest)
	return ok
}

func (p place) Merge(dst, a, b []byte) []byte {
	switch {
	case len(a) == 0:
		return append(dst, b...)
	case len(b) == 0:
		return append(dst, a...)
	}
	x, value := placed(a)
	y, other := placed(b)
	c := x.compare(y) * p.sign
	if c < 0 || c == 0 && bytes.Compare(value.rest, other.rest) > 0 {
		return append(dst, b...)
	}
	return append(dst, a...)
}

func (place) AppendJSON(dst, state []byte) []byte {
	if len(state) == 0 {
		return append(dst, "null"...)
	}
	_, r := placed(state)
	return appendScalar(dst, valueOf(r.rest))
}

func (place) Number(state []byte) (float64, bool) {
	if len(state) == 0 {
		return 0, false
	}
	_, r := placed(state)
	kind, b, _ := parseValue(r.rest)
	return asNumber(kind, b)
}
