package measure

import (
	"bytes"
	"math/bits"
)

// counters is a cell of top. Its word is
//
//	block << 32 | how many bits number the slots << 16 | how many counters there are
//
// and its block
//
//	level   what the last counter that was taken over had counted: the floor
//	cursor  counters before this one have counted more than the level
//	slots   two bytes each, a hash table: number of the counter + 1; 0: free
//	counters of four words: the tag (see Prepare), the word of the value, the count, the error
//
// Counts only grow. So whoever looks for the smallest one goes on where the last search ended, and has to begin at the
// first counter again only when none has counted as little as the level any more.
type counters struct {
	cell []uint64
	pool *Pool
}

const (
	atLevel     = 0
	atCursor    = 8
	atSlots     = 16
	counterSize = 32
	inTag       = 0 // offsets in a counter
	inWord      = 8
	inCount     = 16
	inError     = 24
	fewestRoom  = 2 // counters in the smallest block
)

// Words is one, which has the block.
func (top) Words() int { return 1 }

func (t top) Add(cell []uint64, pool *Pool, in *Input) {
	c := counters{cell, pool}
	if cell[0] == 0 {
		c.make(fewestRoom)
	}
	block := c.block()
	if at := c.find(block, in); at != 0 {
		store64(block, at+inCount, load64(block, at+inCount)+1)
		return
	}
	n := c.count()
	switch room := c.room(t.counters); {
	case n < room:
		c.add(block, n, in)
	case n < t.counters:
		c.grow(min(2*room, t.counters))
		c.add(c.block(), n, in)
	default:
		c.replace(block, in)
	}
}

func (c counters) block() []byte       { return c.pool.Bytes(Ref(c.cell[0] >> 32)) }
func (c counters) slots() int          { return 1 << c.slotBits() }
func (c counters) slotBits() int       { return int(c.cell[0] >> 16 & 0xff) }
func (c counters) count() int          { return int(c.cell[0] & 0xffff) }
func (c counters) counter(n int) int   { return atSlots + 2*c.slots() + counterSize*n }
func (c counters) room(most int) int   { return min(c.slots()/2, most) }
func (c counters) slot(tag uint64) int { return int(tag >> (64 - c.slotBits())) }

// make makes an empty block. At least half of its slots stay free.
func (c counters) make(room int) {
	slotBits := bits.Len(uint(2*room - 1))
	r := c.pool.Alloc(atSlots + 2<<slotBits + counterSize*room)
	c.cell[0] = uint64(r)<<32 | uint64(slotBits)<<16
}

// find is where the counter of a value lies in the block, 0 if there is none.
func (c counters) find(block []byte, in *Input) int {
	counters, mask := c.counter(0), c.slots()-1
	for i := c.slot(in.A); ; i = (i + 1) & mask {
		n := int(load16(block, atSlots+2*i))
		if n == 0 {
			return 0
		}
		at := counters + counterSize*(n-1)
		if load64(block, at+inTag) != in.A {
			continue
		}
		word := load64(block, at+inWord)
		if byte(in.A) != formLong && word == in.B || byte(in.A) == formLong && bytes.Equal(kept(c.pool, word), in.Text) {
			return at
		}
	}
}

// add adds a counter, the n-th, of a new value.
func (c counters) add(block []byte, n int, in *Input) {
	c.fill(block, n, in, 0)
	c.cell[0]++
}

// fill makes counter n one of a new value that takes over what it had counted.
func (c counters) fill(block []byte, n int, in *Input, over uint64) {
	word := in.B
	if byte(in.A) == formLong {
		word = keep(c.pool, in.Text)
	}
	at := c.counter(n)
	store64(block, at+inTag, in.A)
	store64(block, at+inWord, word)
	store64(block, at+inCount, over+1)
	store64(block, at+inError, over)
	c.link(block, in.A, n)
}

func (c counters) link(block []byte, tag uint64, n int) {
	i, mask := c.slot(tag), c.slots()-1
	for load16(block, atSlots+2*i) != 0 {
		i = (i + 1) & mask
	}
	store16(block, atSlots+2*i, uint16(n+1))
}

// grow moves to a larger block.
func (c counters) grow(room int) {
	n, old, block := c.count(), c.cell[0], c.block()
	from := block[c.counter(0):c.counter(n)]
	c.make(room)
	c.cell[0] |= uint64(n)
	block = c.block()
	copy(block[c.counter(0):], from)
	for i := range n {
		c.link(block, load64(block, c.counter(i)+inTag), i)
	}
	c.pool.Free(Ref(old >> 32))
}

// replace gives a counter that has counted least to a new value.
func (c counters) replace(block []byte, in *Input) {
	n, level := c.least(block)
	at := c.counter(n)
	tag := load64(block, at+inTag)
	c.unlink(block, tag, n)
	drop(c.pool, byte(tag), load64(block, at+inWord))
	c.fill(block, n, in, level)
}

// least finds a counter that has counted least.
func (c counters) least(block []byte) (n int, level uint64) {
	level, count := load64(block, atLevel), c.count()
	for n = int(load64(block, atCursor)); ; n++ {
		if n == count {
			n, level = 0, load64(block, c.counter(0)+inCount)
			for i := range count {
				level = min(level, load64(block, c.counter(i)+inCount))
			}
		}
		if load64(block, c.counter(n)+inCount) == level {
			store64(block, atLevel, level)
			store64(block, atCursor, uint64(n))
			return n, level
		}
	}
}

// unlink takes counter n out of the slots, and moves those behind it up that would not be found any more (Knuth, The Art of
// Computer Programming 3, 6.4, algorithm R).
func (c counters) unlink(block []byte, tag uint64, n int) {
	i, mask := c.slot(tag), c.slots()-1
	for int(load16(block, atSlots+2*i)) != n+1 {
		i = (i + 1) & mask
	}
	for free := i; ; {
		i = (i + 1) & mask
		m := load16(block, atSlots+2*i)
		if m == 0 {
			store16(block, atSlots+2*free, 0)
			return
		}
		home := c.slot(load64(block, c.counter(int(m)-1)+inTag))
		if (i-home)&mask >= (i-free)&mask {
			store16(block, atSlots+2*free, m)
			free = i
		}
	}
}
