package measure

import "math/bits"

// Pool is the variable memory of cells: blocks of bytes that hold no pointers, so that a million groups cost the garbage
// collector nothing. It is for one goroutine. The zero value is empty and ready.
//
// Blocks come in classes of size, two to an octave. They are cut from chunks that never move, and one that is given back
// is used again for a block of its class.
type Pool struct {
	chunks  []chunk
	classes [classes]class
	spare   [][]byte // chunks of chunkSize that no class has
	used    int
}

// Ref names a block of a Pool. 0 names none.
type Ref uint32

type chunk struct {
	mem  []byte
	size int // of its blocks
}

// class hands out the blocks of one size.
type class struct {
	chunk int32 // number of the chunk that it cuts blocks from, counted from 1
	next  int32 // where in it the next one begins
	free  Ref   // the first block that was given back; its first four bytes name the next
}

const (
	unit      = 16 // bytes: what sizes are multiples of
	unitBits  = 4
	chunkBits = 16
	chunkSize = 1 << chunkBits
	refBits   = chunkBits - unitBits // of a Ref that say where in its chunk a block begins
	classes   = 32                   // up to blocks of 1 MiB
	keptPool  = 4 << 20              // bytes of chunks that Reset keeps
)

// classOf is the class of the smallest blocks that have size bytes.
func classOf(size int) int {
	units := max(size+unit-1, unit) >> unitBits
	if units <= 2 {
		return units - 1
	}
	b := bits.Len(uint(units - 1))
	if units <= 3<<(b-2) {
		return 2*b - 2
	}
	return 2*b - 1
}

// sizeOf is the size of the blocks of a class.
func sizeOf(c int) int {
	switch b := c/2 + 1; {
	case c < 2:
		return (c + 1) * unit
	case c%2 == 0:
		return 3 << (b - 2) * unit
	default:
		return 1 << b * unit
	}
}

// Alloc returns a block of zeros with at least size bytes. No measure needs more than 1 MiB.
func (p *Pool) Alloc(size int) Ref {
	c := &p.classes[classOf(size)]
	if r := c.free; r != 0 {
		block := p.Bytes(r)
		c.free = Ref(load32(block, 0))
		clear(block)
		return r
	}
	size = sizeOf(classOf(size))
	if c.chunk == 0 || int(c.next)+size > len(p.chunks[c.chunk-1].mem) {
		p.chunks = append(p.chunks, chunk{p.fresh(size), size})
		c.chunk, c.next = int32(len(p.chunks)), 0
	}
	r := Ref(c.chunk)<<refBits | Ref(c.next>>unitBits)
	c.next += int32(size)
	p.used += size
	clear(p.Bytes(r))
	return r
}

// fresh is memory for a chunk. A block that is larger than a chunk has one of its own.
func (p *Pool) fresh(size int) []byte {
	n := len(p.spare)
	if size > chunkSize || n == 0 {
		return make([]byte, max(size, chunkSize))
	}
	mem := p.spare[n-1]
	p.spare = p.spare[:n-1]
	return mem
}

// Bytes is a block: as many bytes as its class has. It is valid until the block is freed.
func (p *Pool) Bytes(r Ref) []byte {
	c := &p.chunks[r>>refBits-1]
	at := int(r&(1<<refBits-1)) << unitBits
	return c.mem[at : at+c.size : at+c.size]
}

// Free gives a block back.
func (p *Pool) Free(r Ref) {
	block := p.Bytes(r)
	c := &p.classes[classOf(len(block))]
	store32(block, 0, uint32(c.free))
	c.free = r
}

// Reset frees all blocks at once. It keeps 4 MiB at most for those to come.
func (p *Pool) Reset() {
	for _, c := range p.chunks {
		if len(c.mem) == chunkSize && len(p.spare) < keptPool/chunkSize {
			p.spare = append(p.spare, c.mem)
		}
	}
	clear(p.chunks) // a pointer left behind keeps its chunk
	p.chunks, p.classes, p.used = p.chunks[:0], [classes]class{}, 0
}

// Size is the number of bytes that were cut from chunks: what blocks take up, and what freed ones leave to those of
// their class.
func (p *Pool) Size() int { return p.used }
