package handler

import (
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

// commit makes a merge commit of what has changed, unless one is on its way.
func (m *merger) commit(now time.Time) {
	if m.pending() {
		return
	}
	m.more = false
	active := m.active()
	out := &merged{merger: m, outbox: m.outbox, positions: map[model.TopicPartition]model.Position{}, summaries: map[int32]aggregate.Summary{}}
	for _, p := range active {
		tick := aggregate.Tick{Now: now, Sources: m.sources, CaughtUp: p.caughtUp, Budget: m.most() / len(active), MaxBytes: m.cfg.CommitMaxBytes / len(active)}
		if !p.state.Needed(tick) {
			continue
		}
		did := p.state.Commit(tick, &ledger{merger: m, partition: p.Partition, now: now, message: model.Message{Timestamp: now.UnixMilli()}})
		out.summaries[p.Partition] = did
		p.letters = p.state.Counts().Expired
		out.records += did.Records
		m.more = m.more || did.More
		p.position.Note.Sequence = p.state.Next()
		out.positions[p.TopicPartition] = p.position
	}
	m.processor.TakeTally(&out.tally)
	m.watch.Windows(m.states())
	if len(out.positions) == 0 {
		return
	}
	m.mu.Lock()
	m.ready = out
	wake := m.wake
	m.mu.Unlock()
	wake()
}

// states are the partitions that are merged, for whoever watches.
func (m *merger) states() map[int32]*aggregate.Partition {
	all := map[int32]*aggregate.Partition{}
	for _, p := range m.active() {
		all[p.Partition] = p.state
	}
	return all
}

// take is the merge commit that is ready, if any, for the transaction that is about to be committed.
func (m *merger) take() *merged {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.ready
	m.ready = nil
	return out
}

// onReady has f called when a merge commit is ready, at once if one is. It is called once more with something else or
// with nothing when f is of no use any more.
func (m *merger) onReady(f func()) {
	m.mu.Lock()
	m.wake = f
	ready := m.ready != nil
	m.mu.Unlock()
	if ready {
		f()
	}
}

func (m *merger) isReady() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ready != nil
}

// size is how many records a merge commit has; nil has none.
func (d *merged) size() int {
	if d == nil {
		return 0
	}
	return d.records
}

// committed says that a merge commit has happened. It is called by the committer.
func (d *merged) committed() { d.merger.done <- struct{}{} }

// confirm settles the merge commit that was on its way.
func (m *merger) confirm() {
	for _, p := range m.active() {
		p.state.Confirm()
	}
}

// last makes the merge commit of an assignment that ends: what has been merged need not be merged again by whoever comes
// next. The merger has been halted.
func (m *merger) last() {
	select {
	case <-m.done:
		m.confirm()
	default:
	}
	m.commit(time.Now())
}

// ledger writes a merge commit of one partition to the outbox.
type ledger struct {
	*merger
	partition int32
	now       time.Time
	message   model.Message // that records take their time from; one for all, since each would be an allocation
}

// Changelog implements aggregate.Writer.
func (l *ledger) Changelog(key, value []byte) { l.put(l.number+1, l.partition, key, value) }

// Insight implements aggregate.Writer. One partition of the partials topic writes to one of the insights, so that the
// insights of a window keep their order.
func (l *ledger) Insight(key, value []byte) {
	l.put(l.number+2, l.partition%l.outbox.Partitions(l.number+2), key, value)
}

// Expired implements aggregate.Writer.
func (l *ledger) Expired(document []byte) {
	l.processor.DeadPartial(l.outbox, l.partition, document, l.now)
}

func (l *ledger) put(topic int, partition int32, key, value []byte) {
	dst := l.outbox.Open(topic, partition, &l.message, key, len(value))
	if value == nil {
		l.outbox.Close(nil, nil)
		return
	}
	l.outbox.Close(append(dst, value...), nil)
}
