package repository

import (
	"testing"
	"time"
)

func TestBrokersAnswerAtOneTimeAndTheLastOneIsKnown(t *testing.T) {
	const interval = 100 * time.Millisecond
	start := time.Now()
	at := func(ms float64) time.Time { return start.Add(time.Duration(ms * float64(time.Millisecond))) }
	b := beat{interval: interval, until: map[int32]time.Time{}}
	for _, c := range []struct {
		node int32
		now  float64
		want time.Duration
	}{{1, 0, interval}, {2, 33, 67 * time.Millisecond}, {3, 99.5, time.Millisecond}} {
		if got := b.ask(c.node, at(c.now)); got != c.want {
			t.Errorf("broker %d at %v ms: wait %s, want %s", c.node, c.now, got, c.want)
		}
	}
	for _, c := range []struct {
		node int32
		now  float64
		last bool
	}{{1, 50, true}, {3, 100.6, false}, {2, 100.9, true}} { // the first one had enough before
		if got := b.answered(c.node, at(c.now)); got != c.last {
			t.Errorf("broker %d at %v ms: last %v", c.node, c.now, got)
		}
	}
	if got := b.ask(1, at(101)); got != interval {
		t.Errorf("the next beat is %s away", got)
	}
	if got := b.ask(2, at(105)); got != interval-4*time.Millisecond {
		t.Errorf("another broker's is %s away", got)
	}
}
