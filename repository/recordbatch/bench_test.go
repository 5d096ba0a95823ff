package recordbatch

import (
	"bytes"
	"fmt"
	"testing"

	"data-stream-engine/model"
)

const benchBatch = 1 << 20

// login is an event of 230 bytes.
func login(i int) []byte {
	v := fmt.Appendf(nil, `{"user_id":"424cdd21-063a-43a7-b91b-%012d","app_version":"2.3.%d","device_type":"android","ip":"199.172.%d.239","locale":"RU","device_id":"593-47-%d","timestamp":%d}`,
		i*7919, i%7, i%251, 5000+i, 1_700_000_000+i)
	return append(v, bytes.Repeat([]byte(" "), max(0, 230-len(v)))...)
}

// full is a builder with 1 MB of records.
func full(headers []model.Header) *Builder {
	b := NewBuilder(benchBatch + 1000)
	for i := 0; b.Len() < benchBatch; i++ {
		b.Append(int64(1_700_000_000_000+i), Origin{Offset: int64(i)}, fmt.Appendf(nil, "user-%d", i%1000), login(i), headers)
	}
	return b
}

// rebuild writes n records as the engine does: the value is appended in place.
func rebuild(b *Builder, n int, key, value []byte, headers []model.Header) {
	b.Reset()
	for i := range n {
		v := b.Open(int64(1_700_000_000_000+i), Origin{Source: 1, Offset: int64(i)}, key, 512)
		b.Close(append(v, value...), headers)
	}
	b.Stamp(1, 2, 3, true)
	b.Framed(7)
}

// allocates wants fn, which works on one batch of thousands of records, to allocate no more than most times.
func allocates(t *testing.T, name string, most float64, fn func()) {
	t.Helper()
	fn() // the buffers grow now
	if n := testing.AllocsPerRun(20, fn); n > most {
		t.Errorf("%s: %.1f allocations a batch, want %.0f at most", name, n, most)
	}
}

func TestNothingIsAllocatedInSteadyState(t *testing.T) {
	headers := []model.Header{{Key: []byte("trace"), Value: []byte("1")}, {Key: []byte("n")}}
	b := full(headers)
	key, value := []byte("user-1"), login(1)
	allocates(t, "build", 0, func() { rebuild(b, 4000, key, value, nil) })
	allocates(t, "build with headers", 0, func() { rebuild(b, 4000, key, value, headers) })
	aborted := []Aborted{{ProducerID: 5, FirstOffset: 9}, {ProducerID: 4, FirstOffset: 3}}
	for _, codec := range []Codec{None, Gzip, Snappy, LZ4, Zstd} {
		b := full(headers)
		if err := b.Compress(compressor(t, codec)); err != nil {
			t.Fatal(err)
		}
		batch := b.Stamp(5, 0, 0, false)
		r := NewReader(testBound, ReadCommitted)
		var m model.Message
		var n int
		most := 0.0
		if codec == Gzip || codec == Zstd {
			most = 10 // their decoders keep parts in pools, which the race detector empties at will
		}
		allocates(t, "read "+codec.String(), most, func() {
			r.Reset(batch, 0, aborted)
			for n = 0; r.Next(&m); n++ {
			}
		})
		if n != b.Count() || r.Err() != nil {
			t.Errorf("%s: read %d of %d, %v", codec, n, b.Count(), r.Err())
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	w := full(nil)
	n, key, value := w.Count(), []byte("user-123"), login(1)
	b.SetBytes(int64(w.Len()))
	b.ReportAllocs()
	for b.Loop() {
		rebuild(w, n, key, value, nil)
	}
	perRecord(b, n)
}

func BenchmarkRead(b *testing.B) {
	for _, codec := range codecs {
		b.Run(codec.String(), func(b *testing.B) {
			w := full(nil)
			if err := w.Compress(compressor(b, codec)); err != nil {
				b.Fatal(err)
			}
			batch := w.Stamp(1, 2, 3, true)
			r := NewReader(testBound, ReadCommitted)
			var m model.Message
			b.SetBytes(int64(w.Len()))
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(batch, 0, nil)
				n := 0
				for r.Next(&m) {
					n++
				}
				if n != w.Count() {
					b.Fatal(n, r.Err())
				}
			}
			perRecord(b, w.Count())
		})
	}
}

func BenchmarkCompress(b *testing.B) {
	for _, codec := range codecs[1:] {
		b.Run(codec.String(), func(b *testing.B) {
			w, c := full(nil), compressor(b, codec)
			b.SetBytes(int64(w.Len()))
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Compress(c); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(w.Len())/float64(w.PackedLen()), "ratio")
			perRecord(b, w.Count())
		})
	}
}

func perRecord(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/record")
}
