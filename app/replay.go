package app

import (
	"context"
	"slices"
	"time"

	"data-stream-engine/handler/replay"
	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/repository/recordbatch"
	"data-stream-engine/utils"
)

const (
	noteReplay  = "replay"
	noteReplays = "replays" // that their topic may not be seen
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
	client := a.cluster.client
	a.replays = a.cluster
	a.replays.topics = repository.NewTopics(client, repository.NewRetry(beside))
	timeout := a.settings.Engine.TransactionTimeout
	config := replay.Config{
		Letters:   repository.NewLetters(client, beside, repository.SourceConfig{MaxBytes: lettersBytes, MaxBatchBytes: max(int(a.settings.Engine.MaxBatchBytes), repository.MostDerived)}),
		Pipelines: a, Prepare: a.prepareReplay, Timeout: timeout,
		Outlet: repository.NewReplays(client, beside, repository.NewPool(batchBytes), compressor, a.group, timeout),
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
// the group from sharing out the others, and is waited for.
func (a *App) ensureReplay(ctx context.Context, source int32) error {
	count, err := a.readyToReplay(ctx, a.cluster, source)
	if err == nil || model.Stopped(ctx, err) {
		return err
	}
	topic := a.processor().ReplayTopic()
	a.log.Warn().Str("topic", topic).Err(err).Msg("dead letters cannot be replayed; everything else works")
	if model.ClassOf(err) == model.Unauthorized && count == 0 {
		a.noReplay.Store(true)
		a.notes(noteReplays)("dead letters cannot be replayed: " + err.Error())
		a.member.Subscribe(a.subscribed(a.current.Load()))
	}
	return nil
}

// subscribed are the topics that the group shares out for a pipeline.
func (a *App) subscribed(l *loaded) []string {
	topics := subscription(l.spec, l.processor)
	if !a.noReplay.Load() {
		return topics
	}
	return slices.DeleteFunc(topics, func(name string) bool { return name == l.processor.ReplayTopic() })
}

// prepareReplay does that before each replay, since the source may have grown.
func (a *App) prepareReplay(ctx context.Context) (int32, error) {
	source := a.spec().Source.Topic
	counts, err := a.cluster.client.PartitionCounts(ctx, []string{source})
	if err != nil {
		return 0, err
	}
	count, err := a.readyToReplay(ctx, a.replays, counts[source])
	if err == nil {
		err = a.readReplays(ctx)
	}
	return count, err
}

// readReplays subscribes to the replay topic if we were not allowed to see it before: what is sent there is read by somebody.
func (a *App) readReplays(ctx context.Context) error {
	if !a.noReplay.Load() {
		return nil
	}
	release, err := a.reloads.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	if !a.noReplay.Load() { // somebody else has done it meanwhile
		return nil
	}
	l := a.current.Load()
	if err := a.engine.Take(ctx, l.processor, subscription(l.spec, l.processor)); err != nil {
		return err
	}
	a.noReplay.Store(false) // from now on, not before: awaitReplays goes on until it holds
	a.notes(noteReplays)("")
	a.log.Info().Str("topic", l.processor.ReplayTopic()).Msg("dead letters can be replayed")
	return nil
}

// awaitReplays asks for the replay topic now and then until it may be seen.
func (a *App) awaitReplays(ctx context.Context) {
	pause := utils.Backoff{Min: 2 * time.Second, Max: 30 * time.Second}
	for a.noReplay.Load() && pause.Wait(ctx) == nil {
		asking, cancel := context.WithTimeout(ctx, reloadTimeout)
		if _, err := a.prepareReplay(asking); err != nil && ctx.Err() == nil {
			a.notes(noteReplays)("dead letters cannot be replayed: " + err.Error())
		}
		cancel()
	}
}
