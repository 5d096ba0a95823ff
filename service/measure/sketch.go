package measure

import "math/bits"

// sketch is a cell of distinct. Its words are
//
//	block << 32 | 1 << 16 if the block is registers, a byte each | how many marks there are
//	two marks, as long as there is no block
//
// A block of marks is a hash table, a quarter of it free. A mark's place is given by its upper bits, so that the table is
// nearly sorted.
type sketch struct {
	cell []uint64
	pool *Pool
}

const (
	isDense    = 1 << 16
	fewestBits = 3 // of the places of the smallest table
)

func (distinct) Words() int { return 2 }

func (distinct) Add(cell []uint64, pool *Pool, in *Input) {
	w, m := cell[0], uint32(in.A)
	if w>>32 == 0 {
		sketch{cell, pool}.inline(m)
		return
	}
	block := pool.Bytes(Ref(w >> 32))
	if w&isDense != 0 {
		raise(block, m)
		return
	}
	at, found := find(block, m)
	if !found {
		sketch{cell, pool}.insert(block, at, m)
	}
}

// find looks a mark up in a table: where it is, or the free place where it would be.
func find(block []byte, m uint32) (at int, found bool) {
	mask := len(block)/4 - 1
	for at = int(m >> bits.LeadingZeros32(uint32(mask))); ; at = (at + 1) & mask {
		switch load32(block, 4*at) {
		case m:
			return at, true
		case 0:
			return at, false
		}
	}
}

func (s sketch) dense() bool   { return s.cell[0]&isDense != 0 }
func (s sketch) count() int    { return int(s.cell[0] & 0xffff) }
func (s sketch) block() []byte { return s.pool.Bytes(Ref(s.cell[0] >> 32)) }

// inline adds a mark to those in the cell.
func (s sketch) inline(m uint32) {
	one, two := uint32(s.cell[1]), uint32(s.cell[1]>>32)
	switch {
	case one == m || two == m:
	case one == 0:
		s.cell[0], s.cell[1] = 1, uint64(m)
	case two == 0:
		s.cell[0], s.cell[1] = 2, s.cell[1]|uint64(m)<<32
	default:
		r := s.pool.Alloc(4 << fewestBits)
		block := s.pool.Bytes(r)
		for _, m := range [...]uint32{one, two, m} {
			at, _ := find(block, m)
			store32(block, 4*at, m)
		}
		s.cell[0] = uint64(r)<<32 | 3
	}
}

// insert adds a mark that is not in the table, at a free place.
func (s sketch) insert(block []byte, at int, m uint32) {
	n, places := s.count(), len(block)/4
	switch {
	case n == mostMarks:
		s.densify(block)
		raise(s.block(), m)
	case (n+1)*4 > places*3:
		r := s.pool.Alloc(2 * len(block))
		larger := s.pool.Bytes(r)
		for i := range places {
			if m := load32(block, 4*i); m != 0 {
				at, _ := find(larger, m)
				store32(larger, 4*at, m)
			}
		}
		at, _ = find(larger, m)
		store32(larger, 4*at, m)
		s.pool.Free(Ref(s.cell[0] >> 32))
		s.cell[0] = uint64(r)<<32 | uint64(n+1)
	default:
		store32(block, 4*at, m)
		s.cell[0]++
	}
}

// densify makes registers of the marks.
func (s sketch) densify(block []byte) {
	r := s.pool.Alloc(registers)
	ranks := s.pool.Bytes(r)
	for i := range len(block) / 4 {
		if m := load32(block, 4*i); m != 0 {
			raise(ranks, m)
		}
	}
	s.pool.Free(Ref(s.cell[0] >> 32))
	s.cell[0] = uint64(r)<<32 | isDense
}

// sorted appends the marks, smallest first.
func (s sketch) sorted(marks []uint32) []uint32 {
	if s.cell[0]>>32 == 0 {
		for _, m := range [...]uint32{uint32(s.cell[1]), uint32(s.cell[1] >> 32)} {
			if m != 0 {
				marks = append(marks, m)
			}
		}
	} else {
		block := s.block()
		for at := 0; at < len(block); at += 4 {
			if m := load32(block, at); m != 0 {
				marks = append(marks, m)
			}
		}
	}
	for i, m := range marks { // by insertion: hardly any is far from its place
		for ; i > 0 && marks[i-1] > m; i-- {
			marks[i] = marks[i-1]
		}
		marks[i] = m
	}
	return marks
}
