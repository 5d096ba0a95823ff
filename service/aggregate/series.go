package aggregate

import (
	"bytes"
	"slices"

	"data-stream-engine/model"
)

// series is everything that one definition has in one partition.
type series struct {
	def       *Definition // the latest one, with the measures of earlier ones as Retired
	changed   bool        // since it was written to the changelog
	sealed    bool        // it is written with the merge commit on its way
	functions functions
	names     []measured

	windows  timeline // of a tumbling window with the measures of its groups, of a hopping one without
	panes    timeline // of hopping windows
	sessions *shelf
	index    *shelf // of sessions: where those of a group lie
	history  *shelf // for detect

	deadline int64 // up to it no session has to be closed or forgotten
}

// measured is a measure under its name.
type measured struct {
	name   string
	member []byte // the name as JSON
	id     uint32
	latest bool // the latest definition has it
}

func newSeries(d *Definition) *series {
	s := &series{def: d, windows: newTimeline(keyWindow), panes: newTimeline(keyPane), deadline: NoWatermark}
	s.sessions, s.index, s.history = s.newShelf(keySession, 0), s.newShelf(0, 0), s.newShelf(keyHistory, 0)
	return s
}

// define takes over a definition with the series' id. Measures that it lacks are kept, for the state that has them and for
// the partials of instances with an earlier pipeline file.
func (s *series) define(d *Definition) error {
	d.Retired = retired(d.Measures, d.Retired, s.def.Measures, s.def.Retired)
	if s.functions != nil && bytes.Equal(d.record(nil), s.def.record(nil)) {
		return nil // every instance sends its own, and most are the same
	}
	var fresh functions
	var names []measured
	for n, list := range [][]MeasureSpec{d.Measures, d.Retired} {
		for i := range list {
			m := &list[i]
			f, err := m.implementation()
			if err != nil {
				return err
			}
			fresh = append(fresh, function{m.id(), f})
			if !slices.ContainsFunc(names, func(x measured) bool { return x.name == m.Name }) {
				names = append(names, measured{m.Name, appendText(nil, m.Name), m.id(), n == 0})
			}
		}
	}
	s.def, s.functions, s.names, s.changed = d, fresh, names, true
	for _, w := range s.windows.ordered {
		w.texts = nil
	}
	s.deadline = NoWatermark
	return nil
}

// retired are the measures of lists that are not among the latest, each once.
func retired(latest []MeasureSpec, lists ...[]MeasureSpec) (all []MeasureSpec) {
	for _, list := range lists {
		for i := range list {
			same := func(m MeasureSpec) bool { return m.id() == list[i].id() }
			if !slices.ContainsFunc(latest, same) && !slices.ContainsFunc(all, same) {
				all = append(all, list[i])
			}
		}
	}
	return all
}

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

// firstWindowOf is the start of the first window that a pane is part of.
func (s *series) firstWindowOf(pane int64) int64 {
	return floor(pane-s.def.Window.Size, s.def.Window.Every) + s.def.Window.Every
}

// lastWindowOf is the start of the last window that a pane is part of.
func (s *series) lastWindowOf(pane int64) int64 { return floor(pane, s.def.Window.Every) }

// shelves are all tables whose content is in the changelog.
func (s *series) shelves() []*shelf {
	return slices.Concat([]*shelf{s.sessions, s.history}, s.windows.ordered, s.panes.ordered)
}
