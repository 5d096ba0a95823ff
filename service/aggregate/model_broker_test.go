package aggregate

import (
	"errors"
	"maps"
	"slices"
)

// The model's Kafka: what is true of transactions and groups, and no more. One call is one moment. What a broker does by
// itself and when it likes - the markers of transactions that have ended, above all - the world calls for.

// The topics of the model.
type topic byte

const (
	sourceTopic topic = iota
	partialsTopic
	changelogTopic
	insightsTopic
	replayTopic
)

var topicNames = [...]string{"source", "partials", "changelog", "insights", "replays"}

// place is a partition of a topic.
type place struct {
	topic  topic
	number int32
}

// position is a committed offset and its metadata.
type position struct {
	offset    int64
	watermark int64 // of a source partition
	idle      bool
	sequence  int64 // of a partials partition
}

// What a broker answers.
var (
	errFenced = errors.New("a newer producer has this transactional id")
	errRejoin = errors.New("the group has moved on")
	errLost   = errors.New("no answer: nobody knows")
)

// entry of a log. A marker takes an offset too.
type logEntry struct {
	offset     int64
	txn        *transaction
	marker     bool
	key, value []byte
}

// txLog is a partition that transactions write to.
type txLog struct {
	place
	entries []logEntry // ascending offsets, with holes where compaction was
	end     int64      // the high watermark: there is one replica
	open    []opened   // transactions without a marker here, by their first offset
}

type opened struct {
	txn   *transaction
	first int64
}

// stable is the last stable offset: readers under read committed get no further.
func (l *txLog) stable() int64 {
	if len(l.open) > 0 {
		return l.open[0].first
	}
	return l.end
}

func (l *txLog) append(t *transaction, key, value []byte) {
	if !slices.ContainsFunc(l.open, func(o opened) bool { return o.txn == t }) {
		l.open = append(l.open, opened{t, l.end})
		t.logs = append(t.logs, l)
	}
	l.entries = append(l.entries, logEntry{offset: l.end, txn: t, key: key, value: value})
	l.end++
}

// mark is the arrival of a transaction's marker.
func (l *txLog) mark(t *transaction) {
	l.open = slices.DeleteFunc(l.open, func(o opened) bool { return o.txn == t })
	l.entries = append(l.entries, logEntry{offset: l.end, txn: t, marker: true})
	l.end++
}

// read shows committed records from an offset on, most of them, and returns where to go on.
func (l *txLog) read(from int64, most int, see func(e *logEntry)) (next int64) {
	stable := l.stable()
	i, _ := slices.BinarySearchFunc(l.entries, from, func(e logEntry, at int64) int { return int(e.offset - at) })
	for ; i < len(l.entries) && l.entries[i].offset < stable; i++ {
		e := &l.entries[i]
		if !e.marker && e.txn.commit {
			if most == 0 {
				return e.offset
			}
			most--
			see(e)
		}
	}
	return max(from, stable)
}

// compact keeps the last committed record of each key, and everything that is not stable.
func (l *txLog) compact() {
	stable := l.stable()
	last := map[string]int64{}
	for i := range l.entries {
		if e := &l.entries[i]; e.offset < stable && !e.marker && e.txn.commit {
			last[string(e.key)] = e.offset
		}
	}
	l.entries = slices.DeleteFunc(l.entries, func(e logEntry) bool {
		if e.offset >= stable || e.marker {
			return false
		}
		at, known := last[string(e.key)]
		return !e.txn.commit || !known || at != e.offset || e.value == nil
	})
}

// transaction is one, from its beginning to its last marker.
type transaction struct {
	number  int
	owner   *instance
	decided bool // EndTxn was answered, or might have been
	commit  bool
	done    bool // all markers are written
	written []pending
	logs    []*txLog           // that it wrote to, and have no marker yet once it is decided
	offsets map[place]position // that it commits, until the offsets' marker
}

// producer is what the transaction coordinator knows of a transactional id.
type producer struct {
	epoch int
	txn   *transaction // the latest
}

// coordinator is that of transactions.
type coordinator struct {
	group     *group
	producers map[string]*producer
	count     int
	ending    []*transaction // decided, with markers to be written
}

func (c *coordinator) producer(id string) *producer {
	if c.producers[id] == nil {
		c.producers[id] = &producer{}
	}
	return c.producers[id]
}

// init is InitProducerID. It fences whoever has the id, aborts what is open, and is to be called again until that is done.
func (c *coordinator) init(id string) (epoch int, ok bool) {
	p := c.producer(id)
	if t := p.txn; t != nil && !t.done {
		if !t.decided {
			c.abort(p)
		}
		return 0, false
	}
	p.epoch++
	return p.epoch, true
}

// abort is the coordinator's own decision; it fences.
func (c *coordinator) abort(p *producer) {
	p.epoch++
	c.decide(p.txn, false)
}

func (c *coordinator) decide(t *transaction, commit bool) {
	t.decided, t.commit = true, commit
	if t.done = t.markers() == 0; t.done {
		return
	}
	c.ending = append(c.ending, t)
}

// begin opens a transaction; ok is false while the last one has no markers everywhere.
func (c *coordinator) begin(i *instance) (ok bool, err error) {
	p := c.producer(i.id)
	if p.epoch != i.epoch {
		return false, errFenced
	}
	if p.txn != nil && !p.txn.done {
		return false, nil
	}
	c.count++
	p.txn = &transaction{number: c.count, owner: i, offsets: map[place]position{}}
	return true, nil
}

// current is the open transaction of an instance.
func (c *coordinator) current(i *instance) (*transaction, error) {
	p := c.producer(i.id)
	if p.epoch != i.epoch || p.txn == nil || p.txn.decided {
		return nil, errFenced
	}
	return p.txn, nil
}

// addOffsets is TxnOffsetCommit.
func (c *coordinator) addOffsets(i *instance, offsets map[place]position) error {
	t, err := c.current(i)
	if err != nil {
		return err
	}
	if !c.group.has(i) {
		return errRejoin
	}
	maps.Copy(t.offsets, offsets)
	c.group.pending = append(c.group.pending, t)
	return nil
}

// end is EndTxn: from now on it is so, though no partition knows.
func (c *coordinator) end(i *instance, commit bool) (*transaction, error) {
	t, err := c.current(i)
	if err != nil {
		return nil, err
	}
	c.decide(t, commit)
	return t, nil
}

// marker writes one of a transaction's markers: number n of its partitions, or that of its offsets.
func (c *coordinator) marker(t *transaction, n int) {
	if n < len(t.logs) {
		l := t.logs[n]
		t.logs = slices.Delete(t.logs, n, n+1)
		l.mark(t)
	} else {
		c.group.settle(t)
	}
	if len(t.logs) == 0 && len(t.offsets) == 0 {
		t.done = true
		c.ending = slices.DeleteFunc(c.ending, func(e *transaction) bool { return e == t })
	}
}

// markers is how many a transaction waits for.
func (t *transaction) markers() int {
	n := len(t.logs)
	if len(t.offsets) > 0 {
		n++
	}
	return n
}

// group is the group coordinator.
type group struct {
	generation int
	preparing  bool
	members    map[*instance]int  // of this generation: the generation
	joined     map[*instance]bool // for the next one
	assigned   map[*instance][]place
	committed  map[place]position
	pending    []*transaction // with offsets that have no marker
}

// has tells whether an instance may commit: it is a member, of this generation.
func (g *group) has(i *instance) bool {
	generation, member := g.members[i]
	return member && generation == g.generation && i.generation == g.generation
}

func (g *group) join(i *instance) { g.preparing, g.joined[i] = true, true }

// settle is the arrival of a marker at the offsets.
func (g *group) settle(t *transaction) {
	if t.commit {
		maps.Copy(g.committed, t.offsets)
	}
	clear(t.offsets)
	g.pending = slices.DeleteFunc(g.pending, func(p *transaction) bool { return p == t })
}

// fetch is OffsetFetch with RequireStable: ok is false while transactions are undecided there.
func (g *group) fetch(all []place) (found map[place]position, ok bool) {
	found = map[place]position{}
	for _, at := range all {
		for _, t := range g.pending {
			if _, waits := t.offsets[at]; waits {
				return nil, false
			}
		}
		p, known := g.committed[at]
		if !known {
			p = position{watermark: NoWatermark}
		}
		found[at] = p
	}
	return found, true
}
