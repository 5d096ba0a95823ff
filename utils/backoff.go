package utils

import (
	"context"
	"math/rand/v2"
	"time"
)

// The limits of a Backoff that does not set its own.
const (
	defaultBackoffMin = 50 * time.Millisecond
	defaultBackoffMax = 10 * time.Second
)

// Backoff is the pause between two attempts at the same thing: exponential, with full jitter, so that instances which
// failed together do not come back together
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). The zero value is ready to use. One
// Backoff serves one loop and is not safe for concurrent use.
type Backoff struct {
	Min time.Duration // upper bound of the first pause; 0: 50 ms
	Max time.Duration // upper bound of every pause; 0: 10 s

	attempts int
}

// Wait pauses and returns nil, or returns the context's error at once when ctx ends.
func (b *Backoff) Wait(ctx context.Context) error {
	return Sleep(ctx, b.Next())
}

// Next is the pause before the next attempt: uniform between 0 and min(Max, Min doubled with each attempt).
func (b *Backoff) Next() time.Duration {
	limit := b.limit()
	b.attempts++
	return time.Duration(rand.Int64N(int64(limit) + 1))
}

// Reset begins anew after a success.
func (b *Backoff) Reset() { b.attempts = 0 }

func (b *Backoff) limit() time.Duration {
	lo, hi := b.Min, b.Max
	if lo <= 0 {
		lo = defaultBackoffMin
	}
	if hi <= 0 {
		hi = defaultBackoffMax
	}
	for range b.attempts {
		if lo >= hi/2 { // doubling would pass the limit, or overflow
			return hi
		}
		lo *= 2
	}
	return min(lo, hi)
}

// Sleep returns nil after d, or the context's error as soon as ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
