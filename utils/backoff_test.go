package utils

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoffGrowsUpToMaxAndResets(t *testing.T) {
	b := Backoff{Min: 10 * time.Millisecond, Max: 100 * time.Millisecond}
	for i, limit := range []time.Duration{10, 20, 40, 80, 100, 100, 100} {
		if got := b.limit(); got != limit*time.Millisecond {
			t.Errorf("bound of pause %d is %s, want %s", i, got, limit*time.Millisecond)
		}
		if d := b.Next(); d < 0 || d > limit*time.Millisecond {
			t.Errorf("pause %d is %s, want at most %s", i, d, limit*time.Millisecond)
		}
	}
	if b.attempts != 7 {
		t.Errorf("%d attempts, want 7", b.attempts)
	}
	b.Reset()
	if b.limit() != 10*time.Millisecond || b.attempts != 0 {
		t.Errorf("after Reset: bound %s, %d attempts", b.limit(), b.attempts)
	}
}

func TestBackoffNeverOverflows(t *testing.T) {
	b := Backoff{Min: time.Hour, Max: 1<<63 - 2}
	for range 200 {
		if d := b.Next(); d < 0 {
			t.Fatalf("pause of %s", d)
		}
	}
}

func TestBackoffJitterIsFull(t *testing.T) {
	low, high := 0, 0
	for range 1000 {
		b := Backoff{Min: time.Second, Max: time.Second}
		if b.Next() < 500*time.Millisecond {
			low++
		} else {
			high++
		}
	}
	if low < 300 || high < 300 {
		t.Errorf("%d pauses in the lower half, %d in the upper one: not spread over the whole range", low, high)
	}
}

func TestWaitPausesAndStopsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var b Backoff
		for range 12 {
			if err := b.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took == 0 || took > 12*defaultBackoffMax {
			t.Errorf("12 pauses took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		if err := Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Sleep returned %v after the context ended", err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("Sleep ended after %s, want 1s", took)
		}
		if err := b.Wait(ctx); err == nil {
			t.Error("Wait with an ended context returned nil")
		}
	})
}
