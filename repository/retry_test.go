package repository

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
)

func TestRetryGoesOnUntilItSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &observer{}
		started, tries := time.Now(), 0
		err := NewRetry(o).Do(t.Context(), "op", func(context.Context) error {
			if tries++; tries <= 30 {
				return io.EOF
			}
			return nil
		})
		retries, recovered, _ := o.told()
		if err != nil || len(retries) != 30 || retries[0] != "op: EOF" || len(recovered) != 1 {
			t.Errorf("%v, %d retries, recovered %v", err, len(retries), recovered)
		}
		if took := time.Since(started); took < 3*time.Second || took > 90*time.Second {
			t.Errorf("30 attempts took %s: the pauses should grow to seconds and stay there", took)
		}
	})
}

func TestRetryLeavesToTheCallerWhatDoesNotPass(t *testing.T) {
	for class := model.Fenced; class <= model.Misconfigured; class++ {
		o, tries := &observer{}, 0
		err := NewRetry(o).Do(t.Context(), "op", func(context.Context) error {
			tries++
			return &model.Error{Class: class}
		})
		if retries, _, _ := o.told(); tries != 1 || len(retries) != 0 || model.ClassOf(err) != class {
			t.Errorf("%s: %d tries, told of %v, %v", class, tries, retries, err)
		}
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, failure := range []error{io.EOF, broker.Check("x", "y", broker.ConcurrentTransactions)} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			started := time.Now()
			err := NewRetry(&observer{}).Do(ctx, "op", func(context.Context) error { return failure })
			if took := time.Since(started); !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second {
				t.Errorf("%v after %s", err, took)
			}
		}
	})
}

// A transaction whose markers cannot be written, for a partition has no leader, must not be asked for a thousand times
// a second for ever.
func TestPromptRetriesAreBounded(t *testing.T) {
	for _, code := range []int16{broker.ConcurrentTransactions, broker.UnstableOffsetCommit} {
		synctest.Test(t, func(t *testing.T) {
			o, tries := &observer{}, 0
			started := time.Now()
			perSecond := map[int]int{}
			err := NewRetry(o).Do(t.Context(), "op", func(context.Context) error {
				perSecond[int(time.Since(started)/time.Second)]++
				if tries++; time.Since(started) > time.Minute {
					return nil
				}
				return broker.Check("x", "y", code)
			})
			retries, recovered, _ := o.told()
			if err != nil || len(retries) == 0 || len(recovered) != 1 {
				t.Errorf("%v: a minute of it was told as %d retries, recovered %v", err, len(retries), recovered)
			}
			if perSecond[0] < 400 || tries > promptTries+200 {
				t.Errorf("%d tries in the first second, %d in a minute", perSecond[0], tries)
			}
		})
	}
}
