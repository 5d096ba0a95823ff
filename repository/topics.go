package repository

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
)

// TopicSpec is a topic that has to exist. Must is what it has to be like whoever created it; the rest is for its creation.
type TopicSpec struct {
	Name       string
	Partitions int32 // -1: the broker's default
	Replicas   int16 // -1: the broker's default
	Config     map[string]string
	Must       Demands
}

// Topics makes sure that topics exist.
type Topics struct {
	client *broker.Client
	retry  Retry
}

// NewTopics returns the topics of a cluster.
func NewTopics(client *broker.Client, retry Retry) *Topics {
	return &Topics{client: client, retry: retry}
}

// believeMissing is how long the brokers have to say that a topic does not exist until it is believed: one that has just
// started knows no topic before the controller has told it of them (seen with ZooKeeper).
const believeMissing = 5 * time.Second

// Ensure returns the partition count of a topic. One that does not exist is created if create is set; otherwise the
// error names it and the setting that would create it. One that is not as it must be is an error of class Misconfigured
// as well: it says what to do. An unreachable broker is waited for.
func (t *Topics) Ensure(ctx context.Context, spec TopicSpec, create bool) (count int32, created bool, err error) {
	var missing time.Time // since when the brokers say that it does not exist
	err = t.retry.Do(ctx, "find topic", func(ctx context.Context) error {
		topics, err := t.client.RefreshTopics(ctx, spec.Name)
		if err == nil {
			count = int32(len(topics[spec.Name].Leaders))
			return nil
		}
		if broker.Code(err) != broker.UnknownTopicOrPartition {
			missing = time.Time{}
			return err
		}
		if missing.IsZero() {
			missing = time.Now()
		}
		if !create && time.Since(missing) < believeMissing {
			return err
		}
		if !create {
			return &model.Error{Class: model.Misconfigured, Op: "find topic", Subject: spec.Name, Err: errors.New("it does not exist"),
				Hint: "create it" + spec.Must.words() + ", or set KAFKA_AUTO_CREATE_TOPICS=true"}
		}
		if err := t.create(ctx, spec); err != nil {
			return err
		}
		created = true
		return err // that it is not known: look again, a new topic takes a moment to be
	})
	if err == nil {
		err = t.check(ctx, spec, count)
	}
	return count, created, err
}

func (t *Topics) create(ctx context.Context, spec TopicSpec) error {
	q := kmsg.NewPtrCreateTopicsRequest()
	q.TimeoutMillis = 10_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = spec.Name, spec.Partitions, spec.Replicas
	for k, v := range spec.Config {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = k, kmsg.StringPtr(v)
		topic.Configs = append(topic.Configs, c)
	}
	q.Topics = append(q.Topics, topic)
	answer, err := t.client.Call(ctx, broker.AnyNode, q) // ZooKeeper mode wants the controller: 41 says so
	if err != nil {
		return err
	}
	r, ok := answer.(*kmsg.CreateTopicsResponse)
	if !ok || len(r.Topics) != 1 {
		return fmt.Errorf("unexpected answer %T to CreateTopics", answer)
	}
	switch code := r.Topics[0].ErrorCode; code {
	case 0, broker.TopicExists:
		return nil
	case broker.NotController:
		return t.createAtController(ctx, q)
	default:
		return createError(spec, r.Topics[0])
	}
}

// createAtController repeats the request at the controller, which brokers in ZooKeeper mode do not forward to.
func (t *Topics) createAtController(ctx context.Context, q *kmsg.CreateTopicsRequest) error {
	controller, err := t.client.Controller(ctx)
	if err != nil {
		return err
	}
	answer, err := t.client.Call(ctx, controller, q)
	if err != nil {
		return err
	}
	r, ok := answer.(*kmsg.CreateTopicsResponse)
	if !ok || len(r.Topics) != 1 {
		return fmt.Errorf("unexpected answer %T to CreateTopics", answer)
	}
	if code := r.Topics[0].ErrorCode; code == broker.TopicExists {
		return nil
	}
	return createError(TopicSpec{Name: q.Topics[0].Topic}, r.Topics[0])
}

func createError(spec TopicSpec, t kmsg.CreateTopicsResponseTopic) error {
	err := broker.Check("create topic", spec.Name, t.ErrorCode)
	if e, ok := errors.AsType[*model.Error](err); ok {
		if t.ErrorMessage != nil {
			e.Err = fmt.Errorf("%w: %s", e.Err, *t.ErrorMessage)
		}
		if e.Class == model.Rejected { // what is a refused record elsewhere is a refused setting here
			e.Class = model.Misconfigured
		}
	}
	return err
}
