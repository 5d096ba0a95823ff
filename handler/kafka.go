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
	"data-stream-engine/service/aggregate"
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
	EmitInterval       time.Duration // between two insights of one window
	IdleTimeout        time.Duration // without an event, until a source partition holds no window open
	Workers            int           // how many partitions are processed at a time at most
}

// Engine moves events from the source to the outputs, and commits what it has done.
type Engine struct {
	cfg       Config
	ports     Ports
	processor *service.Processor
	watch     *Watch
	log       zerolog.Logger
	traces    *traces // nil: nobody traces

	writer Writer
	clean  bool // the producer has an epoch and no transaction of unknown outcome
	limit  limit
	pace   pace
	asks   asks

	// left is where the last run of this assignment has left the partitions; nil: there was none, or it failed.
	left map[model.TopicPartition]model.Position

	// parts are the aggregates' states, by partition of the partials topic. The run's merger has them while it works.
	parts map[int32]*aggregate.Partition

	begun   bool  // messages have been read since the start
	refused error // what the brokers refuse of the settings, at the start
}

// NewEngine returns an engine. Nothing happens before Run.
func NewEngine(cfg Config, ports Ports, processor *service.Processor, watch *Watch, log zerolog.Logger) *Engine {
	e := &Engine{cfg: cfg, ports: ports, processor: processor, watch: watch, log: log, limit: newLimit(cfg.CommitMaxRecords), parts: map[int32]*aggregate.Partition{}, asks: newAsks()}
	e.become(cfg.InstanceID)
	watch.outlasts(cfg.TransactionTimeout)
	if !cfg.ExactlyOnce {
		watch.repeats()
	}
	return e
}

// consume lives through one assignment, batch by batch, until the group takes it back, the engine stops or is asked for
// something else, or something fails. What was processed by then is handed to the committer.
func (r *run) consume(ctx context.Context) error {
	r.survey(time.Now())
	for {
		if r.asks.any() {
			return r.ended(nil)
		}
		fetched, err := r.fetch(ctx)
		if err != nil {
			return r.ended(err)
		}
		if err := r.process(fetched); err != nil {
			return err
		}
		fetched.Release()
		if err := r.settle(fetched); err != nil {
			return err
		}
		if err := r.tell(); err != nil {
			return err
		}
		r.survey(time.Now())
	}
}

// fetch waits for messages, but not beyond the time at which the open transaction is to be committed: then it returns
// an empty fetch.
func (r *run) fetch(ctx context.Context) (*model.Fetch, error) {
	r.watch.Progress.Made()
	wait := r.idle()
	if r.open {
		wait = time.Until(r.deadline)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	r.asks.onAsk(cancel)
	defer r.asks.onAsk(nil)
	if r.windows != nil && !r.open {
		r.windows.merger.onReady(cancel)
		defer r.windows.merger.onReady(func() {})
	}
	fetched, err := r.stream.Next(ctx)
	switch {
	case err == nil:
		r.arrived(r.stream.Waited())
		return fetched, nil
	case r.stopped.Err() != nil: // the assignment ended, the engine stops, or the committer failed
		return nil, err
	case ctx.Err() != nil:
		return &model.Fetch{Release: func() {}}, nil
	}
	return nil, err
}

// process runs what was fetched through the pipeline and into the outboxes: in rounds, between which it looks at the
// limits of the transaction.
func (r *run) process(fetched *model.Fetch) error {
	for _, p := range fetched.Empty {
		r.watch.Metrics.Lag(p.TopicPartition, max(p.End-r.positions[p.TopicPartition].Offset, 0))
	}
	if err := r.spread(fetched); err != nil {
		return err
	}
	for {
		workers, share := r.busy()
		if len(workers) == 0 {
			return nil
		}
		started := time.Now()
		round(workers, share, r.begin)
		r.pending.took += time.Since(started)
		for _, w := range workers {
			if err := r.add(w); err != nil {
				return err
			}
		}
		if err := r.relieve(); err != nil {
			return err
		}
	}
}

// add counts what a worker did in the last round, moves the positions, and deals with batches that it could not read.
func (r *run) add(w *worker) error {
	if w.did.err != nil {
		return w.did.err
	}
	if w.did.result.Consumed > 0 {
		if err := r.begin(); err != nil {
			return err
		}
	}
	r.pending.add(&w.did)
	for _, p := range w.did.touched {
		r.owners[p.TopicPartition] = w
		r.surveyed.read(p.TopicPartition, p.read, time.Now())
		p.read = 0
		if p.events && p.source != nil { // markers of other people's transactions are none
			r.windows.announcer.Read(p.source, time.Now())
		}
		r.move(p.FetchedPartition, p.records.NextOffset())
		if !p.ended {
			continue
		}
		if err := r.bad(w, p); err != nil {
			return err
		}
	}
	return nil
}

// relieve commits when a limit is reached, and produces what has been collected once that is much.
func (r *run) relieve() error {
	if r.pending.result.Consumed >= r.limit.get() || r.pending.bytes >= r.cfg.CommitMaxBytes || r.full() {
		return r.commit()
	}
	if r.collected() {
		return r.flush()
	}
	return nil
}

// settle commits when it is time. Without transactions others see an output as soon as it is produced, so that it does
// not wait for that.
func (r *run) settle(fetched *model.Fetch) error {
	switch {
	case r.due(fetched):
		return r.commit()
	case !r.cfg.ExactlyOnce:
		return r.flush()
	}
	return nil
}

// due tells whether to commit: the time is up, or the brokers had no more and most of the interval has passed. A timer
// alone would fall into step with the fetches and add a whole interval to each event's way.
func (r *run) due(fetched *model.Fetch) bool {
	if !r.open {
		return false
	}
	now, most := time.Now(), r.cfg.CommitInterval/2
	return !now.Before(r.deadline) || fetched.Short && r.cfg.ExactlyOnce && (r.waited >= most || now.Sub(r.committed) >= most)
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
	for _, w := range r.workers {
		w.processor.TakeTally(&done.tally)
	}
	parcel := r.close(&done, r.take())
	done.trace.handed(&done)
	return r.hand(step{records: done.result.Consumed + done.merged.size(), parcel: parcel, commit: &done})
}
