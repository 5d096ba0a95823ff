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

// Lookup fetches one message again and shows it to see; its slices are valid until see returns.
func (s *Source) Lookup(ctx context.Context, at model.Origin, see func(*model.Message) error) error {
	retry := NewRetry(s.observer)
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
		return s.find(ctx, at, parts, see)
	})
}

func (s *Source) find(ctx context.Context, at model.Origin, parts []fetched, see func(*model.Message) error) error {
	subject := fmt.Sprintf("%s-%d at offset %d", at.Topic, at.Partition, at.Offset)
	for _, f := range parts {
		if leaderless(f.code) {
			if err := s.client.Refresh(ctx); err != nil {
				return err
			}
		}
		if err := broker.Check("look up", subject, f.code); err != nil {
			return err
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
	}
	return &model.Error{Class: model.DataLost, Op: "look up", Subject: subject, Err: errors.New("the broker does not have it any more")}
}
