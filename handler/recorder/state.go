package recorder

import (
	"errors"
	"sync"
	"time"

	"data-stream-engine/model"
)

// State is how the storage is.
type State struct {
	Kind   string
	OK     bool
	Reason string // what is wrong, with the store or with reading what is to be stored; empty when all is well
	Behind *int64 // records that are not stored yet; nil: not known
}

// repeat is the least time between two log lines about the same trouble.
const repeat = 10 * time.Minute

type state struct {
	mu     sync.Mutex
	ok     bool
	reason string
	behind *int64
	since  time.Time // of the trouble
	logged time.Time
	odd    time.Time // when a strange record was logged last
	skips  int
}

// State is safe for concurrent use.
func (r *Recorder) State() State {
	s := &r.state
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{Kind: r.cfg.Kind, OK: s.ok, Reason: s.reason, Behind: s.behind}
}

// works says that the store does what it should.
func (r *Recorder) works(behind int64) {
	s := &r.state
	s.mu.Lock()
	was, since := s.ok && s.reason == "", s.since
	s.ok, s.reason, s.behind, s.logged, s.since = true, "", &behind, time.Time{}, time.Time{}
	s.mu.Unlock()
	if was {
		return
	}
	r.cfg.Note("")
	r.cfg.NoteReading("")
	event := r.cfg.Log.Info().Str("storage", r.cfg.Name)
	if !since.IsZero() {
		event = event.Stringer("after", time.Since(since).Round(time.Millisecond))
	}
	event.Msg("recording insights and dead letters")
}

// failed says that something does not work and is tried again: the store, or, when the error is from elsewhere, reading what
// is to be stored.
func (r *Recorder) failed(err error) {
	text := err.Error()
	_, other := errors.AsType[*elsewhere](err)
	s := &r.state
	s.mu.Lock()
	tell := s.reason != text && s.since.IsZero() || time.Since(s.logged) >= repeat || s.ok != other
	s.ok, s.reason, s.behind = other, text, nil
	if s.since.IsZero() {
		s.since = time.Now()
	}
	if tell {
		s.logged = time.Now()
	}
	s.mu.Unlock()
	what, note := "insights and dead letters cannot be stored for now, the stream goes on; trying again", r.cfg.Note
	if other {
		what, note = "what is to be stored cannot be read for now; trying again", r.cfg.NoteReading
	}
	note(text)
	if tell {
		r.cfg.Log.Warn().Err(err).Msg(what)
	}
}

// elsewhere is trouble that is not the store's.
type elsewhere struct{ err error }

func (e *elsewhere) Error() string { return e.err.Error() }

func (e *elsewhere) Unwrap() error { return e.err }

func fromElsewhere(err error) error {
	if err == nil {
		return nil
	}
	return &elsewhere{err}
}

// strange tells of a record that is no insight. Whoever writes to the topic besides the engine may write many.
func (r *Recorder) strange(m *model.Message, err error) {
	s := &r.state
	s.mu.Lock()
	s.skips++
	tell, n := time.Since(s.odd) >= repeat, s.skips
	if tell {
		s.odd, s.skips = time.Now(), 0
	}
	s.mu.Unlock()
	if tell {
		r.cfg.Log.Warn().Err(err).Str("topic", m.Topic).Int32("partition", m.Partition).Int64("offset", m.Offset).Int("records", n).
			Msg("a record is no insight and is not recorded: something else writes to the topic")
	}
}
