package main

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"data-stream-engine/bench/ours"
	"data-stream-engine/model"
	"data-stream-engine/repository"
)

// commitRecords is how many records a transaction writes to each partition.
const commitRecords = 20

// commitGroup is the consumer group whose offsets ride in the transactions. It has no members.
const commitGroup = "bench-commit"

// commit measures how long a transaction's end takes: every 100 ms on a broker that has nothing else to do, and back to
// back, where the coordinator is still busy with the transaction before.
func (b *bench) commit(ctx context.Context) error {
	for _, every := range []time.Duration{commitInterval, 0} {
		for _, partitions := range []int{1, 4, 16} {
			series, err := b.commits(ctx, partitions, every)
			if err != nil {
				return fmt.Errorf("%d partitions, every %s: %w", partitions, every, err)
			}
			fmt.Println("commit", series)
			b.report.Commits = append(b.report.Commits, series)
		}
	}
	return nil
}

// commitSeries is what a row of transactions took, in milliseconds.
type commitSeries struct {
	Partitions   int     `json:"partitions"`
	EveryMillis  int64   `json:"every_ms"` // 0: back to back
	Transactions int     `json:"transactions"`
	AheadP50     float64 `json:"ahead_p50_ms"` // AddOffsetsToTxn and AddPartitionsToTxn, before the first Produce
	P50          float64 `json:"p50_ms"`       // from the first Produce to the answer to EndTxn
	P99          float64 `json:"p99_ms"`
	Busy         int     `json:"code_51"` // answers that the transaction before is not done
	BackoffP50   float64 `json:"backoff_p50_ms"`
	BackoffMax   float64 `json:"backoff_max_ms"` // from an answer with code 51 to the next try
	BackoffLate  int     `json:"backoff_over_2ms"`
	Retries      int64   `json:"other_retries"`
}

func (s commitSeries) String() string {
	return fmt.Sprintf("every %3d ms, %2d partitions: p50 %.1f ms, p99 %.1f ms; ahead %.1f ms; code 51 %d times, backoff p50 %.2f ms, at most %.2f ms, %d times above 2 ms; %d other retries",
		s.EveryMillis, s.Partitions, s.P50, s.P99, s.AheadP50, s.Busy, s.BackoffP50, s.BackoffMax, s.BackoffLate, s.Retries)
}

func (b *bench) commits(ctx context.Context, partitions int, every time.Duration) (commitSeries, error) {
	s := commitSeries{Partitions: partitions, EveryMillis: every.Milliseconds(), Transactions: b.options.commits}
	topic, forget, err := b.newTopic(ctx, partitions)
	if err != nil {
		return s, err
	}
	defer forget()
	var busy *busyWatch
	c, err := ours.Connect([]string{b.bootstrap}, func(way kafka.RoundTripper) kafka.RoundTripper {
		busy = &busyWatch{RoundTripper: way}
		return busy
	})
	if err != nil {
		return s, err
	}
	defer c.Close()
	t := transactions{bench: b, partitions: partitions, source: model.TopicPartition{Topic: topic}, producer: repository.NewProducer(c.Client, c.Retry, repository.NewPool(batchBytes),
		repository.ProducerConfig{TransactionalID: "bench-commit", TransactionTimeout: 10 * time.Second})}
	if err := t.producer.Init(ctx); err != nil {
		return s, err
	}
	t.outbox = t.producer.Outbox([]string{topic}, []int32{int32(partitions)}, []model.TopicPartition{t.source})
	const warm = 10 // the first ones find no connections, and the broker's code not yet compiled
	for i := range warm + s.Transactions {
		started := time.Now()
		if err := t.once(ctx); err != nil {
			return s, err
		}
		if i == warm-1 {
			t.ahead, t.took = nil, nil
			busy.waits = nil
			c.Observer.Retries.Store(0)
		}
		if err := wait(ctx, every-time.Since(started)); err != nil {
			return s, err
		}
	}
	s.AheadP50, s.P50, s.P99 = percentile(t.ahead, 0.5), percentile(t.took, 0.5), percentile(t.took, 0.99)
	s.Busy, s.BackoffP50, s.BackoffMax = len(busy.waits), percentile(busy.waits, 0.5), percentile(busy.waits, 1)
	for _, wait := range busy.waits {
		if wait > 2 {
			s.BackoffLate++
		}
	}
	s.Retries = c.Observer.Retries.Load()
	return s, nil
}

// transactions are made one after the other.
type transactions struct {
	*bench
	producer    *repository.Producer
	outbox      *repository.Outbox
	partitions  int
	source      model.TopicPartition
	offset      int64
	ahead, took []float64 // milliseconds
}

// once is one transaction as the engine makes it: what can be sent ahead, then Produce, TxnOffsetCommit, EndTxn.
func (t *transactions) once(ctx context.Context) error {
	started := time.Now()
	if err := t.producer.Begin(ctx, commitGroup); err != nil {
		return err
	}
	begun := time.Now()
	m := model.Message{Topic: t.source.Topic}
	for range commitRecords * t.partitions {
		key, value, timestamp := t.corpus.at(int(t.offset))
		m.Offset, m.Timestamp = t.offset, timestamp
		room := t.outbox.Open(0, int32(t.offset%int64(t.partitions)), &m, key, len(value))
		t.outbox.Close(append(room, value...), nil)
		t.offset++
	}
	parcel := t.outbox.Take()
	produced := time.Now()
	if err := deliver(ctx, parcel); err != nil {
		return err
	}
	nobody := model.Assignment{Generation: -1}
	if err := t.producer.CommitOffsets(ctx, commitGroup, nobody, map[model.TopicPartition]model.Position{t.source: {Offset: t.offset, LeaderEpoch: -1}}); err != nil {
		return err
	}
	if err := t.producer.End(ctx, true); err != nil {
		return err
	}
	t.ahead = append(t.ahead, millis(begun.Sub(started)))
	t.took = append(t.took, millis(time.Since(produced)))
	return nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
