package app

import (
	"context"

	"data-stream-engine/handler/view"
	"data-stream-engine/model"
)

// see composes what operators see.
func (a *App) see(context.Context, Process) error {
	sources := view.Sources{Engine: a.watch, Loader: a, Counter: a.cluster.client, Group: a.control}
	if a.storing.recorder != nil {
		sources.Recorder = a.storing
	}
	a.view = view.New(view.Config{
		Group: a.group, Delivery: a.settings.Engine.DeliveryGuarantee, Version: version(), Brokers: a.bootstrap(),
		StartedAt: a.started, SessionTimeout: a.settings.Engine.SessionTimeout,
	}, sources)
	return nil
}

// look keeps what operators see up to date until end is called, also while this instance waits for brokers or stops.
func (a *App) look(ctx context.Context) (end func()) {
	looking, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.view.Run(looking)
	}()
	return func() {
		stop()
		<-done
	}
}

// View is what operators see.
func (a *App) View() *view.View { return a.view }

// own is what this instance tells the group of itself.
func (a *App) own() model.InstanceStatus {
	own := a.view.Own()
	own.Pipeline = a.current.Load().hash
	return own
}
