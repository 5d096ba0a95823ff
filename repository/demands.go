package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
)

// Demands are what a topic has to be like for its records to mean what they should. The zero value demands nothing.
type Demands struct {
	Partitions int32  // exactly so many; 0 or -1: any number
	Why        string // that number is needed: "as many as x has"
	Policy     string // cleanup.policy, its words in any order; empty: any
}

// words say what to create, behind "create it"; empty when anything will do.
func (d Demands) words() string {
	var all []string
	if d.Partitions == 1 {
		all = append(all, "one partition")
	} else if d.Partitions > 1 {
		all = append(all, fmt.Sprintf("%d partitions", d.Partitions))
	}
	if d.Policy != "" {
		all = append(all, cleanupPolicy+"="+d.Policy)
	}
	if len(all) == 0 {
		return ""
	}
	return " with " + strings.Join(all, " and ")
}

const (
	cleanupPolicy = "cleanup.policy"
	maxMessage    = "max.message.bytes"
)

// check compares a topic with what is demanded of it.
func (t *Topics) check(ctx context.Context, spec TopicSpec, count int32) error {
	if want := spec.Must.Partitions; want > 0 && count != want {
		return &model.Error{Class: model.Misconfigured, Op: "use topic", Subject: spec.Name,
			Err: errors.New(strings.TrimSpace(fmt.Sprintf("it has %d partitions, %d are needed %s", count, want, spec.Must.Why))),
			Hint: "set another KAFKA_GROUP_ID to start afresh; or, if what it holds may be lost, stop all instances of the group and delete it " +
				"to have it created anew"}
	}
	if spec.Must.Policy == "" {
		return nil
	}
	var has string
	err := t.retry.Do(ctx, "look at the settings of a topic", func(ctx context.Context) (err error) {
		has, err = t.setting(ctx, spec.Name, cleanupPolicy)
		return err
	})
	if err != nil {
		return err
	}
	if want := spec.Must.Policy; !slices.Equal(words(has), words(want)) {
		return &model.Error{Class: model.Misconfigured, Op: "use topic", Subject: spec.Name,
			Err: fmt.Errorf("its %s is %q, %q is needed", cleanupPolicy, has, want),
			Hint: fmt.Sprintf("records that were needed may be gone: set another KAFKA_GROUP_ID to start afresh, or, when the topic is new, mend it with "+
				"kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=[%s]", spec.Name, cleanupPolicy, want)}
	}
	return nil
}

// words are those of a list, in order.
func words(list string) []string {
	all := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	slices.Sort(all)
	return all
}

// setting is what a setting of a topic amounts to: the topic's own, or the brokers' for all topics. Any broker knows.
func (t *Topics) setting(ctx context.Context, topic, name string) (string, error) {
	const op = "look at the settings of topic"
	q := kmsg.NewPtrDescribeConfigsRequest()
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName, resource.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{name}
	q.Resources = append(q.Resources, resource)
	answer, err := t.client.Call(ctx, broker.AnyNode, q)
	if err != nil {
		return "", err
	}
	r, ok := answer.(*kmsg.DescribeConfigsResponse)
	if !ok || len(r.Resources) != 1 {
		return "", fmt.Errorf("unexpected answer %T to DescribeConfigs", answer)
	}
	if err := broker.Check(op, topic, r.Resources[0].ErrorCode); err != nil {
		return "", err
	}
	for _, c := range r.Resources[0].Configs {
		if c.Name == name && c.Value != nil {
			return *c.Value, nil
		}
	}
	return "", &model.Error{Class: model.Transient, Op: op, Subject: topic, Err: fmt.Errorf("the answer does not have %s", name)}
}
