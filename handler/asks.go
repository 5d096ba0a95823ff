package handler

import (
	"context"
	"errors"
	"slices"
	"sync"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// asks are what others want of the engine: to stand still, or to go on with another pipeline. It does either between two
// runs, so a run ends when there is something: what it has begun is committed, and the assignment stays.
type asks struct {
	mu    sync.Mutex
	pause *model.Pause  // nil: go on
	next  *change       // nil: none
	wake  func()        // whoever waits for messages
	news  chan struct{} // closed with each change
}

// change is another pipeline.
type change struct {
	processor *service.Processor
	topics    []string // to subscribe to
	taken     chan struct{}
}

func newAsks() asks { return asks{wake: func() {}, news: make(chan struct{})} }

// Pause makes the engine stand still, or, with nil, go on. It finishes and commits what it has begun, and keeps its place in
// the group and its partitions. Safe for concurrent use.
func (e *Engine) Pause(p *model.Pause) {
	e.asks.put(func(a *asks) { a.pause = p })
	e.watch.Paused(p)
}

// Take makes the engine go on with another pipeline that reads the same source, and returns when it does. topics are those
// to subscribe to: it joins the group again only when they are others than before. When ctx ends first nothing has changed.
// One call at a time.
func (e *Engine) Take(ctx context.Context, processor *service.Processor, topics []string) error {
	c := &change{processor: processor, topics: topics, taken: make(chan struct{})}
	e.asks.put(func(a *asks) { a.next = c })
	select {
	case <-c.taken:
		return nil
	case <-ctx.Done():
	}
	if e.asks.take() == nil { // it has been taken just now
		<-c.taken
		return nil
	}
	return &model.Error{Class: model.Transient, Op: "take the pipeline over", Err: errors.New("what is under way did not end in time"),
		Hint: "nothing has changed; the instance is busy with a broker or the group, see its readiness; try again"}
}

func (a *asks) put(f func(*asks)) {
	a.mu.Lock()
	f(a)
	wake := a.wake
	close(a.news)
	a.news = make(chan struct{})
	a.mu.Unlock()
	wake()
}

// any tells whether a run should end.
func (a *asks) any() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pause != nil || a.next != nil
}

// still tells whether to stand still: paused, and nothing else to do before. news is closed when that may have changed.
func (a *asks) still() (still bool, news <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pause != nil && a.next == nil, a.news
}

// take is the pipeline to go on with, nil when there is none.
func (a *asks) take() *change {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.next
	a.next = nil
	return c
}

// onAsk has f called when a run should end, at once if it should already. nil: nobody waits any more.
func (a *asks) onAsk(f func()) {
	a.mu.Lock()
	now := f != nil && (a.pause != nil || a.next != nil)
	if a.wake = f; f == nil {
		a.wake = func() {}
	}
	a.mu.Unlock()
	if now {
		f()
	}
}

// change takes another pipeline over, if there is one, and tells whether the group has to be joined again for it.
func (e *Engine) change() (rejoin bool) {
	c := e.asks.take()
	if c == nil {
		return false
	}
	e.processor = c.processor
	if _, ok := c.processor.Derived(); !ok {
		for number := range e.parts {
			e.forget(number)
		}
		e.watch.Restoring()
	}
	rejoin = e.ports.Subscribe(c.topics)
	close(c.taken)
	return rejoin
}

// writtenBy are the topics that a pipeline's outboxes write to, by their number there.
func writtenBy(processor *service.Processor) []string {
	topics := processor.Topics()
	if derived, ok := processor.Derived(); ok {
		topics = slices.Concat(topics, derived.List())
	}
	return topics
}
