package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/service/generator"
)

// feedTick is how often events are sent: a burst of each tick's share.
const feedTick = 5 * time.Millisecond

// feed writes user logins to a topic at an even rate. The timestamp of a record is the moment at which it was due to be
// sent, not the one at which it was: if the feed is held up, the wait of the events counts.
type feed struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}
	begin  time.Time // of the first tick, in whole milliseconds
	rate   int

	// To be read when done is closed.
	load  load
	ticks []time.Duration // how late each tick was

	mu  sync.Mutex
	err error // the first of a record
}

// feed begins to write.
func (r *race) feed(ctx context.Context, topic string) (*feed, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.bootstrap), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(1_000_000))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &feed{client: client, cancel: cancel, done: make(chan struct{}), rate: r.rate, begin: time.Now().Truncate(time.Millisecond).Add(feedTick)}
	go f.run(ctx, r.partitions)
	return f, nil
}

func (f *feed) run(ctx context.Context, partitions int) {
	defer close(f.done)
	config := generator.Default()
	config.Seed, config.Start, config.Step = 2, f.begin, time.Second/time.Duration(f.rate)
	g := generator.New(config)
	for tick := 0; ; tick++ {
		due := f.due(tick)
		if wait(ctx, time.Until(due)) != nil {
			return
		}
		f.ticks = append(f.ticks, time.Since(due))
		records := make([]kgo.Record, f.upTo(tick+1)-f.upTo(tick))
		room := make([]byte, 0, len(records)*256)
		for i := range records {
			e := g.Next(room[len(room):])
			if len(e.Value) <= cap(room)-len(room) {
				room = room[:len(room)+len(e.Value)]
			}
			records[i] = kgo.Record{Key: e.Key, Value: e.Value, Timestamp: due, Partition: int32(f.load.Events % partitions)}
			f.load.Events++
			f.load.count(e.Kind)
			f.client.Produce(context.WithoutCancel(ctx), &records[i], f.landed)
		}
	}
}

func (f *feed) landed(_ *kgo.Record, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = errors.Join(f.err, err)
}

func (f *feed) due(tick int) time.Time { return f.begin.Add(time.Duration(tick) * feedTick) }

// upTo is how many events are sent before a tick.
func (f *feed) upTo(tick int) int {
	return int(time.Duration(tick) * feedTick * time.Duration(f.rate) / time.Second)
}

// stop ends the feed and tells what was sent, when all of it has been acknowledged.
func (f *feed) stop() (load, error) {
	f.cancel()
	<-f.done
	flush, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := f.client.Flush(flush); err != nil {
		return f.load, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.load, f.err
}

func (f *feed) close() {
	f.cancel()
	<-f.done
	f.client.Close()
}

// between is how many events were due in a time. The feed has stopped.
func (f *feed) between(begin, end time.Time) (events int64) {
	for tick := range f.ticks {
		if due := f.due(tick); !due.Before(begin) && due.Before(end) {
			events += int64(f.upTo(tick+1) - f.upTo(tick))
		}
	}
	return events
}

// late is how late the ticks of a time were, in milliseconds. The feed has stopped.
func (f *feed) late(begin, end time.Time) (late []float64) {
	for tick, behind := range f.ticks {
		if due := f.due(tick); !due.Before(begin) && due.Before(end) {
			late = append(late, millis(behind))
		}
	}
	return late
}
