package aggregate

import (
	"math"
	"slices"
	"time"
)

// Writer takes what a merge commit writes. All slices are the caller's, valid until the call returns.
type Writer interface {
	// Changelog writes a record of the compacted changelog; a nil value deletes.
	Changelog(key, value []byte)
	// Insight writes an insight; a nil value says that it is none any more.
	Insight(key, value []byte)
	// Expired is a partial that nothing is kept for any more, as JSON.
	Expired(document []byte)
}

// Tick is what a merge commit has to know of its surroundings.
type Tick struct {
	Now      time.Time
	Sources  int32 // partitions of the source topic
	CaughtUp bool  // the partials topic has been read to its end
	Budget   int   // how many groups may be closed or dropped now; what has changed is always written
	MaxBytes int   // beyond which no more is closed
}

// Summary is what a merge commit did.
type Summary struct {
	Records    int // written
	Updates    int // insights of open windows
	Finals     int // insights of windows that have closed
	Revised    int // of them: windows that had been final before
	Expired    int // partials that came when nothing of their window was kept any more
	More       bool
	Watermark  int64
	Anomalies  []string    // a sentence each
	Highlights []Highlight // of the windows that are filling: what stands out
}

// Needed tells whether a merge commit would do anything: something has changed, or the watermark has moved.
func (p *Partition) Needed(t Tick) bool {
	if len(p.journal.open.changes) > 0 || len(p.ahead) > 0 || len(p.expired) > 0 {
		return true
	}
	w := p.advance(t.Now, t.Sources, t.CaughtUp)
	return w > p.current().watermark && p.due(w)
}

// due tells whether a watermark closes or expires anything.
func (p *Partition) due(w int64) bool {
	for _, s := range p.order {
		if s.sessions.len() > 0 && w > s.deadline {
			return true
		}
		if next, listening := s.unheard(); listening && s.def.closedAt(s.end(next)) <= w {
			return true
		}
		for start, at := range s.windows {
			if s.def.closedAt(s.end(start)) <= w && !at.closed || s.def.expiredAt(s.end(start)) <= w {
				return true
			}
		}
	}
	return false
}

// committing is one merge commit.
type committing struct {
	*Partition
	Tick
	out     Writer
	did     Summary
	next    meta
	left    int // of the budget
	bytes   int // written
	key     []byte
	value   []byte
	insight []byte
	stamp   []byte // updated_at
}

// Commit writes everything that has changed since the last merge commit and closes what the watermark has passed. The
// partition's own offset has to be committed in the same transaction, with the sequence that Next gives, and then
// Confirm has to be called, or Settle if the outcome is another one.
func (p *Partition) Commit(t Tick, out Writer) Summary {
	c := &committing{Partition: p, Tick: t, out: out, left: max(t.Budget, 1)}
	c.MaxBytes = max(c.MaxBytes, 1)
	c.stamp = appendTime(nil, t.Now.UnixMilli())
	before := p.current()
	c.next = meta{watermark: p.advance(t.Now, t.Sources, t.CaughtUp), sequence: before.sequence + 1, inexact: before.inexact, sources: map[int32]Progress{}}
	for q, known := range before.sources {
		c.next.sources[q] = known
	}
	for q, news := range p.ahead {
		if q == inexactly {
			c.next.inexact = true
		} else {
			c.next.sources[q] = news
		}
	}
	c.did.Watermark = c.next.watermark
	c.changed()
	for _, s := range p.order {
		c.close(s)
		c.expire(s)
	}
	c.letters()
	c.definitions()
	c.write(appendMetaKey(c.key[:0]), c.next.append(c.value[:0]))
	p.journal.seal()
	p.sealed = &c.next
	clear(p.ahead)
	return c.did
}

// Next is the sequence of the merge commit on its way.
func (p *Partition) Next() int64 { return p.current().sequence }

func (c *committing) write(key, value []byte) {
	c.out.Changelog(key, value)
	c.did.Records++
	c.bytes += len(key) + len(value)
}

// publish writes an insight, nil to take it back.
func (c *committing) publish(key, value []byte) {
	c.out.Insight(key, value)
	c.did.Records++
	c.bytes += len(key) + len(value)
}

// spent tells that the rest has to wait for the next merge commit.
func (c *committing) spent() bool { return c.left <= 0 || c.bytes >= c.MaxBytes }

// record writes what a shelf has under a key to the changelog.
func (c *committing) record(at *shelf, key, value []byte) {
	if at.kind == 0 {
		return
	}
	c.key = at.appendKey(c.key[:0], key)
	c.write(c.key, value)
}

// changed writes what partials have changed, with an insight of each where updates are wanted.
func (c *committing) changed() {
	page := &c.journal.open
	count := len(page.changes)
	var panes []int
	for i := range count {
		at := page.changes[i].shelf
		key := page.key(&page.changes[i])
		switch at.kind {
		case keyWindow:
			c.update(at, key)
		case keyPane:
			panes = append(panes, i)
			c.record(at, key, at.get(key))
		case keySession:
			c.moved(at, key, page.before(&page.changes[i]))
		}
	}
	c.hopped(panes)
}

// update writes the insight and the record of a group of a window that has changed.
func (c *committing) update(at *shelf, key []byte) {
	s := at.series
	closed := s.def.closedAt(s.end(at.start)) <= c.next.watermark
	if closed || !s.def.Final {
		c.emit(at, at.start, s.end(at.start), key, known(at.get(key)).measures, closed)
	}
	c.record(at, key, at.get(key))
}

// emit writes an insight of a group and counts it in its value.
func (c *committing) emit(at *shelf, start, end int64, key, measures []byte, final bool) {
	v := known(at.get(key))
	s := at.series
	c.did.Updates, c.did.Finals = c.did.Updates+btoi(!final), c.did.Finals+btoi(final)
	c.did.Revised += btoi(v.final)
	v.revision++
	v.final = final
	group := key
	if s.def.session() {
		_, group = splitSessionKey(key)
	}
	c.insight = c.describe(c.insight[:0], s, at, start, end, group, measures, &v)
	c.value = v.append(c.value[:0])
	c.publish(c.insightKey(s, start, end, group), c.insight)
	c.journal.set(at, key, c.value)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// close writes the finals of windows that the watermark has passed, in the order of time, as far as the budget reaches.
func (c *committing) close(s *series) {
	if s.def.session() {
		c.closeSessions(s)
		return
	}
	for _, start := range starts(s.windows) {
		at := s.windows[start]
		if s.def.closedAt(s.end(start)) > c.next.watermark {
			break
		}
		if at.closed {
			continue
		}
		if !c.closeWindow(s, at) {
			c.did.More = true
			return
		}
		at.closed = true
	}
	c.quiet(s)
}

// closeWindow makes all groups of a window final, and tells whether the budget was enough.
func (c *committing) closeWindow(s *series, at *shelf) bool {
	for n := 0; n < len(at.entries); n++ {
		e := &at.entries[n]
		if e.gone {
			continue
		}
		if v := known(at.valueOf(e)); v.final {
			continue
		}
		if c.spent() {
			return false
		}
		c.left--
		key := slices.Clone(at.keyOf(e))
		measures := c.measuresOf(s, at, key)
		c.emit(at, at.start, s.end(at.start), key, measures, true)
		c.record(at, key, at.get(key))
	}
	c.detect(s, at)
	return true
}

// measuresOf are the measures of a group in a window: what stands there, or the union of the panes.
func (c *committing) measuresOf(s *series, at *shelf, key []byte) []byte {
	if !s.hopping() {
		return slices.Clone(known(at.get(key)).measures)
	}
	return c.union(s, at.start, key)
}

// expire drops the windows and panes that are older than their retention.
func (c *committing) expire(s *series) {
	if s.def.session() {
		return // closeSessions has looked at each
	}
	for _, all := range []map[int64]*shelf{s.windows, s.panes} {
		for _, start := range starts(all) {
			at := all[start]
			last := start
			if at.kind == keyPane {
				last = s.lastWindowOf(start)
			}
			if s.def.expiredAt(s.end(last)) > c.next.watermark {
				break
			}
			if at.len() == 0 { // what was on it is gone for good since the last merge commit
				delete(all, start)
				continue
			}
			if at.kind == keyWindow && !at.closed || !c.drop(at) {
				c.did.More = true
				return
			}
		}
	}
}

// drop takes everything off a shelf, and tells whether the budget was enough.
func (c *committing) drop(at *shelf) bool {
	for n := 0; n < len(at.entries); n++ {
		e := &at.entries[n]
		if e.gone {
			continue
		}
		if c.spent() {
			return false
		}
		c.left--
		key := slices.Clone(at.keyOf(e))
		c.record(at, key, nil)
		c.journal.remove(at, key)
	}
	return true
}

// letters writes what came too late for everything.
func (c *committing) letters() {
	c.did.Expired = len(c.expired)
	for i := range c.expired {
		c.insight = c.expired[i].document(c.insight[:0])
		c.out.Expired(c.insight)
		c.did.Records++
	}
	c.Partition.expired = nil
}

// definitions writes those that the changelog does not have yet.
func (c *committing) definitions() {
	for _, s := range c.order {
		if s.changed {
			s.changed = false
			c.write(appendDefinitionKey(c.key[:0], s.def.id), s.def.record(c.value[:0]))
		}
	}
}

// never is a deadline that no watermark passes.
const never = math.MaxInt64
