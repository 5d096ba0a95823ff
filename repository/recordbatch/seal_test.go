package recordbatch

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"sync"
	"testing"

	"data-stream-engine/model"
)

var codecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

// filled is a builder with some records, from source 1, offset 100 + i.
func filled(n int) *Builder {
	b := NewBuilder(0)
	for i, e := range some(n) {
		b.Append(e.Timestamp, Origin{Source: 1, Offset: int64(100 + i)}, e.Key, e.Value, []model.Header{{Key: []byte("n"), Value: []byte{byte(i)}}})
	}
	return b
}

func TestStampMayBeCalledAgain(t *testing.T) {
	for _, codec := range codecs {
		b := filled(50)
		if err := b.Compress(compressor(t, codec)); err != nil {
			t.Fatal(err)
		}
		first := bytes.Clone(b.Stamp(1, 2, 3, false))
		p := b.Stamp(4711, 7, 99, true)
		be := binary.BigEndian
		if pid, epoch, seq := be.Uint64(p[43:]), be.Uint16(p[51:]), be.Uint32(p[53:]); pid != 4711 || epoch != 7 || seq != 99 {
			t.Errorf("%s: producer %d, epoch %d, sequence %d", codec, pid, epoch, seq)
		}
		if got := be.Uint16(p[21:]); got != uint16(codec)|1<<4 {
			t.Errorf("%s: attributes %b", codec, got)
		}
		if be.Uint32(p[17:]) != crc32.Checksum(p[21:], crc32.MakeTable(crc32.Castagnoli)) {
			t.Errorf("%s: checksum is wrong", codec)
		}
		if b.PackedLen() != len(p) || codec != None && len(p) >= b.Len() {
			t.Errorf("%s: %d bytes, said %d, uncompressed %d", codec, len(p), b.PackedLen(), b.Len())
		}
		if !bytes.Equal(b.Stamp(1, 2, 3, false), first) {
			t.Errorf("%s: the same values give other bytes", codec)
		}
	}
}

func TestFramedPutsPartitionAndSizeInFront(t *testing.T) {
	for _, codec := range codecs {
		b := filled(50)
		if err := b.Compress(compressor(t, codec)); err != nil {
			t.Fatal(err)
		}
		batch := b.Stamp(1, 2, 3, true)
		f := b.Framed(12)
		if binary.BigEndian.Uint32(f) != 12 || int(binary.BigEndian.Uint32(f[4:])) != len(batch) || !bytes.Equal(f[8:], batch) {
			t.Errorf("%s: framed as %x", codec, f[:8])
		}
	}
}

func TestWhatDoesNotShrinkIsNotCompressed(t *testing.T) {
	noise := make([]byte, 5000)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(noise)
	for _, codec := range codecs {
		b := NewBuilder(0)
		b.Append(1, Origin{}, nil, noise, nil)
		if err := b.Compress(compressor(t, codec)); err != nil {
			t.Fatal(err)
		}
		batch := b.Stamp(1, 2, 3, false)
		if h := parseHeader(batch); h.codec() != None || len(batch) != b.Len() {
			t.Errorf("%s: %d bytes became %d, marked %s", codec, b.Len(), len(batch), h.codec())
		}
	}
}

func TestARecordAfterCompressIsNotLost(t *testing.T) {
	b := filled(50)
	if err := b.Compress(compressor(t, Zstd)); err != nil {
		t.Fatal(err)
	}
	b.Append(1, Origin{}, nil, []byte("late"), nil)
	if got := events(t, b); len(got) != 51 || string(got[50].Value) != "late" {
		t.Errorf("%d records", len(got))
	}
	if err := b.Compress(nil); err != nil || b.PackedLen() != b.Len() {
		t.Errorf("without a compressor: %d of %d bytes, %v", b.PackedLen(), b.Len(), err)
	}
}

func TestOneCompressorServesManyGoroutines(t *testing.T) {
	for _, codec := range codecs {
		c := compressor(t, codec)
		builders := []*Builder{filled(100), filled(200), filled(300), filled(400)}
		var wg sync.WaitGroup
		for _, b := range builders {
			wg.Go(func() {
				for range 20 {
					if err := b.Compress(c); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for _, b := range builders {
			sameEvents(t, events(t, b), events(t, filled(b.Count())))
		}
	}
}

func TestSplitKeepsEveryRecordAndItsOrigin(t *testing.T) {
	whole := filled(101)
	want := events(t, whole)
	var walkParts func(b *Builder)
	i := 0
	walkParts = func(b *Builder) {
		if b.Count() > 1 {
			first, second := b.Split()
			walkParts(first)
			walkParts(second)
			return
		}
		got := events(t, b)
		if len(got) != 1 || b.OriginAt(0) != (Origin{Source: 1, Offset: int64(100 + i)}) {
			t.Fatalf("%d records from %+v at %d", len(got), b.OriginAt(0), i)
		}
		got[0].Offset = int64(i)
		sameEvents(t, got, want[i:i+1])
		i++
	}
	walkParts(whole)
	if i != 101 {
		t.Errorf("%d records after splitting, want 101", i)
	}
	if _, rest := whole.Slice(0, 1).Split(); !rest.Empty() {
		t.Errorf("one record was split: %d more", rest.Count())
	}
}

func TestSliceTakesWhatThereIs(t *testing.T) {
	b := filled(10)
	for _, c := range []struct{ from, to, want int }{{0, 10, 10}, {-5, 50, 10}, {3, 4, 1}, {9, 10, 1}, {10, 10, 0}, {5, 3, 0}} {
		if got := b.Slice(c.from, c.to).Count(); got != c.want {
			t.Errorf("from %d to %d: %d records, want %d", c.from, c.to, got, c.want)
		}
	}
	if got := b.Slice(0, 10); !bytes.Equal(got.Stamp(1, 1, 1, true), b.Stamp(1, 1, 1, true)) {
		t.Error("a slice of all records has other bytes")
	}
}

func TestRecordShowsWhatWasWritten(t *testing.T) {
	b := filled(10)
	want := events(t, b)
	var m model.Message
	for i := range want {
		if !b.Record(i, &m) {
			t.Fatalf("no record %d", i)
		}
		if got := eventOf(&m); !got.equal(&want[i]) {
			t.Errorf("record %d is %+v, want %+v", i, got, want[i])
		}
	}
	if b.Record(10, &m) || b.Record(-1, &m) {
		t.Error("records beyond the ends")
	}
}
