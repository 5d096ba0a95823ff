package handler

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
	"data-stream-engine/service/aggregate"
)

// merger merges the partials of the partitions that this instance has, beside everything else: it reads them once per
// EmitInterval, and makes merge commits that ride in the run's next transaction. One merge commit is on its way at a time.
//
// Its own goroutine has everything but what mu guards and the reader of changelogs; the run has the outbox from when it
// takes a merge commit until that is committed, and everything once the merger is halted.
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
	done     chan struct{} // the merge commit on its way is committed
	work     sync.WaitGroup
	stop     context.CancelFunc

	next handful // of partials

	more   bool // windows are closed for which the last merge commit had no room
	behind bool // there was no room for all partials

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
	letters  int // partials that had expired by the last merge commit
}

// changed is how much has changed since the last merge commit: groups, and partials that came too late for one.
func (p *merging) changed() int { return p.state.Changed() + p.state.Counts().Expired - p.letters }

// merged is a merge commit on its way: records in the outbox, positions to be committed with them.
type merged struct {
	merger    *merger
	outbox    Outbox
	positions map[model.TopicPartition]model.Position
	summaries map[int32]aggregate.Summary
	records   int
	tally     model.Tally
}

// newMerger prepares the merger of an assignment. State of partitions that this instance has had before is kept when the
// committed offset says that it is the latest.
func (e *Engine) newMerger(ctx context.Context, own []model.TopicPartition, start model.Start, sources int32) (*merger, error) {
	derived, ok := e.processor.Derived()
	if !ok {
		return nil, nil
	}
	outbox, err := e.writer.NewOutbox(ctx, writtenBy(e.processor), own)
	if err != nil {
		return nil, err
	}
	m := &merger{Engine: e, partials: e.ports.NewLog(mergingPartials), changelog: e.ports.NewLog(restoring), outbox: outbox, processor: e.processor.Clone(), derived: derived, number: len(e.processor.Topics()), sources: sources,
		parts: map[int32]*merging{}, restored: make(chan *merging), done: make(chan struct{}, 1), wake: func() {}}
	for _, tp := range own {
		m.parts[tp.Partition] = &merging{TopicPartition: tp, position: start.Positions[tp]}
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
			p.state, p.letters = state, state.Counts().Expired
			continue
		}
		m.forget(number)
		missing = append(missing, p)
	}
	m.watch.Restoring(numbers(missing)...)
	m.work.Go(func() { m.restore(ctx, missing) })
	m.work.Go(func() { m.run(ctx) })
}

func numbers(parts []*merging) (list []int32) {
	for _, p := range parts {
		list = append(list, p.Partition)
	}
	return list
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
		case <-m.done:
			m.confirm()
			if !m.more && !m.behind {
				continue
			}
		case <-tick.C:
		}
		for again := true; again && ctx.Err() == nil; {
			err := m.poll(ctx)
			if ctx.Err() != nil {
				return
			}
			if m.watch.Polled(err); err != nil {
				break
			}
			m.commit(time.Now())
			again = m.full() && !m.pending()
		}
	}
}

func (m *merger) adopt(p *merging) {
	m.watch.Restored(p.Partition)
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
	records, bytes := m.room()
	return records <= 0 || bytes <= 0
}

// mergeGroups is how many groups a merge commit may write at most. Each has two records, which lie in memory until the
// transaction has been produced, beside what is needed to undo it.
const mergeGroups = 25_000

// most is that, or less while transactions take too long.
func (m *merger) most() int { return min(m.limit.get(), mergeGroups) }

// room is how many more groups may change before that, and how many bytes they may have.
func (m *merger) room() (records, bytes int) {
	records, bytes = m.most(), m.cfg.CommitMaxBytes
	for _, p := range m.active() {
		records, bytes = records-p.changed(), bytes-p.state.ChangedBytes()
	}
	return records, bytes
}

// poll reads partials until there are no more, or enough. Only an answer of this time says that a partition is read to its
// end.
func (m *merger) poll(ctx context.Context) error {
	for _, p := range m.active() {
		p.caughtUp = false
	}
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
			m.behind = false
			return nil
		}
	}
	m.behind = true
	return nil
}

// merge takes what was read of one partition, as far as there is room for what it changes, and tells whether there may be
// more.
func (m *merger) merge(part *model.LogPart) bool {
	p := m.parts[part.Partition]
	if part.Lost { // the log has told
		p.position.Offset = part.Next
		return true
	}
	before := p.position.Offset
	records := part.Open()
	more, err := m.takeAll(p, records)
	if err == nil && !more {
		if err = records.Err(); err == nil {
			p.position.Offset = part.Next
		}
	}
	m.watch.Held(p.Partition, p.position.Offset, err)
	p.caughtUp = err == nil && p.position.Offset >= part.HighWatermark
	return err == nil && p.position.Offset > before && p.position.Offset < part.LastStable
}

// takeAll merges records until they end, there is no more room, or one cannot be read.
func (m *merger) takeAll(p *merging, records model.Records) (more bool, err error) {
	most, bytes := m.room()
	most, bytes = most+p.changed(), bytes+p.state.ChangedBytes()
	for m.next.read(records) {
		p.state.Expect(m.next.values)
		for i, value := range m.next.values {
			if p.changed() >= most || p.state.ChangedBytes() >= bytes {
				return true, nil
			}
			if err := p.state.Take(value); err != nil {
				p.position.Offset = m.next.offsets[i]
				return false, err
			}
			p.position.Offset = m.next.offsets[i] + 1
		}
	}
	return false, nil
}
