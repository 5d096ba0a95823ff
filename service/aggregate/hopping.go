package aggregate

// hopped writes insights of the windows that changed panes are part of. Each group of a window has one, however many of
// its panes have changed.
func (c *committing) hopped(panes []int) {
	for _, i := range panes {
		change := &c.journal.open.changes[i]
		pane, group := change.shelf, c.journal.open.key(change)
		s := pane.series
		for start := range s.windowsOf(pane.start) {
			if s.end(start) > c.current().horizon(s) { // see joinPane
				c.hop(s.windows.at(s, start), group)
			}
		}
	}
}

// hop notes on the shelf of a window that a group's panes have changed. There closing finds it, if it is not written now.
// Nothing else changes these shelves before it, so that a group which was touched has been here.
func (c *committing) hop(w *shelf, group []byte) {
	e, hash := w.find(group)
	v := value{}
	if e != nil {
		if e.touched() == c.journal.generation {
			return
		}
		v = known(e.value())
	}
	v.final = false
	c.value = v.append(c.value[:0])
	c.refresh(w, c.journal.setAt(w, e, hash, group, c.value))
}

// unite are the measures of a group over all panes of a window, valid until the next call.
func (c *committing) unite(s *series, start int64, group []byte) []byte {
	c.union = c.union[:0]
	for at := start; at < s.end(start); at += s.def.panes {
		shelf := s.panes.starts[at]
		if shelf == nil {
			continue
		}
		if b := shelf.get(group); b != nil {
			c.spare, c.scratch = s.functions.merge(c.spare[:0], c.union, known(b).measures, c.scratch)
			c.union, c.spare = c.spare, c.union
		}
	}
	return c.union
}
