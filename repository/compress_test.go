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
	const count = 6
	batches := make([]Outgoing, count)
	for i := range batches {
		b := recordbatch.NewBuilder(1 << 20)
		for j := 0; b.Len() < 1<<20; j++ { // some ten milliseconds of work each
			b.Append(int64(j), recordbatch.Origin{}, nil, fmt.Appendf(nil, "%d %d %x", i, j, j*j*7919), nil)
		}
		batches[i] = Outgoing{TopicPartition: model.TopicPartition{Topic: "out", Partition: int32(i)}, Batch: b}
	}
	p.compress(batches)
	if len(batches[count-1].packed) > 0 {
		t.Error("the producer waited until all batches were compressed")
	}
	p.compress(batches) // again, as when a request is repeated: nothing begins twice
	for i := range batches {
		if err := batches[i].ready(); err != nil {
			t.Fatal(err)
		}
		if b := batches[i].Batch; b.PackedLen() >= b.Len() {
			t.Errorf("batch %d has %d bytes of %d", i, b.PackedLen(), b.Len())
		}
	}
}
