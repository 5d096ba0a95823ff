package model

// LogPart is what one read brought of one partition of a log.
type LogPart struct {
	TopicPartition
	// Next is the position behind what was read; markers and aborted records at the end of it are passed.
	Next int64
	// LastStable is the end as far as a read_committed reader can see, HighWatermark the end with transactions that are open,
	// both at the time of the answer.
	LastStable, HighWatermark int64
	// Lost tells that what was to be read is gone: nothing was, and Next is the position nearest to it.
	Lost  bool
	Bytes int
	// Open starts reading. It is called once at most, and of use until the next read of the log.
	Open func() Records
}
