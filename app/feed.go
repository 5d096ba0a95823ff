package app

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"golang.org/x/sync/errgroup"

	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/repository/recordbatch"
	"data-stream-engine/service/generator"
	"data-stream-engine/utils"
)

const (
	feedTick  = 20 * time.Millisecond // at a given rate
	feedBatch = 10_000                // events a request at most
	// feedGrace is how long what was generated may still be produced after the context has ended.
	feedGrace = 3 * time.Second
)

// feed writes generated events to a topic, each once.
type feed struct {
	producer   *repository.Producer
	outbox     *repository.Outbox
	generator  *generator.Generator
	source     model.TopicPartition // what outboxes ask every message for; nothing is read
	partitions int32
	turn       int32
	scratch    []byte
}

// pace says how many events there shall be, and how fast.
type pace struct {
	count int  // 0: no end
	rate  int  // a second; 0: as fast as the brokers take them
	live  bool // events are of the moment at which they are made, whatever the generator's clock says
}

// newFeed prepares a feed. The topic has to exist.
func newFeed(ctx context.Context, c cluster, topic string, events generator.Config) (*feed, error) {
	counts, err := c.client.PartitionCounts(ctx, []string{topic})
	if err != nil {
		return nil, err
	}
	compressor, err := recordbatch.NewCompressor(0)
	if err != nil {
		return nil, err
	}
	producer := repository.NewProducer(c.client, c.retry, repository.NewPool(batchBytes), repository.ProducerConfig{Compressor: compressor})
	if err := producer.Init(ctx); err != nil {
		return nil, err
	}
	source := model.TopicPartition{Topic: "generator"}
	return &feed{producer: producer, generator: generator.New(events), source: source, partitions: counts[topic],
		outbox: producer.Outbox([]string{topic}, []int32{counts[topic]}, []model.TopicPartition{source})}, nil
}

// parcel is a number of events on their way.
type parcel struct {
	model.Parcel
	events int
}

// run feeds until the count is reached or ctx ends. made hears of the events that the brokers have acknowledged.
func (f *feed) run(ctx context.Context, p pace, made func(events int)) error {
	parcels := make(chan parcel, 1) // one is produced while the next is made
	group, working := errgroup.WithContext(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer close(parcels)
		f.make(ctx, working, p, parcels)
		return nil
	})
	group.Go(func() error {
		working, cancel := context.WithCancel(working)
		defer cancel()
		defer context.AfterFunc(ctx, func() {
			if utils.Sleep(working, feedGrace) == nil {
				cancel()
			}
		})()
		for parcel := range parcels {
			refused, err := parcel.Produce(working)
			if err != nil && ctx.Err() != nil {
				return fmt.Errorf("stopped before the brokers had acknowledged the last events, which may or may not be in the topic: %w", err)
			}
			if err != nil {
				return err
			}
			if len(refused) > 0 {
				return fmt.Errorf("the broker refuses %d generated events: %w", len(refused), refused[0].Err)
			}
			made(parcel.events)
		}
		return nil
	})
	return group.Wait()
}

// make fills parcels at the pace until the count is reached or ctx ends, or failed says that nobody takes them.
func (f *feed) make(ctx, failed context.Context, p pace, parcels chan<- parcel) {
	begin, done := time.Now(), 0
	tick := time.NewTicker(feedTick)
	defer tick.Stop()
	for ctx.Err() == nil && (p.count == 0 || done < p.count) {
		n := feedBatch
		if p.rate > 0 {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			due := int(time.Since(begin).Seconds() * float64(p.rate))
			n = min(due-done, feedBatch)
		}
		if p.count > 0 {
			n = min(n, p.count-done)
		}
		if n <= 0 {
			continue
		}
		f.fill(n, p.live)
		done += n
		select {
		case parcels <- parcel{f.outbox.Take(), n}:
		case <-failed.Done():
			return
		}
	}
}

// fill generates n events into the outbox.
func (f *feed) fill(n int, live bool) {
	now := time.Now()
	if live {
		f.generator.Seek(now)
	}
	m := model.Message{Topic: f.source.Topic, Partition: f.source.Partition, Timestamp: now.UnixMilli()}
	for range n {
		e := f.generator.Next(f.scratch[:0])
		f.scratch = e.Value
		value := f.outbox.Open(0, f.partition(e.Key), &m, e.Key, len(e.Value))
		f.outbox.Close(append(value, e.Value...), nil)
	}
}

// partition keeps the events of a user together; those of nobody take turns.
func (f *feed) partition(key []byte) int32 {
	if key == nil {
		f.turn++
		return f.turn % f.partitions
	}
	h := fnv.New32a()
	_, _ = h.Write(key)
	return int32(h.Sum32()&0x7fffffff) % f.partitions
}
