package aggregate

import (
	"encoding/binary"
	"maps"
	"slices"

	"data-stream-engine/model"
)

// series is everything that one definition has in one partition.
type series struct {
	def       *Definition
	changed   bool // since it was written to the changelog
	functions functions
	names     []measured

	windows  map[int64]*shelf // by start; of a tumbling window with its measures, of a hopping one without
	panes    map[int64]*shelf // of hopping windows
	sessions *shelf
	index    *shelf // of sessions: where those of a group lie
	history  *shelf // for detect

	deadline int64 // before it no session closes
}

// measured is a measure under its name.
type measured struct {
	name   string
	id     uint32
	latest bool // the latest definition has it
}

// shelf is a table of the state, and the part of its keys that all have in common.
type shelf struct {
	*byteMap
	kind   byte // of its records in the changelog; 0: it is not kept there
	series *series
	start  int64
	closed bool // nothing on it waits to become final
	text   []byte
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

func newSeries(d *Definition) *series {
	s := &series{def: d, functions: functions{}, windows: map[int64]*shelf{}, panes: map[int64]*shelf{}, deadline: NoWatermark}
	s.sessions = &shelf{byteMap: newByteMap(), kind: keySession, series: s}
	s.index = &shelf{byteMap: newByteMap(), series: s}
	s.history = &shelf{byteMap: newByteMap(), kind: keyHistory, series: s}
	return s
}

// define takes over a definition with the series' id. Measures that it lacks are kept for the state that has them.
func (s *series) define(d *Definition) error {
	fresh := functions{}
	for i := range d.Measures {
		m := &d.Measures[i]
		f, err := m.implementation()
		if err != nil {
			return err
		}
		fresh[m.id()] = f
	}
	maps.Copy(s.functions, fresh)
	names := make([]measured, 0, len(d.Measures))
	for i := range d.Measures {
		names = append(names, measured{d.Measures[i].Name, d.Measures[i].id(), true})
	}
	for _, old := range s.names {
		if !slices.ContainsFunc(names, func(m measured) bool { return m.name == old.name }) {
			names = append(names, measured{old.name, old.id, false})
		}
	}
	s.def, s.names, s.changed = d, names, true
	for _, shelf := range s.windows {
		shelf.closed, shelf.text = false, nil
	}
	s.deadline = NoWatermark
	return nil
}

// shelfAt is the shelf of a window or pane, made when there is none.
func (s *series) shelfAt(all map[int64]*shelf, kind byte, start int64) *shelf {
	found := all[start]
	if found == nil {
		found = &shelf{byteMap: newByteMap(), kind: kind, series: s, start: start}
		all[start] = found
	}
	return found
}

func (s *series) window(start int64) *shelf { return s.shelfAt(s.windows, keyWindow, start) }

func (s *series) paneAt(start int64) *shelf { return s.shelfAt(s.panes, keyPane, start) }

func (s *series) hopping() bool { return s.def.Window.Kind == model.Hopping }

// end is where the window that starts at start ends.
func (s *series) end(start int64) int64 { return start + s.def.Window.Size }

// windowsOf yields the starts of the windows that a pane is part of, the latest first.
func (s *series) windowsOf(pane int64) func(yield func(int64) bool) {
	return func(yield func(int64) bool) {
		w := s.def.Window
		for start := floor(pane, w.Every); start+w.Size > pane; start -= w.Every {
			if !yield(start) {
				return
			}
		}
	}
}

// starts are the starts of shelves in order.
func starts(all map[int64]*shelf) []int64 { return slices.Sorted(maps.Keys(all)) }

// shelves are all tables whose content is in the changelog.
func (s *series) shelves() []*shelf {
	all := []*shelf{s.sessions, s.history}
	for _, start := range starts(s.windows) {
		all = append(all, s.windows[start])
	}
	for _, start := range starts(s.panes) {
		all = append(all, s.panes[start])
	}
	return all
}

// appendKey is the key of a shelf's record in the changelog.
func (s *shelf) appendKey(dst, key []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, format, s.kind), uint64(s.series.def.id))
	return append(binary.AppendVarint(dst, s.start), key...)
}

// other is the group that counts what no longer fits. It is no JSON, so that no group of values can be it.
const other = "\x00other"

// keyFor is the key under which a group counts on a shelf, given how many groups it may have.
func (s *shelf) keyFor(group []byte, most int) []byte {
	if s.len() < most {
		return group
	}
	if n, _ := s.find(group); n >= 0 {
		return group
	}
	return []byte(other)
}
