package handler

import (
	"errors"
	"net"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
)

const (
	// patience is how long an operation may fail before it is worth a person's attention.
	patience = time.Second
	// repeatLog is the least time between two log lines about the same trouble.
	repeatLog = 10 * time.Second
)

// troubles are the operations that fail at the moment, by name. Its owner has a lock around it.
type troubles map[string]*trouble

// trouble is an operation that fails at the moment.
type trouble struct {
	since, logged time.Time
	times         int
	lasting       bool // long enough to be worth a person's attention
	err           error
	next          time.Time // when it is tried again; zero: not known
}

// failed counts an attempt that failed.
func (all troubles) failed(op string, now time.Time) *trouble {
	t := all[op]
	if t == nil {
		t = &trouble{since: now}
		all[op] = t
	}
	t.times++
	return t
}

// judge tells whether the trouble is worth a person's attention because of err, and whether the log is to tell of it now. What
// passes in a moment - a new topic that not every broker knows yet, a coordinator that moves - is not; a call that ran into its
// deadline has lasted by itself.
func (t *trouble) judge(err error, now time.Time) (lasting, tell bool) {
	var late net.Error
	lasting = now.Sub(t.since) >= patience || !passes(model.ClassOf(err)) || errors.As(err, &late) && late.Timeout()
	tell = lasting && now.Sub(t.logged) >= repeatLog
	if tell {
		t.logged = now
	}
	t.lasting, t.err, t.next = t.lasting || lasting, err, time.Time{}
	return lasting, tell
}

// over forgets an operation that works again. nil: it had not failed. left is how many still fail.
func (all troubles) over(op string) (t *trouble, left int) {
	t = all[op]
	delete(all, op)
	return t, len(all)
}

// toldOver says so to whoever was told of the trouble.
func (t *trouble) toldOver(log *zerolog.Logger, op string) {
	if !t.logged.IsZero() {
		log.Info().Str("operation", op).Int("attempts", t.times).Stringer("after", time.Since(t.since).Round(time.Millisecond)).Msg("works again")
	}
}

// passes tells of what may be over in a moment.
func passes(c model.Class) bool {
	return c == model.Transient || c == model.Fenced || c == model.TimedOut || c == model.Rejoin
}
