package handler

import (
	"context"
	"errors"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
	"data-stream-engine/utils"
)

// restore reads the changelogs of partitions, one after the other.
func (m *merger) restore(ctx context.Context, missing []*merging) {
	for _, p := range missing {
		pause := utils.Backoff{Min: time.Second, Max: time.Minute}
		for {
			state, err := m.restoreOne(ctx, p)
			if err == nil {
				p = &merging{TopicPartition: p.TopicPartition, position: p.position, state: state}
				break
			}
			if ctx.Err() != nil {
				return
			}
			m.watch.RestoreFailed(p.Partition, err)
			if pause.Wait(ctx) != nil {
				return
			}
		}
		select {
		case m.restored <- p:
		case <-ctx.Done():
			return
		}
	}
}

var (
	errBehind = errors.New("the changelog ends before the merge commit that the group's offset names: it was truncated or deleted")
	errAhead  = errors.New("the changelog is ahead of the group's offset, which was moved back, or has expired")
)

// restoreOne reads the changelog of a partition to its end.
func (m *merger) restoreOne(ctx context.Context, p *merging) (*aggregate.Partition, error) {
	began := time.Now()
	state := aggregate.NewPartition(p.Partition, m.outbox.Partitions(m.number))
	changelog := model.TopicPartition{Topic: m.derived.Changelog, Partition: p.Partition}
	records, bytes := 0, 0
	err := m.changelog.Restore(ctx, changelog, func(message *model.Message) error {
		records++
		bytes += len(message.Key) + len(message.Value)
		return unknown(changelog, state.Restore(message.Key, message.Value))
	}, m.watch.RestoreProgress(p.Partition))
	if err == nil {
		err = unknown(changelog, state.Restored())
	}
	if err != nil {
		return nil, err
	}
	switch have, want := state.Sequence(), p.position.Note.Sequence; {
	case aggregate.Behind(have, want):
		err = errBehind
	case have != want && m.cfg.ExactlyOnce: // without transactions one may have been written without the other
		err = errAhead
	}
	if err != nil {
		return nil, &model.Error{Class: model.DataLost, Op: "restore", Subject: changelog.Topic, Err: err, Hint: "set another KAFKA_GROUP_ID to start afresh from the source"}
	}
	m.watch.RestoredOne(p.Partition, state.Groups(), records, bytes, time.Since(began))
	return state, nil
}

// unknown is an error about what is in the changelog: reading it once more gives the same.
func unknown(changelog model.TopicPartition, err error) error {
	if err == nil {
		return nil
	}
	return &model.Error{Class: model.DataLost, Op: "restore", Subject: changelog.Topic, Err: err, Hint: "run the version that wrote it, or set another KAFKA_GROUP_ID to start afresh from the source"}
}
