package aggregate

import (
	"cmp"
	"encoding/binary"
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
func intervals(b []byte) []interval {
	d := decoder{rest: b}
	var all []interval
	for len(d.rest) > 0 {
		first := d.varint()
		all = append(all, interval{first, first + int64(d.uvarint())})
	}
	return all
}

func appendIntervals(dst []byte, all []interval) []byte {
	for _, i := range all {
		dst = binary.AppendUvarint(binary.AppendVarint(dst, i.first), uint64(i.last-i.first))
	}
	return dst
}

// joinSession joins a mini session with all sessions of its group that are near enough. Joining intervals is associative:
// however the events were cut and in whatever order the pieces come, the sessions are those of all events.
func (p *Partition) joinSession(s *series, t *partial) error {
	gap, w := s.def.Window.Gap, p.current().watermark
	if w != NoWatermark && s.def.expiredAt(t.last+gap) < w {
		p.expire(s, t.first, t.last, t)
		return nil
	}
	group := s.index.keyFor(t.group, p.groupsOf(s))
	if string(group) == other {
		p.counts.Overflowed++
	}
	joined, v := interval{t.first, t.last}, value{measures: t.measures}
	near := func(i interval) bool { return i.first-gap <= joined.last && joined.first <= i.last+gap }
	apart := intervals(s.index.get(group))
	var within []interval
	for n := slices.IndexFunc(apart, near); n >= 0; n = slices.IndexFunc(apart, near) {
		within = append(within, apart[n])
		p.scratch = sessionKey(p.scratch[:0], apart[n].first, group)
		old := known(s.sessions.get(p.scratch))
		var merged []byte
		merged, p.merged = s.functions.merge(nil, old.measures, v.measures, p.merged)
		v = value{revision: max(v.revision, old.revision), final: v.final || old.final, measures: merged}
		joined = interval{min(joined.first, apart[n].first), max(joined.last, apart[n].last)}
		apart = slices.Delete(apart, n, n+1)
	}
	for _, old := range within {
		if old.first != joined.first { // the other one is written over
			p.scratch = sessionKey(p.scratch[:0], old.first, group)
			p.journal.remove(s.sessions, p.scratch)
		}
	}
	apart = append(apart, joined)
	slices.SortFunc(apart, byTime)
	v.length = joined.last - joined.first
	p.line = v.append(p.line[:0])
	p.scratch = sessionKey(p.scratch[:0], joined.first, group)
	p.journal.set(s.sessions, p.scratch, p.line)
	p.line = appendIntervals(p.line[:0], apart)
	p.journal.set(s.index, group, p.line)
	s.deadline = min(s.deadline, s.def.closedAt(joined.last+gap))
	return nil
}

// forget takes a session out of the index.
func (p *Partition) forget(s *series, first int64, group []byte) {
	all := slices.DeleteFunc(intervals(s.index.get(group)), func(i interval) bool { return i.first == first })
	if len(all) == 0 {
		p.journal.remove(s.index, group)
		return
	}
	p.journal.set(s.index, group, appendIntervals(nil, all))
}

// moved writes a session that has changed, or takes back the insight of one that has become part of another: its key
// names the session's end, so that a session that grows is a new one to whoever reads insights.
func (c *committing) moved(at *shelf, key, before []byte) {
	s := at.series
	first, group := splitSessionKey(key)
	now := at.get(key)
	if old := known(before); before != nil && old.revision > 0 && (now == nil || known(now).length != old.length) {
		c.publish(c.insightKey(s, first, first+old.length, group), nil)
	}
	if now != nil {
		v := known(now)
		closed := c.next.watermark > s.def.closedAt(first+v.length+s.def.Window.Gap)
		if closed || !s.def.Final {
			c.emit(at, first, first+v.length, key, slices.Clone(v.measures), closed)
		}
		now = at.get(key)
	}
	c.record(at, key, now)
}

// closeSessions makes sessions final that the watermark has passed, and forgets those beyond their retention.
func (c *committing) closeSessions(s *series) {
	w := c.next.watermark
	if w <= s.deadline {
		return
	}
	next := int64(never)
	at := s.sessions
	for n := 0; n < len(at.entries); n++ {
		e := &at.entries[n]
		if e.gone {
			continue
		}
		v := known(at.valueOf(e))
		first, group := splitSessionKey(at.keyOf(e))
		end := first + v.length + s.def.Window.Gap
		expired, closing := w > s.def.expiredAt(end), w > s.def.closedAt(end) && !v.final
		switch {
		case !closing && !expired && v.final:
			next = min(next, s.def.expiredAt(end))
			continue
		case !closing && !expired:
			next = min(next, s.def.closedAt(end))
			continue
		case c.spent():
			c.did.More = true
			next = NoWatermark
			continue
		}
		c.left--
		key := slices.Clone(at.keyOf(e))
		group = key[len(key)-len(group):]
		if closing {
			c.emit(at, first, first+v.length, key, slices.Clone(v.measures), true)
			c.limits(s, first, first+v.length, group, v.measures)
		}
		if expired {
			c.journal.remove(at, key)
			c.forget(s, first, group)
		} else {
			next = min(next, s.def.expiredAt(end))
		}
		c.record(at, key, at.get(key))
	}
	s.deadline = next
}
