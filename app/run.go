package app

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
	"data-stream-engine/service/generator"
	"data-stream-engine/utils"
)

// overrun is what the engine may take beyond SHUTDOWN_TIMEOUT, which it keeps itself.
const overrun = 2 * time.Second

// run is the service.
func run(ctx context.Context, p Process) error {
	if err := p.flags(newFlags("run"), 0); err != nil {
		return err
	}
	a, err := New(ctx, p)
	if err != nil {
		return err
	}
	limitMemory(a.log)
	if !slices.ContainsFunc(p.Environ, func(s string) bool { return strings.HasPrefix(s, "GOGC=") }) {
		a.reloads.aggregates = collect
	}
	_, aggregates := a.processor().Derived()
	a.reloads.aggregates(aggregates)
	return errors.Join(a.Run(ctx), a.Close())
}

// GOGC of an engine with windows, and of one without, which is Go's own. The state of windows is large and has no pointers,
// so that looking through it more often costs little, while letting the heap grow to twice its size would cost as much memory
// as it takes.
const windowsGC, usualGC = 40, 100

// collect has the garbage collector look as often as it should with aggregates, or without.
func collect(aggregates bool) {
	if aggregates {
		debug.SetGCPercent(windowsGC)
	} else {
		debug.SetGCPercent(usualGC)
	}
}

// Run works until ctx ends, then finishes what has begun within SHUTDOWN_TIMEOUT. It returns an error only when the
// start fails for good, or when the end does not come in time.
func (a *App) Run(ctx context.Context) error {
	ctx, stopAll := context.WithCancel(ctx)
	defer stopAll()
	leaves := !signal.Ignored(syscall.SIGHUP) && hasTerminal() // nohup has it ignored
	hangups := make(chan os.Signal, 1)                         // from here on none ends the process
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	besideCtx, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer func() {
		stop()
		beside.Wait()
	}()
	beside.Go(func() { a.obeyHangups(besideCtx, hangups, leaves, stopAll) })
	a.introduce()
	defer a.look(ctx)()
	go func() {
		if err := a.http.Run(); err != nil {
			a.log.Error().Err(err).Msg("HTTP ended, the stream goes on")
		}
	}()
	if err := a.ensureTopics(ctx); err != nil {
		if model.Stopped(ctx, err) {
			return nil
		}
		return err
	}
	if a.broker != nil {
		outputs := a.processor().Topics()
		a.broker.Guide(a.log, a.spec().Source.Topic, outputs[1:]...)
	}
	end, err := a.obey(ctx)
	if err != nil { // stopped before it was known whether the group is paused
		return nil
	}
	defer end()
	beside.Go(func() { a.report(besideCtx, reportEvery) })
	beside.Go(func() { a.watchFile(besideCtx, lookAtFile) })
	beside.Go(func() { a.record(besideCtx) })
	beside.Go(func() { a.awaitReplays(besideCtx) })
	beside.Go(func() { a.showRestores(besideCtx) })
	if a.broker != nil && a.settings.Around.GeneratorRate > 0 {
		beside.Go(func() { a.feed(besideCtx) })
	}
	err = a.bounded(ctx, a.engine.Run)
	stop()
	beside.Wait()
	totals := a.metrics.Totals()
	a.log.Info().Int("in", totals.Consumed).Int("out", totals.Outputs).Int("filtered", totals.Filtered).Int("dead", totals.DeadLetters).Msg("stopped")
	return err
}

// bounded runs f until it returns, but not for long after ctx has ended.
func (a *App) bounded(ctx context.Context, f func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	a.log.Info().Stringer("timeout", a.settings.Engine.ShutdownTimeout).Msg("stopping: finishing and committing what has begun; a second signal ends at once")
	limit := a.settings.Engine.ShutdownTimeout + overrun
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return errors.New("the stream did not end within SHUTDOWN_TIMEOUT: what was not committed is processed again after the next start")
	}
}

func (a *App) introduce() {
	outputs := a.processor().Topics()
	a.log.Info().Str("version", version()).Str("pipeline", a.spec().Name).Str("file", a.spec().File).
		Str("source", a.spec().Source.Topic).Strs("outputs", outputs[1:]).Str("dead_letters", outputs[0]).
		Str("group", a.group).Str("guarantee", a.settings.Engine.DeliveryGuarantee).
		Str("brokers", strings.Join(a.bootstrap(), ",")).Func(a.instance).Msg("started")
	a.invite()
}

// instance names the instance when it has a name.
func (a *App) instance(e *zerolog.Event) {
	if id := a.settings.Engine.InstanceID; id != "" {
		e.Str("instance", id)
	}
}

// feed generates events for the embedded broker at GENERATOR_RATE.
func (a *App) feed(ctx context.Context) {
	rate := a.settings.Around.GeneratorRate
	events := generator.Default()
	events.Seed, events.Step = uint64(time.Now().UnixNano()), time.Second/time.Duration(rate)
	a.log.Info().Int("rate", rate).Str("topic", a.spec().Source.Topic).Msg("generating user logins; set GENERATOR_RATE to change how many a second")
	var backoff utils.Backoff
	for ctx.Err() == nil {
		f, err := newFeed(ctx, a.cluster, a.spec().Source.Topic, events)
		if err == nil {
			err = f.run(ctx, pace{rate: rate, live: true}, func(int) { backoff.Reset() })
		}
		if err != nil && !model.Stopped(ctx, err) {
			a.log.Warn().Err(err).Msg("the generator failed, trying again")
		}
		_ = backoff.Wait(ctx)
	}
}
