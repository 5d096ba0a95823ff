package measure

import (
	"math/bits"
	"slices"
)

// histogram is a cell of percentile. Its words are
//
//	block << 32 | 1 << 16 if there was a number with a fraction | how many buckets there are
//	the one bucket << 48 | its count, as long as there is no block
//
// A block is a hash table of such words, a quarter of it free. A cell lives for a transaction: 2^48 events do not fit.
type histogram struct {
	cell []uint64
	pool *Pool
}

const (
	hasFraction = 1 << 16
	countBits   = 48
	fewestSlots = 4
)

func (percentile) Words() int { return 2 }

func (percentile) Add(cell []uint64, pool *Pool, in *Input) {
	cell[0] |= in.B
	w := cell[0]
	if w>>32 == 0 {
		histogram{cell, pool}.inline(in.A)
		return
	}
	block := pool.Bytes(Ref(w >> 32))
	at, slot := seek(block, in.A)
	if slot == 0 {
		histogram{cell, pool}.insert(block, at, in.A)
		return
	}
	store64(block, 8*at, slot+1)
}

// seek looks a bucket up in a table: where it is and its slot, or the free one where it would be.
func seek(block []byte, bucket uint64) (at int, slot uint64) {
	mask := len(block)/8 - 1
	const golden = 0x9e3779b97f4a7c15 // Knuth, The Art of Computer Programming 3, 6.4
	for at = int(bucket * golden >> bits.LeadingZeros64(uint64(mask))); ; at = (at + 1) & mask {
		if slot = load64(block, 8*at); slot>>countBits == bucket || slot == 0 {
			return at, slot
		}
	}
}

func (h histogram) count() int { return int(h.cell[0] & 0xffff) }

// inline counts a bucket in the cell.
func (h histogram) inline(bucket uint64) {
	one := h.cell[1]
	switch {
	case one == 0:
		h.cell[0]++
		h.cell[1] = bucket<<countBits | 1
	case one>>countBits == bucket:
		h.cell[1]++
	default:
		r := h.pool.Alloc(8 * fewestSlots)
		block := h.pool.Bytes(r)
		at, _ := seek(block, one>>countBits)
		store64(block, 8*at, one)
		at, _ = seek(block, bucket)
		store64(block, 8*at, bucket<<countBits|1)
		h.cell[0] = uint64(r)<<32 | h.cell[0]&hasFraction | 2
	}
}

// insert adds a bucket that is not in the table, at a free slot.
func (h histogram) insert(block []byte, at int, bucket uint64) {
	h.cell[0]++
	if slots := len(block) / 8; h.count()*4 > slots*3 {
		r := h.pool.Alloc(2 * len(block))
		larger := h.pool.Bytes(r)
		for i := range slots {
			if slot := load64(block, 8*i); slot != 0 {
				at, _ := seek(larger, slot>>countBits)
				store64(larger, 8*at, slot)
			}
		}
		h.pool.Free(Ref(h.cell[0] >> 32))
		h.cell[0] = uint64(r)<<32 | h.cell[0]&(1<<32-1)
		block = larger
		at, _ = seek(block, bucket)
	}
	store64(block, 8*at, bucket<<countBits|1)
}

// fewSlots is up to how many slots sorting beats a bit for each bucket.
const fewSlots = 16

// each calls f for the buckets in their order.
func (h histogram) each(f func(bucket int, n uint64)) {
	var few [fewSlots]uint64
	n := 0
	if h.cell[0]>>32 == 0 {
		few[0], n = h.cell[1], 1
	} else {
		block := h.pool.Bytes(Ref(h.cell[0] >> 32))
		if len(block) > 8*fewSlots {
			eachOfMany(block, f)
			return
		}
		for at := 0; at < len(block); at += 8 {
			if slot := load64(block, at); slot != 0 {
				few[n] = slot
				n++
			}
		}
	}
	slices.Sort(few[:n])
	for _, slot := range few[:n] {
		f(int(slot>>countBits), slot&(1<<countBits-1))
	}
}

func eachOfMany(block []byte, f func(bucket int, n uint64)) {
	var used [(buckets + 63) / 64]uint64
	for at := 0; at < len(block); at += 8 {
		if slot := load64(block, at); slot != 0 {
			bucket := slot >> countBits
			used[bucket/64] |= 1 << (bucket % 64)
		}
	}
	for i, word := range used {
		for ; word != 0; word &= word - 1 {
			bucket := i*64 + bits.TrailingZeros64(word)
			_, slot := seek(block, uint64(bucket))
			f(bucket, slot&(1<<countBits-1))
		}
	}
}
