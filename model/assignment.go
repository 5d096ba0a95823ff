package model

import "math"

// Assignment is what one generation of the consumer group gave to this member.
type Assignment struct {
	Generation int32
	MemberID   string
	InstanceID string // empty for a dynamic member
	Partitions []TopicPartition
	// Ended is closed as soon as this generation is over or about to be: a rebalance began, or the member was
	// removed. Work that is under way may still be committed with this generation until the next Join.
	Ended <-chan struct{}
}

// Position is where consumption of one partition stands: the offset of the next message, and what is committed beside it.
type Position struct {
	Offset      int64
	LeaderEpoch int32
	Note        Note
}

// NoWatermark is the watermark of a partition of which no event was seen: before all others.
const NoWatermark = math.MinInt64

// Note is what is committed beside an offset, for whoever reads the partition next.
type Note struct {
	TopicID    string // hexadecimal, empty: not known; tells a topic from its successor of the same name
	Partitions int    // of the topic, 0: not known; tells partitions that were added later
	Watermark  int64  // of a source partition, milliseconds since 1970, or NoWatermark
	Idle       bool   // of a source partition: its owner said so
	Replays    string // of the replay topic: what was asked for lately, in the words of whoever asked; no ';' is in it
	Sequence   int64  // of a partials partition: its last merge commit, counted from 1; 0: there was none
}

// Start is where the partitions of an assignment are to be read from.
type Start struct {
	Positions map[TopicPartition]Position
	// Recreated are topics whose committed offsets belong to a deleted topic of the same name.
	Recreated []string
	// New are the partitions without a committed offset.
	New []TopicPartition
}
