package handler

import (
	"fmt"
	"time"

	"data-stream-engine/model"
)

// NotePaused is the name of the note that the group stands still because somebody wanted it.
const NotePaused = "paused"

// The states of an instance, as it tells them to the group.
const (
	StateStarting  = "starting"
	StateRestoring = "restoring"
	StateReading   = "reading"
	StateStandby   = "standby"
	StatePaused    = "paused"
	StateAway      = "away" // the brokers do not do what is asked
	StateStopping  = "stopping"
)

// Paused says that the group is asked to stand still; nil: to go on. It keeps nothing from being ready: whatever watches
// over readiness should not restart what stands still on purpose.
func (w *Watch) Paused(p *model.Pause) {
	if p == nil {
		w.Metrics.paused.Set(0)
		w.Readiness.ClearNote(NotePaused)
		return
	}
	w.Metrics.paused.Set(1)
	text := fmt.Sprintf("the group was paused by %s at %s", p.By, p.At.UTC().Format(time.RFC3339))
	if p.Reason != "" {
		text += ": " + p.Reason
	}
	w.Readiness.Note(NotePaused, text+"; nothing is lost, events wait until somebody resumes it")
}

// StandStill says that nothing is read here since the group is paused. What was in trouble before is over.
func (w *Watch) StandStill(partitions int) {
	w.phase(StatePaused)
	w.Readiness.Clear(ConditionAssigned)
	w.settled()
	w.log.Info().Int("partitions", partitions).Msg("paused: keeping the place in the group, reading nothing")
}

// phase notes what the instance is about, troubles aside.
func (w *Watch) phase(state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != StateStopping {
		w.state = state
	}
	w.working = w.working && state == StateReading
}

// Stopping says that the instance is about to end.
func (w *Watch) Stopping() { w.phase(StateStopping) }
