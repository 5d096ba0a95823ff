package aggregate

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// interval is where a session of a group lies.
type interval struct{ first, last int64 }

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
	group, n, hash := s.index.keyFor(t.group, p.groupsOf(s))
	if string(group) == other {
		p.counts.Overflowed++
	}
	var few [8]interval
	apart := few[:0]
	if n >= 0 {
		apart = intervals(apart, s.index.valueOf(&s.index.entries[n]))
	}
	joined, v := interval{t.first, t.last}, value{}
	measures := append(p.merged[:0], t.measures...)
	near := func(i interval) bool { return i.first-gap <= joined.last && joined.first <= i.last+gap }
	var few2 [8]interval
	within, shown := few2[:0], interval{0, -1}
	for i := slices.IndexFunc(apart, near); i >= 0; i = slices.IndexFunc(apart, near) {
		p.line = sessionKey(p.line[:0], apart[i].first, group)
		old := known(s.sessions.get(p.line))
		p.spare, p.scratch = s.functions.merge(p.spare[:0], old.measures, measures, p.scratch)
		measures, p.spare = p.spare, measures
		v.revision, v.closed = max(v.revision, old.revision), v.closed || old.closed
		joined = interval{min(joined.first, apart[i].first), max(joined.last, apart[i].last)}
		if old.shown && apart[i] == joined {
			shown = joined
		}
		within = append(within, apart[i])
		apart = slices.Delete(apart, i, i+1)
	}
	p.merged = measures
	for _, old := range within {
		if old.first != joined.first { // the other one is written over
			p.line = sessionKey(p.line[:0], old.first, group)
			p.journal.remove(s.sessions, p.line)
		}
	}
	v.length, v.measures, v.shown = joined.last-joined.first, measures, shown == joined
	p.line = sessionKey(p.line[:0], joined.first, group)
	p.value = v.append(p.value[:0])
	p.journal.set(s.sessions, p.line, p.value)
	apart = append(apart, joined)
	slices.SortFunc(apart, byTime)
	p.value = appendIntervals(p.value[:0], apart)
	p.journal.setAt(s.index, n, hash, group, p.value)
	s.deadline = min(s.deadline, s.def.closedAt(joined.last+gap))
}

// forget takes a session out of the index.
func (p *Partition) forget(s *series, first int64, group []byte) {
	n, hash := s.index.find(group)
	if n < 0 {
		return
	}
	all := slices.DeleteFunc(intervals(nil, s.index.valueOf(&s.index.entries[n])), func(i interval) bool { return i.first == first })
	if len(all) == 0 {
		p.journal.removeAt(s.index, n)
		return
	}
	p.journal.setAt(s.index, n, hash, group, appendIntervals(nil, all))
}

// moved writes the insight of an open session that has changed, and takes back that of one that has grown or become part of
// another: its key names the session's end, so that a session that grows is a new one to whoever reads insights.
func (c *committing) moved(at *shelf, key, before []byte) {
	s := at.series
	first, group := splitSessionKey(key)
	n, _ := at.find(key)
	var v value
	if n >= 0 {
		v = known(at.valueOf(&at.entries[n]))
	}
	if old := known(before); before != nil && (n < 0 || v.length != old.length) {
		c.retract(s, first, &old, group)
	}
	if closed := c.next.watermark > s.def.closedAt(first+v.length+s.def.Window.Gap); n >= 0 && !closed && !s.def.Final {
		c.insightOf(at, n, first, first+v.length, group, v.measures, false)
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
	for n := range at.entries {
		e := &at.entries[n]
		if e.gone {
			continue
		}
		key, v := at.keyOf(e), known(at.valueOf(e))
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
			c.insightOf(at, n, first, first+v.length, group, v.measures, true)
			v.final = true
		}
		if until := s.sessionUntil(first, &v); w <= until {
			deadline = min(deadline, until)
		} else {
			c.journal.removeAt(at, n)
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
	for n := range s.sessions.entries {
		if e := &s.sessions.entries[n]; !e.gone {
			v := known(s.sessions.valueOf(e))
			first, _ := splitSessionKey(s.sessions.keyOf(e))
			s.deadline = min(s.deadline, s.sessionUntil(first, &v))
		}
	}
	return w > s.deadline
}
