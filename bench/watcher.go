package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// watcher reads an output topic as its records come, read committed, and notes how old they are: their timestamps are
// those of their events.
type watcher struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	seen []arrival
	err  error
}

// arrival is one record.
type arrival struct {
	due  int64 // milliseconds since 1970
	took time.Duration
}

// watch begins to read.
func (r *race) watch(ctx context.Context, topic string) (*watcher, error) {
	from := map[int32]kgo.Offset{}
	for p := range r.partitions {
		from[int32(p)] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(r.bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMinBytes(1))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{client: client, cancel: cancel, done: make(chan struct{})}
	go w.run(ctx)
	return w, nil
}

func (w *watcher) run(ctx context.Context) {
	defer close(w.done)
	for ctx.Err() == nil {
		fetched := w.client.PollFetches(ctx)
		now := time.Now()
		w.mu.Lock()
		for r := range fetched.RecordsAll() {
			w.seen = append(w.seen, arrival{r.Timestamp.UnixMilli(), now.Sub(r.Timestamp)})
		}
		if w.err == nil && ctx.Err() == nil {
			w.err = fetched.Err()
		}
		w.mu.Unlock()
	}
}

func (w *watcher) close() {
	w.cancel()
	<-w.done
	w.client.Close()
}

func (w *watcher) count() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int64(len(w.seen))
}

// atLeast waits until so many records have come.
func (w *watcher) atLeast(ctx context.Context, n int64) error {
	for w.count() < n {
		if err := w.failure(); err != nil {
			return err
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d outputs have come: %w", w.count(), n, err)
		}
	}
	return w.failure()
}

func (w *watcher) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// took are the ages, in milliseconds, of the records whose events were due in a time.
func (w *watcher) took(begin, end time.Time) (ages []float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.seen {
		if due := time.UnixMilli(a.due); !due.Before(begin) && due.Before(end) {
			ages = append(ages, float64(a.took.Nanoseconds())/1e6)
		}
	}
	return ages
}
