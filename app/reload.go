package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/service"
)

const (
	// reloadTimeout is how long a reload may take: new topics have to be there, and what is under way has to end.
	reloadTimeout = 30 * time.Second
	// mostTold is how many lines the log gets about one reload.
	mostTold = 20
)

// reloading keeps reloads one behind the other, and remembers what came of the last file.
type reloading struct {
	turn       chan struct{} // has one element while nobody reloads
	aggregates func(bool)    // is told whether there are some

	mu   sync.Mutex
	seen string // hash of the content that was taken over or refused last
}

func newReloading() *reloading {
	r := &reloading{turn: make(chan struct{}, 1), aggregates: func(bool) {}}
	r.turn <- struct{}{}
	return r
}

// take waits for its turn. The caller ends it with release.
func (r *reloading) take(ctx context.Context) (release func(), err error) {
	select {
	case <-r.turn:
		return func() { r.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, &model.Error{Class: model.Transient, Op: "reload the pipeline file", Err: errors.New("another reload is under way"), Hint: "try again"}
	}
}

// saw remembers a content about which there is no more to say.
func (r *reloading) saw(hash string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = hash
}

// knows tells whether there is no more to say about a content.
func (r *reloading) knows(hash string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen == hash
}

// Reload reads the pipeline file again and goes on with it. The error of a bad file is around service.Problems; after any
// error everything goes on as before.
func (a *App) Reload(ctx context.Context) (model.Reloaded, error) {
	src, err := readFile(a.dir, a.settings.Engine.PipelineFile)
	if err != nil {
		a.metrics.Reloaded(handler.ReloadFailed)
		return model.Reloaded{}, err
	}
	return a.adopt(ctx, src)
}

// adopt goes on with a pipeline file of this content. Everything that may fail is done before anything changes.
func (a *App) adopt(ctx context.Context, src []byte) (model.Reloaded, error) {
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	release, err := a.reloads.take(ctx)
	if err != nil {
		return model.Reloaded{}, err
	}
	defer release()
	before := a.current.Load()
	if before.text == string(src) {
		a.reloads.saw(before.hash)
		a.metrics.Reloaded(handler.ReloadUnchanged)
		return model.Reloaded{Changed: []model.Difference{}}, nil
	}
	next, err := a.compile(src)
	if err == nil {
		err = a.compatible(before, next)
	}
	if err != nil {
		a.reloads.saw(hashOf(src))
		a.metrics.Reloaded(handler.ReloadRefused)
		return model.Reloaded{}, err
	}
	began := time.Now()
	if err := a.takeOver(ctx, before, next); err != nil {
		a.metrics.Reloaded(handler.ReloadFailed)
		return model.Reloaded{}, err
	}
	done := model.Reloaded{Changed: service.Differences(before.spec, next.spec)}
	a.metrics.Reloaded(handler.ReloadChanged)
	a.tellReloaded(next, done, time.Since(began))
	return done, nil
}

// compatible tells what makes the next pipeline one that only a restart can begin.
func (a *App) compatible(before, next *loaded) error {
	restart := func(what, from, to, hint string) error {
		return &model.Error{Class: model.Conflict, Op: "reload", Subject: next.spec.File, Err: fmt.Errorf("%s is %s now and %s in the file, which a reload cannot change", what, from, to), Hint: hint}
	}
	if from, to := before.spec.Source.Topic, next.spec.Source.Topic; from != to {
		return restart("source.topic", from, to, "restart all instances of the group for another source; offsets and windows of the old one are of no use then, so another KAFKA_GROUP_ID is what you want")
	}
	if from, to := before.spec.Name, next.spec.Name; from != to && a.settings.Kafka.GroupID == "" {
		return restart("name, which is the group's id since KAFKA_GROUP_ID is not set,", from, to, "set KAFKA_GROUP_ID="+from+" and restart to keep the group, or restart as another group that begins afresh")
	}
	return nil
}

// takeOver makes sure that new topics exist, and has the engine go on with the next pipeline between two commits.
func (a *App) takeOver(ctx context.Context, before, next *loaded) error {
	if err := a.ensureNew(ctx, before, next); err != nil {
		return err
	}
	topics := a.subscribed(next)
	if err := a.engine.Take(ctx, next.processor, topics); err != nil {
		return err
	}
	_, aggregates := next.processor.Derived()
	a.reloads.aggregates(aggregates)
	a.current.Store(next)
	a.reloads.saw(next.hash)
	a.metrics.Pipeline(next.spec.Name, next.hash)
	return nil
}

// lastTrouble is an observer that only remembers: a reload that waits for a topic is no trouble of the stream.
type lastTrouble struct {
	mu  sync.Mutex
	err error
}

// Retrying implements repository.Observer.
func (l *lastTrouble) Retrying(_ string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// Recovered implements repository.Observer.
func (l *lastTrouble) Recovered(string) {}

// Abandoned implements repository.Observer.
func (l *lastTrouble) Abandoned(string) {}

// Pausing implements repository.Observer.
func (l *lastTrouble) Pausing(string, time.Duration) {}

// Lost implements repository.Observer.
func (l *lastTrouble) Lost(model.TopicPartition, int64, int64) {}

// instead is the trouble itself where an error only says that time was up.
func (l *lastTrouble) instead(ctx context.Context, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil || ctx.Err() == nil || l.err == nil {
		return err
	}
	return &model.Error{Class: model.Transient, Op: "look for new topics", Err: l.err, Hint: "nothing has changed; try again when the brokers answer"}
}

// ensureNew makes sure that the topics exist which the pipeline before did not need.
func (a *App) ensureNew(ctx context.Context, before, next *loaded) error {
	trouble := &lastTrouble{}
	c := a.cluster
	c.topics = repository.NewTopics(c.client, repository.NewRetry(trouble))
	return trouble.instead(ctx, a.ensureMore(ctx, c, before, next))
}

func (a *App) ensureMore(ctx context.Context, c cluster, before, next *loaded) error {
	known := before.processor.Topics()
	for _, name := range next.processor.Topics() {
		if slices.Contains(known, name) {
			continue
		}
		if _, err := ensureTopic(ctx, c, a.settings, a.topic(name), a.log); err != nil {
			return err
		}
	}
	_, had := before.processor.Derived()
	if _, ok := next.processor.Derived(); !ok || had {
		return nil
	}
	counts, err := c.client.PartitionCounts(ctx, []string{next.spec.Source.Topic})
	if err != nil {
		return err
	}
	return a.ensureDerived(ctx, counts[next.spec.Source.Topic], func(ctx context.Context, spec repository.TopicSpec) (int32, error) {
		return ensureTopic(ctx, c, a.settings, spec, a.log)
	})
}

func (a *App) tellReloaded(next *loaded, done model.Reloaded, took time.Duration) {
	var changed []string
	for _, d := range done.Changed[:min(len(done.Changed), mostTold)] {
		changed = append(changed, d.What)
	}
	a.log.Info().Str("file", next.spec.File).Str("hash", next.hash).Int("changes", len(done.Changed)).Strs("changed", changed).Stringer("took", took.Round(time.Millisecond)).
		Msg("reloaded the pipeline file: it is in use from the next batch on")
}

// tellRefused tells the log why a file is not in use, a line for each mistake.
func (a *App) tellRefused(err error) {
	inUse := a.current.Load()
	line := a.log.Error().Str("file", inUse.spec.File).Time("in_use_since", inUse.at)
	if problems, ok := errors.AsType[service.Problems](err); ok {
		var list []string
		for _, p := range problems[:min(len(problems), mostTold)] {
			list = append(list, fmt.Sprintf("%s:%s: %s", p.File, p.At, p.Message))
		}
		line.Strs("problems", list).Int("count", len(problems)).
			Msg("the pipeline file has mistakes and is not taken over; the stream goes on with the one before. Mend it: it is read again when it changes")
		return
	}
	line.Err(err).Msg("the pipeline file is not taken over; the stream goes on with the one before")
}
