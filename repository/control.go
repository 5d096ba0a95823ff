package repository

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/repository/recordbatch"
	"data-stream-engine/utils"
)

const (
	// tailWait is how long a broker may hold a request back when nothing new is in the control topic; a record answers it.
	tailWait = 500 * time.Millisecond
	// tailing is the operation of Follow, for an Observer.
	tailing = "read the control topic"
)

// ControlLog is the control topic of a group: read from its beginning and then on and on, written one record at a time,
// outside of every transaction.
type ControlLog struct {
	client   *broker.Client
	observer Observer
	cfg      SourceConfig
	at       model.TopicPartition
}

// NewControlLog returns the control topic of a group. Nothing is asked yet.
func NewControlLog(client *broker.Client, observer Observer, group string, cfg SourceConfig) *ControlLog {
	return &ControlLog{client: client, observer: observer, cfg: cfg, at: model.TopicPartition{Topic: group + controlSuffix}}
}

// Follow shows see every record from the beginning on, in order, and calls reached once when everything is shown that was
// there when it was called. It goes on until ctx ends, or until the topic is not the one any more that it began with: then
// it returns an error of class Recreated or DataLost, and to follow anew is to begin anew. Brokers that are away are waited
// for. A message is valid until see returns.
func (c *ControlLog) Follow(ctx context.Context, see func(*model.Message), reached func()) error {
	l := NewLog(c.client, c.observer, tailing, c.cfg)
	defer l.Close()
	t, err := l.beginRestore(ctx, c.at, func(m *model.Message) error {
		see(m)
		return nil
	})
	if err != nil {
		return err
	}
	for told := false; ; {
		if !told && t.at >= t.end {
			told = true
			reached()
		}
		parts, err := l.read(ctx, map[model.TopicPartition]int64{c.at: t.at}, tailWait)
		if err != nil {
			return err
		}
		for i := range parts {
			if err := c.take(ctx, t, &parts[i], told); err != nil {
				return err
			}
		}
	}
}

// take shows what was read. Until everything is shown that was there at first, the rules are those of a restore; from then
// on a log that was cut off is begun anew by whoever follows it.
func (c *ControlLog) take(ctx context.Context, t *restore, p *model.LogPart, tail bool) error {
	if tail && p.Lost {
		return &model.Error{Class: model.DataLost, Op: tailing, Subject: c.at.Topic, Err: fmt.Errorf("offset %d is out of its range", t.at)}
	}
	if tail { // what a restore holds an answer against has long been passed
		t.end = 0
	}
	err := t.take(ctx, p)
	if bad, ok := errors.AsType[*model.BadBatch](err); ok { // what cannot be read must not hold up what comes behind it
		c.observer.Retrying(tailing, err)
		c.observer.Recovered(tailing)
		t.at, t.tries = max(bad.LastOffset, bad.FirstOffset)+1, 0
		return nil
	}
	return err
}

// Put writes one record, nil to delete what its key has, and returns its offset. It tries until ctx ends; then nobody knows
// whether the record was written, and the error says why.
func (c *ControlLog) Put(ctx context.Context, key string, value []byte) (offset int64, err error) {
	backoff := utils.Backoff{Min: 20 * time.Millisecond, Max: time.Second}
	var why error
	for {
		offset, err = c.put(ctx, key, value)
		if err == nil || model.ClassOf(err) != model.Transient {
			return offset, err
		}
		if why == nil || ctx.Err() == nil { // otherwise it only says that time was up
			why = err
		}
		if ctx.Err() == nil {
			_ = c.client.Refresh(ctx) // somebody else may lead now; if nobody can be asked, the next try says so
		}
		if backoff.Wait(ctx) != nil {
			return 0, &model.Error{Class: model.Transient, Op: "write to", Subject: c.at.Topic, Code: broker.Code(why), Err: why}
		}
	}
}

func (c *ControlLog) put(ctx context.Context, key string, value []byte) (int64, error) {
	leader, _, err := leaderOf(ctx, c.client, c.at)
	if err != nil {
		return 0, err
	}
	b := recordbatch.NewBuilder(len(key) + len(value))
	b.Append(time.Now().UnixMilli(), recordbatch.Origin{Source: nowhere}, []byte(key), value, nil)
	q := kmsg.NewPtrProduceRequest()
	q.Acks, q.TimeoutMillis = -1, produceTimeout
	topic, part := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	part.Records = b.Stamp(-1, -1, -1, false) // no producer id: a record that is written twice says the same twice
	topic.Topic, topic.Partitions = c.at.Topic, append(topic.Partitions, part)
	q.Topics = append(q.Topics, topic)
	answer, err := c.client.Call(ctx, leader, q)
	if err != nil {
		return 0, err
	}
	r, ok := answer.(*kmsg.ProduceResponse)
	if !ok || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		return 0, fmt.Errorf("unexpected answer %T to Produce", answer)
	}
	done := r.Topics[0].Partitions[0]
	return done.BaseOffset, broker.Check("write to", c.at.Topic, done.ErrorCode)
}
