package app

import (
	"context"
	"slices"

	"data-stream-engine/handler/replay"
	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/repository/recordbatch"
)

const (
	noteReplay = "replay"
	// lettersBytes is how much of the dead-letter topic is read at a time.
	lettersBytes = 1 << 20
)

// replaying composes what shows dead letters and replays them. No connection is made yet.
func (a *App) replaying(context.Context, Process) error {
	codec, err := recordbatch.ParseCodec(a.settings.Kafka.Compression)
	if err != nil {
		return err
	}
	compressor, err := recordbatch.NewCompressor(codec)
	if err != nil {
		return err
	}
	beside := a.watch.Beside(noteReplay, "cannot read or replay dead letters")
	c := a.cluster
	c.topics = repository.NewTopics(c.client, repository.NewRetry(beside))
	timeout := a.settings.Engine.TransactionTimeout
	config := replay.Config{
		Letters:   repository.NewLetters(c.client, beside, repository.SourceConfig{MaxBytes: lettersBytes, MaxBatchBytes: max(int(a.settings.Engine.MaxBatchBytes), repository.MostDerived)}),
		Pipelines: a, Prepare: func(ctx context.Context) (int32, error) { return a.prepareReplay(ctx, c) }, Timeout: timeout,
		Outlet: repository.NewReplays(c.client, beside, repository.NewPool(batchBytes), compressor, a.group, timeout),
	}
	if a.storing.store != nil {
		config.Store = a.storing.store
	}
	a.replayer = replay.New(config)
	return nil
}

// Replayer shows and replays dead letters, and shows events of the source.
func (a *App) Replayer() *replay.Replayer { return a.replayer }

// readyToReplay makes sure that the replay topic is as it has to be for a source of so many partitions, and returns how many
// it has.
func (a *App) readyToReplay(ctx context.Context, c cluster, source int32) (int32, error) {
	spec := repository.ReplayTopic(a.group, source, a.settings.Kafka.ReplicationFactor)
	count, err := ensureTopic(ctx, c, a.settings, spec, a.log)
	if err == nil && count < source {
		if err = c.topics.Grow(ctx, spec.Name, source); err == nil {
			a.log.Info().Str("topic", spec.Name).Int32("from", count).Int32("to", source).Msg("the topic has grown with the source")
			count = source
		}
	}
	return count, err
}

// ensureReplay does that at the start. Everything else works without: what is wrong with the replay topic is said, and no
// reason to end. One that does not exist is subscribed to all the same, for when it does; one that we may not see would keep
// the group from sharing out the others.
func (a *App) ensureReplay(ctx context.Context, source int32) error {
	count, err := a.readyToReplay(ctx, a.cluster, source)
	if err == nil || model.Stopped(ctx, err) {
		return err
	}
	topic := a.processor().ReplayTopic()
	a.log.Warn().Str("topic", topic).Err(err).Msg("dead letters cannot be replayed; everything else works")
	if model.ClassOf(err) == model.Unauthorized && count == 0 {
		a.noReplay.Store(&err)
		a.member.Subscribe(a.subscribed(a.current.Load()))
	}
	return nil
}

// subscribed are the topics that the group shares out for a pipeline.
func (a *App) subscribed(l *loaded) []string {
	topics := subscription(l.spec, l.processor)
	if a.noReplay.Load() == nil {
		return topics
	}
	return slices.DeleteFunc(topics, func(name string) bool { return name == l.processor.ReplayTopic() })
}

// prepareReplay does that before each replay, since the source may have grown. Its troubles are none of the stream's.
func (a *App) prepareReplay(ctx context.Context, c cluster) (int32, error) {
	if why := a.noReplay.Load(); why != nil {
		return 0, &model.Error{Class: model.Unauthorized, Op: "replay dead letters", Err: *why, Hint: "when that is mended, start this instance again: nobody reads what would be replayed"}
	}
	source := a.spec().Source.Topic
	counts, err := c.client.PartitionCounts(ctx, []string{source})
	if err != nil {
		return 0, err
	}
	return a.readyToReplay(ctx, c, counts[source])
}
