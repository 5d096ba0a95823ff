package api

import (
	"context"
	"sync"
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
	turn chan struct{} // holds one: whoever looks at the rest, or makes it
	at   time.Time
	body []byte
}

func newShared() *shared { return &shared{made: map[string]*sharedAnswer{}} }

// get is the answer for a key, which fill makes when there is none that is fresh. A failure is nobody else's.
func (s *shared) get(ctx context.Context, key string, fill func() ([]byte, error)) ([]byte, error) {
	one := s.of(key)
	select {
	case one.turn <- struct{}{}:
		defer func() { <-one.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if one.body != nil && time.Since(one.at) < sharedFor {
		return one.body, nil
	}
	began := time.Now()
	body, err := fill()
	if err == nil && len(body) <= maxSharedBytes {
		one.at, one.body = began, body
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
