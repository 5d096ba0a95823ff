package recordbatch

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"data-stream-engine/model"
)

// Sizes at which one of a record's two lengths takes another byte, and their neighbours.
var sizes = []int{0, 1, 50, 55, 56, 57, 58, 62, 63, 64, 65, 100, 8100, 8180, 8181, 8182, 8183, 8184, 8185, 8190, 8191, 8192, 8193, 70_000, 1<<20 - 77, 1 << 20}

// The lengths are guessed right, too short and too long, the buffers have room or must grow, and values were appended to
// what Open gave or come from elsewhere.
func TestEveryWayToWriteARecordMakesTheSameBytes(t *testing.T) {
	key := bytes.Repeat([]byte("k"), 70)
	for _, before := range sizes {
		for _, size := range sizes {
			value := bytes.Repeat([]byte("v"), size)
			want := NewBuilder(before + 2*size + 1000)
			want.Append(1, Origin{}, nil, make([]byte, before), nil)
			want.Append(2, Origin{}, key, value, nil)
			end := want.Len()
			want.Append(3, Origin{}, nil, nil, nil)
			if got := naive(2, 1, key, value); !bytes.Equal(want.Stamp(1, 1, 1, false)[end-len(got):end], got) {
				t.Fatalf("a value of %d bytes after one of %d is not the shortest form", size, before)
			}
			for name, w := range map[string]struct{ capacity, bound int }{"fits": {before + 2*size + 1000, size}, "grows": {0, 0}} {
				b := NewBuilder(w.capacity)
				b.Close(make([]byte, before), nil) // nothing is open
				b.Append(1, Origin{}, nil, make([]byte, before), nil)
				b.Open(5, Origin{}, []byte("dropped"), 10)
				b.Close(append(b.Open(2, Origin{}, key, w.bound), value...), nil)
				b.Append(3, Origin{}, nil, nil, nil)
				if !bytes.Equal(b.Stamp(1, 1, 1, false), want.Stamp(1, 1, 1, false)) {
					t.Fatalf("%s: a value of %d bytes after one of %d is written otherwise", name, size, before)
				}
			}
		}
	}
}

// naive is a record written the plain way.
func naive(timestampDelta, offsetDelta int64, key, value []byte) []byte {
	r := []byte{0}
	r = appendVarint(r, timestampDelta-1)
	r = appendVarint(r, offsetDelta)
	r = appendVarint(r, int64(len(key)))
	r = append(r, key...)
	r = appendVarint(r, int64(len(value)))
	r = append(append(r, value...), 0)
	return append(appendVarint(nil, int64(len(r))), r...)
}

func TestOpenGivesTheRoomThatWasAskedFor(t *testing.T) {
	b := NewBuilder(100)
	for _, bound := range []int{0, 1, 99, 100_000} {
		v := b.Open(0, Origin{}, []byte("key"), bound)
		if len(v) != 0 || cap(v) < bound {
			t.Errorf("asked for %d bytes, got %d of %d", bound, len(v), cap(v))
		}
		b.Close(v, nil)
	}
}

func TestPartsOfTheOpenedValueMayBeClosed(t *testing.T) {
	b := NewBuilder(1000)
	for range 3 {
		v := append(b.Open(0, Origin{}, nil, 600), strings.Repeat("x", 300)+strings.Repeat("y", 300)...)
		b.Close(v[300:], nil)
	}
	for _, e := range events(t, b) {
		if string(e.Value) != strings.Repeat("y", 300) {
			t.Errorf("read %q", e.Value)
		}
	}
}

// events reads a builder's batch back.
func events(t testing.TB, b *Builder) []event {
	t.Helper()
	r := NewReader(testBound, ReadCommitted)
	r.Reset(b.Stamp(-1, -1, -1, false), 0, nil)
	got := drain(r)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestNullAndEmptyAreToldApart(t *testing.T) {
	want := []event{
		{Offset: 0, Timestamp: 5},
		{Offset: 1, Timestamp: 5, Key: []byte{}, Value: []byte{}},
		{Offset: 2, Timestamp: 5, Key: []byte{}, Headers: []pair{{Key: []byte{}}, {Key: []byte("a"), Value: []byte{}}, {Key: []byte("a"), Value: []byte("1")}}},
		{Offset: 3, Timestamp: 5, Value: []byte("v"), Headers: []pair{{Key: []byte("only"), Value: bytes.Repeat([]byte("x"), 9000)}}},
	}
	b := NewBuilder(0)
	for _, e := range want {
		b.Append(e.Timestamp, Origin{}, e.Key, e.Value, e.headers())
	}
	sameEvents(t, events(t, b), want)
}

func TestTimestampsMayBeInAnyOrder(t *testing.T) {
	times := []int64{1_700_000_000_000, 0, -1, 1_700_000_000_001, math.MaxInt64, math.MinInt64, 5}
	b := NewBuilder(0)
	for _, ts := range times {
		b.Append(ts, Origin{}, nil, nil, nil)
	}
	for i, e := range events(t, b) {
		if e.Timestamp != times[i] {
			t.Errorf("record %d has timestamp %d, want %d", i, e.Timestamp, times[i])
		}
	}
	h := parseHeader(b.Stamp(-1, -1, -1, false))
	if h.firstTimestamp != times[0] || h.maxTimestamp != math.MaxInt64 {
		t.Errorf("the header says %d and %d", h.firstTimestamp, h.maxTimestamp)
	}
}

func TestADroppedFirstRecordLeavesNoTrace(t *testing.T) {
	b := NewBuilder(0)
	b.Open(77, Origin{Offset: 1}, []byte("dropped"), 10)
	b.Append(5, Origin{Source: 3, Offset: 9}, []byte("k"), []byte("v"), nil)
	b.Open(99, Origin{Offset: 2}, []byte("open"), 10)
	if b.Count() != 1 || b.OriginAt(0) != (Origin{Source: 3, Offset: 9}) {
		t.Errorf("%d records, the first from %+v", b.Count(), b.OriginAt(0))
	}
	sameEvents(t, events(t, b), []event{{Timestamp: 5, Key: []byte("k"), Value: []byte("v")}})
}

func TestResetBeginsAnew(t *testing.T) {
	b := NewBuilder(0)
	if b.Stamp(1, 1, 1, true) != nil || b.Framed(1) != nil || !b.Empty() {
		t.Error("a new builder is not empty")
	}
	for round := range 3 {
		for _, e := range some(10 + round) {
			b.Append(e.Timestamp, Origin{}, e.Key, e.Value, nil)
		}
		if err := b.Compress(compressor(t, LZ4)); err != nil {
			t.Fatal(err)
		}
		sameEvents(t, events(t, b), some(10+round))
		b.Reset()
		if !b.Empty() || b.Count() != 0 || b.Len() != headerSize {
			t.Errorf("after Reset: %d records, %d bytes", b.Count(), b.Len())
		}
	}
}

func TestLenIsTheSizeOfTheBatch(t *testing.T) {
	b := NewBuilder(0)
	for _, e := range some(30) {
		b.Append(e.Timestamp, Origin{}, e.Key, e.Value, []model.Header{{Key: []byte("h")}})
		if got := len(b.Stamp(1, 1, 1, true)); b.Len() != got || b.PackedLen() != got {
			t.Fatalf("says %d and %d, is %d", b.Len(), b.PackedLen(), got)
		}
	}
}

func TestParseCodec(t *testing.T) {
	names := []string{"none", "gzip", "snappy", "lz4", "zstd"}
	for i, name := range names {
		if c, err := ParseCodec(name); err != nil || c != Codec(i) || c.String() != name {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	for _, name := range []string{"", "LZ4", "brotli"} {
		if _, err := ParseCodec(name); err == nil || !strings.Contains(err.Error(), strings.Join(names, ", ")) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := NewCompressor(5); err == nil {
		t.Error("a compressor for a codec that Kafka has not")
	}
	if got := fmt.Sprint(Codec(-1), Codec(5)); got != "codec(-1) codec(5)" {
		t.Error(got)
	}
}

func TestVarints(t *testing.T) {
	for _, v := range []int64{0, -1, 1, 63, 64, -64, -65, 8191, 8192, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64} {
		b := appendVarint(nil, v)
		put := make([]byte, varintLen(v))
		putVarint(put, v)
		if got, i := varint(b, 0); got != v || i != len(b) || len(b) != varintLen(v) || !slices.Equal(put, b) {
			t.Errorf("%d is written as %x and %x, and read as %d", v, b, put, got)
		}
		if _, i := varint(b[:len(b)-1], 0); i >= 0 {
			t.Errorf("%d is read from too few bytes", v)
		}
	}
	if _, i := varint(bytes.Repeat([]byte{0x80}, 11), 0); i >= 0 {
		t.Error("a varint without an end is read")
	}
}
