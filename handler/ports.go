package handler

import (
	"context"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// Membership is this process's place in the consumer group.
type Membership interface {
	// Join returns what a new generation gives to this member. It blocks while the group rebalances.
	Join(ctx context.Context) (model.Assignment, error)
	// Leave ends the membership.
	Leave(ctx context.Context) error
	// GoDynamic gives up an INSTANCE_ID that another process took.
	GoDynamic()
}

// Heartbeat tells how the group sees this member.
type Heartbeat interface {
	// Alive asks now: nil, or the class of why not.
	Alive(ctx context.Context) error
	// Err is why the last assignment's Ended was closed.
	Err() error
}

// Offsets are the group's committed positions.
type Offsets interface {
	// Start is where to read each partition of an assignment from.
	Start(ctx context.Context, member model.Assignment) (model.Start, error)
}

// Source opens streams of messages.
type Source interface {
	Open(ctx context.Context, from map[model.TopicPartition]model.Position) (Stream, error)
	// Lookup fetches one message again.
	Lookup(ctx context.Context, at model.Origin, see func(*model.Message) error) error
}

// Stream is an open source. One goroutine uses it.
type Stream interface {
	Fetcher
	Seeker
	Close()
}

// Seeker moves the positions of a stream and knows about them.
type Seeker interface {
	Seek(tp model.TopicPartition, offset int64)
	// Reached tells how far a partition has been fetched, where it ends, and when a broker said so. ok is false while it
	// cannot be read.
	Reached(tp model.TopicPartition) (position, highWatermark int64, answered time.Time, ok bool)
}

// Fetcher waits for messages.
type Fetcher interface {
	// Next returns the next ones. Its Short tells that the brokers have been asked for more and none is about to answer.
	Next(ctx context.Context) (*model.Fetch, error)
	// Waited is how long the last ones may have lain at the broker while it waited for more to answer with.
	Waited() time.Duration
}

// Producer writes parcels, in transactions if it is transactional. One goroutine uses it.
type Producer interface {
	// Init gets a new epoch, which fences earlier producers with the same transactional id and aborts what they left.
	Init(ctx context.Context) error
	Transaction
}

// Transaction is the life of one transaction, parcels aside, which write themselves.
type Transaction interface {
	// Begin opens it ahead of its first parcel.
	Begin(ctx context.Context, group string) error
	// CommitOffsets makes positions part of it, fenced by the member's generation.
	CommitOffsets(ctx context.Context, group string, member model.Assignment, positions map[model.TopicPartition]model.Position) error
	// End commits or aborts it.
	End(ctx context.Context, commit bool) error
}

// Outbox collects output records. One goroutine uses it.
type Outbox interface {
	service.Sink
	// Bytes is the size of what was collected since the last hand-over.
	Bytes() int
	// AppendTo hands it over, behind what the parcel of another outbox of the same writer holds; nil is an empty one.
	AppendTo(p model.Parcel) model.Parcel
}

// Writer is a producer and the outboxes whose parcels it writes.
type Writer struct {
	Producer Producer
	// NewOutbox makes an outbox for messages of the given partitions, which writes to topics, by their number there.
	NewOutbox func(ctx context.Context, topics []string, sources []model.TopicPartition) (Outbox, error)
}

// Log reads partitions on demand, without a stream. One goroutine uses it.
type Log interface {
	// Read fetches once from each position. Brokers wait for so long when there is nothing. What it returns is of use
	// until the next Read.
	Read(ctx context.Context, from map[model.TopicPartition]int64, wait time.Duration) ([]model.LogPart, error)
	// Restore shows all records of a partition, up to where it ended when it was called. progress hears how far it is.
	Restore(ctx context.Context, tp model.TopicPartition, see func(*model.Message) error, progress func(done, end int64)) error
	// Close ends what it has told of.
	Close()
}

// Ports are all that the engine needs from outside.
type Ports struct {
	Membership Membership
	Heartbeat  Heartbeat
	Offsets    Offsets
	Source     Source
	// NewLog makes a reader for one goroutine. op names what it is for, in messages.
	NewLog func(op string) Log
	// Partitions is how many partitions the source topic has.
	Partitions func(ctx context.Context) (int32, error)
	// Ends is where partitions end, as far as a read_committed reader can see. It waits for brokers that are away.
	Ends func(ctx context.Context, partitions []model.TopicPartition) (map[model.TopicPartition]int64, error)
	// Subscribe says which topics the next Join is for, and whether these are others than before.
	Subscribe func(topics []string) (others bool)
	// NewWriter makes the writer of one identity: the INSTANCE_ID, or a random name.
	NewWriter func(identity string) Writer
}
