package aggregate

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// Partition is the state of one partition of the partials topic, and what is done with it: partials are merged (Take),
// windows that the watermark has passed are closed and written (Commit). What is not known to be committed can be undone
// (Settle). It is for one goroutine.
type Partition struct {
	number int32
	count  int32 // of partitions, that share max_groups
	author int64 // see nextSequence

	series  map[ID]*series
	order   []*series
	meta    meta
	journal journal
	sealed  *meta // of a merge commit on its way: meta is that of the one before
	ahead   map[int32]Progress
	expired []expired
	counts  Counts
	idle    idleness
	fetched byte // of what was read ahead, so that it is read: see ahead.go

	scratch, merged, line []byte
	apart, within         []interval
	buffers
}

// meta is what the changelog keeps of a partition as a whole.
type meta struct {
	watermark int64
	sequence  int64 // of the merge commit that wrote it
	inexact   bool  // somebody moved offsets: events may have counted twice
	sources   map[int32]Progress
	horizons  map[ID]int64
}

// horizon is the end up to which windows and sessions of a series are gone: nothing that counts in them is taken any more,
// or a window that was whole would be written over by a part of it. A definition with another grace or retention moves it
// on, never back.
func (m *meta) horizon(s *series) int64 {
	if at, known := m.horizons[s.def.id]; known {
		return at
	}
	return NoWatermark
}

// expired is a partial that came when nothing of its window is kept any more, or, if it is a pane, of the first windows
// that it is part of. start and end are those of what has missed it.
type expired struct {
	series     *series
	start, end int64
	group      []byte
	measures   []byte
}

// Counts are events in the life of a partition, since it was made. What is merged again, after a transaction that was given
// up, is counted again.
type Counts struct {
	Partials, Expired, Overlaps, Overflowed int
}

// NewPartition is an empty partition, one of count.
func NewPartition(number, count int32) *Partition {
	return &Partition{
		number: number, count: max(count, 1), author: rand.Int64N(1 << authorBits),
		series: map[ID]*series{}, journal: journal{generation: 1}, // entries that were restored have 0
		meta: meta{watermark: NoWatermark, sources: map[int32]Progress{}, horizons: map[ID]int64{}}, ahead: map[int32]Progress{},
	}
}

// authorBits are the lower bits of a sequence: they tell whose it is. An instance that stood still may have made a merge
// commit of which it does not know what became, while another one took over, and committed one of the same number. Then
// the state here is not what is committed.
const authorBits = 24

// Behind tells whether a sequence is that of an earlier merge commit than another, whoever has made the two.
func Behind(sequence, other int64) bool { return sequence>>authorBits < other>>authorBits }

// nextSequence is that of the next merge commit.
func (p *Partition) nextSequence() int64 {
	return (p.current().sequence>>authorBits+1)<<authorBits | p.author
}

// Sequence names the last merge commit that is known to have happened, 0 before the first. That of a later one is higher.
func (p *Partition) Sequence() int64 { return p.meta.sequence }

// Next names the merge commit on its way.
func (p *Partition) Next() int64 { return p.current().sequence }

// Watermark is W as of the last merge commit, NoWatermark before there is one.
func (p *Partition) Watermark() int64 { return p.current().watermark }

// Exact is false once somebody moved the offsets of a source partition back: its events may have counted twice.
func (p *Partition) Exact() bool { return !p.current().inexact }

// Counts are what happened so far.
func (p *Partition) Counts() Counts { return p.counts }

func (p *Partition) current() *meta {
	if p.sealed != nil {
		return p.sealed
	}
	return &p.meta
}

// Pending tells that a merge commit is on its way: there can be no other one before Settle.
func (p *Partition) Pending() bool { return p.sealed != nil }

// Changed is how many groups have changed since the last merge commit: what the next one has to write.
func (p *Partition) Changed() int { return len(p.journal.open.changes) }

// ChangedBytes is about how much memory it takes to undo that.
func (p *Partition) ChangedBytes() int { return len(p.journal.open.bytes) }

// Groups is how many groups there are, over all windows that are kept.
func (p *Partition) Groups() (n int) {
	for _, s := range p.order {
		n += s.sessions.len()
		for _, w := range s.windows.ordered {
			n += w.len()
		}
	}
	return n
}

// Open is how many windows are open.
func (p *Partition) Open() (n int) {
	w := p.current().watermark
	for _, s := range p.order {
		for _, at := range s.windows.ordered {
			if s.def.closedAt(s.end(at.start)) > w {
				n++
			}
		}
		n += s.sessions.len()
	}
	return n
}

// Bytes is about what the state takes in memory.
func (p *Partition) Bytes() (n int) {
	for _, s := range p.order {
		n += s.index.bytes()
		for _, shelf := range s.shelves() {
			n += shelf.bytes()
		}
	}
	return n
}

// Unreadable is a record that this version cannot read. Nothing behind it may be read before it: the partition waits.
type Unreadable struct{ Err error }

func (u *Unreadable) Error() string {
	return "a record of the partials topic cannot be read: " + u.Err.Error()
}

func (u *Unreadable) Unwrap() error { return u.Err }

// Take merges one record of the partials topic. The error is an *Unreadable, after which nothing has changed.
func (p *Partition) Take(record []byte) error {
	if len(record) < 2 || record[0] != format {
		return &Unreadable{fmt.Errorf("its format is unknown to this version: % x", record[:min(len(record), 8)])}
	}
	rest := record[2:]
	var err error
	switch record[1] {
	case kindDefinition:
		err = p.define(rest)
	case kindPartial, kindSession:
		err = p.partial(rest, record[1] == kindSession)
	case kindProgress:
		err = p.progress(rest)
	default:
		err = fmt.Errorf("its kind is unknown to this version: %q", record[1])
	}
	if err != nil {
		return &Unreadable{err}
	}
	return nil
}

func (p *Partition) define(text []byte) error {
	d, err := parseDefinition(text)
	if err != nil {
		return err
	}
	s := p.series[d.id]
	if s == nil {
		s = newSeries(d)
		if err := s.define(d); err != nil {
			return err
		}
		p.add(s)
		return nil
	}
	return s.define(d)
}

func (p *Partition) add(s *series) {
	p.series[s.def.id] = s
	p.order = append(p.order, s)
}

// progress notes how far source partitions have been read. What is read twice counted twice.
func (p *Partition) progress(rest []byte) error {
	d := decoder{rest: rest}
	var all []Progress
	for len(d.rest) > 0 {
		var q Progress
		q.read(&d)
		all = append(all, q)
	}
	if d.bad {
		return errCut
	}
	for _, q := range all {
		before, heard := p.source(q.Partition)
		if heard && before.Epoch == q.Epoch {
			if q.From < before.To {
				p.counts.Overlaps++
				p.ahead[inexactly] = Progress{}
			}
			q.Watermark = max(q.Watermark, before.Watermark)
		}
		p.ahead[q.Partition] = q
	}
	return nil
}

// inexactly is where ahead notes an overlap; no partition has this number.
const inexactly = -1

// source is what is known of a source partition, with what the next merge commit will say.
func (p *Partition) source(q int32) (Progress, bool) {
	if found, ok := p.ahead[q]; ok {
		return found, true
	}
	found, ok := p.current().sources[q]
	return found, ok
}

// partial merges one partial.
func (p *Partition) partial(rest []byte, session bool) error {
	t, err := parsePartial(rest, session)
	if err != nil {
		return err
	}
	s := p.series[t.id]
	if s == nil {
		return fmt.Errorf("a partial of definition %s, which was not sent before it", t.id)
	}
	if session != s.def.session() {
		return errCut
	}
	if err := s.functions.check(t.measures); err != nil {
		return err
	}
	if !session && floor(t.first, s.def.panes) != t.first {
		return errors.New("a pane that does not start where panes start")
	}
	p.counts.Partials++
	if session {
		p.joinSession(s, &t)
	} else {
		p.joinPane(s, &t)
	}
	return nil
}

// joinPane adds a partial to its pane, which is the window itself when windows lie side by side.
func (p *Partition) joinPane(s *series, t *partial) {
	gone := p.current().horizon(s)
	if first := s.firstWindowOf(t.first); s.end(first) <= gone {
		last := min(floor(gone-s.def.Window.Size, s.def.Window.Every), s.lastWindowOf(t.first))
		p.expire(s, first, s.end(last), t)
		if last == s.lastWindowOf(t.first) {
			return
		}
	}
	if s.hopping() {
		p.join(s.panes.at(s, t.first), t)
	} else {
		p.join(s.windows.at(s, t.first), t)
	}
}

// join adds a partial to its group on a shelf.
func (p *Partition) join(at *shelf, t *partial) {
	s := at.series
	key, e, hash := at.keyFor(t.group, p.groupsOf(s))
	if string(key) == other {
		p.counts.Overflowed++
	}
	v, measures := value{}, t.measures
	if e != nil {
		v = known(e.value())
		p.merged, p.scratch = s.functions.merge(p.merged[:0], v.measures, t.measures, p.scratch)
		measures = p.merged
	}
	v.final = false
	p.line = append(v.appendHead(p.line[:0]), measures...)
	p.journal.setAt(at, e, hash, key, p.line)
}

// groupsOf is this partition's share of max_groups: groups are spread evenly by their hash.
func (p *Partition) groupsOf(s *series) int {
	return (s.def.MaxGroups + int(p.count) - 1) / int(p.count)
}

func (p *Partition) expire(s *series, start, end int64, t *partial) {
	p.counts.Expired++
	p.expired = append(p.expired, expired{series: s, start: start, end: end, group: slices.Clone(t.group), measures: slices.Clone(t.measures)})
}

// Settle tells which merge commit the group's committed offset names, and goes back to it. Known is false when the state
// has neither that one nor the one on its way: then it has to be restored.
func (p *Partition) Settle(sequence int64) (known bool) {
	switch {
	case p.sealed != nil && p.sealed.sequence == sequence:
		p.Confirm()
		p.journal.rollback()
	case p.meta.sequence == sequence:
		p.journal.rollback()
	default:
		return false
	}
	p.sealed, p.expired, p.idle = nil, nil, idleness{}
	clear(p.ahead)
	for _, s := range p.order {
		s.changed, s.sealed, s.deadline = s.changed || s.sealed, false, NoWatermark
	}
	return true
}

// Confirm says that the merge commit on its way has happened.
func (p *Partition) Confirm() {
	if p.sealed == nil {
		return
	}
	p.journal.confirm()
	p.meta, p.sealed = *p.sealed, nil
	for _, s := range p.order {
		s.sealed = false
	}
}

// advance moves W: see idleness. It returns the new watermark, which never goes back.
func (p *Partition) advance(now time.Time, sources int32, caughtUp bool) int64 {
	all := maps.Clone(p.current().sources)
	maps.Copy(all, p.ahead)
	before := p.current().watermark
	return max(before, p.idle.watermark(before, all, sources, now, caughtUp))
}
