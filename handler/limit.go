package handler

import (
	"context"
	"sync/atomic"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// limit is how many records one transaction may hold: the setting, or less after one took too long. It is safe for
// concurrent use.
type limit struct {
	most    int64
	current *atomic.Int64
	held    *atomic.Int64 // by the transaction under way, as far as that is known
}

func newLimit(most int) limit {
	l := limit{most: int64(most), current: new(atomic.Int64), held: new(atomic.Int64)}
	l.current.Store(l.most)
	return l
}

func (l limit) get() int { return int(l.current.Load()) }

// hold says how many records the transaction under way holds; 0: nobody knows.
func (l limit) hold(n int) { l.held.Store(int64(n)) }

// shrink makes it half of what the last transaction held, down to one record, and returns it. COMMIT_MAX_BYTES or the
// interval may keep that far below the limit, and halving the limit itself would change nothing for long.
func (l limit) shrink() int {
	from := l.current.Load()
	if held := l.held.Load(); held > 0 {
		from = min(from, held)
	}
	half := max(from/2, 1)
	l.current.Store(half)
	return int(half)
}

// growth is the part of itself by which the limit grows with each success: from half of what took too long, it takes a
// dozen to come there again. Doubling would make every second transaction fail where the limit is a little too large.
const growth = 16

// grow makes it a little larger, by one record at least, up to the setting.
func (l limit) grow() {
	if now := l.current.Load(); now < l.most {
		l.current.Store(min(now+max(now/growth, 1), l.most))
	}
}

// pace is the pause between attempts at one thing: short for what passes, long for what an operator has to mend.
type pace struct {
	transient, operator utils.Backoff
}

const (
	operatorMin = 2 * time.Second
	operatorMax = 30 * time.Second
)

// wait pauses, but not beyond the end of the assignment: its group waits for this member to join again. It tells how long
// before.
func (p *pace) wait(ctx context.Context, ended <-chan struct{}, class model.Class, tell func(time.Duration)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	onClose(ctx, ended, cancel)
	b := &p.transient
	if class != model.Transient {
		b = &p.operator
		b.Min, b.Max = operatorMin, operatorMax
	}
	pause := b.Next()
	tell(pause)
	_ = utils.Sleep(ctx, pause) // an ended ctx is noticed by the caller's loop
}

func (p *pace) reset() {
	p.transient.Reset()
	p.operator.Reset()
}
