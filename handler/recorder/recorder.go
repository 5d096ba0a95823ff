// Package recorder copies insights and dead letters from their topics into a store. It is beside the stream: it reads what is
// committed, as any other consumer would, and neither a database that is away nor a record that makes no sense holds an event
// up.
package recorder

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// Store takes what was read. What class its errors have decides what follows: Fenced is read again from its Positions,
// Rejected is about the rows, anything else passes, or is mended by an operator.
type Store interface {
	// Start opens it, unless it is open.
	Start(ctx context.Context) error
	// Positions is where to go on with the partitions of topics. Those of which nothing is recorded are left out.
	Positions(ctx context.Context, topics []model.TopicID) (map[model.TopicPartition]int64, error)
	// Write takes all of it or nothing.
	Write(ctx context.Context, parts []model.Recorded) error
}

// Keeper forgets what is old.
type Keeper interface {
	// Retain deletes a bounded part of it, and tells whether there is more.
	Retain(ctx context.Context, now time.Time) (more bool, err error)
}

// Log reads partitions on demand. One goroutine uses it.
type Log interface {
	// Begins is the first offset of each partition.
	Begins(ctx context.Context, partitions []model.TopicPartition) (map[model.TopicPartition]int64, error)
	// Read fetches once from each position; what it returns is of use until the next Read.
	Read(ctx context.Context, from map[model.TopicPartition]int64, wait time.Duration) ([]model.LogPart, error)
	Close()
}

// Membership is the place in the consumer group that shares the work.
type Membership interface {
	Join(ctx context.Context) (model.Assignment, error)
	Leave(ctx context.Context) error
	// GoDynamic gives up an INSTANCE_ID that another process took.
	GoDynamic()
}

// Topic is what the brokers say of one.
type Topic struct {
	ID         string // hexadecimal
	Partitions int32
}

// Config is what a recorder needs.
type Config struct {
	Store  Store
	Keeper Keeper
	Kind   string // of the store, for State
	Name   string // of the store, for people
	// Insights and DeadLetters are the topics. Insights is empty while the pipeline has no aggregates.
	Insights    func() string
	DeadLetters string
	// Topics asks the brokers for topics; those that do not exist are left out.
	Topics func(ctx context.Context, names []string) (map[string]Topic, error)
	NewLog func() Log
	// Membership shares the work with other instances, after Subscribe to the topics; nil: all of it is this one's.
	Membership Membership
	Subscribe  func(topics []string)
	// Note tells operators that the store is in trouble, NoteReading that what is to be stored cannot be read. An empty reason
	// says that this is over.
	Note, NoteReading func(reason string)
	Log               zerolog.Logger

	MaxRows     int           // of a transaction; 0: 5,000
	MaxWait     time.Duration // for more rows; 0: 500 ms
	Look        time.Duration // how often to look for new topics and partitions; 0: 10 s
	RetainEvery time.Duration // 0: a minute
}

func (c Config) withDefaults() Config {
	if c.MaxRows <= 0 {
		c.MaxRows = 5000
	}
	if c.MaxWait <= 0 {
		c.MaxWait = 500 * time.Millisecond
	}
	if c.Look <= 0 {
		c.Look = 10 * time.Second
	}
	if c.RetainEvery <= 0 {
		c.RetainEvery = time.Minute
	}
	return c
}

// Recorder is the loop that records.
type Recorder struct {
	cfg    Config
	state  state
	retain time.Time // when to look for what is old
	// careful is how many rows are still written one by one, since one among them was refused.
	careful int
}

// New is a recorder that has not begun.
func New(cfg Config) *Recorder {
	r := &Recorder{cfg: cfg.withDefaults()}
	r.state.reason = "not open yet"
	return r
}

// leaveTimeout is what a stop may take.
const leaveTimeout = 2 * time.Second

// Run records until ctx ends. Nothing else ends it.
func (r *Recorder) Run(ctx context.Context) {
	pause := utils.Backoff{Min: 100 * time.Millisecond, Max: 10 * time.Second}
	for ctx.Err() == nil {
		began := time.Now()
		err := r.share(ctx)
		if ctx.Err() != nil {
			break
		}
		if err == nil { // the work is shared out anew, and the others wait for this one
			pause.Reset()
			continue
		}
		if time.Since(began) > time.Minute {
			pause.Reset()
		}
		r.failed(err)
		_ = pause.Wait(ctx)
	}
	if r.cfg.Membership == nil {
		return
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if err := r.cfg.Membership.Leave(last); err != nil {
		r.cfg.Log.Warn().Err(err).Msg("could not leave the group of recorders: its other members wait for SESSION_TIMEOUT")
	}
}

// share records what is this instance's share of the work, for as long as that lasts.
func (r *Recorder) share(ctx context.Context) error {
	if r.cfg.Membership == nil {
		return r.hold(ctx, nil, nil)
	}
	// The group shares out topics that exist: it is joined when they do.
	topics, err := r.topics(ctx)
	if err != nil {
		return err
	}
	r.cfg.Subscribe(names(topics))
	member, err := r.cfg.Membership.Join(ctx)
	if err != nil {
		if model.ClassOf(err) == model.Replaced {
			r.cfg.Membership.GoDynamic()
		}
		return fromElsewhere(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-member.Ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	return r.hold(ctx, &member, names(topics))
}

// hold records partitions until ctx ends, through all troubles of the store. It returns when other topics are to be shared out.
func (r *Recorder) hold(ctx context.Context, member *model.Assignment, subscribed []string) error {
	pause := utils.Backoff{Min: 100 * time.Millisecond, Max: 10 * time.Second}
	for ctx.Err() == nil {
		began := time.Now()
		err := r.record(ctx, member, subscribed)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was told to end
		case errors.Is(err, errTopics):
			return nil
		case err == nil: // there are new partitions
			continue
		case model.ClassOf(err) == model.Fenced, model.ClassOf(err) == model.Recreated:
			r.cfg.Log.Info().AnErr("reason", err).Msg("recording from where the storage stands now")
		default:
			r.failed(err)
		}
		if time.Since(began) > time.Minute {
			pause.Reset()
		}
		_ = pause.Wait(ctx)
	}
	return nil
}

// errTopics says that other topics than those that were subscribed to are to be recorded.
var errTopics = errors.New("other topics are to be recorded")
