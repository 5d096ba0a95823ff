package app

import (
	"context"
	"encoding/hex"
	"errors"

	"data-stream-engine/handler/recorder"
	"data-stream-engine/handler/view"
	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/repository/broker"
	"data-stream-engine/repository/group"
	"data-stream-engine/repository/store"
)

const (
	noteStorage  = "storage"
	noteRecorder = "recorder"
	// recorderSuffix is behind the group's name in that of the group that shares the recording.
	recorderSuffix = "-recorder"
	// recorderBytes is how much the recorder reads of a broker at a time.
	recorderBytes = 1 << 20
)

// storing is the store, and what fills it. All is nil when STORAGE_URL is none.
type storing struct {
	store    *store.Store
	recorder *recorder.Recorder
}

// storage composes the store and its recorder. Nothing is opened yet: a database that is away stops no start.
func (a *App) storage(context.Context, Process) error {
	url := a.settings.Around.StorageURL
	if store.Off(url) {
		return nil
	}
	s, err := store.New(store.Config{URL: url, Dir: a.dir, DataDir: a.dataDir, Group: a.group, Retention: a.settings.Around.StorageRetention, Log: a.log})
	if err != nil {
		return err
	}
	a.cleanups.add("storage", func(context.Context) error { return s.Close() })
	beside := a.watch.Beside(noteRecorder, "cannot read what is to be stored, insights and dead letters may be old")
	config := recorder.Config{Store: s, Keeper: s, Kind: s.Kind(), Name: s.Name(), Insights: a.insightsTopic, DeadLetters: a.processor().Topics()[model.DeadLetters],
		Topics: a.cluster.known, Note: a.notes(noteStorage), NoteReading: a.notes(noteRecorder), Log: a.log.With().Str("part", "recorder").Logger(),
		NewLog: func() recorder.Log {
			return repository.NewLog(a.cluster.client, beside, "read insights and dead letters", repository.SourceConfig{MaxBytes: recorderBytes, MaxBatchBytes: repository.MostDerived})
		},
	}
	if s.Shared() {
		member := group.New(group.Config{Group: a.group + recorderSuffix, InstanceID: a.settings.Engine.InstanceID, ClientID: a.settings.Kafka.ClientID,
			Topics: []string{config.DeadLetters}, SessionTimeout: a.settings.Engine.SessionTimeout, RebalanceTimeout: rebalanceSlack}, a.cluster.client, a.cluster.client, beside, a.log)
		config.Membership = member
		config.Subscribe = func(topics []string) { member.Subscribe(topics) }
	}
	a.storing = storing{store: s, recorder: recorder.New(config)}
	return nil
}

// insightsTopic is where the insights of the pipeline in use are; empty: it has no aggregates.
func (a *App) insightsTopic() string {
	derived, ok := a.processor().Derived()
	if !ok {
		return ""
	}
	return derived.Insights
}

// notes names trouble beside readiness, which it does not touch.
func (a *App) notes(name string) func(reason string) {
	return func(reason string) {
		if reason == "" {
			a.watch.Readiness.ClearNote(name)
		} else {
			a.watch.Readiness.Note(name, reason)
		}
	}
}

// record fills the store until ctx ends.
func (a *App) record(ctx context.Context) {
	if a.storing.recorder != nil {
		a.storing.recorder.Run(ctx)
	}
}

// State is how the storage is, for the view of the service. It is only asked when there is one.
func (s storing) State() view.Storage {
	is := s.recorder.State()
	v := view.Storage{Kind: is.Kind, OK: is.OK, Behind: is.Behind}
	if is.Reason != "" {
		v.Reason = &is.Reason
	}
	return v
}

// known asks the brokers for topics, of which those that do not exist are left out.
func (c cluster) known(ctx context.Context, names []string) (map[string]recorder.Topic, error) {
	found := map[string]recorder.Topic{}
	for _, name := range names {
		topics, err := c.client.RefreshTopics(ctx, name)
		if e, ok := errors.AsType[*model.Error](err); ok && e.Code == broker.UnknownTopicOrPartition {
			continue
		}
		if err != nil {
			return nil, err
		}
		t := topics[name]
		found[name] = recorder.Topic{ID: hex.EncodeToString(t.ID[:]), Partitions: int32(len(t.Leaders))}
	}
	return found, nil
}
