package service

import (
	"syscall"
	"testing"
	"time"

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

// perEvent runs b.N events through a pipeline and reports the CPU time of each, which other work on the machine does not
// change as much as the time on the wall.
func perEvent(b *testing.B, file, event string) model.Result {
	b.Helper()
	p := processor(b, file)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	result := p.Process(&repeat{model.Message{Topic: "in", Timestamp: testNow.UnixMilli(), Value: []byte(event)}, b.N}, &discard{}, testNow)
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
	return result
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkTheShippedPipeline(b *testing.B) {
	if result := perEvent(b, shipped(b), login); result.Forwarded != b.N {
		b.Fatalf("%+v", result)
	}
}

// What the event's way costs without a filter or a transform, and with the shipped filter alone: the difference is the
// filter.
func BenchmarkScanAndCopy(b *testing.B) {
	perEvent(b, "name: p\nsource: {topic: in}\noutput: [{topic: out}]\n", login)
}

func BenchmarkFilter(b *testing.B) {
	perEvent(b, "name: p\nsource: {topic: in}\nfilter: user_id not in [nil, \"\"] && device_type in [\"android\", \"iOS\"]\noutput: [{topic: out}]\n", login)
}
