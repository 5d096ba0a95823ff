package aggregate

// close makes the windows final that the watermark has passed, in the order of time, as far as the budget reaches.
func (c *committing) close(s *series) {
	if s.def.session() {
		c.closeSessions(s)
		return
	}
	c.did.More = !c.closeWindows(s) || c.did.More
}

// closeWindows tells whether the budget was enough.
func (c *committing) closeWindows(s *series) bool {
	if !c.renew(s) {
		return false
	}
	for _, at := range s.windows.ordered {
		if s.def.closedAt(s.end(at.start)) > c.next.watermark {
			break
		}
		if at.waiting == 0 && s.judged(at.start) {
			continue
		}
		if !c.quiet(s, at.start-s.def.Window.Every) || !c.closeWindow(at) || !c.judge(at) {
			return false
		}
	}
	return c.quiet(s, c.next.watermark-s.def.Grace-s.def.Window.Size)
}

// closeWindow makes all groups of a window final, and tells whether the budget was enough.
func (c *committing) closeWindow(at *shelf) bool {
	if at.waiting == 0 {
		return true
	}
	s := at.series
	for n := range at.order {
		e := at.numbered(n)
		if e == nil || at.waits(e.value()) == 0 {
			continue
		}
		if c.spent() {
			return false
		}
		c.spend(e)
		group, measures := e.key(), c.measuresOf(at, e)
		if !s.judged(at.start) {
			c.detect(at, group, measures)
		}
		c.insightOf(at, e, at.start, s.end(at.start), group, measures, true)
	}
	return true
}

// expire drops the windows and panes that are older than their retention.
func (c *committing) expire(s *series) {
	if s.def.session() {
		return // closeSessions has looked at each
	}
	w := c.next.watermark
	for _, at := range s.windows.ordered {
		if !s.expired(at, w) {
			break
		}
		if at.waiting > 0 || !s.judged(at.start) {
			c.did.More = true
			return
		}
		c.pass(s, s.end(at.start))
		if !c.clear(at) {
			c.did.More = true
			return
		}
	}
	if w != NoWatermark {
		c.pass(s, w-s.def.expiredAt(0))
	}
	for _, at := range s.panes.ordered {
		if !s.expired(at, w) {
			break
		}
		if !c.clear(at) {
			c.did.More = true
			return
		}
	}
}

// expired tells whether nothing of a window, or of the windows that a pane is part of, is kept any more.
func (s *series) expired(at *shelf, w int64) bool {
	last := at.start
	if at.kind == keyPane {
		last = s.lastWindowOf(at.start)
	}
	return s.def.expiredAt(s.end(last)) <= w
}

// pass moves the horizon of a series.
func (c *committing) pass(s *series, end int64) {
	c.next.horizons[s.def.id] = max(c.next.horizon(s), end)
}

// clear takes everything off a shelf, and tells whether the budget was enough.
func (c *committing) clear(at *shelf) bool {
	for n := range at.order {
		e := at.numbered(n)
		if e == nil {
			continue
		}
		if c.spent() {
			return false
		}
		c.spend(e)
		c.journal.removeAt(at, e)
	}
	return true
}
