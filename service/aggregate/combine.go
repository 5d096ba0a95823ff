package aggregate

import (
	"encoding/binary"
	"hash/maphash"
	"slices"

	"data-stream-engine/service/measure"
)

// Combiner collects the events of one transaction: for each group and pane (or mini session) one partial, whatever the
// number of events. It is for one goroutine; several workers have one each, and their partials are merged like those of
// several instances.
type Combiner struct {
	tables []table
	seed   maphash.Seed
	pool   measure.Pool
	events int
}

// table holds the groups of one definition.
type table struct {
	def      *Definition
	measures []measure.Measure // by ascending id
	ids      []uint32
	inputs   []int // of which of the definition's measures they take the input
	words    []int // of their cells
	width    int   // words of an entry
	pane     int64

	slots   []uint64 // upper half: of the hash; lower half: number of the entry + 1; 0: free
	entries []uint64
	count   int
	keys    []byte
}

// The words of an entry before its cells.
const (
	wordFirst = iota // the pane's start, or the first event of a mini session
	wordLast         // of a mini session
	wordKey          // where the group lies in keys: offset << 16 | length
	wordHash
	wordCells
)

// Bounds of what one transaction may collect before it is committed early, in bytes and in groups.
const (
	fullBytes  = 32 << 20
	fullGroups = 200_000
)

// NewCombiner returns an empty Combiner for definitions.
func NewCombiner(defs []*Definition) (*Combiner, error) {
	c := &Combiner{seed: maphash.MakeSeed()}
	for _, d := range defs {
		t := table{def: d, width: wordCells, pane: d.panes}
		for i := range d.Measures {
			m, err := d.Measures[i].implementation()
			if err != nil {
				return nil, err
			}
			id := d.Measures[i].id()
			at, known := slices.BinarySearch(t.ids, id)
			if known { // another name of the same
				continue
			}
			t.ids, t.measures, t.inputs = slices.Insert(t.ids, at, id), slices.Insert(t.measures, at, m), slices.Insert(t.inputs, at, i)
		}
		for _, m := range t.measures {
			t.words = append(t.words, m.Words())
			t.width += m.Words()
		}
		c.tables = append(c.tables, t)
	}
	return c, nil
}

// Add counts an event at t for a group of a definition. There is an input for each of its measures.
func (c *Combiner) Add(def int, t int64, group []byte, inputs []measure.Input) {
	table := &c.tables[def]
	var e []uint64
	if table.pane > 0 {
		e = table.paned(c.seed, floor(t, table.pane), group)
	} else {
		e = table.session(c.seed, t, group)
	}
	at := wordCells
	for i, m := range table.measures {
		words := table.words[i]
		if in := &inputs[table.inputs[i]]; !in.Skip {
			m.Add(e[at:at+words:at+words], &c.pool, in)
		}
		at += words
	}
	c.events++
}

// paned is the entry of a group in the pane that starts at start.
func (t *table) paned(seed maphash.Seed, start int64, group []byte) []uint64 {
	hash := maphash.Bytes(seed, group) ^ uint64(start)*0x9e3779b97f4a7c15
	if n := t.find(hash, start, group); n >= 0 {
		return t.entry(n)
	}
	e := t.entry(t.insert(hash, group))
	e[wordFirst], e[wordLast] = uint64(start), uint64(start)
	return e
}

// session is the mini session of a group that an event at u belongs to: the group's latest one here if that is near enough,
// otherwise a new one. Merging joins what belongs together.
func (t *table) session(seed maphash.Seed, u int64, group []byte) []uint64 {
	hash, gap := maphash.Bytes(seed, group), t.def.Window.Gap
	n := t.find(hash, 0, group)
	if n >= 0 {
		e := t.entry(n)
		first, last := int64(e[wordFirst]), int64(e[wordLast])
		if u >= first-gap && u <= last+gap {
			e[wordFirst], e[wordLast] = uint64(min(first, u)), uint64(max(last, u))
			return e
		}
		t.relink(hash, n) // the old one stays, but is not looked for any more
	} else {
		t.insert(hash, group)
	}
	e := t.entry(t.count - 1)
	e[wordFirst], e[wordLast] = uint64(u), uint64(u)
	return e
}

func (t *table) entry(n int) []uint64 { return t.entries[n*t.width : (n+1)*t.width : (n+1)*t.width] }

func (t *table) group(e []uint64) []byte {
	at, size := e[wordKey]>>16, e[wordKey]&0xffff
	return t.keys[at : at+size : at+size]
}

// find is the number of an entry, -1 when there is none. The entries of sessions are found whatever their start.
func (t *table) find(hash uint64, start int64, group []byte) int {
	if len(t.slots) == 0 {
		return -1
	}
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := t.slots[i]
		if slot == 0 {
			return -1
		}
		if slot>>32 != hash>>32 {
			continue
		}
		n := int(uint32(slot)) - 1
		e := t.entry(n)
		if (t.pane == 0 || int64(e[wordFirst]) == start) && string(t.group(e)) == string(group) {
			return n
		}
	}
}

// insert makes an entry that is found by hash.
func (t *table) insert(hash uint64, group []byte) int {
	if (t.count+1)*4 > len(t.slots)*3 {
		t.grow()
	}
	n := t.add(hash, uint64(len(t.keys))<<16|uint64(len(group)))
	t.keys = append(t.keys, group...)
	t.link(hash, n)
	return n
}

// add appends an entry of a group whose bytes are among the keys.
func (t *table) add(hash, key uint64) int {
	from := len(t.entries)
	if cap(t.entries) < from+t.width {
		t.entries = append(make([]uint64, 0, max(2*cap(t.entries), 64*t.width)), t.entries...)
	}
	t.entries = t.entries[:from+t.width]
	clear(t.entries[from:])
	t.entries[from+wordHash], t.entries[from+wordKey] = hash, key
	t.count++
	return t.count - 1
}

func (t *table) link(hash uint64, n int) {
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = slotOf(hash, n)
}

func slotOf(hash uint64, n int) uint64 { return hash>>32<<32 | uint64(n+1) }

// relink makes a new entry of the same group what is found in place of entry n.
func (t *table) relink(hash uint64, n int) {
	added := t.add(hash, t.entry(n)[wordKey])
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i] != slotOf(hash, n) {
		i = (i + 1) & mask
	}
	t.slots[i] = slotOf(hash, added)
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]uint64, max(16, 2*len(old)))
	for _, slot := range old {
		if slot != 0 {
			n := int(uint32(slot)) - 1
			t.link(t.entry(n)[wordHash], n)
		}
	}
}

// Full tells that so much has been collected that it should be sent.
func (c *Combiner) Full() bool {
	groups, bytes := 0, c.pool.Size()
	for i := range c.tables {
		groups += c.tables[i].count
		bytes += 8*len(c.tables[i].entries) + len(c.tables[i].keys)
	}
	return groups >= fullGroups || bytes >= fullBytes
}

// Empty tells that nothing has been collected.
func (c *Combiner) Empty() bool { return c.events == 0 }

// Flush hands a partial for each group to write, with the partition of the partials topic that it belongs to, and begins
// anew. The record is valid until the next one.
func (c *Combiner) Flush(partitions int32, write func(partition int32, record []byte)) {
	if c.events == 0 {
		return
	}
	var record, encoded []byte
	for i := range c.tables {
		t := &c.tables[i]
		for n := range t.count {
			e := t.entry(n)
			group := t.group(e)
			record = appendPartialHead(record[:0], t.def.id, t.def.session(), int64(e[wordFirst]), int64(e[wordLast]), group)
			at := wordCells
			for k, m := range t.measures {
				words := t.words[k]
				encoded = m.Append(encoded[:0], e[at:at+words:at+words], &c.pool)
				record = appendMeasure(record, t.ids[k], encoded)
				at += words
			}
			write(partitionOf(t.def.Name, group, partitions), record)
		}
		t.reset()
	}
	c.pool.Reset()
	c.events = 0
}

// keptTable is how large the memory of a table may be, in bytes, to be kept for the next transaction.
const keptTable = 4 << 20

func (t *table) reset() {
	if 8*(cap(t.entries)+len(t.slots))+cap(t.keys) > keptTable {
		t.entries, t.slots, t.keys = nil, nil, nil
	}
	clear(t.slots)
	t.entries, t.keys, t.count = t.entries[:0], t.keys[:0], 0
}

// appendMeasure writes the state of one measure: whoever does not know it can step over it.
func appendMeasure(dst []byte, id uint32, state []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, id)
	return append(binary.AppendUvarint(dst, uint64(len(state))), state...)
}

// partitionOf is the partition that merges a group of an aggregate. It is FNV-1a over the name and the group, and part of
// the format: all instances, of whatever version, must agree.
func partitionOf(name string, group []byte, partitions int32) int32 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * prime
	}
	h = (h ^ 0xff) * prime // no name has this byte
	for _, c := range group {
		h = (h ^ uint64(c)) * prime
	}
	h ^= h >> 32
	return int32(h % uint64(partitions))
}
