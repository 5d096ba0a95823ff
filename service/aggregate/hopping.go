package aggregate

import "slices"

// lastWindowOf is the start of the last window that a pane is part of.
func (s *series) lastWindowOf(pane int64) int64 { return floor(pane, s.def.Window.Every) }

// hopped writes insights of the windows that changed panes are part of. Each group of a window has one, however many of
// its panes have changed.
func (c *committing) hopped(panes []int) {
	seen := map[*shelf]*byteMap{}
	for _, i := range panes {
		at := c.journal.open.changes[i].shelf
		group := slices.Clone(c.journal.open.key(&c.journal.open.changes[i]))
		s := at.series
		for start := range s.windowsOf(at.start) {
			if s.def.expiredAt(s.end(start)) <= c.next.watermark {
				continue
			}
			w := s.window(start)
			if seen[w] == nil {
				seen[w] = newByteMap()
			}
			if seen[w].get(group) != nil {
				continue
			}
			seen[w].put(group, []byte{1})
			c.hop(s, w, group)
		}
	}
}

// hop writes what a group of a hopping window is now. A group that had no insight there gets its place on the window's
// shelf, where closing finds it.
func (c *committing) hop(s *series, w *shelf, group []byte) {
	closed := s.def.closedAt(s.end(w.start)) <= c.next.watermark
	switch {
	case closed || !s.def.Final:
		c.emit(w, w.start, s.end(w.start), group, c.union(s, w.start, group), closed)
	case w.get(group) == nil:
		c.value = (&value{}).append(c.value[:0])
		c.journal.set(w, group, c.value)
	default:
		return
	}
	if !closed {
		w.closed = false
	}
	c.record(w, group, w.get(group))
}

// union are the measures of a group over all panes of a window.
func (c *committing) union(s *series, start int64, group []byte) []byte {
	var all, spare []byte
	pane := s.def.pane()
	for at := start; at < s.end(start); at += pane {
		shelf := s.panes[at]
		if shelf == nil {
			continue
		}
		if b := shelf.get(group); b != nil {
			spare, c.scratch = s.functions.merge(spare[:0], all, known(b).measures, c.scratch)
			all, spare = spare, all
		}
	}
	return all
}
