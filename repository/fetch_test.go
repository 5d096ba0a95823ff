package repository

import (
	"testing"

	"data-stream-engine/repository/broker"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func FuzzReadFetch(f *testing.F) {
	a := kmsg.NewPtrFetchResponse()
	a.Version = 11
	x := kmsg.NewFetchResponseTopic()
	x.Topic = "t"
	for n := range int32(3) {
		y := kmsg.NewFetchResponseTopicPartition()
		y.Partition, y.ErrorCode, y.RecordBatches = n, int16(n), []byte("0123456789abcdef")
		y.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 1, FirstOffset: 2}}
		x.Partitions = append(x.Partitions, y)
	}
	a.Topics = append(a.Topics, x)
	f.Add(a.AppendTo(nil))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, err := readFetch(b, nil)
		if len(b) < 14 && err == nil {
			t.Error("nothing was taken for an answer")
		}
		total := 0
		for i := range parts {
			total += len(parts[i].set) + 16*len(parts[i].aborted)
			parts[i].whole()
		}
		if total > len(b) {
			t.Errorf("%d bytes were made of %d", total, len(b))
		}
		_ = broker.Code(err)
	})
}
