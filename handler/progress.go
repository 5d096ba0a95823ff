package handler

import (
	"sync/atomic"
	"time"
)

// Progress remembers when the work last moved on: a batch was handled, or there was nothing to do. An instance that
// waits for a broker makes progress too, as long as it goes on trying. It is safe for concurrent use.
type Progress struct {
	start time.Time
	last  atomic.Int64 // nanoseconds since start, on the monotonic clock
}

// NewProgress counts from now.
func NewProgress() *Progress { return &Progress{start: time.Now()} }

// Made says that the work moved on.
func (p *Progress) Made() { p.last.Store(int64(time.Since(p.start))) }

// Age is the time since the work last moved on.
func (p *Progress) Age() time.Duration {
	return time.Since(p.start) - time.Duration(p.last.Load())
}
