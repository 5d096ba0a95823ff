package app

import (
	"fmt"

	"data-stream-engine/utils"
)

// The numbers of the engine that its memory follows from; a test compares them with where they are used.
const (
	fetchBuffers   = 2       // for each broker: one is processed while the other is filled
	batchesInUse   = 2       // for each output partition: one is filled while the other is sent
	collectedBytes = 2 << 20 // of output before it is sent
	// programBytes is everything else: the program itself takes 20 MiB before the first event. The whole engine was measured
	// at up to 61 MiB, with buffers that count as 36 here and fetches of 4 MiB.
	programBytes = 28 << 20
	// headroom is what the garbage collector lets the heap grow to, times what is in use (GOGC=100).
	headroom = 2
	// assumedPartitions is what a topic is taken to have when KAFKA_PARTITIONS does not say it.
	assumedPartitions = 4
)

// estimate is how much memory the engine takes at most, about, while it catches up with one broker.
type estimate struct {
	Bytes            int64 `json:"bytes"`
	OutputPartitions int   `json:"output_partitions"`
	Assumed          bool  `json:"partitions_assumed"` // KAFKA_PARTITIONS does not say how many a topic has
	Fetch            int64 `json:"fetch_buffers"`
	Batches          int64 `json:"output_batches"`
	Collected        int64 `json:"collected_output"`

	fetch utils.Size
}

// estimateMemory counts the buffers for a number of topics that are written to.
func estimateMemory(s *utils.Settings, topics int) *estimate {
	e := &estimate{Assumed: s.Kafka.Partitions < 1, Collected: collectedBytes, fetch: s.Kafka.FetchMaxBytes}
	each := int(s.Kafka.Partitions)
	if e.Assumed {
		each = assumedPartitions
	}
	e.OutputPartitions = topics * each
	e.Fetch = fetchBuffers * int64(s.Kafka.FetchMaxBytes)
	e.Batches = batchesInUse * batchBytes * int64(e.OutputPartitions)
	e.Bytes = programBytes + headroom*(e.Fetch+e.Batches+e.Collected)
	return e
}

// String says how much, and how it is counted.
func (e *estimate) String() string {
	assumed := ""
	if e.Assumed {
		assumed = fmt.Sprintf(" (%d a topic: KAFKA_PARTITIONS does not say)", assumedPartitions)
	}
	return fmt.Sprintf("up to about %d MiB for %d output partitions%s and one broker: %d x (%d fetch buffers of %s, %d batches of %s a partition, %s being collected), and %s for everything else",
		e.Bytes>>20, e.OutputPartitions, assumed, headroom, fetchBuffers, e.fetch, batchesInUse, utils.Size(batchBytes), utils.Size(collectedBytes), utils.Size(programBytes))
}
