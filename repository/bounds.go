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

// The isolation levels (KIP-98): with readUncommitted the latest offset is the high watermark, with readCommitted that of
// the first record of an open transaction, and nothing of an open or aborted one is seen.
const (
	readUncommitted = 0
	readCommitted   = 1
)

// bounds asks the leaders for one end of each partition. A broker that was the leader and does not know better yet is
// told by its epoch (KIP-320), a new one that does not know the end yet says so (KIP-207).
func bounds(ctx context.Context, client *broker.Client, partitions []model.TopicPartition, end int64, isolation int8) (map[model.TopicPartition]int64, error) {
	byLeader, err := leadersOf(ctx, client, partitions)
	if err != nil {
		return nil, err
	}
	found := make(map[model.TopicPartition]int64, len(partitions))
	for leader, topics := range byLeader {
		q := kmsg.NewPtrListOffsetsRequest()
		q.IsolationLevel = isolation
		for topic, ps := range topics {
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = topic
			for _, led := range ps {
				p := kmsg.NewListOffsetsRequestTopicPartition()
				p.Partition, p.CurrentLeaderEpoch, p.Timestamp = led.partition, led.epoch, end
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

// led is a partition with the epoch of its leader.
type led struct {
	partition, epoch int32
}

// leadersOf groups partitions by the broker that leads them now, and by topic.
func leadersOf(ctx context.Context, client *broker.Client, partitions []model.TopicPartition) (map[int32]map[string][]led, error) {
	byLeader := map[int32]map[string][]led{}
	for _, tp := range partitions {
		leader, epoch, err := leaderOf(ctx, client, tp)
		if err != nil {
			return nil, err
		}
		if byLeader[leader] == nil {
			byLeader[leader] = map[string][]led{}
		}
		byLeader[leader][tp.Topic] = append(byLeader[leader][tp.Topic], led{tp.Partition, epoch})
	}
	return byLeader, nil
}

// intoRange is the offset nearest to one that may be out of range: the start of the log when retention was faster than
// its reader, its end when an unclean election cut the log off. The last stable offset comes with it.
func intoRange(ctx context.Context, client *broker.Client, tp model.TopicPartition, offset int64) (nearest, stable int64, err error) {
	one := []model.TopicPartition{tp}
	first, err := bounds(ctx, client, one, earliest, readCommitted)
	if err != nil {
		return 0, 0, err
	}
	last, err := bounds(ctx, client, one, latest, readCommitted)
	if err != nil {
		return 0, 0, err
	}
	return min(max(offset, first[tp]), last[tp]), last[tp], nil
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
