// Command franz is the pipeline exactly once on franz-go, with the fastest JSON library that was found for this work
// (goccy/go-json, see docs/performance.md). It never uses the engine's code.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/goccy/go-json"
	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/bench/peers/task"
)

// few is a poll that comes back short: a full one has four megabytes.
const few = 4_000

func main() { os.Exit(task.Run(serve)) }

// service makes one transaction after the other.
type service struct {
	task.Task

	session *kgo.GroupTransactSession
	logins  *task.Logins
	ended   time.Time // the last transaction
}

func serve(ctx context.Context, t task.Task) error {
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(t.Brokers...), kgo.ConsumerGroup(t.Group), kgo.ConsumeTopics(t.Source),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// As the engine asks: many small answers would cost CPU and win no time before the commit.
		kgo.FetchMinBytes(1<<20), kgo.FetchMaxWait(t.CommitInterval), kgo.FetchMaxBytes(4<<20),
		kgo.TransactionalID(t.Group+"-franz"), kgo.TransactionTimeout(time.Minute),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(1_000_000),
		kgo.ConcurrentTransactionsBackoff(time.Millisecond),
	)
	if err != nil {
		return err
	}
	defer session.Close()
	s := &service{Task: t, session: session, logins: task.NewLogins(t.HashKey, unmarshal, marshal)}
	for ctx.Err() == nil {
		if err := s.transaction(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }
func marshal(v any) ([]byte, error)      { return json.Marshal(v) }

// transaction processes what comes until a commit interval has passed since the last commit.
func (s *service) transaction(ctx context.Context) error {
	fetched := s.session.PollFetches(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case fetched.NumRecords() == 0:
		return fetched.Err()
	}
	if err := s.session.Begin(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	finish := context.WithoutCancel(ctx)
	promise := kgo.AbortingFirstErrPromise(s.session.Client())
	for {
		s.process(finish, fetched, promise)
		// A short poll has emptied what was waiting: to poll on would keep its events from the commit for nothing.
		if time.Since(s.ended) >= s.CommitInterval || fetched.NumRecords() < few {
			break
		}
		poll, cancel := context.WithDeadline(ctx, s.ended.Add(s.CommitInterval))
		fetched = s.session.PollFetches(poll)
		cancel()
		if fetched.NumRecords() == 0 {
			break
		}
	}
	refused := promise.Err()
	_, err := s.session.End(finish, refused == nil) // what is not committed is read again
	s.ended = time.Now()
	return errors.Join(refused, err)
}

func (s *service) process(ctx context.Context, fetched kgo.Fetches, promise *kgo.FirstErrPromise) {
	now, out := task.Now(), make([]kgo.Record, 0, fetched.NumRecords())
	for in := range fetched.RecordsAll() {
		key, value, err := s.logins.Process(in.Value, now)
		switch {
		case err != nil:
			reason := kgo.RecordHeader{Key: "__connect.errors.exception.message", Value: []byte(err.Error())}
			out = append(out, kgo.Record{Topic: s.DeadLetters, Key: in.Key, Value: in.Value, Timestamp: in.Timestamp, Headers: append(in.Headers, reason)})
		case value != nil:
			out = append(out, kgo.Record{Topic: s.Output, Key: key, Value: value, Timestamp: in.Timestamp, Headers: in.Headers})
		default:
			continue
		}
		s.session.Produce(ctx, &out[len(out)-1], promise.Promise())
	}
}
