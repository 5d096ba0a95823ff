package app

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/schollz/progressbar/v3"

	"data-stream-engine/handler"
	"data-stream-engine/utils"
)

const (
	// lookAtRestore is how often the bar of a restore moves.
	lookAtRestore = 200 * time.Millisecond
	// restoreSteps are those of the bar.
	restoreSteps = 1000
)

// restoring is a bar for a person at a terminal while windows are restored; the log alone tells everybody else. The log goes on
// meanwhile: as a hook it takes the bar away before a line, and the bar comes back below.
type restoring struct {
	terminal Process

	mu    sync.Mutex
	bar   *progressbar.ProgressBar // nil: nothing is restored
	began time.Time                // what the bar is about
}

// newRestoring is nil where there is no terminal.
func newRestoring(p Process) *restoring {
	if !utils.IsTerminal(p.Stderr) {
		return nil
	}
	return &restoring{terminal: p}
}

// Run implements zerolog.Hook.
func (r *restoring) Run(*zerolog.Event, zerolog.Level, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bar != nil {
		_ = r.bar.Clear()
	}
}

// show moves the bar to where a restore is. None: there is no bar any more.
func (r *restoring) show(state handler.RestoreState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bar != nil && (state.Partitions == 0 || !state.Since.Equal(r.began)) {
		_ = r.bar.Clear()
		r.bar = nil
	}
	if state.Partitions == 0 {
		return
	}
	if r.bar == nil {
		what := fmt.Sprintf("restoring the windows of %d partitions", state.Partitions)
		r.bar, r.began = newBar(r.terminal, restoreSteps, progressbar.OptionSetDescription(what)), state.Since
	}
	_ = r.bar.Set64(min(int64(state.Done*restoreSteps), restoreSteps-1)) // it is at its end when it is gone
	_ = r.bar.RenderBlank()                                              // also where it was, behind a line of the log
}

// showRestores moves the bar until ctx ends.
func (a *App) showRestores(ctx context.Context) {
	if a.restores == nil {
		return
	}
	defer a.restores.show(handler.RestoreState{})
	for utils.Sleep(ctx, lookAtRestore) == nil {
		a.restores.show(a.watch.Observed().Restore)
	}
}

// newLog is the log of the service.
func newLog(stderr io.Writer, s *utils.Settings, restores *restoring) zerolog.Logger {
	log := utils.NewLog(stderr, s.Around.LogLevel, s.Around.LogFormat)
	if restores != nil {
		log = log.Hook(restores)
	}
	return log
}
