package repository

import (
	"fmt"
	"testing"

	"data-stream-engine/model"
	"data-stream-engine/repository/recordbatch"
)

func TestBatchesAreCompressedBesideTheirProducer(t *testing.T) {
	compressor, err := recordbatch.NewCompressor(recordbatch.Gzip)
	if err != nil {
		t.Fatal(err)
	}
	p := &Producer{cfg: ProducerConfig{Compressor: compressor}}
	// A busy machine may let the producer go on only when all is done, but not every time.
	for range 50 {
		batches := uncompressed()
		p.compress(batches)
		beside := len(batches[len(batches)-1].packed) == 0
		p.compress(batches) // again, as when a request is repeated: nothing begins twice
		for i := range batches {
			if err := batches[i].ready(); err != nil {
				t.Fatal(err)
			}
			if b := batches[i].Batch; b.PackedLen() >= b.Len() {
				t.Fatalf("batch %d has %d bytes of %d", i, b.PackedLen(), b.Len())
			}
		}
		if beside {
			return
		}
	}
	t.Error("the producer waited until all batches were compressed")
}

func uncompressed() []Outgoing {
	batches := make([]Outgoing, 6)
	for i := range batches {
		b := recordbatch.NewBuilder(256 << 10)
		for j := 0; b.Len() < 256<<10; j++ {
			b.Append(int64(j), recordbatch.Origin{}, nil, fmt.Appendf(nil, "%d %d %x", i, j, j*j*7919), nil)
		}
		batches[i] = Outgoing{TopicPartition: model.TopicPartition{Topic: "out", Partition: int32(i)}, Batch: b}
	}
	return batches
}
