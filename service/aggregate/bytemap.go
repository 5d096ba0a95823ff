package aggregate

import "hash/maphash"

// byteMap maps bytes to bytes without a pointer per entry, so that a million groups cost the garbage collector nothing.
// Keys and values lie in chunks that never move; a value that outgrows its place gets another one, and when half of the
// memory is such left-overs, everything is packed anew. Entries keep the order in which they came.
type byteMap struct {
	seed    maphash.Seed
	slots   []uint64 // upper half: of the hash; lower half: number of the entry + 1; 0: free
	entries []entry
	chunks  [][]byte
	live    int // entries
	used    int // bytes of keys and values, with the room that they have to grow
	lost    int // bytes in chunks that nobody uses any more
	spare   []byte
}

// entry is where a key and, behind it, its value lie.
type entry struct {
	chunk, at uint32
	value     uint32 // length
	room      uint32 // for the value
	key       uint16 // length
	gone      bool
	touched   uint32 // generation of the last change: see journal
}

// chunkSize is the size of a chunk, in bytes; what is larger gets one of its own. The first ones are smaller: many maps
// hold little.
const (
	chunkSize  = 256 << 10
	firstChunk = 1 << 10
)

func newByteMap() byteMap { return byteMap{seed: maphash.MakeSeed()} }

// find is the number of a key's entry, -1 when there is none, and its hash.
func (m *byteMap) find(key []byte) (int, uint64) {
	hash := maphash.Bytes(m.seed, key)
	if len(m.slots) == 0 {
		return -1, hash
	}
	mask := uint64(len(m.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := m.slots[i]
		if slot == 0 {
			return -1, hash
		}
		if slot>>32 != hash>>32 {
			continue
		}
		n := int(uint32(slot)) - 1
		if e := &m.entries[n]; !e.gone && string(m.keyOf(e)) == string(key) {
			return n, hash
		}
	}
}

func (m *byteMap) keyOf(e *entry) []byte {
	end := e.at + uint32(e.key)
	return m.chunks[e.chunk][e.at:end:end]
}

func (m *byteMap) valueOf(e *entry) []byte {
	from := e.at + uint32(e.key)
	return m.chunks[e.chunk][from : from+e.value : from+e.value]
}

// get is the value of a key, nil without one. It is valid until the next change.
func (m *byteMap) get(key []byte) []byte {
	if n, _ := m.find(key); n >= 0 {
		return m.valueOf(&m.entries[n])
	}
	return nil
}

// insert adds a key that is not there, given its hash, and returns the number of its entry.
func (m *byteMap) insert(hash uint64, key, value []byte) int {
	if (len(m.entries)+1)*4 > len(m.slots)*3 {
		m.rehash()
	}
	m.entries = append(m.entries, entry{key: uint16(len(key))})
	n := len(m.entries) - 1
	m.link(hash, n)
	m.live++
	m.place(n, key, value)
	return n
}

// replace sets the value of an entry. value must not lie in the map.
func (m *byteMap) replace(n int, value []byte) {
	e := &m.entries[n]
	if uint32(len(value)) <= e.room {
		e.value = uint32(copy(m.chunks[e.chunk][e.at+uint32(e.key):][:len(value)], value))
		return
	}
	m.leave(e)
	m.spare = append(m.spare[:0], m.keyOf(e)...)
	m.place(n, m.spare, value)
	m.pack()
}

// drop forgets an entry. Its number is not given to another one before the next insert.
func (m *byteMap) drop(n int) {
	e := &m.entries[n]
	e.gone = true
	m.live--
	m.leave(e)
	m.pack()
}

// leave counts the place of an entry as lost.
func (m *byteMap) leave(e *entry) {
	old := int(e.key) + int(e.room)
	m.lost += old
	m.used -= old
}

// place writes a key and its value where there is room, with a little more for a value that grows.
func (m *byteMap) place(n int, key, value []byte) {
	room := len(value) + len(value)/8
	size := len(key) + room
	if k := len(m.chunks) - 1; k < 0 || cap(m.chunks[k])-len(m.chunks[k]) < size {
		if k >= 0 {
			m.lost += cap(m.chunks[k]) - len(m.chunks[k])
		}
		grown := min(max(firstChunk, m.used), chunkSize)
		m.chunks = append(m.chunks, make([]byte, 0, max(grown, size)))
	}
	k := len(m.chunks) - 1
	at := len(m.chunks[k])
	chunk := append(append(m.chunks[k], key...), value...)
	m.chunks[k] = chunk[:at+size]
	e := &m.entries[n]
	e.chunk, e.at, e.value, e.room = uint32(k), uint32(at), uint32(len(value)), uint32(room)
	m.used += size
}

func (m *byteMap) link(hash uint64, n int) {
	mask := uint64(len(m.slots) - 1)
	i := hash & mask
	for m.slots[i] != 0 {
		i = (i + 1) & mask
	}
	m.slots[i] = slotOf(hash, n)
}

// rehash makes room for more entries, and leaves out those that are gone.
func (m *byteMap) rehash() {
	kept := m.entries[:0]
	if cap(m.entries) > 64 && m.live < cap(m.entries)/4 { // there were many
		kept = make([]entry, 0, 2*m.live)
	}
	for _, e := range m.entries {
		if !e.gone {
			kept = append(kept, e)
		}
	}
	m.entries = kept
	size := 16
	for size*3 < (len(kept)+1)*5 { // at most 60 % full, so that the next time is not soon
		size *= 2
	}
	m.slots = make([]uint64, size)
	for n := range m.entries {
		m.link(maphash.Bytes(m.seed, m.keyOf(&m.entries[n])), n)
	}
}

// packFrom is how many bytes have to be lost for packing to be worth it.
const packFrom = 64 << 10

// pack copies everything into new chunks when more than half of the old ones is lost.
func (m *byteMap) pack() {
	if m.lost < packFrom || m.lost < m.used {
		return
	}
	old := m.chunks
	m.chunks, m.used, m.lost = nil, 0, 0
	for n := range m.entries {
		e := m.entries[n]
		if e.gone {
			continue
		}
		block := old[e.chunk][e.at:]
		m.place(n, block[:e.key], block[e.key:uint32(e.key)+e.value])
	}
}

// len is how many keys there are.
func (m *byteMap) len() int { return m.live }

// bytes is about what the map takes in memory.
func (m *byteMap) bytes() int {
	const entrySize, slotSize = 24, 8
	return m.used + m.lost + cap(m.entries)*entrySize + len(m.slots)*slotSize
}
