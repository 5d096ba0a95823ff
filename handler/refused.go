package handler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// refusals are the records of one transaction that the broker took in no form.
type refusals struct {
	records int            // of the outputs, dead letters aside
	topics  map[string]int // these by topic
	events  int            // whose dead letter counts instead of what was to be forwarded
	seen    map[model.Origin]bool
}

// produce writes a parcel. Records that the broker refuses become dead letters of the events that they came from,
// inside the same transaction.
func (c *committer) produce(ctx context.Context, parcel model.Parcel) error {
	refused, err := parcel.Produce(ctx)
	for len(refused) > 0 && err == nil {
		by := c.refusing(refused)
		for i := range refused {
			if err := c.bury(ctx, &refused[i], by); err != nil {
				return err
			}
		}
		refused, err = c.outbox.AppendTo(nil).Produce(ctx)
	}
	return err
}

// refusing are the outputs that refuse each event. All records of one event are in one parcel, so that none is left out.
func (c *committer) refusing(refused []model.Refused) map[model.Origin][]string {
	by := map[model.Origin][]string{}
	for i := range refused {
		r := &refused[i]
		if at, ok := r.Origin(); ok && r.Topic != c.processor.Topics()[model.DeadLetters] && !slices.Contains(by[at], r.Topic) {
			by[at] = append(by[at], r.Topic)
		}
	}
	return by
}

func (c *committer) bury(ctx context.Context, r *model.Refused, by map[model.Origin][]string) error {
	at, _ := r.Origin()
	if derived, ok := c.processor.Derived(); ok && slices.Contains(derived.List(), r.Topic) {
		return &model.Error{Class: model.Unauthorized, Op: "produce to", Subject: r.Topic, Err: r.Err,
			Hint: fmt.Sprintf("a record of %d bytes; without it aggregates would count wrong, so nothing goes on: raise the topic's max.message.bytes", len(r.Record.Value))}
	}
	c.log.Warn().Str("topic", at.Topic).Int32("partition", at.Partition).Int64("offset", at.Offset).Str("output", r.Topic).Err(r.Err).
		Msg("the broker refuses a record: it becomes a dead letter")
	if r.Topic == c.processor.Topics()[model.DeadLetters] {
		return c.shorten(r)
	}
	c.refused.records++
	if c.refused.topics == nil {
		c.refused.topics = map[string]int{}
	}
	c.refused.topics[r.Topic]++
	if c.refused.seen[at] {
		return nil // another output of the same event was refused before: one dead letter is enough
	}
	if c.refused.seen == nil {
		c.refused.seen = map[model.Origin]bool{}
	}
	c.refused.seen[at] = true
	c.refused.events++
	why := model.Reason{Stage: model.StageProduce, Code: refusalCode(r.Err), Message: r.Err.Error()}
	err := c.ports.Source.Lookup(ctx, at, func(m *model.Message) error {
		c.processor.Refused(c.outbox, m, by[at], why, time.Now())
		return nil
	})
	if model.ClassOf(err) == model.DataLost {
		m := model.Message{Topic: at.Topic, Partition: at.Partition, Offset: at.Offset, Timestamp: r.Record.Timestamp}
		why.Message += "; the event itself has left the source topic"
		c.processor.DeadRange(c.outbox, &m, at.Offset, why, time.Now())
		return nil
	}
	return err
}

// shortenTo are the sizes to which the value of a dead letter is cut that its topic refuses. Of one that is as small
// already it must be the key or the headers that are too large.
var shortenTo = [...]int{100_000, 10_000, 1_000}

// shorten writes a dead letter that its topic refuses once more with less in it: less of its value, then without the key
// and the headers of its event, at last with nothing but the reasons.
func (c *committer) shorten(r *model.Refused) error {
	m, size := r.Record, len(r.Record.Value)
	_, own := model.SplitLetter(m.Headers)
	switch i := slices.IndexFunc(shortenTo[:], func(n int) bool { return n < size }); {
	case i >= 0:
		m.Value = m.Value[:shortenTo[i]]
	case m.Key != nil || len(own) < len(m.Headers):
		m.Key, m.Headers = nil, own
	case size > 0:
		m.Value = m.Value[:0]
	default:
		return &model.Error{Class: model.Unauthorized, Op: "produce to", Subject: r.Topic, Err: r.Err,
			Hint: "it refuses even a dead letter without a value: check its max.message.bytes and cleanup.policy"}
	}
	if !slices.ContainsFunc(m.Headers, named(service.HeaderTruncated)) {
		m.Headers = append(slices.Clip(m.Headers), model.Header{Key: []byte(service.HeaderTruncated), Value: fmt.Append(nil, size)})
	}
	value := c.outbox.Open(model.DeadLetters, m.Partition%c.outbox.Partitions(model.DeadLetters), &m, m.Key, len(m.Value))
	if m.Value == nil {
		value = nil
	}
	c.outbox.Close(append(value, m.Value...), m.Headers)
	return nil
}

func named(name string) func(model.Header) bool {
	return func(h model.Header) bool { return string(h.Key) == name }
}

// refusalCode is the short name of Kafka's reason.
func refusalCode(err error) string {
	var e *model.Error
	if !errors.As(err, &e) {
		return "refused"
	}
	switch e.Code {
	case 10, 18:
		return "message_too_large"
	case 32:
		return "invalid_timestamp"
	case 44:
		return "policy_violation"
	case 87:
		return "invalid_record"
	}
	return "refused"
}
