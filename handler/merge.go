package handler

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
	"data-stream-engine/service/aggregate"
	"data-stream-engine/utils"
)

// merger merges the partials of the partitions that this instance has, beside everything else: it reads them once per
// EmitInterval, and makes merge commits that ride in the run's next transaction. One merge commit is on its way at a time.
type merger struct {
	*Engine
	partials  Log
	changelog Log
	outbox    Outbox
	processor *service.Processor // for dead letters
	derived   service.Derived
	number    int // of the partials topic in the outbox
	sources   int32

	parts    map[int32]*merging
	restored chan *merging
	done     chan int64 // the merge commit on its way is committed
	work     sync.WaitGroup
	stop     context.CancelFunc

	more  bool  // windows are closed for which the last merge commit had no room
	next  int64 // number of the next merge commit of this run
	mu    sync.Mutex
	ready *merged
	wake  func()
}

// merging is one partition of the partials topic.
type merging struct {
	model.TopicPartition
	state    *aggregate.Partition // of Engine.parts; nil: not restored yet
	position model.Position
	caughtUp bool
	held     error // a record that cannot be read
}

// merged is a merge commit on its way: records in the outbox, positions to be committed with them.
type merged struct {
	number    int64
	outbox    Outbox
	positions map[model.TopicPartition]model.Position
	summaries map[int32]aggregate.Summary
	merger    *merger
}

// newMerger prepares the merger of an assignment. State of partitions that this instance has had before is kept when the
// committed offset says that it is the latest.
func (e *Engine) newMerger(ctx context.Context, own []model.TopicPartition, start model.Start, sources int32) (*merger, error) {
	derived, ok := e.processor.Derived()
	if !ok {
		return nil, nil
	}
	outbox, err := e.writer.NewOutbox(ctx, []model.TopicPartition{{Topic: derived.Partials}})
	if err != nil {
		return nil, err
	}
	m := &merger{Engine: e, partials: e.ports.NewLog(mergingPartials), changelog: e.ports.NewLog(restoring), outbox: outbox, processor: e.processor.Clone(), derived: derived, number: len(e.processor.Topics()), sources: sources,
		parts: map[int32]*merging{}, restored: make(chan *merging), done: make(chan int64, 1), wake: func() {}}
	for _, tp := range own {
		m.parts[tp.Partition] = &merging{TopicPartition: tp, position: start.Positions[tp]}
	}
	for number := range e.parts {
		if m.parts[number] == nil {
			delete(e.parts, number)
			e.watch.DropWindows(number)
		}
	}
	return m, nil
}

// start begins to restore and to merge, until halt.
func (m *merger) start(ctx context.Context) {
	ctx, m.stop = context.WithCancel(ctx)
	var missing []*merging
	for _, number := range slices.Sorted(maps.Keys(m.parts)) {
		p := m.parts[number]
		if state := m.Engine.parts[number]; state != nil && state.Settle(p.position.Note.Sequence) {
			p.state = state
			continue
		}
		delete(m.Engine.parts, number)
		missing = append(missing, p)
	}
	m.watch.Restoring(len(missing))
	m.work.Go(func() { m.restore(ctx, missing) })
	m.work.Go(func() { m.run(ctx) })
}

// halt ends merging. What was merged stays in the engine's state, which the next run holds against what is committed.
func (m *merger) halt() {
	m.stop()
	m.work.Wait()
	m.partials.Close()
	m.changelog.Close()
	for _, p := range m.parts {
		if p.state != nil {
			m.Engine.parts[p.Partition] = p.state
		}
	}
}

// run polls and commits until ctx ends.
func (m *merger) run(ctx context.Context) {
	tick := time.NewTicker(m.cfg.EmitInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-m.restored:
			m.adopt(p)
			continue
		case number := <-m.done:
			m.confirm(number)
			if !m.more && !m.full() {
				continue
			}
		case <-tick.C:
		}
		for again := true; again && ctx.Err() == nil; {
			if err := m.poll(ctx); err != nil {
				m.watch.MergeFailed(err)
				break
			}
			m.commit(time.Now())
			again = m.full() && !m.pending()
		}
	}
}

func (m *merger) adopt(p *merging) {
	m.watch.Restored()
	m.parts[p.Partition] = p
}

// active are the partitions that can be read, in order.
func (m *merger) active() (all []*merging) {
	for _, number := range slices.Sorted(maps.Keys(m.parts)) {
		if p := m.parts[number]; p.state != nil {
			all = append(all, p)
		}
	}
	return all
}

// pending tells that a merge commit is on its way.
func (m *merger) pending() bool {
	return slices.ContainsFunc(m.active(), func(p *merging) bool { return p.state.Pending() })
}

// full tells that so much has changed that it should be written before more is read.
func (m *merger) full() bool {
	changed, bytes := 0, 0
	for _, p := range m.active() {
		changed, bytes = changed+p.state.Changed(), bytes+p.state.ChangedBytes()
	}
	return changed >= m.cfg.CommitMaxRecords || bytes >= m.cfg.CommitMaxBytes
}

// poll reads partials until there are no more, or enough.
func (m *merger) poll(ctx context.Context) error {
	for !m.full() {
		from := map[model.TopicPartition]int64{}
		for _, p := range m.active() {
			from[p.TopicPartition] = p.position.Offset
		}
		if len(from) == 0 {
			return nil
		}
		parts, err := m.partials.Read(ctx, from, 0)
		if err != nil {
			return err
		}
		moved := false
		for i := range parts {
			moved = m.merge(&parts[i]) || moved
		}
		if !moved {
			return nil
		}
	}
	return nil
}

// merge takes what was read of one partition, and tells whether there may be more.
func (m *merger) merge(part *model.LogPart) bool {
	p := m.parts[part.Partition]
	before := p.position.Offset
	p.held = nil
	if part.Lost { // the log has told
		p.position.Offset = part.Next
		return true
	}
	records := part.Open()
	var message model.Message
	for records.Next(&message) {
		if err := p.state.Take(message.Value); err != nil {
			p.held = err
			p.position.Offset = message.Offset
			break
		}
		p.position.Offset = message.Offset + 1
	}
	if p.held == nil {
		if p.held = records.Err(); p.held == nil {
			p.position.Offset = part.Next
		}
	}
	m.watch.Held(p.Partition, p.position.Offset, p.held)
	p.caughtUp = p.held == nil && p.position.Offset >= part.HighWatermark
	return p.held == nil && p.position.Offset > before && p.position.Offset < part.LastStable
}

// commit makes a merge commit of what has changed, unless one is on its way.
func (m *merger) commit(now time.Time) {
	if m.pending() {
		return
	}
	m.more = false
	active := m.active()
	out := &merged{number: m.next, outbox: m.outbox, positions: map[model.TopicPartition]model.Position{}, summaries: map[int32]aggregate.Summary{}, merger: m}
	for _, p := range active {
		tick := aggregate.Tick{Now: now, Sources: m.sources, CaughtUp: p.caughtUp, Budget: m.cfg.CommitMaxRecords / len(active), MaxBytes: m.cfg.CommitMaxBytes / len(active)}
		if !p.state.Needed(tick) {
			continue
		}
		did := p.state.Commit(tick, &ledger{merger: m, partition: p.Partition, now: now})
		out.summaries[p.Partition] = did
		m.more = m.more || did.More
		p.position.Note.Sequence = p.state.Next()
		out.positions[p.TopicPartition] = p.position
	}
	m.watch.Windows(m.states())
	if len(out.positions) == 0 {
		return
	}
	m.next++
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

// committed says that a merge commit has happened. It is called by the committer.
func (d *merged) committed() { d.merger.done <- d.number }

// confirm settles the merge commit that was on its way.
func (m *merger) confirm(int64) {
	for _, p := range m.active() {
		p.state.Confirm()
	}
}

// last makes the merge commit of an assignment that ends: what has been merged need not be merged again by whoever comes
// next. The merger has been halted.
func (m *merger) last() {
	select {
	case number := <-m.done:
		m.confirm(number)
	default:
	}
	m.commit(time.Now())
}

// restore reads the changelogs of partitions, one after the other.
func (m *merger) restore(ctx context.Context, missing []*merging) {
	for _, p := range missing {
		pause := utils.Backoff{Min: time.Second, Max: time.Minute}
		for {
			state, err := m.restoreOne(ctx, p)
			if err == nil {
				p = &merging{TopicPartition: p.TopicPartition, position: p.position, state: state}
				break
			}
			if ctx.Err() != nil {
				return
			}
			m.watch.RestoreFailed(p.Partition, err)
			if pause.Wait(ctx) != nil {
				return
			}
		}
		select {
		case m.restored <- p:
		case <-ctx.Done():
			return
		}
	}
}

var (
	errBehind = errors.New("the changelog ends before the merge commit that the group's offset names: it was truncated or deleted")
	errAhead  = errors.New("the changelog is ahead of the group's offset, which was moved back, or has expired")
)

// restoreOne reads the changelog of a partition to its end.
func (m *merger) restoreOne(ctx context.Context, p *merging) (*aggregate.Partition, error) {
	began := time.Now()
	state := aggregate.NewPartition(p.Partition, m.outbox.Partitions(m.number))
	changelog := model.TopicPartition{Topic: m.derived.Changelog, Partition: p.Partition}
	records, bytes := 0, 0
	err := m.changelog.Restore(ctx, changelog, func(message *model.Message) error {
		records++
		bytes += len(message.Key) + len(message.Value)
		return state.Restore(message.Key, message.Value)
	}, m.watch.RestoreProgress(p.Partition))
	if err == nil {
		err = state.Restored()
	}
	if err != nil {
		return nil, err
	}
	have, want := state.Sequence(), p.position.Note.Sequence
	if have < want {
		err = errBehind
	} else if have > want && m.cfg.ExactlyOnce { // without transactions one may have been written without the other
		err = errAhead
	}
	if err != nil {
		return nil, &model.Error{Class: model.DataLost, Op: "restore", Subject: changelog.Topic, Err: err, Hint: "set another KAFKA_GROUP_ID to start afresh from the source"}
	}
	m.watch.RestoredOne(p.Partition, state.Groups(), records, bytes, time.Since(began))
	return state, nil
}

// ledger writes a merge commit of one partition to the outbox.
type ledger struct {
	*merger
	partition int32
	now       time.Time
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
	m := model.Message{Timestamp: l.now.UnixMilli()}
	dst := l.outbox.Open(topic, partition, &m, key, len(value))
	if value == nil {
		l.outbox.Close(nil, nil)
		return
	}
	l.outbox.Close(append(dst, value...), nil)
}
