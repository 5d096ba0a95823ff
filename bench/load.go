package main

import (
	"context"
	"hash/maphash"
	"time"

	"data-stream-engine/bench/ours"
	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/service/generator"
)

// load is what lies in a source topic, and what a pipeline must make of it.
type load struct {
	Events     int     `json:"events"`
	ValueBytes float64 `json:"bytes_per_value"`
	Forwarded  int64   `json:"forwarded"`
	Dropped    int64   `json:"dropped"`
	Dead       int64   `json:"dead_letters"`

	all  outcome // as the source topic itself
	dead outcome // of the events that are broken
}

func (l *load) count(k generator.Kind) {
	switch {
	case k.Broken():
		l.Dead++
	case k == generator.Login:
		l.Forwarded++
	default:
		l.Dropped++
	}
}

// fill writes user logins as the generator makes them, broken ones as well; the same for the same number of events.
// Event i goes to partition i modulo their number, so that every partition has logins of every user.
func (b *bench) fill(ctx context.Context, topic string, seed maphash.Seed) (load, error) {
	l := load{Events: b.events}
	c, err := ours.Connect([]string{b.bootstrap}, nil)
	if err != nil {
		return l, err
	}
	defer c.Close()
	p := repository.NewProducer(c.Client, c.Retry, repository.NewPool(batchBytes), repository.ProducerConfig{})
	if err := p.Init(ctx); err != nil {
		return l, err
	}
	config := generator.Default()
	config.Seed, config.Start, config.Step = 1, time.UnixMilli(1_700_000_000_000), time.Millisecond
	if !b.begin.IsZero() {
		config.Start = b.begin
	}
	if b.users > 0 {
		config.Users = b.users
	}
	g := generator.New(config)
	out := p.Outbox([]string{topic}, []int32{int32(b.partitions)}, []model.TopicPartition{origin})
	m := model.Message{Topic: origin.Topic}
	var room []byte
	for i := range b.events {
		e := g.Next(room[:0])
		room, m.Timestamp = e.Value, e.Time.UnixMilli()
		l.count(e.Kind)
		whole := copied(seed, e.Key, e.Value, m.Timestamp)
		l.all.add(whole, len(e.Value))
		if e.Kind.Broken() {
			l.dead.add(whole, len(e.Value))
		}
		value := out.Open(0, int32(i%b.partitions), &m, e.Key, len(e.Value))
		out.Close(append(value, e.Value...), nil)
		if out.Bytes() >= b.partitions*batchBytes || i == b.events-1 {
			if err := deliver(ctx, out.Take()); err != nil {
				return l, err
			}
		}
	}
	l.ValueBytes = float64(l.all.Bytes) / float64(b.events)
	return l, nil
}
