package model

import "fmt"

// Fetch is one answer of a broker: what came for each of several partitions. Its messages lie in one buffer, which
// Release gives back to the fetcher; until then the next answer may be under way but not the one after it.
type Fetch struct {
	Parts []FetchedPartition
	// Empty are partitions that have nothing new, when their end has not been told before: so that somebody can say that
	// nothing is left to do there.
	Empty []PartitionEnd
	Bytes int
	// Short tells that the broker had no more: it waited for as long as it was allowed to and answered with less than
	// was asked for.
	Short   bool
	Release func()
}

// PartitionEnd is where a partition ends, as far as a read_committed reader can see.
type PartitionEnd struct {
	TopicPartition
	End int64
}

// FetchedPartition is what came for one partition.
type FetchedPartition struct {
	TopicPartition
	// Version tells answers from before a seek from those after it.
	Version int
	// HighWatermark is the end of the partition at the time of the answer, as far as a read_committed reader can see.
	HighWatermark int64
	Bytes         int
	// Open starts reading. It is called once, and what it returns is used by one goroutine.
	Open func() Records
}

// Records yields the messages of one fetched partition in offset order, those of aborted transactions left out.
type Records interface {
	Next(m *Message) bool
	// Err is nil at the end of what was fetched, or a *BadBatch.
	Err() error
	// NextOffset is the position behind what was read.
	NextOffset() int64
	// SkipBatch moves behind the batch that Err named.
	SkipBatch()
}

// BadBatch is a record batch that cannot be read.
type BadBatch struct {
	TopicPartition
	FirstOffset, LastOffset int64
	Code                    string // crc_mismatch, too_large_decompressed, corrupt, old_magic
	Err                     error
}

func (b *BadBatch) Error() string {
	return fmt.Sprintf("batch of %s-%d, offsets %d to %d: %s: %v", b.Topic, b.Partition, b.FirstOffset, b.LastOffset, b.Code, b.Err)
}

func (b *BadBatch) Unwrap() error { return b.Err }
