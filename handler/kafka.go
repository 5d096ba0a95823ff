// Package handler is the doors of the service. kafka.go is the life of one batch, from the fetch to the commit; http.go
// answers what operators ask. The package decides when things happen and what follows from an error; what becomes of
// an event is decided in service, how Kafka is talked to in repository.
package handler

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// Config says when the engine commits.
type Config struct {
	Group              string
	InstanceID         string // empty: a random one
	ExactlyOnce        bool
	CommitInterval     time.Duration
	CommitMaxRecords   int
	CommitMaxBytes     int
	TransactionTimeout time.Duration
	ShutdownTimeout    time.Duration
}

// Engine moves events from the source to the outputs, and commits what it has done.
type Engine struct {
	cfg       Config
	ports     Ports
	processor *service.Processor
	watch     *Watch
	log       zerolog.Logger

	writer Writer
	clean  bool // the producer has an epoch and no transaction of unknown outcome
	limit  limit
	pace   pace

	begun   bool  // messages have been read since the start
	refused error // what the brokers refuse of the settings, at the start
}

// NewEngine returns an engine. Nothing happens before Run.
func NewEngine(cfg Config, ports Ports, processor *service.Processor, watch *Watch, log zerolog.Logger) *Engine {
	e := &Engine{cfg: cfg, ports: ports, processor: processor, watch: watch, log: log, limit: newLimit(cfg.CommitMaxRecords)}
	e.become(cfg.InstanceID)
	return e
}

// flushBytes is how much output is collected before it is produced, though its transaction goes on.
const flushBytes = 2 << 20

// chunk is how many messages are processed between two looks at the limits, flushBytes of them at most: a batch may
// hold many more bytes than were fetched of it.
const chunk = 2000

// consume lives through one assignment, batch by batch, until the group takes it back, the engine stops, or something
// fails. What was processed by then is handed to the committer.
func (r *run) consume(ctx context.Context) error {
	for {
		fetched, err := r.fetch(ctx)
		if err != nil {
			return r.ended(err)
		}
		for i := range fetched.Parts {
			if err := r.process(&fetched.Parts[i]); err != nil {
				return err
			}
		}
		fetched.Release()
		if r.due(fetched) {
			if err := r.commit(); err != nil {
				return err
			}
		}
	}
}

// fetch waits for messages, but not beyond the time at which the open transaction is to be committed: then it returns
// an empty fetch.
func (r *run) fetch(ctx context.Context) (*model.Fetch, error) {
	r.watch.Progress.Made()
	wait := idle
	if r.open {
		wait = time.Until(r.deadline)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	fetched, err := r.stream.Next(ctx)
	switch {
	case err == nil:
		return fetched, nil
	case r.stopped.Err() != nil: // the assignment ended, the engine stops, or the committer failed
		return nil, err
	case ctx.Err() != nil:
		return &model.Fetch{Release: func() {}}, nil
	}
	return nil, err
}

// process runs the messages of one partition through the pipeline and into the outbox.
func (r *run) process(part *model.FetchedPartition) error {
	records := part.Open()
	for more := true; more; {
		started := time.Now()
		room := min(flushBytes, r.cfg.CommitMaxBytes-r.pending.bytes)
		next := bounded{Records: records, left: min(chunk, r.limit.get()-r.pending.result.Consumed), room: room, begin: r.begin}
		result := r.processor.Process(&next, r.outbox, started)
		if next.err != nil {
			return next.err
		}
		more = next.full()
		r.pending.bytes += room - next.room
		r.pending.add(result, time.Since(started), next.oldest)
		r.move(part, records.NextOffset())
		if err := r.relieve(); err != nil {
			return err
		}
	}
	return r.bad(part, records)
}

// relieve produces what has been collected once that is much, and commits when a limit is reached.
func (r *run) relieve() error {
	if r.pending.result.Consumed >= r.limit.get() || r.pending.bytes >= r.cfg.CommitMaxBytes {
		return r.commit()
	}
	if r.outbox.Bytes() >= flushBytes {
		return r.hand(step{records: r.pending.result.Consumed, parcel: r.outbox.Take()})
	}
	return nil
}

// due tells whether to commit: the time is up, or the broker had no more and most of the interval has passed. A timer
// alone would fall into step with the fetches and add a whole interval to each event's way.
func (r *run) due(fetched *model.Fetch) bool {
	if !r.open {
		return false
	}
	now := time.Now()
	return !now.Before(r.deadline) || fetched.Short && now.Sub(r.committed) >= r.cfg.CommitInterval/2
}

// commit hands the rest of the transaction to the committer, which works on while the next batch is fetched and
// processed.
func (r *run) commit() error {
	if !r.open {
		return nil
	}
	r.open, r.committed = false, time.Now()
	done := r.pending
	r.pending = r.blank()
	return r.hand(step{records: done.result.Consumed, parcel: r.outbox.Take(), commit: &done})
}
