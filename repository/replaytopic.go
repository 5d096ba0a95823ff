package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
)

const replaySuffix = "-replay"

// mostReplays is how many bytes a partition of the replay topic keeps. Time says nothing of how long its records are needed:
// they have the timestamps of their events, of which the youngest may be older than any retention.
const mostReplays = "1073741824"

// ReplayTopic is where dead letters go that are to be processed again. It has as many partitions as the source, and grows
// with it. A letter that the dead-letter topic took must fit, with two headers more.
func ReplayTopic(group string, source int32, replicas int16) TopicSpec {
	return TopicSpec{Name: group + replaySuffix, Partitions: source, Replicas: replicas,
		Config: map[string]string{cleanupPolicy: "delete", "retention.ms": "-1", "retention.bytes": mostReplays, "message.timestamp.type": "CreateTime", maxMessage: mostDerived()},
		Must:   Demands{Policy: "delete"}}
}

// Grow gives a topic so many partitions. It is no error that it has them, or more.
func (t *Topics) Grow(ctx context.Context, topic string, partitions int32) error {
	atController := false
	return t.retry.Do(ctx, "add partitions to a topic", func(ctx context.Context) error {
		now, err := t.client.RefreshTopics(ctx, topic)
		if err != nil || len(now[topic].Leaders) >= int(partitions) {
			return err
		}
		node := broker.AnyNode
		if atController {
			if node, err = t.client.Controller(ctx); err != nil {
				return err
			}
		}
		err = t.grow(ctx, node, topic, partitions)
		atController = broker.Code(err) == broker.NotController // brokers in ZooKeeper mode do not forward
		if err == nil {                                         // look again: new partitions take a moment to be
			err = broker.Check("find the new partitions of", topic, broker.LeaderNotAvailable)
		}
		return err
	})
}

func (t *Topics) grow(ctx context.Context, node int32, topic string, partitions int32) error {
	q := kmsg.NewPtrCreatePartitionsRequest()
	q.TimeoutMillis = 10_000
	want := kmsg.NewCreatePartitionsRequestTopic()
	want.Topic, want.Count = topic, partitions
	q.Topics = append(q.Topics, want)
	answer, err := t.client.Call(ctx, node, q)
	if err != nil {
		return err
	}
	r, ok := answer.(*kmsg.CreatePartitionsResponse)
	if !ok || len(r.Topics) != 1 {
		return fmt.Errorf("unexpected answer %T to CreatePartitions", answer)
	}
	code := r.Topics[0].ErrorCode
	if code == invalidPartitions { // somebody else was first: the next look says so
		return nil
	}
	err = broker.Check("add partitions to topic", topic, code)
	if e, ok := errors.AsType[*model.Error](err); ok && e.Class == model.Unauthorized {
		e.Hint = fmt.Sprintf("an ACL is missing: the user needs ALTER on the topic, which has to have %d partitions, as many as the source; or add them by hand", partitions)
	}
	return err
}

// invalidPartitions is the answer to a count that a topic has already, or has gone beyond.
const invalidPartitions = 37
