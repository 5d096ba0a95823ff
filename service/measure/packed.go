package measure

import (
	"encoding/binary"
	"math/bits"
)

// A packed value is a canonical value in two words of a cell: its form, and its bits, its text, or where in the Pool its
// text lies. Most text that people count by has eight bytes or less, and needs no block.

// The forms: Bool, Int and Float are their kinds; formLong is text in a block; formShort+n is text of n bytes.
const (
	formLong  = byte(Text)
	formShort = 8
	mostShort = 8
)

// pack returns the form and the word of a value. The word of a long text is made by keep.
func pack(kind Kind, b uint64, text []byte) (form byte, word uint64) {
	switch {
	case kind != Text:
		return byte(kind), b
	case len(text) > mostShort:
		return formLong, 0
	}
	var short [mostShort]byte
	copy(short[:], text)
	return formShort + byte(len(text)), binary.BigEndian.Uint64(short[:])
}

// scatter is a hash of a word: the halves of its product with the golden ratio.
func scatter(word uint64) uint64 {
	hi, lo := bits.Mul64(word, 0x9e3779b97f4a7c15)
	return hi ^ lo
}

// keep copies a long text into a block, and returns the word for it.
func keep(pool *Pool, text []byte) uint64 {
	r := pool.Alloc(len(text))
	copy(pool.Bytes(r), text)
	return uint64(r)<<16 | uint64(len(text))
}

// drop frees the block of a value that has one.
func drop(pool *Pool, form byte, word uint64) {
	if form == formLong {
		pool.Free(Ref(word >> 16))
	}
}

// kept is the text that keep has copied.
func kept(pool *Pool, word uint64) []byte { return pool.Bytes(Ref(word >> 16))[:word&0xffff] }

// unpack is the value. A short text lies in buf.
func unpack(pool *Pool, form byte, word uint64, buf *[mostShort]byte) (kind Kind, b uint64, text []byte) {
	switch {
	case form == formLong:
		return Text, 0, kept(pool, word)
	case form >= formShort:
		binary.BigEndian.PutUint64(buf[:], word)
		return Text, 0, buf[:form-formShort]
	default:
		return Kind(form), word, nil
	}
}
