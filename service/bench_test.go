package service

import (
	"testing"

	"data-stream-engine/model"
)

// discard is a Sink that keeps nothing.
type discard struct{ buf []byte }

func (d *discard) Partitions(int) int32                                          { return 8 }
func (d *discard) Open(_ int, _ int32, _ *model.Message, _ []byte, n int) []byte { return d.buf[:0] }
func (d *discard) Close(value []byte, _ []model.Header)                          { d.buf = value }

// repeat is a batch of one message, n times.
type repeat struct {
	message model.Message
	n       int
}

func (r *repeat) Next(m *model.Message) bool {
	r.n--
	*m = r.message
	return r.n >= 0
}

func BenchmarkTheShippedPipeline(b *testing.B) {
	p := processor(b, shipped(b))
	b.ReportAllocs()
	b.SetBytes(int64(len(login)))
	result := p.Process(&repeat{model.Message{Topic: "in", Value: []byte(login)}, b.N}, &discard{}, testNow)
	if result.Forwarded != b.N {
		b.Fatalf("%+v", result)
	}
}
