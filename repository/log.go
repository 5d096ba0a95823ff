package repository

import (
	"context"
	"errors"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/utils"
)

// Log reads partitions on demand, where a Stream reads them all the time: a changelog from its beginning to its end, or
// partials from time to time. It sees what is committed. One goroutine uses it at a time, and its memory is one answer of
// each leader, of about SourceConfig.MaxBytes.
type Log struct {
	client   *broker.Client
	observer Observer
	op       string // for the observer
	cfg      SourceConfig
	readers  *readers

	topics  map[string][16]byte // ids, as they were at first
	looked  time.Time           // at the metadata; zero: they are out of date
	buffers map[int32]*buffer   // by leader
	failing bool                // the observer was told so
}

// NewLog returns a log whose troubles the observer hears of under the name op: those of two logs are told apart by it.
func NewLog(client *broker.Client, observer Observer, op string, cfg SourceConfig) *Log {
	return &Log{client: client, observer: observer, op: op, cfg: cfg, readers: &readers{maxBatchBytes: cfg.MaxBatchBytes},
		topics: map[string][16]byte{}, buffers: map[int32]*buffer{}}
}

// Close says that what failed last is not tried any more.
func (l *Log) Close() {
	if l.failing {
		l.observer.Abandoned(l.op)
		l.failing = false
	}
}

// Ends is the high watermark of each partition now: the end of its log, with transactions that are open. It asks for the
// leaders first, for one that leads no more does not know. A broker that was frozen while another one was elected is
// believed for some milliseconds all the same, when it comes back: it knows no better either.
func (l *Log) Ends(ctx context.Context, partitions []model.TopicPartition) (map[model.TopicPartition]int64, error) {
	return l.bounds(ctx, partitions, latest, readUncommitted)
}

// Stable is the end of each partition now for a read_committed reader: its last stable offset.
func (l *Log) Stable(ctx context.Context, partitions []model.TopicPartition) (map[model.TopicPartition]int64, error) {
	return l.bounds(ctx, partitions, latest, readCommitted)
}

func (l *Log) bounds(ctx context.Context, partitions []model.TopicPartition, end int64, isolation int8) (found map[model.TopicPartition]int64, err error) {
	err = NewRetry(l.observer).Do(ctx, l.op, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, answerSlack) // a broker that hangs may not lead any more by then
		defer cancel()
		for topic := range byTopic(partitions) {
			if _, err := l.look(ctx, topic, true); err != nil {
				return err
			}
		}
		found, err = bounds(ctx, l.client, partitions, end, isolation)
		return err
	})
	return found, err
}

// Read asks once for what is committed from the given positions on, all partitions of a leader in one request, all leaders
// at once. Leaders without anything answer after wait; 0: at once. It returns what came, in no order, as soon as every
// leader has answered, failed, or ctx has ended.
//
// A partition without an answer is left out, the observer hears why, and the next Read asks again; if there is none at all
// Read does so itself, for ever and with backoff. A position that is out of range moves to the nearest one that is not,
// and the observer hears of the loss. An error is of any other class than Transient: Recreated, from then on, when a topic
// is another one now.
func (l *Log) Read(ctx context.Context, from map[model.TopicPartition]int64, wait time.Duration) ([]model.LogPart, error) {
	parts, err := l.read(ctx, from, wait)
	for i := range parts {
		if p := &parts[i]; p.Lost {
			l.observer.Lost(p.TopicPartition, from[p.TopicPartition], p.Next)
		}
	}
	return parts, err
}

func (l *Log) read(ctx context.Context, from map[model.TopicPartition]int64, wait time.Duration) ([]model.LogPart, error) {
	backoff := utils.Backoff{Min: 20 * time.Millisecond, Max: 3 * time.Second}
	for {
		r := round{Log: l, from: from, wait: wait}
		r.run(ctx)
		if r.err != nil {
			return nil, r.err
		}
		if l.tell(ctx, r.failed); len(r.parts) > 0 || r.failed == nil {
			return r.parts, nil
		}
		if err := backoff.Wait(ctx); err != nil {
			return nil, err
		}
	}
}

// tell lets the observer know whether all went well.
func (l *Log) tell(ctx context.Context, failed error) {
	switch {
	case failed != nil:
		if l.looked = (time.Time{}); ctx.Err() == nil {
			l.failing = true
			l.observer.Retrying(l.op, failed)
		}
	case l.failing:
		l.failing = false
		l.observer.Recovered(l.op)
	}
}

// look is what is known of a topic: from the cache, unless that is old or news are asked for.
func (l *Log) look(ctx context.Context, topic string, news bool) (broker.Topic, error) {
	ask := l.client.Topics
	if news {
		ask = l.client.RefreshTopics
	}
	topics, err := ask(ctx, topic)
	if err != nil {
		return broker.Topic{}, err
	}
	t := topics[topic]
	if id, known := l.topics[topic]; known && id != t.ID {
		return t, recreated(topic)
	}
	l.topics[topic] = t.ID
	return t, nil
}

// recreated is the error of a reader whose topic is another one now.
func recreated(topic string) error {
	return &model.Error{Class: model.Recreated, Op: "fetch topic", Subject: topic, Err: errors.New("it was deleted and created again")}
}
