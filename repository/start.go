package repository

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"data-stream-engine/model"
)

// Start returns where to read each partition of an assignment from, with what was noted beside its offset. The topic's id
// tells one that was deleted and created again from the one that an offset belongs to; the count of its partitions tells
// those that were added later, which start at their beginning whatever KAFKA_AUTO_OFFSET_RESET says. Positions that were not committed before are
// committed at once, so that they hold even if the first event comes after the next restart.
func (o *Offsets) Start(ctx context.Context, member model.Assignment) (model.Start, error) {
	var s model.Start
	committed, err := o.Stable(ctx, member.Partitions)
	if err != nil {
		return s, err
	}
	err = o.retry.Do(ctx, "find start offsets", func(ctx context.Context) error {
		s, err = o.resolve(ctx, member.Partitions, committed)
		return err
	})
	if err != nil || len(s.New) == 0 {
		return s, err
	}
	first := make(map[model.TopicPartition]model.Position, len(s.New))
	for _, tp := range s.New {
		first[tp] = s.Positions[tp]
	}
	return s, o.Commit(ctx, member, first)
}

func (o *Offsets) resolve(ctx context.Context, partitions []model.TopicPartition, committed map[model.TopicPartition]model.Position) (model.Start, error) {
	s := model.Start{Positions: make(map[model.TopicPartition]model.Position, len(partitions))}
	ends := map[int64][]model.TopicPartition{}
	for topic, numbers := range byTopic(partitions) {
		topics, err := o.client.RefreshTopics(ctx, topic)
		if err != nil {
			return s, err
		}
		now := model.Note{TopicID: hexID(topics[topic].ID), Partitions: len(topics[topic].Leaders), Watermark: model.NoWatermark}
		known, recreated, err := o.knownPartitions(ctx, topic, now)
		if err != nil {
			return s, err
		}
		if recreated {
			s.Recreated = append(s.Recreated, topic)
		}
		for _, n := range numbers {
			tp := model.TopicPartition{Topic: topic, Partition: n}
			if pos, ok := committed[tp]; ok && (pos.Note.TopicID == "" || pos.Note.TopicID == now.TopicID) {
				pos.Note.TopicID, pos.Note.Partitions = now.TopicID, now.Partitions
				s.Positions[tp] = pos
				continue
			}
			s.New = append(s.New, tp)
			s.Positions[tp] = model.Position{LeaderEpoch: -1, Note: now}
			end := earliest // a partition that was added later is read from its beginning
			if slices.Contains(o.fromEnd, topic) && !recreated && (known == 0 || int(n) < known) {
				end = latest
			}
			ends[end] = append(ends[end], tp)
		}
	}
	for end, tps := range ends {
		offsets, err := bounds(ctx, o.client, tps, end, readCommitted)
		if err != nil {
			return s, err
		}
		for tp, offset := range offsets {
			pos := s.Positions[tp]
			pos.Offset = offset
			s.Positions[tp] = pos
		}
	}
	return s, nil
}

// knownPartitions is how many partitions the topic had when this group last committed to it, 0 when it never did, and
// whether what was committed belongs to a deleted topic of the same name. It waits for no transaction: those of other
// members are open at any time, and for long if one has crashed, and the texts in them say the same.
func (o *Offsets) knownPartitions(ctx context.Context, topic string, now model.Note) (known int, recreated bool, err error) {
	all := make([]model.TopicPartition, now.Partitions)
	for i := range all {
		all[i] = model.TopicPartition{Topic: topic, Partition: int32(i)}
	}
	committed, err := o.fetch(ctx, all, false)
	if err != nil {
		return 0, false, fmt.Errorf("committed offsets of %s: %w", topic, err)
	}
	for _, pos := range committed {
		recreated = recreated || pos.Note.TopicID != "" && pos.Note.TopicID != now.TopicID
		known = max(known, pos.Note.Partitions)
	}
	return known, recreated, nil
}

func hexID(id [16]byte) string { return hex.EncodeToString(id[:]) }
