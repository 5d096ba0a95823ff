package app

import (
	"os"
	"syscall"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/recordbatch"
	"data-stream-engine/service"
	"data-stream-engine/service/generator"
)

// batches is a Sink that builds a record batch for each output partition, as the outbox of the engine does.
type batches struct {
	topics [2][4]*recordbatch.Builder
	open   *recordbatch.Builder
}

func newBatches() *batches {
	b := &batches{}
	for t := range b.topics {
		for p := range b.topics[t] {
			b.topics[t][p] = recordbatch.NewBuilder(512 << 10)
		}
	}
	return b
}

func (b *batches) Partitions(int) int32 { return 4 }

func (b *batches) Open(topic int, partition int32, m *model.Message, key []byte, bound int) []byte {
	b.open = b.topics[topic][partition]
	return b.open.Open(m.Timestamp, recordbatch.Origin{Offset: m.Offset}, key, bound)
}

func (b *batches) Close(value []byte, headers []model.Header) { b.open.Close(value, headers) }

// seal ends the batches as a Produce request does, and empties them.
func (b *batches) seal() {
	for t := range b.topics {
		for _, builder := range b.topics[t] {
			builder.Stamp(1, 0, 0, true)
			builder.Reset()
		}
	}
}

// source is a record batch of generated events.
func source(events int) (batch []byte, size int) {
	g := generator.New(generator.Default())
	g.Seek(time.Unix(1_700_000_000, 0))
	in := recordbatch.NewBuilder(1 << 20)
	for i := range events {
		e := g.Next(nil)
		in.Append(1_700_000_000_000+int64(i), recordbatch.Origin{}, e.Key, e.Value, nil)
		size += len(e.Value)
	}
	return in.Stamp(-1, -1, -1, false), size
}

// BenchmarkFromBatchToBatch is the way of an event within the process: from a fetched record batch, through the shipped
// pipeline, to the batches that are sent, checksums included, without compression. One operation is one event; cpu-ns is
// the CPU time of all threads, which other work on the machine changes less than the time on the wall.
func BenchmarkFromBatchToBatch(b *testing.B) {
	src, err := os.ReadFile("../pipeline.yaml")
	if err != nil {
		b.Fatal(err)
	}
	spec, err := service.ParsePipeline("pipeline.yaml", src, func(string) (string, bool) { return "", false })
	if err != nil {
		b.Fatal(err)
	}
	processor, err := service.NewProcessor(spec, service.Options{HashKey: "0123456789abcdef"})
	if err != nil {
		b.Fatal(err)
	}
	const events = 5000
	set, size := source(events)
	reader, out := recordbatch.NewReader(16<<20, recordbatch.ReadCommitted), newBatches()
	once := func() int {
		reader.Reset(set, 0, nil)
		result := processor.Process(reader, out, time.Now())
		out.seal()
		return result.Forwarded
	}
	if once() < events/2 {
		b.Fatal("most events should be forwarded")
	}
	b.SetBytes(int64(size / events))
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	for n := 0; n < b.N; n += events {
		once()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64((b.N+events-1)/events*events), "cpu-ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
