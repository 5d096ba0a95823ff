package projection

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

// Projection is a set of wanted names, made to be looked up by the bytes of a key. It is immutable: goroutines share it.
type Projection struct {
	table    []entry // open addressing, at most a quarter full; its length is a power of two
	factor   uint64
	shift    uint
	count    int
	longest  int  // the longest name, in bytes
	replaced bool // a name holds U+FFFD, which is what a key with invalid UTF-8 decodes to
}

// entry is a name, with what tells it from most others. A free one has no name, and the field -1.
type entry struct {
	first uint64 // the first eight bytes
	last  uint64 // the last eight bytes of a name that has as many
	name  string
	field int32
}

// tries is how many factors New looks at for one without collisions: for a few names it takes one or two.
const tries = 64

// New makes a projection of the fields with these names; they are distinct. Their order is that of Event.Fields.
func New(names []string) *Projection {
	size := max(4, bits.Len(uint(len(names)*4)))
	p := &Projection{count: len(names), shift: uint(64 - size)}
	best := -1
	// Odd factors from the golden ratio: Knuth, The Art of Computer Programming 3, 6.4.
	for try, factor := 0, uint64(0x9e3779b97f4a7c15); try < tries && best != 0; try, factor = try+1, factor*0xd1342543de82ef95 {
		other := &Projection{factor: factor, shift: p.shift}
		if n := other.fill(names, 1<<size); best < 0 || n < best {
			best, p.table, p.factor = n, other.table, factor
		}
	}
	for _, name := range names {
		p.longest = max(p.longest, len(name))
		p.replaced = p.replaced || strings.ContainsRune(name, utf8.RuneError)
	}
	return p
}

// fill puts the names into a table of that size, and returns how many did not find their place free.
func (p *Projection) fill(names []string, size int) (collisions int) {
	p.table = make([]entry, size)
	for i := range p.table {
		p.table[i].field = -1
	}
	for i, name := range names {
		if !utf8.ValidString(name) {
			continue // no key decodes to it
		}
		e := entry{name: name, field: int32(i)}
		e.first, e.last = ends([]byte(name))
		at := p.place(e.first, e.last, len(name))
		for p.table[at].field >= 0 {
			at = (at + 1) & uint64(size-1)
			collisions++
		}
		p.table[at] = e
	}
	return collisions
}

func (p *Projection) place(first, last uint64, n int) uint64 {
	return (first + bits.RotateLeft64(last, 23) + uint64(n)) * p.factor >> (p.shift & 63)
}

// is says whether this is surely the entry of a name with these ends and this length: of up to 16 bytes the ends are all.
func (e *entry) is(first, last uint64, n int) bool {
	return e.first == first && e.last == last && len(e.name) == n && n <= 16
}

// find returns which field has the name key, or -1. It is for what is not in its place at once: long names, names that
// were crowded out, and keys that nobody wants.
func (p *Projection) find(first, last uint64, key []byte) int32 {
	for at := p.place(first, last, len(key)); ; at++ {
		e := &p.table[at&uint64(len(p.table)-1)]
		if e.field < 0 || string(key) == e.name {
			return e.field
		}
	}
}

// findDecoded is find for a key whose text is not its bytes.
func (p *Projection) findDecoded(key []byte, e *Event) int32 {
	if len(key) > 6*p.longest { // six bytes, \u0061, stand for at least one
		return -1
	}
	e.decoded = e.decoded[:0]
	for len(key) > 0 {
		r, size := decodeRune(key)
		e.decoded = utf8.AppendRune(e.decoded, r)
		key = key[size:]
	}
	first, last := ends(e.decoded)
	return p.find(first, last, e.decoded)
}

// ends are the first and the last eight bytes; of less than eight they are the bytes, and 0.
func ends(s []byte) (first, last uint64) {
	if len(s) >= 8 {
		return word(s), word(s[len(s)-8:])
	}
	for i, c := range s {
		first |= uint64(c) << (8 * i)
	}
	return first, 0
}
