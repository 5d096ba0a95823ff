// Command plain is the pipeline as services with kafka-go are usually written: its Reader in a group, encoding/json, its
// Writer, and offsets committed behind the writes, at least once. It never uses the engine's code.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go"

	"data-stream-engine/bench/peers/task"
)

// most is how many events are written and committed at once.
const most = 10_000

func main() { os.Exit(task.Run(serve)) }

func serve(ctx context.Context, t task.Task) error {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: t.Brokers, GroupID: t.Group, Topic: t.Source, StartOffset: kafka.FirstOffset,
		MaxBytes: 10e6, MaxWait: t.CommitInterval, QueueCapacity: 1000,
	})
	writer := &kafka.Writer{
		Addr: kafka.TCP(t.Brokers...), Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll,
		BatchSize: 2000, BatchTimeout: 5 * time.Millisecond,
	}
	logins := task.NewLogins(t.HashKey, json.Unmarshal, json.Marshal)
	var err error
	for ctx.Err() == nil && err == nil {
		err = once(ctx, t, reader, writer, logins)
	}
	return errors.Join(err, writer.Close(), reader.Close())
}

// once reads what comes in a commit interval, writes what becomes of it, and commits.
func once(ctx context.Context, t task.Task, reader *kafka.Reader, writer *kafka.Writer, logins *task.Logins) error {
	in, err := collect(ctx, reader, t.CommitInterval)
	if err != nil || len(in) == 0 {
		return err
	}
	out := make([]kafka.Message, 0, len(in))
	for _, m := range in {
		key, value, err := logins.Process(m.Value, task.Now())
		switch {
		case err != nil:
			reason := kafka.Header{Key: "__connect.errors.exception.message", Value: []byte(err.Error())}
			out = append(out, kafka.Message{Topic: t.DeadLetters, Key: m.Key, Value: m.Value, Time: m.Time, Headers: append(m.Headers, reason)})
		case value != nil:
			out = append(out, kafka.Message{Topic: t.Output, Key: key, Value: value, Time: m.Time, Headers: m.Headers})
		}
	}
	finish := context.WithoutCancel(ctx)
	if err := writer.WriteMessages(finish, out...); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := reader.CommitMessages(finish, in...); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func collect(ctx context.Context, reader *kafka.Reader, interval time.Duration) ([]kafka.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, interval)
	defer cancel()
	in := make([]kafka.Message, 0, most)
	for len(in) < most {
		m, err := reader.FetchMessage(ctx)
		if err != nil && ctx.Err() != nil {
			return in, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
		in = append(in, m)
	}
	return in, nil
}
