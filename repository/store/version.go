package store

import (
	"context"
	"sync/atomic"
	"time"
)

// others is what other instances have written to a shared store.
type others struct {
	seen   atomic.Uint64
	asked  atomic.Int64 // when, in milliseconds
	asking atomic.Bool
}

// versionInterval is how often a shared store is asked for news.
const versionInterval = time.Second

// Version grows when dead letters or anomalies were written. News of other instances are asked for in the background, once a
// second while somebody wants to know.
func (s *Store) Version() uint64 {
	if !s.Shared() {
		return s.own.Load()
	}
	now := time.Now().UnixMilli()
	if now-s.others.asked.Load() >= versionInterval.Milliseconds() && s.others.asking.CompareAndSwap(false, true) {
		go func() {
			defer s.others.asking.Store(false)
			s.others.asked.Store(now)
			s.ask()
		}()
	}
	return s.own.Load() + s.others.seen.Load()
}

func (s *Store) ask() {
	_ = s.reading(context.Background(), "look for news", func(ctx context.Context, db *database) error { // the recorder tells of trouble
		var marks int64
		if err := db.read.QueryRowContext(ctx, "SELECT CAST(coalesce(sum(marks), 0) AS BIGINT) FROM positions").Scan(&marks); err != nil {
			return err
		}
		for seen := s.others.seen.Load(); uint64(marks) > seen; seen = s.others.seen.Load() {
			if s.others.seen.CompareAndSwap(seen, uint64(marks)) {
				break
			}
		}
		return nil
	})
}
