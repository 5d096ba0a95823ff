// Package replay hands dead letters back to the pipeline: it selects them, looks at what each of them lacks, and sends them
// to the group's replay topic, all of one request in one transaction. It also shows single letters and single events, and
// says what a replay would make of a letter. It never writes into the source topic, and nothing of a request is sent before
// all of it has been looked at.
package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// Letters reads single records by their offsets, of the dead-letter topic and of the source.
type Letters interface {
	// Read shows see those records that are there, the records of a partition in their order. A message is valid until see
	// returns.
	Read(ctx context.Context, offsets map[model.TopicPartition][]int64, see func(*model.Message) error) error
	// Find is one record, or an error that says why there is none.
	Find(ctx context.Context, at model.Origin) (*model.Message, error)
}

// Store lists the dead letters that were recorded.
type Store interface {
	DeadLetters(ctx context.Context, q model.DeadLetterQuery) (model.DeadLetterPage, error)
}

// Pipelines has the pipeline in use.
type Pipelines interface {
	Loaded() (spec *model.Pipeline, processor *service.Processor, text string, at time.Time)
}

// Outlet is the replay topic.
type Outlet interface {
	Transaction
	// Send writes messages. Those that the brokers take in no form are returned by their number.
	Send(ctx context.Context, messages []model.Message, partitions int32) (refused map[int]error, err error)
}

// Transaction is one of the replay topic, of which the group has one at a time.
type Transaction interface {
	// Begin ends what another replay of the group has left undone, and returns what the last ones have noted.
	Begin(ctx context.Context) (notes string, err error)
	// Commit makes everything that was sent visible, with notes; empty: as they were. An error of class Transient says that
	// whether it did is not known, any other that it did not.
	Commit(ctx context.Context, notes string) error
	// Abort gives up what was sent.
	Abort(ctx context.Context) error
}

// Config is what a Replayer works with.
type Config struct {
	Letters   Letters
	Store     Store
	Pipelines Pipelines
	Outlet    Outlet
	// Prepare makes sure that the replay topic is as it has to be, and returns the number of its partitions.
	Prepare func(ctx context.Context) (int32, error)
	// Partitions is how many partitions an output has, 1 when that is not known; for verdicts.
	Partitions func(topic string) int32
	// Timeout is that of a transaction.
	Timeout time.Duration
}

// Bounds of one request.
const (
	mostLetters = 10_000
	mostBytes   = 64 << 20 // of keys, values and headers: all of them lie in memory before anything is sent
)

const (
	// workTimeout is what a request may take when its caller sets no limit.
	workTimeout = 2 * time.Minute
	// endTimeout is what the end of a transaction may take, whether or not anybody still waits for it.
	endTimeout = 30 * time.Second
	// lookTimeout is what looking up one record may take.
	lookTimeout = 15 * time.Second
)

const op = "replay dead letters"

// Replayer replays dead letters, one request at a time. It is safe for concurrent use.
type Replayer struct {
	cfg  Config
	turn chan struct{} // holds one when nobody replays
	now  func() time.Time
}

// New returns a Replayer.
func New(cfg Config) *Replayer {
	r := &Replayer{cfg: cfg, turn: make(chan struct{}, 1), now: time.Now}
	r.turn <- struct{}{}
	return r
}

// Replay sends the letters that a request selects. Those that cannot be replayed are in the answer with the reason; an error
// says that nothing was sent, unless its class is Transient and it says that this is not known. A request with the key of an
// earlier one gets the answer of that; with the key of another one an error of class Conflict.
func (r *Replayer) Replay(ctx context.Context, request model.ReplayRequest) (model.Replayed, error) {
	ctx, cancel := context.WithTimeout(ctx, workTimeout)
	defer cancel()
	select {
	case <-r.turn:
		defer func() { r.turn <- struct{}{} }()
	case <-ctx.Done():
		return model.Replayed{}, busy(errors.New("another request is being replayed"))
	}
	done, err := r.replay(ctx, request)
	if err != nil && model.ClassOf(err) == model.Fenced {
		err = busy(fmt.Errorf("another instance has begun a replay meanwhile, nothing was sent: %w", err))
	}
	return done, err
}

func busy(why error) error {
	return &model.Error{Class: model.Conflict, Op: op, Err: why, Hint: "ask again when that is done"}
}

func (r *Replayer) replay(ctx context.Context, request model.ReplayRequest) (model.Replayed, error) {
	_, processor, _, _ := r.cfg.Pipelines.Loaded()
	none := model.Replayed{}
	chosen, err := r.choose(ctx, request, processor.Topics()[model.DeadLetters])
	if err != nil {
		return none, err
	}
	partitions, err := r.cfg.Prepare(ctx)
	if err != nil {
		return none, err
	}
	notes, err := r.cfg.Outlet.Begin(ctx)
	if err != nil {
		return none, err
	}
	book := readBook(notes)
	if entry, known := book.find(request.Key); known {
		return entry.answer(processor.ReplayTopic(), request)
	}
	batch, err := r.collect(ctx, chosen, processor, partitions)
	if err != nil || len(batch.messages) == 0 {
		return model.Replayed{Topic: processor.ReplayTopic(), At: r.now(), Refused: batch.refused}, err
	}
	return r.send(ctx, request, batch, book, partitions)
}

// send is the transaction. From the moment on at which it is to be committed nobody can call it off.
func (r *Replayer) send(ctx context.Context, request model.ReplayRequest, batch *batch, book book, partitions int32) (model.Replayed, error) {
	began := r.now()
	abort := func(err error) (model.Replayed, error) {
		if took := r.now().Sub(began); model.ClassOf(err) == model.Fenced && took >= r.cfg.Timeout {
			err = &model.Error{Class: model.Rejected, Op: op, Err: fmt.Errorf("it took %s, and TRANSACTION_TIMEOUT is %s: nothing was sent", took.Round(time.Second), r.cfg.Timeout),
				Hint: "select fewer letters"}
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		defer cancel()
		_ = r.cfg.Outlet.Abort(ctx) // if it fails the next replay does it, or the broker after the transaction's timeout
		return model.Replayed{}, err
	}
	refused, err := r.cfg.Outlet.Send(ctx, batch.messages, partitions)
	if err != nil {
		return abort(err)
	}
	batch.leave(refused)
	done := model.Replayed{Count: len(batch.messages) - len(refused), Topic: batch.messages[0].Topic, At: r.now(), Refused: batch.refused}
	if err := ctx.Err(); err != nil {
		return abort(err)
	}
	if done.Count == 0 { // the brokers took none
		_, err := abort(nil)
		return done, err
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if err := r.cfg.Outlet.Commit(ending, book.with(request, done)); err != nil {
		if ending.Err() != nil || model.ClassOf(err) == model.Transient {
			return model.Replayed{}, &model.Error{Class: model.Transient, Op: op, Err: fmt.Errorf("whether it was committed is not known: %w", err),
				Hint: "ask again with the same Idempotency-Key, which does it once"}
		}
		return abort(err)
	}
	return done, nil
}

// Letter is one dead letter with its content, in memory of its own.
func (r *Replayer) Letter(ctx context.Context, at model.TopicOffset) (*model.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return r.cfg.Letters.Find(ctx, model.Origin(at))
}

// Record is one event of the source topic. Without one the error says why: of class NotFound when there is no such partition
// or nothing is written there yet, Deleted when it is not there any more.
func (r *Replayer) Record(ctx context.Context, partition int32, offset int64) (*model.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	spec, _, _, _ := r.cfg.Pipelines.Loaded()
	return r.cfg.Letters.Find(ctx, model.Origin{TopicPartition: model.TopicPartition{Topic: spec.Source.Topic, Partition: partition}, Offset: offset})
}
