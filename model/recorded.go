package model

// TopicID names a topic for good: one that is deleted and created again has another id.
type TopicID struct {
	Name string
	ID   string // hexadecimal
}

// NothingRecorded is the From of what is recorded of a partition of which a store has nothing.
const NothingRecorded = -1

// Recorded is what stands in a partition between two offsets. A store takes it as a whole or not at all.
type Recorded struct {
	Topic     TopicID
	Partition int32
	From, To  int64 // To is the offset to go on with; From is that of before, or NothingRecorded
	// Insights are in the order of the log. One without a Document is a tombstone: only its Key, At and Start count.
	Insights    []Insight
	DeadLetters []DeadLetter
}
