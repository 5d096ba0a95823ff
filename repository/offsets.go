package repository

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
)

// Offsets are the committed positions of one consumer group.
type Offsets struct {
	client  *broker.Client
	retry   Retry
	group   string
	fromEnd []string
}

// NewOffsets returns the offsets of a group. Without a committed offset it begins at the end of the topics in fromEnd, and
// at the beginning of all others: what a group derives for itself is read from its first record on.
func NewOffsets(client *broker.Client, retry Retry, group string, fromEnd ...string) *Offsets {
	return &Offsets{client: client, retry: retry, group: group, fromEnd: fromEnd}
}

// Stable returns the committed positions of those partitions that have one. It waits until no transaction that may
// still change them is open (KIP-447): a position read earlier would make its events count twice.
func (o *Offsets) Stable(ctx context.Context, partitions []model.TopicPartition) (map[model.TopicPartition]model.Position, error) {
	return o.fetch(ctx, partitions, true)
}

func (o *Offsets) fetch(ctx context.Context, partitions []model.TopicPartition, stable bool) (map[model.TopicPartition]model.Position, error) {
	if len(partitions) == 0 { // a request without topics asks for all
		return nil, nil
	}
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Group, q.RequireStable = o.group, stable
	for topic, ps := range byTopic(partitions) {
		t := kmsg.NewOffsetFetchRequestTopic()
		t.Topic, t.Partitions = topic, ps
		q.Topics = append(q.Topics, t)
	}
	var found map[model.TopicPartition]model.Position
	err := o.retry.Do(ctx, "fetch committed offsets", func(ctx context.Context) error {
		answer, err := o.callCoordinator(ctx, q)
		if err != nil {
			return err
		}
		r, ok := answer.(*kmsg.OffsetFetchResponse)
		if !ok {
			return fmt.Errorf("unexpected answer %T to OffsetFetch", answer)
		}
		found, err = o.readStable(r)
		return err
	})
	return found, err
}

func (o *Offsets) readStable(r *kmsg.OffsetFetchResponse) (map[model.TopicPartition]model.Position, error) {
	if r.ErrorCode == broker.GroupNotFound { // nobody has committed anything: brokers differ in how they say so
		return nil, nil
	}
	if err := o.check("fetch committed offsets of group", r.ErrorCode); err != nil {
		return nil, err
	}
	found := map[model.TopicPartition]model.Position{}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if err := o.checkPartition("fetch the committed offset of", t.Topic, p.Partition, p.ErrorCode); err != nil {
				return nil, err
			}
			if p.Offset < 0 {
				continue
			}
			text := ""
			if p.Metadata != nil {
				text = *p.Metadata
			}
			found[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = model.Position{Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Note: parseNote(text)}
		}
	}
	return found, nil
}

// Commit commits positions outside of a transaction, fenced by the member's generation.
func (o *Offsets) Commit(ctx context.Context, member model.Assignment, positions map[model.TopicPartition]model.Position) error {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Group, q.Generation, q.MemberID, q.InstanceID = o.group, member.Generation, member.MemberID, optional(member.InstanceID)
	for topic, ps := range positionsByTopic(positions) {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = topic
		for _, p := range ps {
			x := kmsg.NewOffsetCommitRequestTopicPartition()
			x.Partition, x.Offset, x.LeaderEpoch, x.Metadata = p.partition, p.Offset, p.LeaderEpoch, noteText(p.Note)
			t.Partitions = append(t.Partitions, x)
		}
		q.Topics = append(q.Topics, t)
	}
	return o.retry.Do(ctx, "commit offsets", func(ctx context.Context) error {
		answer, err := o.callCoordinator(ctx, q)
		if err != nil {
			return err
		}
		r, ok := answer.(*kmsg.OffsetCommitResponse)
		if !ok {
			return fmt.Errorf("unexpected answer %T to OffsetCommit", answer)
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				if err := o.checkPartition("commit the offset of", t.Topic, p.Partition, p.ErrorCode); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// callCoordinator asks the group's coordinator and forgets it when the call fails, so that the next try looks anew.
func (o *Offsets) callCoordinator(ctx context.Context, q kmsg.Request) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, broker.DefaultTimeout)
	defer cancel()
	node, err := o.client.GroupCoordinator(ctx, o.group)
	if err != nil {
		return nil, err
	}
	answer, err := o.client.Call(ctx, node, q)
	if err != nil {
		o.client.ForgetGroupCoordinator(o.group)
	}
	return answer, err
}

func (o *Offsets) check(op string, code int16) error {
	if movedCoordinator(code) {
		o.client.ForgetGroupCoordinator(o.group)
	}
	return broker.Check(op, o.group, code)
}

// checkPartition names the partition: permissions are given by topic.
func (o *Offsets) checkPartition(op, topic string, partition int32, code int16) error {
	if movedCoordinator(code) {
		o.client.ForgetGroupCoordinator(o.group)
	}
	return broker.Check(op, fmt.Sprintf("%s-%d in group %s", topic, partition, o.group), code)
}

func movedCoordinator(code int16) bool {
	return code == broker.CoordinatorNotAvailable || code == broker.NotCoordinator
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func byTopic(partitions []model.TopicPartition) map[string][]int32 {
	m := map[string][]int32{}
	for _, p := range partitions {
		m[p.Topic] = append(m[p.Topic], p.Partition)
	}
	return m
}

type partitionPosition struct {
	model.Position
	partition int32
}

func positionsByTopic(positions map[model.TopicPartition]model.Position) map[string][]partitionPosition {
	m := map[string][]partitionPosition{}
	for tp, p := range positions {
		m[tp.Topic] = append(m[tp.Topic], partitionPosition{p, tp.Partition})
	}
	return m
}
