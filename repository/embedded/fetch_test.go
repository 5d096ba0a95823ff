package embedded

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What was aborted is not seen, also by those who read less at a time than there is of it.
func TestAbortedRecordsAreNotSeenInSmallAnswers(t *testing.T) {
	b := start(t, t.TempDir())
	defer closed(t, b)
	createTopic(t, b.Addr())
	writer := client(t, b.Addr(), kgo.TransactionalID("aborting"), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("t"))
	write := func(end kgo.TransactionEndTry, values ...string) {
		if err := writer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, value := range values { // each in a batch of its own
			if err := writer.ProduceSync(t.Context(), kgo.StringRecord(value)).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := writer.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	large := strings.Repeat("x", 400<<10)
	write(kgo.TryAbort, large, large, large)
	write(kgo.TryCommit, "committed")
	for range forgetAfter + 10 { // also by those who come late
		reader := client(t, b.Addr(), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.FetchMaxBytes(1<<20), kgo.FetchMaxPartitionBytes(1<<20))
		fetches := reader.PollRecords(t.Context(), 1)
		reader.Close()
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			if string(r.Value) != "committed" {
				t.Fatalf("%d bytes at offset %d were aborted", len(r.Value), r.Offset)
			}
		}
	}
}
