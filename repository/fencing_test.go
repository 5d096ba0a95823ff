package repository

import (
	"context"
	"fmt"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestProducersThatLostTheirPlaceAreToldSo(t *testing.T) {
	for code, class := range map[int16]model.Class{47: model.Fenced, 48: model.Fenced, 90: model.Fenced, 49: model.Fenced, 45: model.Fenced, 59: model.Fenced,
		22: model.Rejoin, 25: model.Rejoin, 27: model.Rejoin, 82: model.Replaced, 29: model.Unauthorized, 53: model.Unauthorized, 30: model.Unauthorized} {
		for _, key := range []kmsg.Key{kmsg.Produce, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.InitProducerID} {
			r := sharedRig(t)
			p := r.initialised("x")
			ctx := within(t, time.Minute)
			r.on(key, first(code))
			var err error
			for _, step := range []func() error{
				func() error { return p.Init(ctx) },
				func() error { return p.Begin(ctx, "g") },
				func() error { _, err := p.Produce(ctx, []Outgoing{p.batch("shared", 0, "a")}); return err },
				func() error {
					return p.CommitOffsets(ctx, "g", model.Assignment{Generation: -1}, map[model.TopicPartition]model.Position{{Topic: "shared"}: {LeaderEpoch: -1}})
				},
				func() error { return p.End(ctx, true) },
			} {
				if err = step(); err != nil {
					break
				}
			}
			if model.ClassOf(err) != class || broker.Code(err) != code {
				t.Errorf("%d from %s: %s, %v", code, key.Name(), model.ClassOf(err), err)
			}
			if n := len(r.asked(key)); n != 1 {
				t.Errorf("%d from %s: asked %d times", code, key.Name(), n)
			}
			r.on(key, nil)
		}
	}
}

// sharedRig is one cluster for the many rows of a table.
func sharedRig(t *testing.T) *rig {
	t.Helper()
	r := fakeRig(t, kfake.SeedTopics(1, "shared"))
	return r
}

// What a real broker says to a producer whose transactional id another one has taken.
func TestSecondProducerFencesTheFirst(t *testing.T) {
	for name, step := range map[string]func(context.Context, *Producer, string) error{
		"produce": func(ctx context.Context, p *Producer, topic string) error {
			_, err := p.Produce(ctx, []Outgoing{p.batch(topic, 0, "late")})
			return err
		},
		"add":    func(ctx context.Context, p *Producer, topic string) error { return p.Begin(ctx, "g") },
		"commit": func(ctx context.Context, p *Producer, _ string) error { return p.End(ctx, true) },
		"abort":  func(ctx context.Context, p *Producer, _ string) error { return p.End(ctx, false) },
		"offsets": func(ctx context.Context, p *Producer, topic string) error {
			return p.CommitOffsets(ctx, "g", model.Assignment{Generation: -1}, map[model.TopicPartition]model.Position{{Topic: topic}: {LeaderEpoch: -1}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			topic := r.topic(1)
			ctx := within(t, time.Minute)
			old := r.initialised(unique(t))
			write(t, old, old.batch(topic, 0, "zombie"))
			young := r.initialised(old.cfg.TransactionalID)
			requireClass(t, step(ctx, old, topic), model.Fenced)
			write(t, young, young.batch(topic, 0, "alive"))
			must(t, young.End(ctx, true))
			r.requireCommitted(topic, map[int32][]string{0: {"alive"}})
		})
	}
}

func TestCommittedIsVisibleAndAbortedIsNot(t *testing.T) {
	r := newRig(t)
	topic := r.topic(3)
	ctx := within(t, time.Minute)
	p := r.initialised(unique(t))
	want := map[int32][]string{}
	for i := range 30 {
		must(t, p.Begin(ctx, topic))
		commit := i%3 != 1
		var batches []Outgoing
		for n := range int32(3) {
			a, b := fmt.Sprintf("%d-%d-a", n, i), fmt.Sprintf("%d-%d-b", n, i)
			batches = append(batches, p.batch(topic, n, a), p.batch(topic, n, b, b))
			if commit {
				want[n] = append(want[n], a, b, b)
			}
		}
		write(t, p, batches...)
		must(t, p.End(ctx, commit))
	}
	r.requireCommitted(topic, want)
	if got := p.sequences[model.TopicPartition{Topic: topic, Partition: 2}]; got != 90 {
		t.Errorf("sequence %d after 90 records", got)
	}
}
