package api

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sharedFor is how long an answer is given to others that ask for the same. All open pages ask with each frame: those
	// of one frame share, and the next frame has a new one.
	sharedFor = liveEvery / 2
	// maxShared bounds what is kept of them.
	maxShared, maxSharedBytes = 16, 256 << 10
)

// shared are answers that are made once for all that ask for them at about the same time.
type shared struct {
	mu   sync.Mutex
	made map[string]*sharedAnswer
}

type sharedAnswer struct {
	turn        chan struct{} // holds one: whoever looks at the rest, or makes it
	began, made time.Time
	body        []byte
	large       atomic.Bool // too large to be kept: everybody makes their own, and nobody waits for that
}

func newShared() *shared { return &shared{made: map[string]*sharedAnswer{}} }

// get is the answer for a key, which fill makes when there is none that is fresh. A failure is nobody else's.
func (s *shared) get(ctx context.Context, key string, fill func() ([]byte, error)) ([]byte, error) {
	one, asked := s.of(key), time.Now()
	if one.large.Load() {
		return one.make(fill)
	}
	select {
	case one.turn <- struct{}{}:
		defer func() { <-one.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// What took long was made for those who have waited for it, too: one after the other they would wait for ever.
	if one.body != nil && (time.Since(one.began) < sharedFor || one.made.After(asked)) {
		return one.body, nil
	}
	began := time.Now()
	body, err := one.make(fill)
	if err == nil && !one.large.Load() {
		one.began, one.made, one.body = began, time.Now(), body
	}
	return body, err
}

func (a *sharedAnswer) make(fill func() ([]byte, error)) ([]byte, error) {
	body, err := fill()
	if err == nil {
		a.large.Store(len(body) > maxSharedBytes)
	}
	return body, err
}

func (s *shared) of(key string) *sharedAnswer {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.made[key]
	if one == nil {
		if len(s.made) >= maxShared {
			clear(s.made) // whoever waits for one still gets it
		}
		one = &sharedAnswer{turn: make(chan struct{}, 1)}
		s.made[key] = one
	}
	return one
}
