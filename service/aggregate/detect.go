package aggregate

import (
	"fmt"
	"slices"
	"strings"
)

// begun is the key of the history that says which measure it is of, and which window was the last that was looked at. It
// is no JSON, so that no group has it.
const begun = "\x00begun"

// watched is the measure that detect looks at; ok is false when windows are not looked at.
func (s *series) watched() (m measured, ok bool) {
	if s.def.Detect == nil {
		return m, false
	}
	i := slices.IndexFunc(s.names, func(m measured) bool { return m.name == s.def.Detect.Measure })
	if i < 0 {
		return m, false
	}
	return s.names[i], true
}

// number is the value of the watched measure.
func (s *series) number(measures []byte) (x float64, ok bool) {
	m, ok := s.watched()
	if !ok {
		return 0, false
	}
	state := stateOf(measures, m.id)
	if state == nil {
		return 0, false
	}
	return s.functions.of(m.id).Number(state)
}

// counts tells whether the watched measure counts something, so that silence is 0 of it.
func (s *series) counts() bool {
	i := slices.IndexFunc(s.def.Measures, func(m MeasureSpec) bool { return m.Name == s.def.Detect.Measure })
	return i >= 0 && slices.Contains([]string{"count", "distinct", "sum"}, s.def.Measures[i].Function)
}

// limited tells whether there are fixed limits.
func (s *series) limited() bool {
	return s.def.Detect != nil && (s.def.Detect.Above != nil || s.def.Detect.Below != nil)
}

// lastJudged is the start of the last window that was looked at; ok is false when none was yet.
func (s *series) lastJudged() (start int64, ok bool) {
	m, ok := s.watched()
	b := s.history.get([]byte(begun))
	if !ok || b == nil {
		return 0, false
	}
	d := decoder{rest: b}
	id := d.uint32()
	return d.varint(), id == m.id
}

// judged tells whether nothing has to be looked for in a window any more. What closes a second time is not looked at again.
func (s *series) judged(start int64) bool {
	if _, detects := s.watched(); !detects {
		return true
	}
	last, ok := s.lastJudged()
	return ok && start <= last
}

// renew forgets a history that is of another measure, or of a time before windows were not looked at. It tells whether the
// budget was enough.
func (c *committing) renew(s *series) bool {
	if s.history.len() == 0 {
		return true
	}
	if _, ok := s.lastJudged(); ok {
		return true
	}
	return c.clear(s.history)
}

// detect looks at a group of a window that closes.
func (c *committing) detect(at *shelf, group, measures []byte) {
	s := at.series
	if _, ok := s.lastJudged(); !ok || string(group) == other {
		return // the first window began in its middle, and the overflow is never the same: they say nothing
	}
	x, ok := s.number(measures)
	if !ok {
		return
	}
	var f findings
	f.limits(s.def.Detect, x)
	if s.def.Detect.Sigma > 0 {
		c.compare(s, at.start, group, x, &f)
	}
	c.anomaly(s, at.start, s.end(at.start), group, x, &f)
}

// limits holds a session against the fixed limits.
func (c *committing) limits(s *series, start, end int64, group, measures []byte) {
	if x, ok := s.number(measures); ok && string(group) != other {
		var f findings
		f.limits(s.def.Detect, x)
		c.anomaly(s, start, end, group, x, &f)
	}
}

// compare holds the value of a group against its history, and then learns it.
func (c *committing) compare(s *series, start int64, group []byte, x float64, f *findings) {
	e, hash := s.history.find(group)
	var h past
	switch {
	case e != nil:
		if h = readPast(e.value()); h.last >= start {
			return // it has been learned: this is a revision
		}
	case s.history.len() > c.groupsOf(s):
		return // there are as many as there may be
	}
	f.compare(s.def.Detect, &h, x, s.counts())
	h.learn(x)
	h.last, h.silent = start, 0
	c.note(s, e, hash, group, &h)
}

// note keeps the history of a group.
func (c *committing) note(s *series, e entry, hash uint64, group []byte, h *past) {
	c.value = h.append(c.value[:0])
	c.journal.setAt(s.history, e, hash, group, c.value)
}

// judge ends looking at a window all of whose groups are final, and tells whether the budget was enough.
func (c *committing) judge(at *shelf) bool {
	return at.series.judged(at.start) || c.silence(at.series, at.start)
}

// silence counts groups that have a history, and no event in a window, as 0, for as many windows as a history needs; then
// they are forgotten. That ends looking at the window. It tells whether the budget was enough.
func (c *committing) silence(s *series, start int64) bool {
	d, counts := s.def.Detect, s.counts()
	for n := range s.history.order {
		e := s.history.numbered(n)
		if e == nil || string(e.key()) == begun {
			continue
		}
		group, h := e.key(), readPast(e.value())
		if h.last >= start {
			continue
		}
		if c.spent() {
			return false
		}
		c.spend(e)
		if h.silent++; h.silent > uint64(max(d.MinWindows, 1)) {
			c.journal.removeAt(s.history, e)
			continue
		}
		var f findings
		if counts {
			f.limits(d, 0)
			f.compare(d, &h, 0, true)
			h.learn(0)
		}
		h.last = start
		c.note(s, e, 0, group, &h)
		c.anomaly(s, start, s.end(start), group, 0, &f)
	}
	m, _ := s.watched()
	c.value = appendJudged(c.value[:0], m.id, start)
	c.journal.set(s.history, []byte(begun), c.value)
	return true
}

// unheard is the start of the next window whose silence would be noticed, if groups have a history at all.
func (s *series) unheard() (start int64, listening bool) {
	if s.def.Detect == nil || s.def.Detect.Sigma == 0 || s.history.len() < 2 {
		return 0, false
	}
	last, ok := s.lastJudged()
	return last + s.def.Window.Every, ok
}

// quiet looks at the windows that nobody had an event in, up to the one that starts at last. It tells whether the budget
// was enough.
func (c *committing) quiet(s *series, last int64) bool {
	for next, listening := s.unheard(); listening && next <= last; next, listening = s.unheard() {
		if c.spent() || !c.silence(s, next) {
			return false
		}
		c.left--
	}
	return true
}

// anomaly writes an insight of its own beside that of the window, if there is something to say.
func (c *committing) anomaly(s *series, start, end int64, group []byte, x float64, f *findings) {
	if len(f.phrases) == 0 {
		return
	}
	var values []string
	for v := range elements(group) {
		values = append(values, plain(v))
	}
	of := ""
	if len(values) > 0 {
		of = " of " + strings.Join(values, ", ")
	}
	sentence := fmt.Sprintf("%s%s: %s in %s, %s", s.def.Detect.Measure, of, short(x), span(start, end), strings.Join(f.phrases, ", "))
	c.did.Anomalies = append(c.did.Anomalies, sentence)
	b := s.group(s.heading(c.insight[:0], "anomaly", start, end), group)
	b = appendText(append(b, `},"anomaly":{"measure":`...), s.def.Detect.Measure)
	b = append(appendFloat(append(b, `,"value":`...), x), f.members...)
	b = appendText(append(b, `,"sentence":`...), sentence)
	b = append(append(append(b, `},"final":true,"revision":1,"updated_at":"`...), c.stamp...), `"}`...)
	c.insight = b
	c.key = appendAnomaly(c.address(s.address(c.key[:0], start, end), group))
	c.publish(c.key, c.insight)
}
