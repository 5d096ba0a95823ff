// Command rawcopy copies records as they are, on the engine's own Kafka layer, at least once: what is left of the engine
// without the pipeline and without transactions. It looks into no value.
package main

import (
	"context"
	"fmt"
	"os"

	"data-stream-engine/bench/ours"
	"data-stream-engine/bench/peers/task"
	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/repository/recordbatch"
)

// As package app sets them.
const (
	batchBytes = 512 << 10
	fetchBytes = 2 << 20
	inflated   = 64 << 20
)

func main() { os.Exit(task.Run(serve)) }

// copier copies one fetch after the other.
type copier struct {
	task.Task

	stream  *repository.Stream
	outbox  *repository.Outbox
	offsets *repository.Offsets
}

func serve(ctx context.Context, t task.Task) error {
	cluster, err := ours.Connect(t.Brokers, nil)
	if err != nil {
		return err
	}
	defer cluster.Close()
	counts, err := cluster.Client.PartitionCounts(ctx, []string{t.Source, t.Output})
	if err != nil {
		return err
	}
	if counts[t.Output] < counts[t.Source] {
		return fmt.Errorf("%s has %d partitions, %s has %d: a record keeps its partition's number", t.Output, counts[t.Output], t.Source, counts[t.Source])
	}
	from, sources := map[model.TopicPartition]model.Position{}, []model.TopicPartition(nil)
	for p := range counts[t.Source] {
		tp := model.TopicPartition{Topic: t.Source, Partition: p}
		from[tp], sources = model.Position{}, append(sources, tp)
	}
	compressor, err := recordbatch.NewCompressor(recordbatch.None)
	if err != nil {
		return err
	}
	producer := repository.NewProducer(cluster.Client, cluster.Retry, repository.NewPool(batchBytes), repository.ProducerConfig{Compressor: compressor})
	if err := producer.Init(ctx); err != nil {
		return err
	}
	source := repository.NewSource(cluster.Client, cluster.Observer, repository.SourceConfig{MaxBytes: fetchBytes, MaxBatchBytes: inflated, Wait: t.CommitInterval})
	c := copier{Task: t, outbox: producer.Outbox([]string{t.Output}, []int32{counts[t.Output]}, sources),
		offsets: repository.NewOffsets(cluster.Client, cluster.Retry, t.Group)}
	if c.stream, err = source.Open(ctx, from); err != nil {
		return err
	}
	defer c.stream.Close()
	for ctx.Err() == nil {
		if err := c.once(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// once copies one fetch and commits behind it: one small request for four megabytes.
func (c *copier) once(ctx context.Context) error {
	fetched, err := c.stream.Next(ctx)
	if err != nil {
		return err
	}
	read := map[model.TopicPartition]model.Position{}
	var m model.Message
	for _, part := range fetched.Parts {
		records := part.Open()
		for records.Next(&m) {
			room := c.outbox.Open(0, m.Partition, &m, m.Key, len(m.Value))
			c.outbox.Close(append(room, m.Value...), m.Headers)
		}
		if err := records.Err(); err != nil {
			return err
		}
		read[part.TopicPartition] = model.Position{Offset: records.NextOffset(), LeaderEpoch: -1}
	}
	fetched.Release()
	refused, err := c.outbox.Take().Produce(ctx)
	if err != nil {
		return err
	}
	if len(refused) > 0 {
		return fmt.Errorf("%d records were refused: %w", len(refused), refused[0].Err)
	}
	return c.offsets.Commit(ctx, model.Assignment{Generation: -1}, read)
}
