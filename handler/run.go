package handler

import (
	"cmp"
	"context"
	"errors"
	"time"

	"data-stream-engine/model"
)

// idle is how long the engine waits for messages before it says that it is alive.
const idle = time.Second

// run is the engine during one assignment.
type run struct {
	*Engine
	member    model.Assignment
	stream    Stream
	committer *committer
	stopped   context.Context // ends when no more is to be fetched

	workers   []*worker
	several   bool                             // of them are at work, not the first one alone
	owners    map[model.TopicPartition]*worker // through whom a partition's messages went since the last take
	positions map[model.TopicPartition]model.Position
	faults    map[model.TopicPartition]fault
	windows   *windows // nil: the pipeline has no aggregates

	waited    time.Duration // by what was fetched last, at the broker
	open      bool          // messages were processed that are not committed
	deadline  time.Time     // by which they are to be
	committed time.Time     // when the last commit was handed over
	pending   batch
	surveyed  survey
}

// batch is what one transaction holds: what became of its messages, and where it leaves their partitions.
type batch struct {
	result    model.Result
	bytes     int
	took      time.Duration // spent processing
	oldest    int64         // timestamp of its oldest message, milliseconds
	spans     []span        // the timestamps of all
	tally     model.Tally
	started   time.Time
	positions map[model.TopicPartition]model.Position
	merged    *merged     // that goes with it; nil: none
	trace     *BatchTrace // nil: nobody traces
}

// idle is how long to wait for messages. Who has windows to tell of does not wait longer than that.
func (r *run) idle() time.Duration {
	if r.windows == nil {
		return idle
	}
	return min(idle, r.cfg.EmitInterval)
}

func (r *run) blank() batch {
	return batch{positions: make(map[model.TopicPartition]model.Position, len(r.positions))}
}

func (b *batch) add(did *deed) {
	b.result.Add(did.result)
	b.bytes += did.bytes
	b.oldest = older(b.oldest, did.oldest)
	b.spans = join(b.spans, did.spans)
	b.trace.linked(did.links)
}

// begin makes sure that a transaction is open. The first message of one starts its clock, and its requests go ahead
// while the message is processed.
func (r *run) begin() error {
	if r.open {
		return nil
	}
	now := time.Now()
	r.open, r.pending.started = true, now
	r.deadline = now.Add(r.left())
	r.pending.trace = r.traces.begin(now)
	return r.hand(step{begin: true, trace: r.pending.trace})
}

// arrived says how long the messages that were just fetched may have waited: COMMIT_INTERVAL is what an event waits at
// most, from the time at which the broker has it.
func (r *run) arrived(waited time.Duration) {
	r.waited = waited
	if end := time.Now().Add(r.left()); r.open && end.Before(r.deadline) {
		r.deadline = end
	}
}

// answersWithin is how far apart the brokers' answers come at most that belong together, as a part of the interval.
const answersWithin = 10

// left is how much longer the messages that were fetched last may wait. All of them have waited at once when several
// brokers answer, and one commit should do for all.
func (r *run) left() time.Duration {
	return max(r.cfg.CommitInterval-r.waited, r.cfg.CommitInterval/answersWithin)
}

// move notes how far a partition has been read.
func (r *run) move(part *model.FetchedPartition, to int64) {
	pos := r.positions[part.TopicPartition]
	pos.Offset, pos.LeaderEpoch = to, -1 // which leader wrote the message before is nobody's question
	r.positions[part.TopicPartition], r.pending.positions[part.TopicPartition] = pos, pos
	if s := r.source(part.TopicPartition); s != nil {
		s.Position = to
	}
	r.watch.Metrics.Lag(part.TopicPartition, max(part.HighWatermark-to, 0))
}

// hand gives a step to the committer. It waits while the committer is busy with the steps before it, which is what
// keeps memory bounded and fetching at the pace of producing.
func (r *run) hand(s step) error {
	select {
	case r.committer.steps <- s:
		return nil
	case <-r.committer.failed:
		return r.committer.err
	}
}

// ended hands what is open to the committer after fetching has ended. An error that only says that it was to end is
// none.
func (r *run) ended(why error) error {
	if err := r.lastWords(); err != nil {
		return err
	}
	if err := r.commit(); err != nil {
		return err
	}
	if r.stopped.Err() == nil {
		return why
	}
	return nil
}

// lastWords puts what has been merged into the last transaction, unless there is none any more.
func (r *run) lastWords() error {
	if r.windows == nil {
		return nil
	}
	m := r.windows.merger
	m.halt()
	select {
	case <-r.committer.failed:
		return nil
	default:
	}
	m.last()
	if m.isReady() {
		return r.begin()
	}
	return nil
}

// finish waits until everything that was handed over is committed or has failed, and returns what went wrong first.
func (r *run) finish(err error) error {
	r.stream.Close()
	if r.windows != nil {
		r.windows.merger.halt()
	}
	failed := r.committer.finish()
	r.traces.abandon(cmp.Or(failed, err))
	return cmp.Or(failed, err)
}

// fault counts how often one batch could not be read.
type fault struct {
	offset int64
	times  int
}

// faultTries is how often a batch that cannot be read is fetched before it is given up: a replica or the network may
// have damaged it on the way.
const faultTries = 3

// bad deals with a batch that cannot be read: fetched again at first, then a dead letter that names its offsets.
func (r *run) bad(w *worker, p *reading) error {
	var b *model.BadBatch
	if !errors.As(p.records.Err(), &b) {
		return nil
	}
	tp := p.TopicPartition
	f := r.faults[tp]
	if f.offset != b.FirstOffset {
		f = fault{offset: b.FirstOffset}
	}
	f.times++
	r.faults[tp] = f
	log := r.log.With().Str("topic", tp.Topic).Int32("partition", tp.Partition).Int64("offset", b.FirstOffset).Int64("last_offset", b.LastOffset).Err(b.Err).Logger()
	if f.times < faultTries && b.Code != "too_large_decompressed" && b.Code != "old_magic" {
		log.Warn().Int("attempt", f.times).Msg("cannot read a record batch, fetching it again")
		r.stream.Seek(tp, b.FirstOffset)
		return nil
	}
	if err := r.begin(); err != nil {
		return err
	}
	last := max(min(b.LastOffset, p.HighWatermark-1), b.FirstOffset)
	log.Error().Str("code", b.Code).Msg("a record batch cannot be read: a dead letter without its content names its offsets")
	m := model.Message{Topic: tp.Topic, Partition: tp.Partition, Offset: b.FirstOffset, Timestamp: time.Now().UnixMilli()}
	w.processor.DeadRange(w.outbox, &m, last, model.Reason{Stage: model.StageDecode, Code: b.Code, Message: b.Error()}, time.Now())
	r.pending.result.DeadLetters++
	r.move(p.FetchedPartition, last+1)
	r.stream.Seek(tp, last+1)
	return nil
}
