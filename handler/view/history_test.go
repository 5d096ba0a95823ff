package view

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"data-stream-engine/model"
)

func TestHistoryIsOfTheLastFifteenMinutes(t *testing.T) {
	var h history
	h.mark(began, markReload, "old")
	for n := range 1000 {
		at := began.Add(time.Duration(n) * time.Second)
		if n == 500 {
			h.mark(at, markReload, "new")
		}
		h.add(model.Point{At: at.UnixMilli(), Rates: model.Rates{In: float64(n), Edges: map[string]float64{"a": 1}}})
	}
	points := h.points()
	if len(points) != 900 || points[0].In != 100 || points[899].In != 999 || points[5].Edges != nil {
		t.Errorf("%d points, %+v to %+v", len(points), points[0], points[len(points)-1])
	}
	if len(h.marks) != 1 || h.marks[0].Text != "new" {
		t.Errorf("%+v", h.marks)
	}
	if p, ok := h.back(899); !ok || p.In != 100 {
		t.Errorf("%+v", p)
	}
	if _, ok := h.back(900); ok {
		t.Error("there is none")
	}
}

func TestTrendNeedsEverySecondOfTheLastTwenty(t *testing.T) {
	var h history
	for n := range int64(19) {
		h.add(model.Point{Rates: model.Rates{Lag: new(100 * n)}})
	}
	if _, _, ok := h.trend(); ok {
		t.Error("a trend of 19 seconds")
	}
	h.add(model.Point{Rates: model.Rates{Lag: new(int64(1900))}})
	if slope, steadily, ok := h.trend(); !ok || !steadily || slope != 100 {
		t.Errorf("%v a second, steadily: %v", slope, steadily)
	}
	h.add(model.Point{})
	if _, _, ok := h.trend(); ok {
		t.Error("a trend across a gap")
	}
}

// One look a second, whatever is asked meanwhile; nothing is left behind.
func TestAViewLooksOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.clock = time.Now
		r.countErr = errors.New("no broker")
		done := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			defer close(done)
			r.Run(ctx)
		}()
		time.Sleep(10*time.Second + time.Millisecond)
		if points, _ := r.History(); len(points) != 11 {
			t.Errorf("%d points in 10 s", len(points))
		}
		cancel()
		<-done
	})
}

// The news of a group, second by second.
func TestMarks(t *testing.T) {
	r := newRig(t)
	r.instances = r.instances[:1]
	r.pass(2, 100)
	joined := r.now.Add(time.Second)
	r.observed.Generations++ // the statuses follow later
	r.pass(2, 100)
	r.instances = append(r.instances, other("engine-3", 4, 6))
	r.pass(20, 100)
	r.instances[0].Alive = false
	r.pass(1, 100)
	r.observed.Generations++
	r.pass(20, 100)
	r.pause = &model.Pause{By: "engine-3", At: r.now, Reason: "up\ngrade"}
	r.pass(5, 0)
	r.pause = nil
	r.pass(5, 100)
	r.loadedAt = r.now
	r.pass(1, 100)
	r.away(true)
	r.pass(38, 0)
	r.away(false)
	r.pass(1, 0)
	r.away(true) // once more, at once: it is the same
	r.pass(1, 0)
	r.away(false)
	r.pass(5, 0)
	r.observed.Generations++ // nobody came or went: a new partition, for instance
	r.pass(20, 0)
	_, marks := r.History()
	want := []model.Mark{{Kind: markRebalance, Text: "engine-3 joined"}, {Kind: markRebalance, Text: "engine-2 left"}, {Kind: markPause, Text: "paused by engine-3: up grade"},
		{Kind: markPause, Text: "resumed"}, {Kind: markReload, Text: "pipeline file loaded"}, {Kind: markBroker, Text: "broker away"}, {Kind: markBroker, Text: "broker back after 43 s"}, {Kind: markRebalance, Text: "rebalance"}}
	if len(marks) != len(want) {
		t.Fatalf("%+v", marks)
	}
	for i := range want {
		if marks[i].Kind != want[i].Kind || marks[i].Text != want[i].Text {
			t.Errorf("%d: %+v, want %+v", i, marks[i], want[i])
		}
	}
	if !marks[0].At.Equal(joined) {
		t.Errorf("at %s, want %s", marks[0].At, joined)
	}
}
