package handler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// step is one piece of a transaction's life, in order: its beginning, any number of parcels, its commit.
type step struct {
	begin   bool
	records int          // that the transaction holds with this step
	parcel  model.Parcel // nil: none
	commit  *batch       // nil: the transaction goes on
	trace   *BatchTrace  // with begin; nil: nobody traces
}

// committer drives the producer: one transaction after the other, while the next messages are fetched and processed.
type committer struct {
	*Engine
	member    model.Assignment
	processor *service.Processor // for dead letters of what the broker refuses
	outbox    Outbox             // for the same

	steps  chan step
	failed chan struct{} // closed when err is set
	done   chan struct{}
	err    error

	opened  time.Time
	within  context.Context // of the open transaction
	close   context.CancelFunc
	refused refusals
	trace   *BatchTrace // nil: nobody traces
}

// patienceFactor is how many transaction timeouts one transaction may take here before it is given up: by then the
// coordinator has aborted it, though a broker that does not answer, or a partition without a leader, may not say so.
const patienceFactor = 3

// start runs the committer until its steps end or one fails.
func (c *committer) start(ctx context.Context) {
	c.steps, c.failed, c.done = make(chan step, 1), make(chan struct{}), make(chan struct{})
	c.close = func() {}
	go func() {
		defer close(c.done)
		defer func() { c.close() }()
		for s := range c.steps {
			if c.err != nil {
				continue // nobody waits for it any more; the channel is drained so that it can be closed
			}
			if err := c.take(ctx, s); err != nil {
				c.err = c.explain(err)
				c.traces.end(c.trace, BatchFailed, c.err)
				close(c.failed)
			}
		}
	}()
}

// finish waits for the steps that were handed over, and returns the first error.
func (c *committer) finish() error {
	close(c.steps)
	<-c.done
	return c.err
}

func (c *committer) take(ctx context.Context, s step) error {
	producer := c.writer.Producer
	if s.begin {
		c.close()
		c.within, c.close = ctx, func() {}
		if c.cfg.ExactlyOnce { // without transactions there is nothing that times out, and giving up would repeat outputs
			c.within, c.close = context.WithTimeout(ctx, patienceFactor*c.cfg.TransactionTimeout)
		}
		c.opened, c.refused, c.trace = time.Now(), refusals{}, s.trace
	}
	ctx = c.within
	c.limit.hold(s.records)
	if s.begin {
		if err := producer.Begin(ctx, c.cfg.Group); err != nil {
			return err
		}
	}
	if s.parcel != nil {
		if err := c.trace.part(PartSend, func() error { return c.produce(ctx, s.parcel) }); err != nil {
			return err
		}
	}
	if s.commit == nil {
		return nil
	}
	started := time.Now()
	if err := c.trace.part(PartCommit, func() error {
		if err := producer.CommitOffsets(ctx, c.cfg.Group, c.member, s.commit.positions); err != nil {
			return err
		}
		return producer.End(ctx, true)
	}); err != nil {
		return err
	}
	c.committed(s.commit, started)
	return nil
}

// explain tells a transaction that was given up because it took too long from one that somebody else ended.
func (c *committer) explain(err error) error {
	if c.within.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		return &model.Error{Class: model.TimedOut, Op: "finish the transaction", Err: fmt.Errorf("no success in %s", patienceFactor*c.cfg.TransactionTimeout),
			Hint: "the reasons were logged; its events are processed again"}
	}
	if took := time.Since(c.opened); model.ClassOf(err) == model.Fenced && took >= c.cfg.TransactionTimeout*4/5 {
		return &model.Error{Class: model.TimedOut, Op: "commit within TRANSACTION_TIMEOUT", Err: err}
	}
	return err
}

// committed counts what is final now.
func (c *committer) committed(b *batch, started time.Time) {
	now := time.Now()
	b.result.Outputs -= c.refused.records
	b.result.Forwarded -= c.refused.events
	b.result.DeadLetters += c.refused.events
	c.processor.TakeTally(&b.tally)
	for topic, records := range c.refused.topics {
		b.tally.Output(topic, -records)
	}
	if b.merged != nil {
		b.tally.Add(b.merged.tally)
	}
	c.watch.Metrics.Batch(b.result, b.tally, b.took)
	c.watch.Metrics.Committed(now.Sub(started))
	if c.cfg.ExactlyOnce {
		c.watch.Metrics.Transaction(TransactionCommitted)
	}
	if b.oldest > 0 {
		c.watch.Metrics.EndToEnd(now.Sub(time.UnixMilli(b.oldest)))
	}
	c.watch.seen.committed(now, b.spans)
	c.watch.Moved(b.result)
	if b.merged != nil {
		c.watch.Merged(b.merged.summaries)
		b.merged.committed()
	}
	c.trace.counted(b.result)
	c.traces.end(c.trace, BatchCommitted, nil)
	c.limit.grow()
	c.pace.reset() // nobody waits while this goroutine works
}
