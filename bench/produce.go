package main

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"data-stream-engine/bench/ours"
	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/repository/recordbatch"
)

// produce writes the same events with every client, acknowledged by all in-sync replicas, event i to partition i
// modulo their number, in batches of about 1 MB before compression. Those with transactions commit every 100 ms.
func (b *bench) produce(ctx context.Context) error {
	for _, codec := range []recordbatch.Codec{recordbatch.None, recordbatch.LZ4} {
		target := 0.40
		if codec != recordbatch.None {
			target = 0 // most of it is the codec's own
		}
		err := b.hold(ctx, contest{
			name: "produce " + codec.String(), target: target, events: b.events,
			clients: []client{
				{"ours", func(ctx context.Context, topic string) error { return b.produceOurs(ctx, topic, codec, false) }},
				{"ours transactional", func(ctx context.Context, topic string) error { return b.produceOurs(ctx, topic, codec, true) }},
				{"franz-go", func(ctx context.Context, topic string) error { return b.produceFranz(ctx, topic, codec, false) }},
				{"franz-go transactional", func(ctx context.Context, topic string) error { return b.produceFranz(ctx, topic, codec, true) }},
				{"kafka-go Writer", func(ctx context.Context, topic string) error { return b.produceWriter(ctx, topic, codec) }},
			},
			topic: func(ctx context.Context) (string, func(), error) { return b.newTopic(ctx, b.partitions) },
			check: b.allThere,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// allThere makes sure that a topic has the events; the markers of transactions count as well.
func (b *bench) allThere(ctx context.Context, topic string) error {
	for { // EndTxn answers before the markers are written
		size, err := b.size(ctx, topic)
		if err != nil || size >= int64(b.events) {
			return err
		}
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d events are there: %w", size, b.events, err)
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// origin is where our outbox is told that the events come from.
var origin = model.TopicPartition{Topic: "bench-source"}

func (b *bench) produceOurs(ctx context.Context, topic string, codec recordbatch.Codec, transactional bool) error {
	c, err := ours.Connect([]string{b.bootstrap}, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	compressor, err := recordbatch.NewCompressor(codec)
	if err != nil {
		return err
	}
	config := repository.ProducerConfig{Compressor: compressor}
	if transactional {
		config.TransactionalID, config.TransactionTimeout = "bench-ours", 10*time.Second
	}
	p := repository.NewProducer(c.Client, c.Retry, repository.NewPool(batchBytes), config)
	if err := p.Init(ctx); err != nil {
		return err
	}
	out := p.Outbox([]string{topic}, []int32{int32(b.partitions)}, []model.TopicPartition{origin})
	// A little less than a batch for each partition: a record that did not fit would travel in a batch of its own.
	enough := b.partitions * batchBytes * 98 / 100
	committed := time.Now()
	m := model.Message{Topic: origin.Topic}
	for i := range b.events {
		key, value, timestamp := b.corpus.at(i)
		m.Offset, m.Timestamp = int64(i), timestamp
		room := out.Open(0, int32(i%b.partitions), &m, key, len(value))
		out.Close(append(room, value...), nil)
		if out.Bytes() < enough && i < b.events-1 {
			continue
		}
		if err := deliver(ctx, out.Take()); err != nil {
			return err
		}
		if now := time.Now(); i == b.events-1 || now.Sub(committed) >= commitInterval {
			committed = now
			if err := p.End(ctx, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// deliver produces a parcel of which nothing may be refused.
func deliver(ctx context.Context, parcel model.Parcel) error {
	refused, err := parcel.Produce(ctx)
	if err == nil && len(refused) > 0 {
		err = fmt.Errorf("%d records were refused: %w", len(refused), refused[0].Err)
	}
	return err
}

func (b *bench) produceWriter(ctx context.Context, topic string, codec recordbatch.Codec) error {
	flight := newFlight(b.partitions)
	w := &kafka.Writer{
		Addr: kafka.TCP(b.bootstrap), Topic: topic, Balancer: &kafka.RoundRobin{}, RequiredAcks: kafka.RequireAll,
		BatchSize: batchBytes / 200, BatchBytes: batchBytes, BatchTimeout: commitInterval, Async: true, Compression: kafka.Compression(codec),
		Completion: func(ms []kafka.Message, err error) { flight.landed(len(ms), err) },
		Transport:  &kafka.Transport{ClientID: "bench"}, // of its own, as the others have
	}
	defer func() { w.Transport.(*kafka.Transport).CloseIdleConnections() }()
	chunk := make([]kafka.Message, 0, flightStep)
	for i := range b.events {
		key, value, timestamp := b.corpus.at(i)
		chunk = append(chunk, kafka.Message{Key: key, Value: value, Time: time.UnixMilli(timestamp)})
		if len(chunk) < flightStep && i < b.events-1 {
			continue
		}
		if err := flight.takeOff(ctx, len(chunk)); err != nil {
			return err
		}
		if err := w.WriteMessages(ctx, chunk...); err != nil {
			return err
		}
		chunk = chunk[:0]
	}
	if err := w.Close(); err != nil { // waits for the batches that are under way
		return err
	}
	return flight.failure()
}
