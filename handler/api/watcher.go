package api

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"data-stream-engine/handler/guard"
	"data-stream-engine/model"
)

const (
	liveAnomalies   = 50
	liveDeadLetters = 120
	// pointsAge is after how long the windows around anomalies are read again: those after an anomaly come later.
	pointsAge = 30 * time.Second
	// queryTimeout is what the store may take for a list.
	queryTimeout = 5 * time.Second
)

// lists are the lists that pages show, as JSON; nil: not read yet.
type lists struct {
	anomalies, deadLetters []byte
}

// watcher reads the lists from the store whenever something was written there. It has a goroutine of its own, so that a
// store that is slow or away holds up no frame.
type watcher struct {
	api *API

	mu  sync.Mutex
	now lists

	// The rest is for the goroutine.
	read        bool // everything, at least once
	version     uint64
	seen        []model.TopicOffset // the anomalies that were read
	anomaliesAt time.Time
}

func newWatcher(a *API) *watcher { return &watcher{api: a} }

func (w *watcher) lists() lists {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// start watches until stop, which waits for the end.
func (w *watcher) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(liveEvery)
		defer tick.Stop()
		w.look(ctx)
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				w.look(ctx)
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// look reads what is new. What cannot be read stays as it was; the status says why.
func (w *watcher) look(ctx context.Context) {
	version := w.api.Changes.Version()
	changed := !w.read || version != w.version
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	done := true
	if changed {
		letters, err := w.deadLetters(ctx)
		done = err == nil
		w.keep(err, func(l *lists) { l.deadLetters = letters })
	}
	if changed || time.Since(w.anomaliesAt) > pointsAge {
		anomalies, err := w.anomalies(ctx)
		done = done && err == nil
		if err != nil || anomalies != nil {
			w.keep(err, func(l *lists) { l.anomalies = anomalies })
		}
	}
	if done {
		w.read, w.version = true, version
	}
}

func (w *watcher) keep(err error, set func(*lists)) {
	if err != nil {
		w.api.Log.Debug().Err(err).Msg("the lists of open pages cannot be read")
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	set(&w.now)
}

// anomalies are the newest ones; nil: they are the same as before.
func (w *watcher) anomalies(ctx context.Context) ([]byte, error) {
	found, err := w.api.Insights.Insights(ctx, model.InsightQuery{Kind: model.InsightAnomaly, Limit: liveAnomalies})
	if err != nil {
		return nil, err
	}
	seen := make([]model.TopicOffset, len(found.Items))
	for i := range found.Items {
		seen[i] = found.Items[i].At
	}
	if slices.Equal(seen, w.seen) && time.Since(w.anomaliesAt) <= pointsAge {
		return nil, nil
	}
	items, err := w.api.anomalyItems(ctx, found.Items)
	if err != nil {
		return nil, err
	}
	w.seen, w.anomaliesAt = seen, time.Now()
	return json.Marshal(struct {
		Items []json.RawMessage `json:"items"`
	}{items})
}

// deadLetters are the counts and the latest letters, with nothing in them that needs a right.
func (w *watcher) deadLetters(ctx context.Context) ([]byte, error) {
	counts, err := w.api.counts(ctx)
	if err != nil {
		return nil, err
	}
	found, err := w.api.Letters.DeadLetters(ctx, model.DeadLetterQuery{Limit: liveDeadLetters})
	if err != nil {
		return nil, err
	}
	latest := make([]letter, len(found.Items))
	for i := range found.Items {
		latest[i] = letterOf(&found.Items[i], guard.Rights{})
	}
	return json.Marshal(struct {
		Groups []count  `json:"groups"`
		Latest []letter `json:"latest"`
	}{counts, latest})
}
