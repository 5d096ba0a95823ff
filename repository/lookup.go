package repository

import (
	"context"
	"errors"
	"fmt"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/repository/recordbatch"
)

// lookupWait is how long a broker may look for one message.
const lookupWait = 500 * time.Millisecond

// lookupTries is how often a batch is fetched that cannot be read, or nothing where something should be.
const lookupTries = 3

// Lookup fetches one message again and shows it to see; its slices are valid until see returns.
func (s *Source) Lookup(ctx context.Context, at model.Origin, see func(*model.Message) error) error {
	retry, tried := NewRetry(s.observer), 0
	return retry.Do(ctx, "look up a message", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, broker.DefaultTimeout)
		defer cancel()
		leader, epoch, err := leaderOf(ctx, s.client, at.TopicPartition)
		if err != nil {
			return err
		}
		p := &part{TopicPartition: at.TopicPartition}
		body := appendFetch(nil, int32(lookupWait.Milliseconds()), 1, int32(s.cfg.MaxBytes), []claim{{p, at.Offset, epoch, 0}})
		f := &broker.Frame{Key: 1, Version: 11, Pieces: [][]byte{body}}
		if err := s.client.Exchange(ctx, leader, f); err != nil {
			return err
		}
		parts, err := readFetch(f.Answer, nil)
		if err != nil {
			return err
		}
		err = s.find(ctx, at, parts, see)
		if errors.Is(err, errUnreadable) {
			if tried++; tried >= lookupTries {
				return lost(at, err)
			}
		}
		return err
	})
}

// errUnreadable says that the broker should have the message, and that its answer has not.
var errUnreadable = errors.New("the answer does not hold what it should")

func lost(at model.Origin, why error) error {
	return &model.Error{Class: model.DataLost, Op: "look up", Subject: subjectOf(at), Err: why}
}

func subjectOf(at model.Origin) string {
	return fmt.Sprintf("%s-%d at offset %d", at.Topic, at.Partition, at.Offset)
}

// find looks for a message in the answer. What was read once is gone only when the broker, which knows of it, sends what lies
// behind it instead.
func (s *Source) find(ctx context.Context, at model.Origin, parts []fetched, see func(*model.Message) error) error {
	if len(parts) == 0 { // a broker whose quota is used up says nothing else than how long to wait
		return fmt.Errorf("look up %s: the answer has no partition", subjectOf(at))
	}
	for i := range parts {
		f := &parts[i]
		if leaderless(f.code) {
			if err := s.client.Refresh(ctx); err != nil {
				return err
			}
		}
		if err := broker.Check("look up", subjectOf(at), f.code); err != nil {
			return err
		}
		if f.stable <= at.Offset { // a new leader may not know for a moment how far the log reaches, or what is committed
			return fmt.Errorf("look up %s: the partition ends at offset %d", subjectOf(at), f.stable)
		}
		r := recordbatch.NewReader(s.cfg.MaxBatchBytes, recordbatch.ReadCommitted)
		r.Reset(f.set, at.Offset, f.aborted)
		m := model.Message{}
		for r.Next(&m) {
			if m.Offset == at.Offset {
				m.Topic, m.Partition = at.Topic, at.Partition
				return see(&m)
			}
		}
		if err := r.Err(); err != nil {
			return fmt.Errorf("look up %s: %w: %w", subjectOf(at), errUnreadable, err)
		}
		if !f.whole() {
			return fmt.Errorf("look up %s: %w", subjectOf(at), errUnreadable)
		}
	}
	return lost(at, errors.New("the broker does not have it any more"))
}
