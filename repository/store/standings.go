package store

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"data-stream-engine/model"
)

const (
	// maxStandings and maxStandingBytes bound what is kept in memory.
	maxStandings     = 16
	maxStandingBytes = 64 << 20
	// patience is how old a standing may be at least before it is made anew when its window has changed; one that took long to
	// make may be twenty times as old as that, so that making them takes a twentieth of one processor at most.
	patience, thrift = time.Second, 20
	// relay is how long a table goes on with the window before while the standing of a new one is made.
	relay = 5 * time.Second
)

type standingKey struct {
	series
	start int64
}

// standings are the windows that somebody looks at.
type standings struct {
	mu     sync.Mutex
	made   map[standingKey]*standing
	making sync.Map // standingKey: *making
}

type making struct {
	done chan struct{}
	made *standing
	err  error
}

// get is the standing of a window: the one in memory, if nothing has changed since or little time has passed, or a new one.
// latest tells that no window was named, so that the one before will do for a moment.
func (s *standings) get(ctx context.Context, db *database, of series, at slot, latest bool) (*standing, error) {
	key := standingKey{of, at.start.UnixMilli()}
	s.mu.Lock()
	have := s.made[key]
	var before *standing
	if latest {
		before = s.before(of, at.start)
	}
	if have != nil {
		have.used, have.latest = time.Now(), have.latest || latest
	}
	s.mu.Unlock()
	if have != nil && (have.changes == at.changes || time.Since(have.made) < max(patience, thrift*have.took)) {
		return have, nil
	}
	m := s.make(ctx, db, of, at, key, latest)
	if have == nil && before != nil {
		have = before
	}
	if have != nil { // what is there will do until the new one is made
		return have, nil
	}
	select {
	case <-m.done:
		return m.made, m.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// before is the standing of the window that was the latest before, when somebody has just looked at it.
func (s *standings) before(of series, start time.Time) (best *standing) {
	for key, have := range s.made {
		if key.series == of && have.latest && have.start.Before(start) && time.Since(have.used) < relay && (best == nil || have.start.After(best.start)) {
			best = have
		}
	}
	return best
}

// make begins to read a window, unless that is under way.
func (s *standings) make(ctx context.Context, db *database, of series, at slot, key standingKey, latest bool) *making {
	fresh := &making{done: make(chan struct{})}
	other, under := s.making.LoadOrStore(key, fresh)
	if m, ok := other.(*making); ok && under {
		return m
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	go func() {
		defer cancel()
		fresh.made, fresh.err = db.build(ctx, of, at)
		if fresh.err == nil {
			fresh.made.latest = latest
			s.keep(key, fresh.made)
		}
		s.making.Delete(key)
		close(fresh.done)
	}()
	return fresh
}

// keep puts a standing in memory, and those out of it that nobody has looked at for the longest time.
func (s *standings) keep(key standingKey, made *standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made[key] = made
	for {
		total, oldest := 0, key
		for k, x := range s.made {
			total += x.bytes()
			if k != key && (oldest == key || x.used.Before(s.made[oldest].used)) {
				oldest = k
			}
		}
		if oldest == key || len(s.made) <= maxStandings && total <= maxStandingBytes {
			return
		}
		delete(s.made, oldest)
	}
}

// pick are the first groups of a table, and how many the search found.
func (s *standings) pick(at *standing, ask model.GroupQuery) ([]int64, int) {
	s.mu.Lock()
	order := at.order(quoted(ask.Measure))
	s.mu.Unlock()
	return at.found(order, searched(ask.Search), ask.Limit)
}

// quoted is a name as it stands in a document.
func quoted(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }) {
		return `"` + name + `"`
	}
	text, _ := json.Marshal(name) // texts can always be written
	return string(text)
}
