package handler

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// asked is an engine that nobody runs: a test plays the part of its goroutine.
func asked(t *testing.T, topics ...string) (e *Engine, subscribed *[]string) {
	t.Helper()
	subscribed = &topics
	ports := Ports{NewWriter: func(string) Writer { return Writer{} }, Subscribe: func(to []string) bool {
		others := strings.Join(to, " ") != strings.Join(*subscribed, " ")
		*subscribed = to
		return others
	}}
	watch := NewWatch(NewMetrics("g", "v"), NewReadiness(), NewProgress(), zerolog.Nop())
	return NewEngine(Config{Group: "g", TransactionTimeout: time.Second}, ports, processorOf(t, rigPipeline), watch, zerolog.Nop()), subscribed
}

func TestPauseEndsWaitingAtOnceAndResumeNeedsNone(t *testing.T) {
	e, _ := asked(t)
	woken := 0
	e.asks.onAsk(func() { woken++ })
	if e.asks.any() || woken != 0 {
		t.Error("asked from the start")
	}
	_, news := e.asks.still()
	e.Pause(&model.Pause{By: "a"})
	if still, _ := e.asks.still(); !e.asks.any() || !still || woken != 1 {
		t.Errorf("woken %d times", woken)
	}
	select {
	case <-news:
	default:
		t.Error("whoever stands still would not hear of it")
	}
	e.asks.onAsk(func() { woken++ }) // whoever begins to wait then is woken at once
	if woken != 2 {
		t.Errorf("woken %d times", woken)
	}
	e.asks.onAsk(nil)
	e.Pause(nil)
	if e.asks.any() || woken != 2 {
		t.Errorf("after the end woken %d times", woken)
	}
}

func TestPauseIsANoteThatKeepsNothingFromBeingReady(t *testing.T) {
	e, _ := asked(t)
	e.Pause(&model.Pause{By: "a", Reason: "broker upgrade", At: time.Unix(1_800_000_000, 0)})
	r := e.watch.Readiness.Report()
	if !r.Ready || len(r.Notes) != 1 || r.Notes[0].Name != NotePaused || !strings.Contains(r.Notes[0].Reason, "a at 2027-01-15T08:00:00Z: broker upgrade") {
		t.Errorf("got %+v", r)
	}
	e.Pause(nil)
	if r := e.watch.Readiness.Report(); len(r.Notes) != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestAnotherPipelineIsTakenBetweenTwoRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, subscribed := asked(t, "in")
		next := processorOf(t, strings.Replace(rigPipeline, "topic: out", "topic: other", 1))
		done := make(chan error, 1)
		take := func(p *service.Processor, topics ...string) {
			go func() { done <- e.Take(t.Context(), p, topics) }()
			synctest.Wait()
		}
		take(next, "in")
		if !e.asks.any() || e.processor == next || len(done) != 0 {
			t.Error("it was taken while nobody was between two runs")
		}
		if e.change() || e.processor != next || e.asks.any() {
			t.Error("it was not taken, or the group would be joined again for nothing")
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		take(next, "in", "partials")
		if !e.change() || len(*subscribed) != 2 {
			t.Error("the group is not joined again for another topic")
		}
		<-done
		if e.change() {
			t.Error("taken twice")
		}
	})
}

// A pipeline that could not be taken in time must not be taken later: whoever asked was told that nothing has changed.
func TestPipelineThatComesTooLateIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := asked(t, "in")
		before := e.processor
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := e.Take(ctx, processorOf(t, rigPipeline), []string{"in"})
		if err == nil || model.ClassOf(err) != model.Transient || !strings.Contains(err.Error(), "nothing has changed") {
			t.Errorf("got %v", err)
		}
		if e.change(); e.processor != before {
			t.Error("it was taken")
		}
	})
}

// While another pipeline waits, a paused engine does not stand still: it takes that first.
func TestPausedEngineTakesAPipeline(t *testing.T) {
	e, _ := asked(t)
	e.Pause(&model.Pause{})
	e.asks.put(func(a *asks) { a.next = &change{processor: e.processor, taken: make(chan struct{})} })
	if still, _ := e.asks.still(); still {
		t.Error("it would stand still")
	}
	e.change()
	if still, _ := e.asks.still(); !still {
		t.Error("it would go on")
	}
}

func TestTroubleBesideTheStreamIsANoteAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w := NewWatch(NewMetrics("g", "v"), NewReadiness(), NewProgress(), zerolog.New(&log))
		b := w.Beside("control", "cannot read the topic")
		away := errors.New("connection refused")
		b.Retrying("read", away)
		if len(w.Readiness.Report().Notes) != 0 || log.Len() != 0 {
			t.Error("what passes in a moment is told")
		}
		for range 25 {
			time.Sleep(time.Second)
			b.Retrying("read", away)
		}
		b.Retrying("write", &model.Error{Class: model.Unauthorized, Op: "write"})
		r := w.Readiness.Report()
		if !r.Ready || len(r.Notes) != 1 || r.Notes[0].Name != "control" {
			t.Errorf("got %+v", r)
		}
		if n := strings.Count(log.String(), "connection refused"); n != 3 { // after 1, 11 and 21 s
			t.Errorf("told %d times", n)
		}
		b.Recovered("write")
		if len(w.Readiness.Report().Notes) != 1 {
			t.Error("the note is gone while something is in trouble")
		}
		b.Recovered("read")
		b.Recovered("read")
		if len(w.Readiness.Report().Notes) != 0 || strings.Count(log.String(), "works again") != 2 {
			t.Errorf("after the end: %s", log.String())
		}
		log.Reset()
		b.Retrying("read", &model.Error{Class: model.Unauthorized, Op: "read"})
		b.Abandoned("read")
		if len(w.Readiness.Report().Notes) != 0 || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("after it was given up: %v %s", w.Readiness.Report().Notes, log.String())
		}
	})
}
