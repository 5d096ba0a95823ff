package main

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"data-stream-engine/bench/ours"
	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/repository/recordbatch"
)

// fetchBytes is the most that one answer to a fetch holds: the engine's default for KAFKA_FETCH_MAX_BYTES.
const fetchBytes = 2 << 20

// consume reads the same topic with every client, read committed, and touches each key and value.
func (b *bench) consume(ctx context.Context) error {
	for _, codec := range []recordbatch.Codec{recordbatch.None, recordbatch.LZ4} {
		topic, forget, err := b.newTopic(ctx, b.partitions)
		if err != nil {
			return err
		}
		defer forget() //nolint:revive // two topics, until all clients have read both
		if err := b.produceOurs(ctx, topic, codec, false); err != nil {
			return fmt.Errorf("fill topic: %w", err)
		}
		err = b.hold(ctx, contest{
			name: "consume " + codec.String(), target: 0.25, events: b.events,
			clients: []client{{"ours", b.verified(b.consumeOurs)}, {"franz-go", b.verified(b.consumeFranz)}, {"kafka-go Reader", b.verified(b.consumeReader)}},
			topic:   func(context.Context) (string, func(), error) { return topic, func() {}, nil },
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// verified checks that a client read what was written.
func (b *bench) verified(read func(context.Context, string) (digest, error)) func(context.Context, string) error {
	var want digest
	for i := range b.events {
		key, value, _ := b.corpus.at(i)
		want.add(key, value)
	}
	return func(ctx context.Context, topic string) error {
		got, err := read(ctx, topic)
		if err == nil && got != want {
			err = fmt.Errorf("read %+v, written was %+v", got, want)
		}
		return err
	}
}

func (b *bench) consumeOurs(ctx context.Context, topic string) (digest, error) {
	var d digest
	c, err := ours.Connect([]string{b.bootstrap}, nil)
	if err != nil {
		return d, err
	}
	defer c.Close()
	source := repository.NewSource(c.Client, c.Observer, repository.SourceConfig{MaxBytes: fetchBytes, MaxBatchBytes: 64 << 20, Wait: commitInterval})
	from := map[model.TopicPartition]model.Position{}
	for p := range b.partitions {
		from[model.TopicPartition{Topic: topic, Partition: int32(p)}] = model.Position{}
	}
	stream, err := source.Open(ctx, from)
	if err != nil {
		return d, err
	}
	defer stream.Close()
	var m model.Message
	for d.messages < int64(b.events) {
		fetched, err := stream.Next(ctx)
		if err != nil {
			return d, err
		}
		for _, part := range fetched.Parts {
			records := part.Open()
			for records.Next(&m) {
				d.add(m.Key, m.Value)
			}
			if err := records.Err(); err != nil {
				return d, err
			}
		}
		fetched.Release()
	}
	return d, nil
}

func (b *bench) consumeFranz(ctx context.Context, topic string) (digest, error) {
	var d digest
	from := map[int32]kgo.Offset{}
	for p := range b.partitions {
		from[int32(p)] = kgo.NewOffset().AtStart()
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(b.bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchBytes/int32(b.partitions)), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return d, err
	}
	defer c.Close()
	for d.messages < int64(b.events) {
		fetched := c.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			return d, err
		}
		fetched.EachRecord(func(r *kgo.Record) { d.add(r.Key, r.Value) })
	}
	return d, nil
}

// consumeReader has a Reader for each partition: without a group it takes one.
func (b *bench) consumeReader(ctx context.Context, topic string) (digest, error) {
	parts := make([]digest, b.partitions)
	group, ctx := errgroup.WithContext(ctx)
	for p := range parts {
		group.Go(func() error {
			r := kafka.NewReader(kafka.ReaderConfig{
				Brokers: []string{b.bootstrap}, Topic: topic, Partition: p, MinBytes: 1, MaxBytes: fetchBytes, QueueCapacity: 1000,
				MaxWait: commitInterval, IsolationLevel: kafka.ReadCommitted, ReadLagInterval: -1,
			})
			defer func() { _ = r.Close() }() // it only read
			for range share(b.events, b.partitions, p) {
				m, err := r.FetchMessage(ctx)
				if err != nil {
					return err
				}
				parts[p].add(m.Key, m.Value)
			}
			return nil
		})
	}
	err := group.Wait()
	var d digest
	for _, p := range parts {
		d.join(p)
	}
	return d, err
}

// share is how many of the events went to a partition: event i is in partition i modulo their number.
func share(events, partitions, p int) int { return (events - p + partitions - 1) / partitions }
