package main

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/semaphore"

	"data-stream-engine/repository/recordbatch"
)

func (b *bench) produceFranz(ctx context.Context, topic string, codec recordbatch.Codec, transactional bool) error {
	compression := kgo.NoCompression()
	if codec == recordbatch.LZ4 {
		compression = kgo.Lz4Compression()
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(b.bootstrap), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(batchBytes), kgo.ProducerLinger(commitInterval), kgo.ProducerBatchCompression(compression),
		kgo.MaxBufferedRecords(2 * flightMost(b.partitions)),
	}
	if transactional {
		options = append(options, kgo.TransactionalID("bench-franz"), kgo.TransactionTimeout(10*time.Second))
	}
	c, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer c.Close()
	flight := newFlight(b.partitions)
	landed := func(_ *kgo.Record, err error) { flight.landed(1, err) }
	var begun time.Time
	for i := 0; i < b.events; i += flightStep {
		if transactional && begun.IsZero() {
			if err := c.BeginTransaction(); err != nil {
				return err
			}
			begun = time.Now()
		}
		chunk := make([]kgo.Record, min(flightStep, b.events-i))
		if err := flight.takeOff(ctx, len(chunk)); err != nil {
			return err
		}
		for j := range chunk {
			key, value, timestamp := b.corpus.at(i + j)
			chunk[j] = kgo.Record{Key: key, Value: value, Partition: int32((i + j) % b.partitions), Timestamp: time.UnixMilli(timestamp)}
			c.Produce(ctx, &chunk[j], landed)
		}
		if transactional && (time.Since(begun) >= commitInterval || i+len(chunk) == b.events) {
			if err := c.Flush(ctx); err != nil {
				return err
			}
			if err := c.EndTransaction(ctx, kgo.TryCommit); err != nil {
				return err
			}
			begun = time.Time{}
		}
	}
	if err := c.Flush(ctx); err != nil {
		return err
	}
	return flight.failure()
}

// flight bounds how many events a client has taken and not yet brought to the broker. It leaves room for a batch being
// filled and one under way in each partition.
type flight struct {
	room  *semaphore.Weighted
	mu    sync.Mutex
	first error
}

// flightStep is how many events take off at once.
const flightStep = 1000

func flightMost(partitions int) int { return partitions * 3 * batchBytes / 230 }

func newFlight(partitions int) *flight {
	return &flight{room: semaphore.NewWeighted(int64(flightMost(partitions)))}
}

func (f *flight) takeOff(ctx context.Context, n int) error { return f.room.Acquire(ctx, int64(n)) }

func (f *flight) landed(n int, err error) {
	f.room.Release(int64(n))
	if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.first == nil {
			f.first = err
		}
	}
}

// failure is the first error.
func (f *flight) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.first
}
