package handler

import (
	"sync"
	"time"

	"data-stream-engine/model"
)

// Beside hears of troubles of something beside the stream, which goes on meanwhile: they are counted, logged, and noted
// beside readiness, which they do not touch. It is safe for concurrent use.
type Beside struct {
	watch *Watch
	note  string
	what  string

	mu       sync.Mutex
	troubles troubles
}

// Beside is for what is told under the name of a note; what says what is in trouble, for a person.
func (w *Watch) Beside(note, what string) *Beside {
	return &Beside{watch: w, note: note, what: what, troubles: troubles{}}
}

// Retrying says that an operation failed and is tried again.
func (b *Beside) Retrying(op string, err error) {
	b.watch.Metrics.Retry(op, model.ClassOf(err))
	now := time.Now()
	b.mu.Lock()
	t := b.troubles.failed(op, now)
	times, since := t.times, now.Sub(t.since)
	lasting, tell := t.judge(err, now)
	b.mu.Unlock()
	if lasting {
		b.watch.Readiness.Note(b.note, b.what+": "+err.Error())
	}
	if tell {
		b.watch.log.Warn().Str("operation", op).Err(err).Int("attempt", times).Stringer("for", since.Round(time.Millisecond)).Msg(b.what + ", trying again")
	}
}

// Pausing says how long it is until then; nobody asks for that.
func (b *Beside) Pausing(string, time.Duration) {}

// Recovered says that an operation works; nothing need have failed before.
func (b *Beside) Recovered(op string) {
	b.mu.Lock()
	t, left := b.troubles.over(op)
	b.mu.Unlock()
	if t == nil {
		return
	}
	t.toldOver(&b.watch.log, op)
	if left == 0 {
		b.watch.Readiness.ClearNote(b.note)
	}
}

// Abandoned says that an operation is not tried any more.
func (b *Beside) Abandoned(op string) { b.Recovered(op) }

// Lost says that records are gone: what is beside the stream reads what there is.
func (b *Beside) Lost(model.TopicPartition, int64, int64) {}
