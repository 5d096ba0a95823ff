package aggregate

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// shelf is a table of the state, and the part of its keys that all have in common.
type shelf struct {
	byteMap
	kind    byte // of its records in the changelog; 0: it is not kept there
	series  *series
	start   int64
	waiting int    // values that are not final: of a window's shelf, how many groups have to be closed
	keys    []byte // what the keys of this window's insights begin with
	texts   []byte // what the insights themselves begin with
}

// The kinds of keys in the changelog, behind format.
const (
	keyMeta       = 'm'
	keyDefinition = 'd'
	keyWindow     = 'w'
	keyPane       = 'p'
	keySession    = 's'
	keyHistory    = 'h'
)

func (s *series) newShelf(kind byte, start int64) *shelf {
	return &shelf{byteMap: newByteMap(), kind: kind, series: s, start: start}
}

// insert is byteMap.insert.
func (s *shelf) insert(hash uint64, key, value []byte) entry {
	s.waiting += s.waits(value)
	return s.byteMap.insert(hash, key, value)
}

// replace is byteMap.replace.
func (s *shelf) replace(e entry, value []byte) entry {
	s.waiting += s.waits(value) - s.waits(e.value())
	return s.byteMap.replace(e, value)
}

// drop is byteMap.drop.
func (s *shelf) drop(e entry) {
	s.waiting -= s.waits(e.value())
	s.byteMap.drop(e)
}

// put sets the value of a key, whatever was there.
func (s *shelf) put(key, value []byte) {
	if e, hash := s.find(key); e == nil {
		s.insert(hash, key, value)
	} else {
		s.replace(e, value)
	}
}

// locate is find for a key whose entry had a number once; a rehash may have given it another one.
func (s *shelf) locate(number uint32, key []byte) entry {
	if int(number) < len(s.order) {
		if e := s.numbered(int(number)); e != nil && string(e.key()) == string(key) {
			return e
		}
	}
	e, _ := s.find(key)
	return e
}

// waits is 1 for a value that is not final.
func (s *shelf) waits(value []byte) int {
	if s.kind == keyWindow && len(value) > 0 && value[0]&flagFinal == 0 {
		return 1
	}
	return 0
}

// appendKey is how the keys of a shelf's records in the changelog begin.
func (s *shelf) appendKey(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, format, s.kind), uint64(s.series.def.id))
	return binary.AppendVarint(dst, s.start)
}

// other is the group that counts what no longer fits. It is no JSON, so that no group of values can be it.
const other = "\x00other"

// keyFor is the key under which a group counts on a shelf, given how many groups it may have, and what find says of it.
func (s *shelf) keyFor(group []byte, most int) (key []byte, e entry, hash uint64) {
	e, hash = s.find(group)
	if e != nil || s.len() < most {
		return group, e, hash
	}
	key = []byte(other)
	e, hash = s.find(key)
	return key, e, hash
}

// timeline are the shelves of windows or panes.
type timeline struct {
	kind    byte
	ordered []*shelf // by start
	starts  map[int64]*shelf
}

func newTimeline(kind byte) timeline { return timeline{kind: kind, starts: map[int64]*shelf{}} }

// at is the shelf of a window or pane, made when there is none.
func (t *timeline) at(s *series, start int64) *shelf {
	found := t.starts[start]
	if found == nil {
		found = s.newShelf(t.kind, start)
		t.starts[start] = found
		i, _ := slices.BinarySearchFunc(t.ordered, start, func(s *shelf, start int64) int { return cmp.Compare(s.start, start) })
		t.ordered = slices.Insert(t.ordered, i, found)
	}
	return found
}

// prune takes the shelves away on which nothing is, and nothing will be put back.
func (t *timeline) prune() {
	t.ordered = slices.DeleteFunc(t.ordered, func(s *shelf) bool {
		if s.len() > 0 {
			return false
		}
		delete(t.starts, s.start)
		return true
	})
}
