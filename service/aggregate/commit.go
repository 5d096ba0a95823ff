package aggregate

import (
	"maps"
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
	MaxBytes int   // of what that writes, about
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

// Needed tells whether a merge commit would do anything: something has changed, or the watermark has passed something.
func (p *Partition) Needed(t Tick) bool {
	if len(p.journal.open.changes) > 0 || len(p.ahead) > 0 || len(p.expired) > 0 {
		return true
	}
	w := p.advance(t.Now, t.Sources, t.CaughtUp)
	for _, s := range p.order {
		if s.due(w) {
			return true
		}
	}
	return false
}

// due tells whether a watermark closes or expires anything.
func (s *series) due(w int64) bool {
	if s.def.session() {
		return s.sessionsDue(w)
	}
	if next, listening := s.unheard(); listening && s.def.closedAt(s.end(next)) <= w {
		return true
	}
	for _, at := range s.windows.ordered {
		if s.def.closedAt(s.end(at.start)) > w {
			break
		}
		if at.len() > 0 && (at.waiting > 0 || !s.judged(at.start) || s.expired(at, w)) {
			return true
		}
	}
	for _, at := range s.panes.ordered {
		if at.len() > 0 {
			return s.expired(at, w)
		}
	}
	return false
}

// committing is one merge commit.
type committing struct {
	*Partition
	Tick
	buffers
	out   Writer
	did   Summary
	next  meta
	left  int    // of the budget
	bytes int    // written to close and drop
	stamp []byte // updated_at
}

// buffers are used again by the next merge commit.
type buffers struct{ key, value, insight, union, spare []byte }

// Commit writes everything that has changed since the last merge commit and closes what the watermark has passed. The
// partition's own offset has to be committed in the same transaction, with the sequence that Next gives, and then
// Confirm has to be called, or Settle if the outcome is another one.
func (p *Partition) Commit(t Tick, out Writer) Summary {
	c := &committing{Partition: p, Tick: t, buffers: p.buffers, out: out, left: max(t.Budget, 1), stamp: appendTime(nil, t.Now.UnixMilli())}
	c.next = p.following(p.advance(t.Now, t.Sources, t.CaughtUp))
	c.did.Watermark = c.next.watermark
	for _, s := range p.order {
		s.windows.prune()
		s.panes.prune()
	}
	c.changed()
	c.bytes = 0
	for _, s := range p.order {
		c.close(s)
		c.expire(s)
	}
	c.letters()
	c.states()
	c.definitions()
	c.write(appendMetaKey(c.key[:0]), c.next.append(c.value[:0]))
	p.journal.seal()
	p.sealed, p.buffers = &c.next, c.buffers
	clear(p.ahead)
	return c.did
}

// following is what the changelog is to say of the partition, with a watermark.
func (p *Partition) following(watermark int64) meta {
	before := p.current()
	next := meta{watermark: watermark, sequence: p.nextSequence(), inexact: before.inexact, sources: maps.Clone(before.sources), horizons: maps.Clone(before.horizons)}
	for q, news := range p.ahead {
		if q == inexactly {
			next.inexact = true
		} else {
			next.sources[q] = news
		}
	}
	return next
}

func (c *committing) write(key, value []byte) {
	c.out.Changelog(key, value)
	c.did.Records++
}

// publish writes an insight, nil to take it back.
func (c *committing) publish(key, value []byte) {
	c.out.Insight(key, value)
	c.did.Records++
	c.bytes += len(key) + len(value)
}

// spent tells that the rest has to wait for the next merge commit. One thing is always done.
func (c *committing) spent() bool { return c.left <= 0 || c.bytes > 0 && c.bytes >= c.MaxBytes }

// spend takes the change of an entry off the budget.
func (c *committing) spend(e entry) {
	c.left--
	c.bytes += len(e.key()) + e.valueSize()
}

// changed writes insights of what partials have changed. What has just closed can wait, see close.
func (c *committing) changed() {
	page := &c.journal.open
	var panes []int
	for i := range len(page.changes) { // insights add to them
		if i%stride == 0 {
			c.fetched = page.fetch(i)
		}
		change := &page.changes[i]
		at, key := change.shelf, page.key(change)
		switch at.kind {
		case keyWindow:
			e := c.refresh(at, at.locate(change.entry, key))
			if change.written = !c.closes(at); change.written { // nothing will change it any more
				c.state(at, e)
			}
		case keyPane:
			panes = append(panes, i)
		case keySession:
			c.moved(at, at.locate(change.entry, key), key, page.before(change))
		}
	}
	c.hopped(panes)
}

// closes tells whether the watermark has passed a window.
func (c *committing) closes(at *shelf) bool {
	return at.series.def.closedAt(at.series.end(at.start)) <= c.next.watermark
}

// refresh writes the insight of a group of a window that has changed, unless that has to wait until the window is closed.
// It returns the entry.
func (c *committing) refresh(at *shelf, e entry) entry {
	s, closed := at.series, c.closes(at)
	if closed && s.judged(at.start) || !closed && !s.def.Final {
		return c.insightOf(at, e, at.start, s.end(at.start), e.key(), c.measuresOf(at, e), closed)
	}
	return e
}

// measuresOf are the measures of a group in a window: what stands there, or the union of the panes. They are valid until
// the entry changes, or the next union.
func (c *committing) measuresOf(at *shelf, e entry) []byte {
	if at.series.hopping() {
		return c.unite(at.series, at.start, e.key())
	}
	return known(e.value()).measures
}

// insightOf writes an insight and counts it in the entry that it is of, which it returns.
func (c *committing) insightOf(at *shelf, e entry, start, end int64, group, measures []byte, final bool) entry {
	v := known(e.value())
	c.did.Updates, c.did.Finals, c.did.Revised = c.did.Updates+btoi(!final), c.did.Finals+btoi(final), c.did.Revised+btoi(final && v.closed)
	v.revision++
	v.final, v.closed, v.shown = final, v.closed || final, true
	c.insight = c.describe(c.insight[:0], at, start, end, group, measures, &v)
	c.key = c.address(at.address(c.key[:0], start, end), group)
	c.publish(c.key, c.insight)
	c.value = v.append(c.value[:0])
	return c.journal.setAt(at, e, 0, e.key(), c.value)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// letters writes what came too late for everything.
func (c *committing) letters() {
	c.did.Expired = len(c.expired)
	for i := range c.expired {
		c.insight = c.expired[i].document(c.insight[:0])
		c.out.Expired(c.insight)
		c.did.Records++
	}
	c.expired = nil
}

// states writes to the changelog what has changed and is not written yet.
func (c *committing) states() {
	page := &c.journal.open
	for i := range page.changes {
		change := &page.changes[i]
		at, key := change.shelf, page.key(change)
		if at.kind == 0 || change.written {
			continue
		}
		if e := at.locate(change.entry, key); e != nil {
			c.state(at, e)
		} else if change.had { // otherwise it came and went
			c.key = append(at.appendKey(c.key[:0]), key...)
			c.write(c.key, nil)
		}
	}
}

// state writes an entry to the changelog.
func (c *committing) state(at *shelf, e entry) {
	c.key = append(at.appendKey(c.key[:0]), e.key()...)
	c.write(c.key, e.value())
}

// definitions writes those that the changelog does not have yet.
func (c *committing) definitions() {
	for _, s := range c.order {
		if s.changed {
			s.changed, s.sealed = false, true
			c.key, c.value = appendDefinitionKey(c.key[:0], s.def.id), s.def.record(c.value[:0])
			c.write(c.key, c.value)
		}
	}
}
