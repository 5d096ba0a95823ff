package aggregate

import (
	"encoding/binary"
	"hash/maphash"
)

// byteMap maps bytes to bytes without a pointer per entry, so that a million groups cost the garbage collector nothing.
// Entries lie in chunks; one that outgrows its place gets another one, and when half of the memory is such left-overs,
// everything is packed anew. Entries keep the order in which they came.
//
// What costs time with a million groups is memory that is not in the caches, so that a slot leads straight to an entry.
type byteMap struct {
	seed   maphash.Seed
	slots  []uint64 // the upper bits of the hash, and in the others the spot; 0: free
	order  []spot   // of the entries, by their number; noSpot: it is gone
	chunks [][]byte
	live   int // entries
	used   int // bytes of entries, with the room that their values have to grow
	lost   int // bytes in chunks that nobody uses any more
}

// spot is where an entry lies: the number of its chunk, from 1, and its position there in words of eight bytes.
type spot uint64

const (
	noSpot   spot = 0
	spotBits      = 40 // enough for terabytes
	wordBits      = 15
	wordSize      = chunkSize >> wordBits
)

// chunkSize is the size of a chunk, in bytes; what is larger gets one of its own. The first ones are smaller: many maps
// hold little.
const (
	chunkSize  = 256 << 10
	firstChunk = 1 << 10
)

// entry is a key, its value and what has to be known of them, and whatever follows in its chunk; nil is none. It is valid
// until the next change of the map.
type entry []byte

// Where what lies in an entry.
const (
	atNumber  = 0  // its number, see order
	atTouched = 4  // generation of the last change, see journal
	atSize    = 8  // of the whole entry, with room for the value to grow
	atValue   = 12 // length
	atKey     = 16 // length
	headSize  = 18
)

// gone is the number of an entry that is not there any more.
const gone uint32 = 1<<32 - 1

func (e entry) number() int           { return int(binary.LittleEndian.Uint32(e[atNumber:])) }
func (e entry) gone() bool            { return binary.LittleEndian.Uint32(e[atNumber:]) == gone }
func (e entry) touched() uint32       { return binary.LittleEndian.Uint32(e[atTouched:]) }
func (e entry) touch(by uint32)       { binary.LittleEndian.PutUint32(e[atTouched:], by) }
func (e entry) size() int             { return int(binary.LittleEndian.Uint32(e[atSize:])) }
func (e entry) keyEnd() int           { return headSize + int(binary.LittleEndian.Uint16(e[atKey:])) }
func (e entry) valueSize() int        { return int(binary.LittleEndian.Uint32(e[atValue:])) }
func (e entry) setNumber(n int)       { binary.LittleEndian.PutUint32(e[atNumber:], uint32(n)) }
func (e entry) setValueSize(size int) { binary.LittleEndian.PutUint32(e[atValue:], uint32(size)) }

func (e entry) key() []byte {
	end := e.keyEnd()
	return e[headSize:end:end]
}

func (e entry) value() []byte {
	from := e.keyEnd()
	to := from + e.valueSize()
	return e[from:to:to]
}

func newByteMap() byteMap { return byteMap{seed: maphash.MakeSeed()} }

// find is the entry of a key, nil when there is none, and the key's hash.
func (m *byteMap) find(key []byte) (entry, uint64) {
	hash := maphash.Bytes(m.seed, key)
	if len(m.slots) == 0 {
		return nil, hash
	}
	mask := uint64(len(m.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := m.slots[i]
		if slot == 0 {
			return nil, hash
		}
		if (slot^hash)>>spotBits != 0 {
			continue
		}
		if e := m.at(spotIn(slot)); string(e.key()) == string(key) && !e.gone() {
			return e, hash
		}
	}
}

func slotFor(hash uint64, p spot) uint64 { return hash>>spotBits<<spotBits | uint64(p) }
func spotIn(slot uint64) spot            { return spot(slot & (1<<spotBits - 1)) }

// at is what lies at a spot.
func (m *byteMap) at(p spot) entry {
	return m.chunks[p>>wordBits-1][p&(1<<wordBits-1)*wordSize:]
}

// numbered is the entry of a number, nil when it is gone.
func (m *byteMap) numbered(n int) entry {
	if p := m.order[n]; p != noSpot {
		return m.at(p)
	}
	return nil
}

// get is the value of a key, nil without one. It is valid until the next change.
func (m *byteMap) get(key []byte) []byte {
	if e, _ := m.find(key); e != nil {
		return e.value()
	}
	return nil
}

// insert adds a key that is not there, given its hash.
func (m *byteMap) insert(hash uint64, key, value []byte) entry {
	if (len(m.order)+1)*4 > len(m.slots)*3 {
		m.rehash()
	}
	n := len(m.order)
	p := m.put(n, key, value)
	m.order = append(m.order, p)
	m.link(hash, p)
	m.live++
	return m.at(p)
}

// replace sets the value of an entry, which may move. value must not lie in the map.
func (m *byteMap) replace(e entry, value []byte) entry {
	if from := e.keyEnd(); from+len(value) <= e.size() {
		e.setValueSize(copy(e[from:e.size()], value))
		return e
	}
	n, key := e.number(), e.key()
	m.leave(e)
	p := m.put(n, key, value)
	m.at(p).touch(e.touched())
	m.relink(maphash.Bytes(m.seed, key), m.order[n], p)
	m.order[n] = p
	m.pack()
	return m.numbered(n)
}

// drop forgets an entry. Its number is not given to another one before the next insert.
func (m *byteMap) drop(e entry) {
	m.order[e.number()] = noSpot
	binary.LittleEndian.PutUint32(e[atNumber:], gone)
	m.live--
	m.leave(e)
	m.pack()
}

// leave counts the place of an entry as lost.
func (m *byteMap) leave(e entry) {
	m.lost += e.size()
	m.used -= e.size()
}

// put writes an entry where there is room, with a little more for a value that grows.
func (m *byteMap) put(n int, key, value []byte) spot {
	size := headSize + len(key) + len(value) + len(value)/8
	size = (size + wordSize - 1) &^ (wordSize - 1)
	if k := len(m.chunks) - 1; k < 0 || cap(m.chunks[k])-len(m.chunks[k]) < size {
		if k >= 0 {
			m.lost += cap(m.chunks[k]) - len(m.chunks[k])
		}
		grown := min(max(firstChunk, m.used), chunkSize)
		m.chunks = append(m.chunks, make([]byte, 0, max(grown, size)))
	}
	k := len(m.chunks) - 1
	at := len(m.chunks[k])
	m.chunks[k] = m.chunks[k][:at+size]
	e := entry(m.chunks[k][at:])
	e.setNumber(n)
	binary.LittleEndian.PutUint32(e[atSize:], uint32(size))
	binary.LittleEndian.PutUint16(e[atKey:], uint16(len(key)))
	e.setValueSize(len(value))
	copy(e[headSize+copy(e[headSize:], key):], value)
	m.used += size
	return spot((k+1)<<wordBits | at/wordSize)
}

func (m *byteMap) link(hash uint64, p spot) {
	mask := uint64(len(m.slots) - 1)
	i := hash & mask
	for m.slots[i] != 0 {
		i = (i + 1) & mask
	}
	m.slots[i] = slotFor(hash, p)
}

// relink says that an entry has moved.
func (m *byteMap) relink(hash uint64, from, to spot) {
	mask := uint64(len(m.slots) - 1)
	i := hash & mask
	for spotIn(m.slots[i]) != from {
		i = (i + 1) & mask
	}
	m.slots[i] = slotFor(hash, to)
}

// rehash makes room for more entries, and leaves out those that are gone.
func (m *byteMap) rehash() {
	kept := m.order[:0]
	if cap(m.order) > 64 && m.live < cap(m.order)/4 { // there were many
		kept = make([]spot, 0, 2*m.live)
	}
	for n, p := range m.order {
		if p == noSpot {
			continue
		}
		if len(kept) != n {
			m.at(p).setNumber(len(kept))
		}
		kept = append(kept, p)
	}
	m.order = kept
	size := 16
	for size*3 < (len(kept)+1)*5 { // at most 60 % full, so that the next time is not soon
		size *= 2
	}
	m.slots = make([]uint64, size)
	m.linkAll()
}

// linkAll fills slots that are empty.
func (m *byteMap) linkAll() {
	for _, p := range m.order {
		if p != noSpot {
			m.link(maphash.Bytes(m.seed, m.at(p).key()), p)
		}
	}
}

// packFrom is how many bytes have to be lost for packing to be worth it.
const packFrom = 64 << 10

// pack copies everything into new chunks when more than half of the old ones is lost. Entries keep their numbers.
func (m *byteMap) pack() {
	if m.lost < packFrom || m.lost < m.used {
		return
	}
	old := *m
	m.chunks, m.used, m.lost = nil, 0, 0
	for n, p := range m.order {
		if p == noSpot {
			continue
		}
		e := old.at(p)
		m.order[n] = m.put(n, e.key(), e.value())
		m.at(m.order[n]).touch(e.touched())
	}
	clear(m.slots)
	m.linkAll()
}

// len is how many keys there are.
func (m *byteMap) len() int { return m.live }

// bytes is about what the map takes in memory.
func (m *byteMap) bytes() int {
	const spotSize, slotSize = 8, 8
	return m.used + m.lost + cap(m.order)*spotSize + len(m.slots)*slotSize
}
