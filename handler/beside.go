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
	if lasting {
		b.watch.Readiness.Note(b.note, b.what+": "+err.Error())
	}
	b.mu.Unlock()
	if tell {
		b.watch.log.Warn().Str("operation", op).Err(err).Int("attempt", times).Stringer("for", since.Round(time.Millisecond)).Msg(b.what + ", trying again")
	}
}

// Pausing says how long it is until then; nobody asks for that.
func (b *Beside) Pausing(string, time.Duration) {}

// Recovered says that an operation works; nothing need have failed before.
func (b *Beside) Recovered(op string) {
	if t := b.over(op); t != nil {
		t.toldOver(&b.watch.log, op)
	}
}

// Abandoned says that an operation is not tried any more, which does not mean that it works.
func (b *Beside) Abandoned(op string) { b.over(op) }

// over forgets an operation, and the note with the last one. nil: it had not failed.
func (b *Beside) over(op string) *trouble {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, left := b.troubles.over(op)
	if t != nil && left == 0 {
		b.watch.Readiness.ClearNote(b.note)
	}
	return t
}

// Lost says that records are gone: what is beside the stream reads what there is.
func (b *Beside) Lost(model.TopicPartition, int64, int64) {}
