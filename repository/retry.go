// Package repository is the engine's way to Kafka: it fetches, produces, commits and creates topics through
// repository/broker, with record batches of repository/recordbatch. It decides nothing about events. Transient errors
// are retried here, for ever and with backoff; every other class of error goes to the caller, whose decision it is.
package repository

import (
	"context"
	"math/rand/v2"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/utils"
)

// Observer hears of calls that have to be repeated, so that a person can be told. It is called from several goroutines.
type Observer interface {
	// Retrying says that an operation failed and will be tried again.
	Retrying(op string, err error)
	// Pausing says how long it is until then.
	Pausing(op string, pause time.Duration)
	// Recovered says that an operation that had to be tried again has succeeded.
	Recovered(op string)
	// Abandoned says that an operation that had to be tried again is not tried any more: what it was for is over.
	Abandoned(op string)
	// Lost says that messages are gone which were not read yet: the position moved from one offset to another.
	Lost(partition model.TopicPartition, from, to int64)
}

// promptly are the codes that pass within milliseconds: a transaction that still writes its markers (51, 88), and the
// collisions of a transaction's first Produce at the coordinator (KAFKA-9777, KIP-890). Waiting longer than a
// millisecond or two for them costs more than asking again.
func promptly(code int16) bool {
	return code == broker.ConcurrentTransactions || code == broker.UnstableOffsetCommit
}

// A prompt pause is at most a millisecond: an idle process waits in whole ones, rounded up, so that anything longer
// would take more than two.
const (
	promptMin    = 500 * time.Microsecond
	promptSpread = 500 * time.Microsecond
)

// promptTries bounds how often a prompt code is asked again at once: about a second. A transaction whose markers
// cannot be written (a partition without a leader) would otherwise be asked for a thousand times a second.
const promptTries = 800

// Retry repeats operations until they succeed or fail for good.
type Retry struct {
	observer Observer
}

// NewRetry returns a Retry that tells observer of each repetition.
func NewRetry(observer Observer) Retry { return Retry{observer: observer} }

// Do calls f until it succeeds, until its error is not transient, or until ctx ends.
func (r Retry) Do(ctx context.Context, op string, f func(context.Context) error) error {
	backoff := utils.Backoff{Min: 5 * time.Millisecond, Max: 3 * time.Second}
	failed, done := false, false
	defer func() {
		if failed && !done {
			r.observer.Abandoned(op)
		}
	}()
	for prompt := 0; ; {
		err := f(ctx)
		if err == nil {
			if done = true; failed {
				r.observer.Recovered(op)
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if model.ClassOf(err) != model.Transient {
			return err
		}
		if promptly(broker.Code(err)) && prompt < promptTries {
			prompt++
			if err := utils.Sleep(ctx, promptMin+rand.N(promptSpread)); err != nil {
				return err
			}
			continue
		}
		failed = true
		r.observer.Retrying(op, err)
		pause := backoff.Next()
		r.observer.Pausing(op, pause)
		if err := utils.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}
