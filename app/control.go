package app

import (
	"context"
	"sync/atomic"
	"time"

	"data-stream-engine/handler/control"
	"data-stream-engine/repository"
)

const (
	conditionControl = "control" // what the group is asked is not known yet
	noteControl      = "control"
	// controlBytes is how much of the control topic is read at a time.
	controlBytes = 1 << 20
	// leaveTimeout is how long the brokers have to take the last word of this instance; leastLeave when SHUTDOWN_TIMEOUT is over.
	leaveTimeout, leastLeave = 2 * time.Second, 200 * time.Millisecond
)

// operate composes this instance's part in operating the group.
func (a *App) operate(context.Context, Process) error {
	beside := a.watch.Beside(noteControl, "cannot read or write the control topic, pause and resume may come late")
	topic := repository.NewControlLog(a.cluster.client, beside, a.group, repository.SourceConfig{MaxBytes: controlBytes, MaxBatchBytes: repository.MostDerived})
	a.control = control.New(control.Config{Topic: topic, Name: repository.ControlTopic(a.group, -1).Name, Observer: beside, Log: a.log, Own: a.own, OnPause: a.engine.Pause})
	a.watch.Readiness.Set(conditionControl, "starting")
	return nil
}

// obey follows the control topic, and returns when it is known what the group is asked: a paused group must not process an
// event after a restart. end ends it, with a word to the group.
func (a *App) obey(ctx context.Context) (end func(), err error) {
	following, stop := context.WithCancel(context.WithoutCancel(ctx)) // the group hears of the stop as well
	done := make(chan struct{})
	var stopped atomic.Pointer[time.Time] // when the stop began; nil: not yet
	go func() {
		defer close(done)
		a.control.Run(following)
	}()
	end = func() {
		stop()
		<-done
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.leaving(stopped.Load()))
		defer cancel()
		if err := a.control.Leave(last); err != nil {
			a.log.Warn().Err(err).Msg("could not tell the group that this instance has ended: it is shown as silent for an hour")
		}
	}
	context.AfterFunc(ctx, func() {
		now := time.Now()
		stopped.Store(&now)
		a.watch.Stopping()
	})
	a.watch.Readiness.Set(conditionControl, "reading what the group is asked")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-a.control.Read():
			a.watch.Readiness.Clear(conditionControl)
			return end, nil
		case <-ctx.Done():
			end()
			return nil, ctx.Err()
		case <-tick.C:
			a.watch.Progress.Made() // a broker that is away is no reason to restart this process
		}
	}
}

// leaving is how long the last word to the group may take: what SHUTDOWN_TIMEOUT leaves of it, and a moment in any case.
func (a *App) leaving(stopped *time.Time) time.Duration {
	if stopped == nil {
		return leaveTimeout
	}
	return min(leaveTimeout, max(a.settings.Engine.ShutdownTimeout-time.Since(*stopped), leastLeave))
}

// Control is this instance's part in operating the group.
func (a *App) Control() *control.Control { return a.control }
