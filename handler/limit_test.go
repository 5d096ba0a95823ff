package handler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"data-stream-engine/model"
)

func TestLimitHalvesDownToOneRecordAndGrowsBackToTheSetting(t *testing.T) {
	l := newLimit(100)
	for _, want := range []int{50, 25, 12, 6, 3, 1, 1} {
		if got := l.shrink(); got != want || l.get() != want {
			t.Errorf("%d, then %d; want %d", got, l.get(), want)
		}
	}
	last := l.get()
	for range 60 {
		l.grow()
		if got := l.get(); got <= last && last < 100 || got > last+max(last/10, 1) {
			t.Errorf("from %d to %d", last, got)
		}
		last = l.get()
	}
	if last != 100 {
		t.Errorf("%d, want %d", last, 100)
	}
}

// Each transaction that takes too long costs TRANSACTION_TIMEOUT. Where brokers manage a little less than the limit, few
// do, and what the others hold stays near what can be managed.
func TestLimitThatIsALittleTooLargeFailsSeldom(t *testing.T) {
	for _, bearable := range []int{1, 7, 60, 90, 99} {
		l := newLimit(100)
		failed, moved := 0, 0
		const times = 1000
		for range times {
			if n := l.get(); n > bearable {
				failed++
				l.hold(n)
				l.shrink()
			} else {
				moved += n
				l.grow()
			}
		}
		if most := times / 8; bearable > 10 && failed > most || bearable > 1 && failed > times/4 {
			t.Errorf("with %d bearable, %d of %d failed", bearable, failed, times)
		}
		if moved < times*bearable/3 {
			t.Errorf("with %d bearable, %d went through", bearable, moved)
		}
	}
}

// A transaction that COMMIT_MAX_BYTES kept at 40 records, or the interval, does not shrink when a limit of 100,000 halves.
func TestLimitShrinksFromWhatTheTransactionHeld(t *testing.T) {
	l := newLimit(100_000)
	l.hold(40)
	if got := l.shrink(); got != 20 {
		t.Errorf("%d", got)
	}
	l.hold(0)
	if got := l.shrink(); got != 10 {
		t.Errorf("%d", got)
	}
	l.hold(40) // more than the limit: handed over before it shrank
	if got := l.shrink(); got != 5 {
		t.Errorf("%d", got)
	}
}

// took is how long a pause was.
func (p *pace) took(ctx context.Context, ended <-chan struct{}, class model.Class) time.Duration {
	began := time.Now()
	p.wait(ctx, ended, class, func(time.Duration) {})
	return time.Since(began)
}

// longest is the longest of many pauses, each the n-th after a reset.
func longest(t *testing.T, n int, class model.Class) (most time.Duration) {
	t.Helper()
	for range 300 {
		var p pace
		for range n - 1 {
			p.wait(t.Context(), nil, class, func(time.Duration) {})
		}
		most = max(most, p.took(t.Context(), nil, class))
	}
	return most
}

func TestPauseIsShortForWhatPassesAndLongForWhatAnOperatorMends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			class model.Class
			n     int
			bound time.Duration
		}{
			{model.Transient, 1, 50 * time.Millisecond}, {model.Transient, 3, 200 * time.Millisecond}, {model.Transient, 20, 10 * time.Second},
			{model.Unauthorized, 1, operatorMin}, {model.Unauthorized, 3, 4 * operatorMin}, {model.Misconfigured, 20, operatorMax},
		} {
			if got := longest(t, c.n, c.class); got > c.bound || got < c.bound*8/10 {
				t.Errorf("pause %d for %s: up to %s, want up to %s", c.n, c.class, got, c.bound)
			}
		}
	})
}

func TestPauseBeginsAnewAfterASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pace
		for range 100 {
			for range 20 {
				p.wait(t.Context(), nil, model.Transient, func(time.Duration) {})
				p.wait(t.Context(), nil, model.Unauthorized, func(time.Duration) {})
			}
			p.reset()
			if got := p.took(t.Context(), nil, model.Transient); got > 50*time.Millisecond {
				t.Fatalf("%s", got)
			}
			if got := p.took(t.Context(), nil, model.Unauthorized); got > operatorMin {
				t.Fatalf("%s", got)
			}
		}
	})
}

// A group waits for each of its members: one that pauses joins all the same, and one that is stopped ends.
func TestPauseEndsWithTheAssignmentAndWithTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			var p pace
			for range 10 {
				p.wait(t.Context(), nil, model.Unauthorized, func(time.Duration) {})
			}
			ended := make(chan struct{})
			time.AfterFunc(100*time.Millisecond, func() { close(ended) })
			if got := p.took(t.Context(), ended, model.Unauthorized); got > 100*time.Millisecond {
				t.Fatalf("%s beyond the end of the assignment", got)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if got := p.took(ctx, nil, model.Unauthorized); got > 100*time.Millisecond {
				t.Fatalf("%s beyond the end of the engine", got)
			}
			cancel()
		}
	})
}
