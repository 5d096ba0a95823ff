package group

import (
	"encoding/json"
	"fmt"
	"slices"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The protocol type is that of all consumers, and so are the formats of subscriptions and assignments, so that Kafka's
// own tools show who has what. The protocol name is ours: no other client shares our way of assigning.
const (
	protocolType = "consumer"
	protocolName = "stream-engine-sticky"
)

// subscription encodes what a member wants and has (ConsumerProtocolSubscription v2: KIP-429 owned partitions, KIP-792
// generation).
func subscription(topics []string, owned possessions) []byte {
	s := kmsg.NewConsumerMemberMetadata()
	s.Version, s.Generation = 2, owned.generation
	s.Topics = slices.Sorted(slices.Values(topics))
	for _, t := range byTopic(owned.partitions) {
		o := kmsg.NewConsumerMemberMetadataOwnedPartition()
		o.Topic, o.Partitions = t.Topic, t.Partitions
		s.OwnedPartitions = append(s.OwnedPartitions, o)
	}
	return s.AppendTo(nil)
}

// readSubscription is the leader's view of one member. Fields that the member's version does not have are empty.
func readSubscription(m kmsg.JoinGroupResponseMember) (subscriber, error) {
	sub := subscriber{id: m.MemberID}
	if m.InstanceID != nil {
		sub.instance = *m.InstanceID
	}
	s := kmsg.NewConsumerMemberMetadata()
	if err := s.ReadFrom(m.ProtocolMetadata); err != nil {
		return sub, fmt.Errorf("subscription of member %s: %w", m.MemberID, err)
	}
	sub.topics, sub.owned.generation = s.Topics, s.Generation
	for _, o := range s.OwnedPartitions {
		for _, p := range o.Partitions {
			sub.owned.partitions = append(sub.owned.partitions, model.TopicPartition{Topic: o.Topic, Partition: p})
		}
	}
	return sub, nil
}

// basis is what an assignment was made from. It travels as the assignment's user data, so that each member can see by
// itself, even one that restarted, when a topic has other partitions than those that were shared out.
type basis struct {
	Partitions map[string]int32 `json:"partitions"` // by topic, 0 for one that did not exist
}

// share encodes what one member gets (ConsumerProtocolAssignment v1).
func share(partitions []model.TopicPartition, from basis) ([]byte, error) {
	a := kmsg.NewConsumerMemberAssignment()
	a.Version = 1
	a.Topics = byTopic(partitions)
	var err error
	if a.UserData, err = json.Marshal(from); err != nil {
		return nil, fmt.Errorf("encode assignment: %w", err)
	}
	return a.AppendTo(nil), nil
}

// readShare decodes what this member got. A member that the leader forgot got nothing, which some brokers send as no
// bytes at all.
func readShare(b []byte) ([]model.TopicPartition, basis, error) {
	var from basis
	if len(b) == 0 {
		return nil, from, nil
	}
	a := kmsg.NewConsumerMemberAssignment()
	if err := a.ReadFrom(b); err != nil {
		return nil, from, fmt.Errorf("assignment of %d bytes: %w", len(b), err)
	}
	if json.Unmarshal(a.UserData, &from) != nil {
		from = basis{} // not from a leader of ours: without it, new partitions are noticed by the leader alone
	}
	var partitions []model.TopicPartition
	for _, t := range a.Topics {
		for _, p := range t.Partitions {
			partitions = append(partitions, model.TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	return partitions, from, nil
}

// byTopic groups partitions that are ordered by topic.
func byTopic(partitions []model.TopicPartition) []kmsg.ConsumerMemberAssignmentTopic {
	var topics []kmsg.ConsumerMemberAssignmentTopic
	for _, tp := range partitions {
		if n := len(topics); n == 0 || topics[n-1].Topic != tp.Topic {
			t := kmsg.NewConsumerMemberAssignmentTopic()
			t.Topic = tp.Topic
			topics = append(topics, t)
		}
		last := &topics[len(topics)-1]
		last.Partitions = append(last.Partitions, tp.Partition)
	}
	return topics
}
