package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestPagesThatAskTogetherShareAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, made := newShared(), atomic.Int64{}
		fill := func() ([]byte, error) {
			time.Sleep(20 * time.Millisecond)
			return fmt.Append(nil, made.Add(1)), nil
		}
		together := func(want string) {
			t.Helper()
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if body, err := s.get(t.Context(), "table", fill); err != nil || string(body) != want {
						t.Errorf("got %q, %v, want %q", body, err, want)
					}
				})
			}
			all.Wait()
		}
		together("1")
		time.Sleep(liveEvery - 20*time.Millisecond)
		together("2") // with the next frame
		if body, err := s.get(t.Context(), "another table", fill); err != nil || string(body) != "3" {
			t.Errorf("another question: %q, %v", body, err)
		}
	})
}

// With answers that take longer than they are shared, one after the other would wait for ever.
func TestSlowAndLargeAnswersHoldNobodyUp(t *testing.T) {
	for _, size := range []int{1, maxSharedBytes + 1} {
		synctest.Test(t, func(t *testing.T) {
			s, began := newShared(), time.Now()
			fill := func() ([]byte, error) {
				time.Sleep(2 * sharedFor)
				return make([]byte, size), nil
			}
			_, _ = s.get(t.Context(), "table", fill)
			time.Sleep(liveEvery)
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if body, err := s.get(t.Context(), "table", fill); err != nil || len(body) != size {
						t.Errorf("%d bytes, %v", len(body), err)
					}
				})
			}
			all.Wait()
			if took := time.Since(began) - liveEvery - 2*sharedFor; took != 2*sharedFor {
				t.Errorf("50 pages waited %s for an answer of %s and %d bytes", took, 2*sharedFor, size)
			}
		})
	}
}

func TestAFailureOrALargeAnswerIsNotShared(t *testing.T) {
	s := newShared()
	if _, err := s.get(t.Context(), "k", func() ([]byte, error) { return nil, errors.New("away") }); err == nil {
		t.Error("no failure")
	}
	made := 0
	for range 2 {
		if body, err := s.get(t.Context(), "k", func() ([]byte, error) { made++; return make([]byte, maxSharedBytes+1), nil }); err != nil || len(body) <= maxSharedBytes {
			t.Errorf("%d bytes, %v", len(body), err)
		}
	}
	if made != 2 {
		t.Errorf("a large answer was made %d times", made)
	}
	for i := range 10 * maxShared {
		_, _ = s.get(t.Context(), fmt.Sprint(i), func() ([]byte, error) { return []byte("x"), nil })
	}
	if len(s.made) > maxShared {
		t.Errorf("%d answers are kept", len(s.made))
	}
}

func TestWhoeverWaitsForASharedAnswerMayLeave(t *testing.T) {
	s, ctx := newShared(), t.Context()
	making, end := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		_, err := s.get(ctx, "k", func() ([]byte, error) { close(making); <-end; return []byte("x"), nil })
		done <- err
	}()
	<-making
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.get(gone, "k", func() ([]byte, error) { t.Error("made twice"); return nil, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(end)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A store that hangs has all places of those that list anomalies: events are explained all the same, and one more that lists is
// told so in the end.
func TestListingAnomaliesKeepsNobodyFromExplaining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		for range maxListing {
			r.api.listing <- struct{}{}
		}
		if w := r.ask("GET", "/api/v1/explain?partition=2&offset=5", ""); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := r.ask("GET", "/api/v1/anomalies", ""); w.Code != 503 || !strings.Contains(w.Body.String(), "others list anomalies") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
