package handler

import (
	"slices"
	"sync"
	"time"

	"data-stream-engine/model"
)

// Tracer tells the operator's tracing of each batch once it is known what became of it. It must not wait for anybody:
// whoever works on the batch still waits for it.
type Tracer interface {
	Trace(t *BatchTrace)
}

// The outcomes of a batch besides those of a transaction.
const (
	BatchCommitted = TransactionCommitted
	BatchFailed    = "failed"    // its events are processed again
	BatchAbandoned = "abandoned" // it ended before its commit: its events are processed again
)

// The parts of a batch whose durations are told.
const (
	PartSend   = "send"   // a parcel of output, until all brokers have it
	PartCommit = "commit" // offsets, and the end of the transaction
)

const (
	mostLinks   = 32 // messages whose traces a batch is linked with
	mostParts   = 64
	mostRetries = 64
)

// BatchTrace is the story of one batch: of one transaction, with exactly once.
type BatchTrace struct {
	Began, Processed, Ended time.Time // Processed is zero when it ended before all of it was processed
	Outcome                 string
	Err                     error // why it failed
	Result                  model.Result
	Bytes                   int           // of the messages read
	Took                    time.Duration // spent processing
	Partitions              []model.TopicPartition
	Links                   []string // traceparent of sampled messages (W3C Trace Context)
	Parts                   []TracePart
	Retries                 []TraceRetry

	mu sync.Mutex
}

// TracePart is a part of a batch with a duration.
type TracePart struct {
	Name         string
	Began, Ended time.Time
	Err          error
}

// TraceRetry is a call that failed and was made again while the batch was under way.
type TraceRetry struct {
	At  time.Time
	Op  string
	Err error
}

// linked notes the traces that messages of the batch are part of. Like all methods it does nothing on nil.
func (b *BatchTrace) linked(links []string) {
	if b == nil || len(links) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Links = append(b.Links, links[:min(len(links), mostLinks-len(b.Links))]...)
}

// part measures f.
func (b *BatchTrace) part(name string, f func() error) error {
	if b == nil {
		return f()
	}
	began := time.Now()
	err := f()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.Parts) < mostParts {
		b.Parts = append(b.Parts, TracePart{name, began, time.Now(), err})
	}
	return err
}

// handed says what the batch holds when all of it is processed.
func (b *BatchTrace) handed(done *batch) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Processed, b.Bytes, b.Took, b.Result = time.Now(), done.bytes, done.took, done.result
	for tp := range done.positions {
		b.Partitions = append(b.Partitions, tp)
	}
}

// counted corrects the result by what the brokers refused.
func (b *BatchTrace) counted(r model.Result) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Result = r
}

// traces are the batches under way, the oldest first. On nil, when nobody traces, its methods do nothing. It is safe for
// concurrent use.
type traces struct {
	tracer Tracer

	mu   sync.Mutex
	open []*BatchTrace
}

// TraceWith tells a tracer of each batch from now on. It is called before Run.
func (e *Engine) TraceWith(t Tracer) {
	e.traces = &traces{tracer: t}
	e.watch.traces = e.traces
}

func (t *traces) begin(at time.Time) *BatchTrace {
	if t == nil {
		return nil
	}
	b := &BatchTrace{Began: at}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = append(t.open, b)
	return b
}

// retried notes a failed call with the batch that waits for it: the oldest one.
func (t *traces) retried(op string, err error) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.open) == 0 {
		return
	}
	b := t.open[0]
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.Retries) < mostRetries {
		b.Retries = append(b.Retries, TraceRetry{time.Now(), op, err})
	}
}

// end tells of a batch, unless that was done.
func (t *traces) end(b *BatchTrace, outcome string, err error) {
	if t == nil {
		return
	}
	t.mu.Lock()
	i := slices.Index(t.open, b)
	if i >= 0 {
		t.open = slices.Delete(t.open, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 {
		return
	}
	b.mu.Lock() // a run goes on with a batch that has failed until it hears of that
	defer b.mu.Unlock()
	b.Ended, b.Outcome, b.Err = time.Now(), outcome, err
	t.tracer.Trace(b)
}

// abandon ends all that are open: the assignment is over.
func (t *traces) abandon(err error) {
	if t == nil {
		return
	}
	t.mu.Lock()
	open := slices.Clone(t.open)
	t.mu.Unlock()
	for _, b := range open {
		t.end(b, BatchAbandoned, err)
	}
}
