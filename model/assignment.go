package model

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

// Position is where consumption of one partition stands: the offset of the next message, and the text committed with it.
type Position struct {
	Offset      int64
	LeaderEpoch int32
	Metadata    string
}

// Start is where the partitions of an assignment are to be read from.
type Start struct {
	Positions map[TopicPartition]Position
	// Recreated are topics whose committed offsets belong to a deleted topic of the same name.
	Recreated []string
	// New are the partitions without a committed offset.
	New []TopicPartition
}
