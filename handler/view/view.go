package view

import (
	"context"
	"errors"
	"sync"
	"time"

	"data-stream-engine/model"
)

// Config is what a View does not see by itself.
type Config struct {
	Group          string
	Delivery       string
	Version        string
	Brokers        []string // for messages
	StartedAt      time.Time
	SessionTimeout time.Duration // until the group gives the partitions of an instance that is gone to others
}

// Sources are what a View looks at. Group and Recorder may be nil: then it shows this instance alone, and no storage.
type Sources struct {
	Engine   Engine
	Loader   Loader
	Counter  Counter
	Group    Group
	Recorder Recorder
}

const (
	tickEvery    = time.Second
	countEvery   = 30 * time.Second // how often it is asked how many partitions there are
	countAgain   = 2 * time.Second  // after a failure
	countTimeout = 5 * time.Second

	unknownTopic = 3 // Kafka's code
)

// View is everything live that an operator sees. It is safe for concurrent use.
type View struct {
	cfg   Config
	src   Sources
	clock func() time.Time

	mu      sync.Mutex
	meter   meter
	history history
	roster  roster
	news    news
	judge   judge
	counts  map[string]int32 // of partitions, by topic
	there   map[string]bool  // topics that have been seen
	gone    string           // one of them that does not exist any more; empty: none
	seen    sight            // at the last tick
	verdict verdict

	troubled time.Time // when something failed last
}

// New returns a View that has seen nothing. Run makes it look.
func New(cfg Config, src Sources) *View {
	return &View{cfg: cfg, src: src, clock: time.Now, roster: newRoster(), counts: map[string]int32{}, there: map[string]bool{}}
}

// Run looks once a second, until ctx ends.
func (v *View) Run(ctx context.Context) {
	var counting sync.WaitGroup
	counting.Go(func() { v.count(ctx) })
	defer counting.Wait()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		v.Look(v.clock())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Look takes a look at everything and notes what it sees.
func (v *View) Look(now time.Time) {
	s, all, partials := v.ask(now) // outside the lock: who is asked may ask for Own
	v.mu.Lock()
	defer v.mu.Unlock()
	v.see(&s, all, partials)
	v.history.add(model.Point{At: now.UnixMilli(), Rates: s.rates})
	v.news.look(&v.history, &v.seen, &s)
	s.joined, s.left = v.news.joined, v.news.left
	s.slope, s.steadily, s.sloped = v.history.trend()
	v.verdict = v.judge.decide(&v.cfg, &s)
	v.seen = s
}

// count keeps the numbers of partitions up to date. Troubles with brokers are others' to tell.
func (v *View) count(ctx context.Context) {
	for ctx.Err() == nil {
		wait := countEvery
		if v.countOnce(ctx) != nil {
			wait = countAgain
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (v *View) countOnce(ctx context.Context) error {
	spec, processor, _, _ := v.src.Loader.Loaded()
	topics := []string{spec.Source.Topic}
	if derived, ok := processor.Derived(); ok {
		topics = append(topics, derived.Partials)
	}
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	counts, err := v.src.Counter.PartitionCounts(ctx, topics)
	failed, known := errors.AsType[*model.Error](err)
	v.mu.Lock()
	defer v.mu.Unlock()
	gone := ""
	switch {
	case known && failed.Code == unknownTopic:
		gone = failed.Subject
	case err == nil && counts[topics[0]] == 0:
		gone = topics[0]
	}
	if v.gone = ""; v.there[gone] { // at a start it is looked for before it is made
		v.gone = gone
	}
	if err == nil {
		v.counts = counts
		for topic, n := range counts {
			v.there[topic] = v.there[topic] || n > 0
		}
	}
	return err
}

// Rates are those of the last second, with those of each way of the pipeline.
func (v *View) Rates() model.Point {
	v.mu.Lock()
	defer v.mu.Unlock()
	return model.Point{At: v.seen.at.UnixMilli(), Rates: round(v.seen.rates)}
}

// History is the last 15 minutes, a point a second, and what happened meanwhile.
func (v *View) History() ([]model.Point, []model.Mark) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.history.points(), append([]model.Mark{}, v.history.marks...)
}
