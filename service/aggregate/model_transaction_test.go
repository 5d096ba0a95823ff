package aggregate

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// modelMerge is a merge commit.
type modelMerge struct {
	written
	positions map[place]position
}

// written are records for logs of one kind.
type written struct{ records []pending }

type pending struct {
	place
	key, value []byte
}

// modelBatch is a transaction that has been closed.
type modelBatch struct {
	steps   []pending // in the order of producing; consecutive ones of a partition go in one step
	offsets map[place]position
	merge   *modelMerge
	begun   bool
	added   bool
}

// modelWriter takes what a merge commit writes.
type modelWriter struct {
	*written
	number int32
}

func (w *modelWriter) put(t topic, key, value []byte) {
	w.records = append(w.records, pending{place{t, w.number}, bytes.Clone(key), bytes.Clone(value)})
}

func (w *modelWriter) Changelog(key, value []byte) { w.put(changelogTopic, key, value) }
func (w *modelWriter) Insight(key, value []byte)   { w.put(insightsTopic, key, value) }
func (w *modelWriter) Expired(document []byte)     { w.put(insightsTopic, nil, document) }

// close ends the collecting for a transaction, and hands it over.
func (i *instance) close() {
	r := i.run
	if len(r.queue) > 1 || len(r.moved)+len(r.replayed) == 0 && !r.announcer.Due(i.now) && r.ready == nil {
		return
	}
	b := &modelBatch{offsets: map[place]position{}}
	if b.merge = r.ready; b.merge != nil {
		r.ready = nil
		b.steps = slices.Clone(b.merge.records)
		maps.Copy(b.offsets, b.merge.positions)
	}
	flush := func(write func(int32, []byte)) {
		for _, c := range r.combiners {
			c.Flush(int32(len(i.partials)), write)
		}
	}
	var partials []pending
	said := r.announcer.Close(i.now, flush, func(number int32, record []byte) {
		partials = append(partials, pending{place{partialsTopic, number}, nil, bytes.Clone(record)})
	})
	slices.SortStableFunc(partials, func(a, b pending) int { return int(a.number - b.number) })
	b.steps = append(b.steps, partials...)
	for _, s := range r.order {
		if said || r.moved[s.Partition] {
			b.offsets[place{sourceTopic, s.Partition}] = position{offset: s.Position, watermark: s.Watermark, idle: s.Idle}
		}
	}
	for number := range r.replayed {
		b.offsets[place{replayTopic, number}] = position{offset: r.replays[number], watermark: NoWatermark}
	}
	clear(r.moved)
	clear(r.replayed)
	r.queue = append(r.queue, b)
	i.say("%s closes a transaction: %d records, offsets %v", i, len(b.steps), sortedOffsets(b.offsets))
}

// transact does the next thing of the transaction under way.
func (i *instance) transact() {
	if len(i.run.queue) == 0 {
		return
	}
	err := i.advance(i.run.queue[0])
	if err == nil && !i.healing && i.rng.IntN(1000) < i.profile.faults {
		err = errLost
	}
	if err != nil {
		i.failed(err)
	}
}

func (i *instance) advance(b *modelBatch) error {
	if !b.begun {
		ok, err := i.coordinator.begin(i)
		b.begun = ok
		return err
	}
	t, err := i.coordinator.current(i)
	if err != nil {
		return err
	}
	if len(b.steps) > 0 {
		at := b.steps[0].place
		n := 0
		for ; n < len(b.steps) && b.steps[n].place == at; n++ {
			i.logs(at).append(t, b.steps[n].key, b.steps[n].value)
		}
		t.written = append(t.written, b.steps[:n]...)
		b.steps = b.steps[n:]
		return nil
	}
	if !b.added {
		b.added = true
		return i.coordinator.addOffsets(i, b.offsets)
	}
	if !i.healing && i.rng.IntN(1000) < i.profile.faults {
		return errLost // and the request was, too
	}
	if t, err = i.coordinator.end(i, true); err != nil {
		return err
	}
	i.say("%s commits transaction %d", i, t.number)
	i.judge.committed(t)
	if !i.healing && i.rng.IntN(1000) < i.profile.faults {
		return errLost // the answer alone
	}
	r := i.run
	r.queue = r.queue[1:]
	if b.merge != nil && i.phase == working { // an assignment that ends leaves that to Settle
		r.on = nil
		for _, number := range r.parts {
			if m := r.merging[number]; m != nil {
				m.state.Confirm()
			}
		}
	}
	return nil
}

// restore goes on with reading a changelog.
func (i *instance) restore() {
	r := i.run
	if len(r.missing) == 0 {
		return
	}
	m := r.missing[0]
	l := i.changelog[m.number]
	if !m.begun {
		m.begun, m.end, m.state = true, l.end, i.partition(m.number)
		i.restoring[m.number]++
		return
	}
	if m.at < m.end {
		most := 1 << 30
		if !i.healing {
			most = 1 + i.rng.IntN(40)
		}
		m.at = l.read(m.at, most, func(e *logEntry) { i.must(m.state.Restore(e.key, e.value)) })
		return
	}
	i.restoring[m.number]--
	i.must(m.state.Restored())
	i.happened["states restored"]++
	i.say("%s has restored %d as of merge commit %d", i, m.number, m.state.Sequence())
	if m.state.Sequence() != m.position.sequence {
		if m.state.Sequence() < m.position.sequence || i.group.has(i) {
			i.must(fmt.Errorf("%s has restored merge commit %d of %d, but the offset is of %d", i, m.state.Sequence(), m.number, m.position.sequence))
		}
		i.failed(errRejoin) // it is not its partition any more
		return
	}
	r.missing = r.missing[1:]
	r.merging[m.number] = &modelMerging{state: m.state, position: m.position}
}
