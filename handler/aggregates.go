package handler

import (
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

// windows is what a run does for aggregates: it knows how far each source partition has come in event time, and closes
// the partials of each transaction with that.
type windows struct {
	sources   map[model.TopicPartition]*aggregate.Source
	announcer *aggregate.Announcer
	outbox    Outbox
	topic     int // of the partials in the outbox
	merger    *merger
	looked    time.Time                          // when it was last checked which partitions are idle
	atEnd     map[model.TopicPartition]time.Time // when they were last known to have nothing more to read
}

// newWindows prepares aggregates for an assignment; nil when the pipeline has none.
func (e *Engine) newWindows(ctx context.Context, source, partials []model.TopicPartition, start model.Start) (*windows, error) {
	if _, ok := e.processor.Derived(); !ok {
		return nil, nil
	}
	count, err := e.ports.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	outbox, err := e.writer.NewOutbox(ctx, writtenBy(e.processor), source)
	if err != nil {
		return nil, err
	}
	w := &windows{sources: map[model.TopicPartition]*aggregate.Source{}, outbox: outbox, topic: len(e.processor.Topics()), atEnd: map[model.TopicPartition]time.Time{}}
	var all []*aggregate.Source
	for _, tp := range source {
		at := start.Positions[tp]
		s := &aggregate.Source{Partition: tp.Partition, Epoch: epochOf(at.Note.TopicID), Watermark: at.Note.Watermark, Idle: at.Note.Idle, Position: at.Offset}
		w.sources[tp], w.atEnd[tp], all = s, time.Now(), append(all, s)
	}
	w.announcer = aggregate.NewAnnouncer(e.processor.Definitions(), all, outbox.Partitions(w.topic), e.cfg.EmitInterval, e.cfg.IdleTimeout, time.Now())
	w.merger, err = e.newMerger(ctx, partials, start, count)
	return w, err
}

// epochOf tells one topic from another of the same name.
func epochOf(topicID string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(topicID))
	return h.Sum32()
}

// joined forgets the state of windows that are another instance's now.
func (e *Engine) joined(member model.Assignment) {
	_, _, partials := e.split(member.Partitions)
	for number := range e.parts {
		if !slices.ContainsFunc(partials, func(tp model.TopicPartition) bool { return tp.Partition == number }) {
			e.forget(number)
		}
	}
	e.watch.seen.joined(len(member.Partitions))
	e.watch.Merging(partitionsOf(partials))
}

func partitionsOf(list []model.TopicPartition) (numbers []int32) {
	for _, tp := range list {
		numbers = append(numbers, tp.Partition)
	}
	return numbers
}

// forget drops the state of a partition of the partials topic.
func (e *Engine) forget(number int32) {
	delete(e.parts, number)
	e.watch.DropWindows(number)
}

// source is the state of a source partition, nil without aggregates.
func (r *run) source(tp model.TopicPartition) *aggregate.Source {
	if r.windows == nil {
		return nil
	}
	return r.windows.sources[tp]
}

// recent is how old an answer of a broker may be to say that a partition is at its end: with nothing to read, one comes
// every half second.
const recent = 5 * time.Second

// look finds out which partitions have nothing more to read, once a second. One of which that is not known for a while may
// hold anything: it is not idle, whatever its owner before has said.
func (w *windows) look(stream Stream, watch *Watch, now time.Time) {
	if now.Sub(w.looked) < time.Second {
		return
	}
	w.looked = now
	for tp, s := range w.sources {
		_, end, answered, ok := stream.Reached(tp)
		if ok && s.Position >= end && now.Sub(answered) < recent {
			w.atEnd[tp] = now
			w.announcer.Quiet(s, now)
		} else {
			w.announcer.Behind(s, now)
			s.Idle = s.Idle && now.Sub(w.atEnd[tp]) < recent
		}
		watch.Metrics.Idle(tp.Partition, s.Idle)
	}
}

// tell opens a transaction and commits it when there is something to say or to write for which no event opens one.
func (r *run) tell() error {
	w := r.windows
	if w == nil {
		return nil
	}
	now := time.Now()
	w.look(r.stream, r.watch, now)
	if r.open || !w.announcer.Due(now) && !w.merger.isReady() {
		return nil
	}
	if err := r.begin(); err != nil {
		return err
	}
	return r.commit()
}

// full tells that the aggregates of what was processed take so much memory that they should be sent.
func (r *run) full() bool {
	for _, w := range r.workers {
		if w.processor.Full() {
			return true
		}
	}
	return false
}

// close puts partials and progress behind the outputs of a transaction, with the positions that belong to them, and the
// merge commit that is ready.
func (r *run) close(b *batch, parcel model.Parcel) model.Parcel {
	w := r.windows
	if w == nil {
		return parcel
	}
	now := time.Now()
	stamp := model.Message{Timestamp: now.UnixMilli()}
	write := func(partition int32, record []byte) {
		dst := w.outbox.Open(w.topic, partition, &stamp, nil, len(record))
		w.outbox.Close(append(dst, record...), nil)
	}
	flush := func(partial func(int32, []byte)) {
		for _, worker := range r.workers {
			worker.processor.Collected().Flush(w.outbox.Partitions(w.topic), partial)
		}
	}
	said := w.announcer.Close(now, flush, write)
	for tp, s := range w.sources {
		if _, moved := b.positions[tp]; !moved && !said {
			continue
		}
		pos := r.positions[tp]
		pos.Note.Watermark, pos.Note.Idle = s.Watermark, s.Idle
		r.positions[tp], b.positions[tp] = pos, pos
	}
	if b.merged = w.merger.take(); b.merged != nil {
		maps.Copy(b.positions, b.merged.positions)
		parcel = b.merged.outbox.AppendTo(parcel)
	}
	return w.outbox.AppendTo(parcel)
}
