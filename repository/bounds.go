package repository

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
)

// The two ends of a partition, as ListOffsets names them.
const (
	earliest int64 = -2
	latest   int64 = -1
)

// readCommitted is the isolation level in which nothing of an open or aborted transaction is seen (KIP-98).
const readCommitted = 1

// bounds asks the leaders for one end of each partition.
func bounds(ctx context.Context, client *broker.Client, partitions []model.TopicPartition, end int64) (map[model.TopicPartition]int64, error) {
	byLeader, err := leadersOf(ctx, client, partitions)
	if err != nil {
		return nil, err
	}
	found := make(map[model.TopicPartition]int64, len(partitions))
	for leader, ps := range byLeader {
		q := kmsg.NewPtrListOffsetsRequest()
		q.IsolationLevel = readCommitted
		for topic, numbers := range byTopic(ps) {
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = topic
			for _, n := range numbers {
				p := kmsg.NewListOffsetsRequestTopicPartition()
				p.Partition, p.Timestamp = n, end
				t.Partitions = append(t.Partitions, p)
			}
			q.Topics = append(q.Topics, t)
		}
		answer, err := client.Call(ctx, leader, q)
		if err == nil {
			err = readBounds(answer, found)
		}
		if err != nil {
			// Whatever it was, the next try should know the leaders.
			if refreshErr := client.Refresh(ctx); refreshErr != nil {
				return nil, refreshErr
			}
			return nil, err
		}
	}
	return found, nil
}

func readBounds(answer kmsg.Response, found map[model.TopicPartition]int64) error {
	r, ok := answer.(*kmsg.ListOffsetsResponse)
	if !ok {
		return fmt.Errorf("unexpected answer %T to ListOffsets", answer)
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if err := broker.Check("list offsets of", fmt.Sprintf("%s-%d", t.Topic, p.Partition), p.ErrorCode); err != nil {
				return err
			}
			found[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = p.Offset
		}
	}
	return nil
}

// leadersOf groups partitions by the broker that leads them now.
func leadersOf(ctx context.Context, client *broker.Client, partitions []model.TopicPartition) (map[int32][]model.TopicPartition, error) {
	byLeader := map[int32][]model.TopicPartition{}
	for _, tp := range partitions {
		leader, _, err := leaderOf(ctx, client, tp)
		if err != nil {
			return nil, err
		}
		byLeader[leader] = append(byLeader[leader], tp)
	}
	return byLeader, nil
}

// leaderOf is the broker that leads a partition, and its leader epoch. Without a leader the metadata is asked for anew.
func leaderOf(ctx context.Context, client *broker.Client, tp model.TopicPartition) (node, epoch int32, err error) {
	topics, err := client.Topics(ctx, tp.Topic)
	if err != nil {
		return 0, 0, err
	}
	if t := topics[tp.Topic]; int(tp.Partition) < len(t.Leaders) && t.Leaders[tp.Partition] >= 0 {
		return t.Leaders[tp.Partition], t.Epochs[tp.Partition], nil
	}
	if topics, err = client.RefreshTopics(ctx, tp.Topic); err != nil {
		return 0, 0, err
	}
	t := topics[tp.Topic]
	if int(tp.Partition) >= len(t.Leaders) {
		return 0, 0, broker.Check("find the leader of", fmt.Sprintf("%s-%d", tp.Topic, tp.Partition), broker.UnknownTopicOrPartition)
	}
	if t.Leaders[tp.Partition] < 0 {
		return 0, 0, broker.Check("find the leader of", fmt.Sprintf("%s-%d", tp.Topic, tp.Partition), broker.LeaderNotAvailable)
	}
	return t.Leaders[tp.Partition], t.Epochs[tp.Partition], nil
}
