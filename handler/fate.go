package handler

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// abortTimeout bounds the attempt to abort a transaction that cannot be committed. Without it the transaction ends
// with the next epoch, or when its timeout is over.
const abortTimeout = 3 * time.Second

// Run works until ctx ends; then it finishes and commits what it has begun, within Config.ShutdownTimeout, and leaves
// the group. Once it has begun to read, no error of a broker, an event or the group ends it. Before, a setting that the
// brokers refuse does: the error is of class Misconfigured.
func (e *Engine) Run(ctx context.Context) error {
	// What is under way when ctx ends is finished with a context of its own.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if utils.Sleep(work, e.cfg.ShutdownTimeout) == nil {
			e.log.Error().Stringer("timeout", e.cfg.ShutdownTimeout).Msg("could not finish in SHUTDOWN_TIMEOUT: the open transaction is left to be aborted")
			cancel()
		}
	})()
	for ctx.Err() == nil && e.refused == nil {
		e.change()
		e.watch.Joining()
		member, err := e.ports.Membership.Join(ctx)
		if err != nil {
			e.decide(ctx, work, nil, err)
			continue
		}
		e.watch.Metrics.Rebalanced()
		e.joined(member)
		e.left = nil
		e.hold(ctx, work, member)
		for _, tp := range member.Partitions {
			e.watch.Metrics.DropLag(tp)
			e.watch.Metrics.DropIdle(tp.Partition)
		}
	}
	if err := e.ports.Membership.Leave(work); err != nil {
		e.log.Warn().Err(err).Msg("could not leave the group: its other members wait for SESSION_TIMEOUT")
	}
	return e.refused
}

// hold works on one assignment for as long as the group lets us.
func (e *Engine) hold(ctx, work context.Context, member model.Assignment) {
	for ctx.Err() == nil {
		if e.change() {
			return
		}
		began := time.Now()
		err := e.live(ctx, work, member)
		if err == nil || time.Since(began) > 2*operatorMax {
			e.pace.reset()
		}
		if rejoin := e.decide(ctx, work, member.Ended, err); rejoin {
			return
		}
		select {
		case <-member.Ended:
			if err := e.ports.Heartbeat.Err(); err != nil && model.ClassOf(err) == model.Replaced {
				e.replaced()
			}
			return
		default:
		}
	}
}

// live prepares a run and consumes until it ends.
func (e *Engine) live(ctx, work context.Context, member model.Assignment) error {
	if still, _ := e.asks.still(); still {
		return e.standStill(ctx, member)
	}
	if len(member.Partitions) == 0 {
		return e.standBy(ctx, member)
	}
	e.left = nil
	stopped, stop := context.WithCancel(ctx)
	defer stop()
	onClose(stopped, member.Ended, stop)
	if err := e.prepare(stopped); err != nil {
		return e.unlessOver(stopped, err)
	}
	start, err := e.ports.Offsets.Start(stopped, member)
	if err != nil {
		return e.unlessOver(stopped, err)
	}
	for _, topic := range start.Recreated {
		e.log.Warn().Str("topic", topic).Msg("the topic was deleted and created again: reading it from its beginning")
	}
	r, err := e.newRun(stopped, work, member, start)
	if err != nil {
		return e.unlessOver(stopped, err)
	}
	onClose(stopped, r.committer.failed, stop)
	e.begun = true
	e.watch.Working(len(member.Partitions))
	if err := r.finish(r.consume(stopped)); err != nil {
		return err
	}
	e.left = r.positions
	return nil
}

// onClose calls f when the channel is closed, unless ctx ends before.
func onClose(ctx context.Context, closed <-chan struct{}, f func()) {
	go func() {
		select {
		case <-closed:
			f()
		case <-ctx.Done():
		}
	}()
}

func (e *Engine) unlessOver(ctx context.Context, err error) error {
	if model.Stopped(ctx, err) {
		return nil
	}
	return err
}

// prepare makes sure that the producer has an epoch and nothing of unknown outcome.
func (e *Engine) prepare(ctx context.Context) error {
	if e.clean {
		return nil
	}
	if err := e.writer.Producer.Init(ctx); err != nil {
		return err
	}
	e.clean = true
	return nil
}

func (e *Engine) newRun(ctx, work context.Context, member model.Assignment, start model.Start) (*run, error) {
	source, replay, partials := e.split(member.Partitions)
	events := slices.Concat(source, replay)
	spare, err := e.writer.NewOutbox(ctx, writtenBy(e.processor), member.Partitions)
	if err != nil {
		return nil, err
	}
	windows, err := e.newWindows(ctx, source, partials, start)
	if err != nil {
		return nil, err
	}
	workers := make([]*worker, min(e.cfg.Workers, max(len(events), 1)))
	for i := range workers {
		outbox, err := e.writer.NewOutbox(ctx, writtenBy(e.processor), events)
		if err != nil {
			return nil, err
		}
		workers[i] = &worker{processor: e.processor.Clone(), outbox: outbox, links: e.traces != nil}
	}
	positions := make(map[model.TopicPartition]model.Position, len(events))
	for _, tp := range events {
		positions[tp] = start.Positions[tp]
	}
	stream, err := e.ports.Source.Open(ctx, positions)
	if err != nil {
		return nil, err
	}
	r := &run{
		Engine: e, member: member, stream: stream, workers: workers, owners: map[model.TopicPartition]*worker{}, stopped: ctx,
		positions: positions, faults: map[model.TopicPartition]fault{}, committed: time.Now(), windows: windows, surveyed: newSurvey(),
		committer: &committer{Engine: e, member: member, processor: e.processor.Clone(), outbox: spare},
	}
	r.pending = r.blank()
	r.committer.start(work)
	if windows != nil {
		windows.merger.start(ctx)
	}
	return r, nil
}

// split tells the partitions of the source, of the replay topic and of the partials topic apart.
func (e *Engine) split(all []model.TopicPartition) (source, replay, partials []model.TopicPartition) {
	derived, ok := e.processor.Derived()
	for _, tp := range all {
		switch {
		case ok && tp.Topic == derived.Partials:
			partials = append(partials, tp)
		case tp.Topic == e.processor.ReplayTopic():
			replay = append(replay, tp)
		default:
			source = append(source, tp)
		}
	}
	return source, replay, partials
}

// decide does what the class of an error asks for; nothing else does. It tells whether to join the group again. It waits
// no longer than to the end of the assignment.
func (e *Engine) decide(ctx, work context.Context, ended <-chan struct{}, err error) (rejoin bool) {
	if err == nil {
		return false
	}
	class := model.ClassOf(err)
	if model.Stopped(ctx, err) {
		if work.Err() == nil { // readers would have to wait for what stays open until its time is over
			e.drop(work, class)
		}
		return false
	}
	if class == model.Recreated { // what was read of the old topic is committed
		e.log.Warn().Err(err).Msg("starting anew on the new topic")
		return false
	}
	e.drop(work, class)
	switch class {
	case model.Fenced:
		e.log.Warn().Err(err).Msg("the transaction is given up: its events are processed again with a new producer epoch")
		return e.lostToAnother(work) || e.again(ctx, ended, err)
	case model.TimedOut:
		e.log.Warn().Err(err).Int("records", e.limit.shrink()).Msg("the transaction took too long: trying again with fewer records in one")
		return e.lostToAnother(work) || e.again(ctx, ended, err)
	case model.Rejoin:
		e.log.Info().Err(err).Msg("the group moved on: what is not committed is dropped, joining again")
		return true
	case model.Replaced:
		e.replaced()
		return true
	case model.Misconfigured:
		if !e.begun {
			e.refused = err
			return true
		}
		fallthrough
	default:
		op := e.watch.Failing(err)
		e.pace.wait(ctx, ended, class, func(d time.Duration) { e.watch.Pausing(op, d) })
		return false
	}
}

// again lets a moment pass before the next transaction: a leader that takes no connection loses one after the other.
func (e *Engine) again(ctx context.Context, ended <-chan struct{}, err error) (rejoin bool) {
	op := e.watch.GivenUp(err)
	e.pace.wait(ctx, ended, model.Transient, func(d time.Duration) { e.watch.Pausing(op, d) })
	return false
}

// drop aborts an open transaction and forgets the producer's epoch: what is not committed will be processed again.
func (e *Engine) drop(ctx context.Context, class model.Class) {
	if !e.clean {
		return
	}
	e.clean = false
	outcome := TransactionAborted
	if class == model.Fenced {
		outcome = TransactionUnknown // aborted by whoever fenced us, or by our next epoch
	} else {
		ctx, cancel := context.WithTimeout(ctx, abortTimeout)
		defer cancel()
		if err := e.writer.Producer.End(ctx, false); err != nil {
			e.log.Warn().Err(err).Msg("could not abort the transaction: the next epoch does")
		}
	}
	if e.cfg.ExactlyOnce {
		e.watch.Metrics.Transaction(outcome)
	}
}

// lostToAnother finds out who ended a transaction: another process with our INSTANCE_ID, or the coordinator, which
// gives up what takes too long.
func (e *Engine) lostToAnother(ctx context.Context) bool {
	err := e.ports.Heartbeat.Alive(ctx)
	if err == nil || model.ClassOf(err) != model.Replaced {
		return false
	}
	e.replaced()
	return true
}

// replaced goes on under a random identity when another process has ours.
func (e *Engine) replaced() {
	e.watch.Metrics.Fenced()
	e.ports.Membership.GoDynamic()
	e.become("")
}

// become takes an identity, and with it a transactional id. An empty one is made up.
func (e *Engine) become(identity string) {
	if identity == "" {
		identity = rand.Text()
	}
	e.clean = false
	e.watch.seen.named(identity)
	e.writer = e.ports.NewWriter(identity)
}

// standBy waits without partitions: there are more instances than partitions.
func (e *Engine) standBy(ctx context.Context, member model.Assignment) error {
	e.watch.StandBy()
	e.watch.Restoring()
	tick := time.NewTicker(idle)
	defer tick.Stop()
	for !e.asks.any() {
		e.watch.Progress.Made()
		select {
		case <-ctx.Done():
			return nil
		case <-member.Ended:
			return nil
		case <-tick.C:
		}
	}
	return nil
}
