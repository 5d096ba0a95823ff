package repository

import (
	"context"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker whose process is stopped takes requests and never answers: another one may do its work by then, so that whoever
// has more time asks again.
func TestABrokerThatHangsIsAskedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		key kmsg.Key
		do  func(context.Context, *rig, *Producer, model.TopicPartition) error
	}{
		"the end of a transaction": {kmsg.EndTxn, func(ctx context.Context, _ *rig, p *Producer, _ model.TopicPartition) error { return p.End(ctx, true) }},
		"offsets in a transaction": {kmsg.TxnOffsetCommit, func(ctx context.Context, _ *rig, p *Producer, tp model.TopicPartition) error {
			return p.CommitOffsets(ctx, "g", model.Assignment{Generation: -1}, map[model.TopicPartition]model.Position{tp: {Offset: 1, LeaderEpoch: -1}})
		}},
		"a message again": {kmsg.Fetch, func(ctx context.Context, r *rig, _ *Producer, tp model.TopicPartition) error {
			source := NewSource(r.client, r.observer, SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 1 << 20})
			return source.Lookup(ctx, model.Origin{TopicPartition: tp}, func(*model.Message) error { return nil })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := fakeRig(t)
			topic := r.topic(1)
			r.fill(topic, 0, "a")
			p := NewProducer(r.client, NewRetry(r.observer), NewPool(64<<10), ProducerConfig{TransactionalID: unique(t), TransactionTimeout: time.Minute})
			must(t, p.Init(within(t, time.Minute)))
			write(t, p, p.batch(topic, 0, "b"))
			r.on(c.key, func(n int, _ request) (kmsg.Response, error, bool) { return nil, nil, n == 1 })
			must(t, c.do(within(t, 3*broker.DefaultTimeout), r, p, model.TopicPartition{Topic: topic}))
			if n := len(r.asked(c.key)); n != 2 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}
