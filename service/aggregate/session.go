package aggregate

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// interval is where a session of a group lies.
type interval struct{ first, last int64 }

// near is the first of a group's sessions that an interval is part of, -1 when there is none.
func (i interval) near(all []interval, gap int64) int {
	for n, o := range all {
		if o.first-gap <= i.last && i.first <= o.last+gap {
			return n
		}
	}
	return -1
}

func byTime(a, b interval) int { return cmp.Compare(a.first, b.first) }

// sessionKey is the key of a session: its first event's time, in the order of times, and the group.
func sessionKey(dst []byte, first int64, group []byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(first)^1<<63), group...)
}

// splitSessionKey is the opposite of sessionKey.
func splitSessionKey(key []byte) (first int64, group []byte) {
	return int64(binary.BigEndian.Uint64(key) ^ 1<<63), key[8:]
}

// intervals reads an entry of the index.
func intervals(dst []interval, b []byte) []interval {
	d := decoder{rest: b}
	for len(d.rest) > 0 {
		first := d.varint()
		dst = append(dst, interval{first, first + int64(d.uvarint())})
	}
	return dst
}

func appendIntervals(dst []byte, all []interval) []byte {
	for _, i := range all {
		dst = binary.AppendUvarint(binary.AppendVarint(dst, i.first), uint64(i.last-i.first))
	}
	return dst
}

// joinSession joins a mini session with all sessions of its group that are near enough. Joining intervals is associative:
// however the events were cut and in whatever order the pieces come, the sessions are those of all events.
func (p *Partition) joinSession(s *series, t *partial) {
	gap := s.def.Window.Gap
	if t.last+gap <= p.current().horizon(s) {
		p.expire(s, t.first, t.last, t)
		return
	}
	group, e, hash := s.index.keyFor(t.group, p.groupsOf(s))
	if string(group) == other {
		p.counts.Overflowed++
	}
	p.apart, p.within = p.apart[:0], p.within[:0]
	if e != nil {
		p.apart = intervals(p.apart, e.value())
	}
	joined, v, shown := interval{t.first, t.last}, value{}, interval{0, -1}
	measures := append(p.merged[:0], t.measures...)
	for i := joined.near(p.apart, gap); i >= 0; i = joined.near(p.apart, gap) {
		near := p.apart[i]
		p.line = sessionKey(p.line[:0], near.first, group)
		old := known(s.sessions.get(p.line))
		p.spare, p.scratch = s.functions.merge(p.spare[:0], old.measures, measures, p.scratch)
		measures, p.spare = p.spare, measures
		v.revision, v.closed = max(v.revision, old.revision), v.closed || old.closed
		joined = interval{min(joined.first, near.first), max(joined.last, near.last)}
		if old.shown && near == joined {
			shown = joined
		}
		p.apart, p.within = slices.Delete(p.apart, i, i+1), append(p.within, near)
	}
	p.merged = measures
	for _, old := range p.within {
		if old.first != joined.first { // the other one is written over
			p.line = sessionKey(p.line[:0], old.first, group)
			p.journal.remove(s.sessions, p.line)
		}
	}
	v.length, v.measures, v.shown = joined.last-joined.first, measures, shown == joined
	p.line = sessionKey(p.line[:0], joined.first, group)
	p.value = v.append(p.value[:0])
	p.journal.set(s.sessions, p.line, p.value)
	p.apart = append(p.apart, joined)
	slices.SortFunc(p.apart, byTime)
	p.value = appendIntervals(p.value[:0], p.apart)
	p.journal.setAt(s.index, e, hash, group, p.value)
	s.deadline = min(s.deadline, s.def.closedAt(joined.last+gap))
}

// forget takes a session out of the index.
func (p *Partition) forget(s *series, first int64, group []byte) {
	e, hash := s.index.find(group)
	if e == nil {
		return
	}
	all := slices.DeleteFunc(intervals(nil, e.value()), func(i interval) bool { return i.first == first })
	if len(all) == 0 {
		p.journal.removeAt(s.index, e)
		return
	}
	p.journal.setAt(s.index, e, hash, group, appendIntervals(nil, all))
}

// moved writes the insight of an open session that has changed, and takes back that of one that has grown or become part of
// another, e being nil: its key names the session's end, so that a session that grows is a new one to whoever reads insights.
func (c *committing) moved(at *shelf, e entry, key, before []byte) {
	s := at.series
	first, group := splitSessionKey(key)
	var v value
	if e != nil {
		v = known(e.value())
	}
	if old := known(before); before != nil && (e == nil || v.length != old.length) {
		c.retract(s, first, &old, group)
	}
	if closed := c.next.watermark > s.def.closedAt(first+v.length+s.def.Window.Gap); e != nil && !closed && !s.def.Final {
		c.insightOf(at, e, first, first+v.length, group, v.measures, false)
	}
}

// retract takes back what was written of a session.
func (c *committing) retract(s *series, first int64, old *value, group []byte) {
	if !old.shown {
		return
	}
	c.key = c.address(s.address(c.key[:0], first, first+old.length), group)
	c.publish(c.key, nil)
	if old.final && s.limited() {
		c.key = appendAnomaly(c.key)
		c.publish(c.key, nil)
	}
}

// closeSessions makes sessions final that the watermark has passed, and forgets those beyond their retention.
func (c *committing) closeSessions(s *series) {
	w, at := c.next.watermark, s.sessions
	if w == NoWatermark {
		return
	}
	if w <= s.deadline {
		c.pass(s, w-s.def.expiredAt(0)-1)
		return
	}
	deadline := int64(math.MaxInt64)
	for n := range at.order {
		e := at.numbered(n)
		if e == nil {
			continue
		}
		key, v := e.key(), known(e.value())
		first, group := splitSessionKey(key)
		if until := s.sessionUntil(first, &v); w <= until {
			deadline = min(deadline, until)
			continue
		}
		if c.spent() {
			deadline, c.did.More = NoWatermark, true
			break
		}
		c.spend(e)
		if !v.final {
			c.limits(s, first, first+v.length, group, v.measures)
			e = c.insightOf(at, e, first, first+v.length, group, v.measures, true)
			v.final = true
		}
		if until := s.sessionUntil(first, &v); w <= until {
			deadline = min(deadline, until)
		} else {
			c.journal.removeAt(at, e)
			c.forget(s, first, group)
			c.pass(s, first+v.length+s.def.Window.Gap)
		}
	}
	if s.deadline = deadline; deadline > NoWatermark {
		c.pass(s, w-s.def.expiredAt(0)-1)
	}
}

// sessionUntil is the watermark up to which nothing becomes of a session.
func (s *series) sessionUntil(first int64, v *value) int64 {
	end := first + v.length + s.def.Window.Gap
	if v.final {
		return s.def.expiredAt(end)
	}
	return s.def.closedAt(end)
}

// sessionsDue tells whether a watermark closes a session, or has one forgotten.
func (s *series) sessionsDue(w int64) bool {
	if w <= s.deadline {
		return false
	}
	s.deadline = math.MaxInt64
	for n := range s.sessions.order {
		if e := s.sessions.numbered(n); e != nil {
			v := known(e.value())
			first, _ := splitSessionKey(e.key())
			s.deadline = min(s.deadline, s.sessionUntil(first, &v))
		}
	}
	return w > s.deadline
}
