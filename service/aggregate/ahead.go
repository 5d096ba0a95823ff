package aggregate

import "hash/maphash"

// With a million groups, most of what a partial or a change needs is in no cache, and the processor waits for it, one
// place after the other. It waits for many at once when they are asked for in loops that do nothing else.

// stride is for how many at a time: their places fit into the first cache.
const stride = 64

// touch reads where an entry lies, which may take two lines of a cache.
func (m *byteMap) touch(p spot) byte {
	if p == noSpot {
		return 0
	}
	const line = 64
	e := m.at(p)
	return e[0] ^ e[min(line, len(e))-1]
}

// fetch brings the entries of the next changes into the caches.
func (p *page) fetch(from int) (read byte) {
	var spots [stride]spot
	next := p.changes[from:min(from+stride, len(p.changes))]
	for i := range next {
		if c := &next[i]; int(c.entry) < len(c.shelf.order) {
			spots[i] = c.shelf.order[c.entry]
		}
	}
	for i := range next {
		read ^= next[i].shelf.touch(spots[i])
	}
	return read
}

// Expect says which records Take will be given next, and brings what they need into the caches. It changes nothing.
func (p *Partition) Expect(records [][]byte) {
	for len(records) > 0 {
		n := min(stride, len(records))
		p.expect(records[:n])
		records = records[n:]
	}
}

func (p *Partition) expect(records [][]byte) {
	var shelves [stride]*shelf
	var hashes [stride]uint64
	read := byte(0)
	for i, record := range records {
		if at, group := p.shelfOf(record); at != nil && len(at.slots) > 0 {
			shelves[i], hashes[i] = at, maphash.Bytes(at.seed, group)
		}
	}
	for i, at := range shelves {
		if at != nil {
			read ^= byte(at.slots[hashes[i]&uint64(len(at.slots)-1)])
		}
	}
	for i, at := range shelves {
		if at != nil {
			read ^= at.touch(at.likely(hashes[i]))
		}
	}
	p.fetched = read
}

// likely is where the entry of a key with a hash lies, if there is one.
func (m *byteMap) likely(hash uint64) spot {
	mask := uint64(len(m.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if slot := m.slots[i]; slot == 0 || (slot^hash)>>spotBits == 0 {
			return spotIn(slot)
		}
	}
}

// shelfOf is where Take looks for the group of a partial, nil if the record is none.
func (p *Partition) shelfOf(record []byte) (at *shelf, group []byte) {
	if len(record) < 2 || record[1] != kindPartial && record[1] != kindSession {
		return nil, nil
	}
	t, err := parsePartial(record[2:], record[1] == kindSession)
	s := p.series[t.id]
	switch {
	case err != nil || s == nil:
		return nil, nil
	case s.def.session():
		return s.index, t.group
	case s.hopping():
		return s.panes.starts[t.first], t.group
	}
	return s.windows.starts[t.first], t.group
}
