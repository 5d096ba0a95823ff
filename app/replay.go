package app

import (
	"context"
	"slices"

	"data-stream-engine/model"
	"data-stream-engine/repository"
)

// replayTopic is what the replay topic has to be for a source of so many partitions.
func (a *App) replayTopic(source int32) repository.TopicSpec {
	return repository.ReplayTopic(a.group, source, a.settings.Kafka.ReplicationFactor)
}

// ensureReplay makes sure that dead letters can be replayed. Everything else works without: what is wrong with the replay
// topic is said, and no reason to end. One that does not exist is subscribed to all the same, for when it does; one that we
// may not see would keep the group from sharing out the others.
func (a *App) ensureReplay(ctx context.Context, source int32) error {
	spec := a.replayTopic(source)
	count, err := ensureTopic(ctx, a.cluster, a.settings, spec, a.log)
	if err == nil && count < source {
		err = a.cluster.topics.Grow(ctx, spec.Name, source)
	}
	if err == nil || model.Stopped(ctx, err) {
		return err
	}
	a.log.Warn().Str("topic", spec.Name).Err(err).Msg("dead letters cannot be replayed; everything else works")
	if model.ClassOf(err) == model.Unauthorized && count == 0 {
		a.unreplayable = true
		topics := subscription(a.spec(), a.processor())
		a.member.Subscribe(slices.DeleteFunc(topics, func(name string) bool { return name == spec.Name }))
	}
	return nil
}
