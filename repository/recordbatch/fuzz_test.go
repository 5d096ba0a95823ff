package recordbatch

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"data-stream-engine/model"
)

// checkWalk walks a set to its end, over all its errors, and checks what must hold whatever the bytes are.
func checkWalk(t *testing.T, r *Reader, set []byte, from int64, aborted ...Aborted) {
	t.Helper()
	r.Reset(set, from, aborted)
	var m model.Message
	position, last := from, from-1
	for errs := 0; ; errs++ {
		for r.Next(&m) {
			if m.Offset <= last || r.NextOffset() <= m.Offset {
				t.Fatalf("offset %d after %d, goes on from %d", m.Offset, last, r.NextOffset())
			}
			last = m.Offset
		}
		if r.NextOffset() < position {
			t.Fatalf("went back from offset %d to %d", position, r.NextOffset())
		}
		position = r.NextOffset()
		if cap(r.inflater.buf) > r.inflater.max {
			t.Fatalf("the buffer has %d bytes", cap(r.inflater.buf))
		}
		if r.Err() == nil {
			return
		}
		if e := batchError(t, r.Err()); e.LastOffset < e.FirstOffset || e.FirstOffset < position {
			t.Fatalf("%+v at offset %d", e, position)
		}
		if errs > len(set)/oldEntryHead+1 {
			t.Fatalf("%d errors in %d bytes", errs, len(set))
		}
		r.SkipBatch()
	}
}

// FuzzReader gives the reader bytes as they are, the same with every length and checksum put right, and as the records
// of a batch of each codec.
func FuzzReader(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*.bin"))
	if err != nil || len(files) == 0 {
		f.Fatal("no golden files", err)
	}
	for _, name := range files {
		set, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(set, int64(0), byte(1))
		f.Add(set[headerSize:], int64(2), byte(3))
	}
	for name, packed := range streams(f, payload(5000)) {
		f.Add(packed, int64(0), byte(codecOf(name)))
	}
	const bound = 1 << 18
	readers := []*Reader{NewReader(bound, ReadCommitted), NewReader(bound, ReadUncommitted)}
	f.Fuzz(func(t *testing.T, data []byte, from int64, count byte) {
		from = max(from, 0) &^ (1 << 62) // offsets are never negative
		LastOffset(data, from)
		sets := [][]byte{data, sealAll(data)}
		for codec := range Codec(8) {
			sets = append(sets, withRecords(codec, int(count), data))
		}
		for _, set := range sets {
			for _, r := range readers {
				checkWalk(t, r, set, from, Aborted{ProducerID: int64(count)}, Aborted{ProducerID: 1, FirstOffset: 12})
			}
		}
	})
}

// sealAll is a copy of set in which each checksum is right, as far as there are batches.
func sealAll(set []byte) []byte {
	set = append([]byte(nil), set...)
	for rest := set; ; {
		batch, ok := wholeBatch(rest)
		if !ok {
			return set
		}
		rest = rest[len(batch):]
		sealAgain(batch)
	}
}

// eventsFrom makes records of arbitrary bytes.
func eventsFrom(data []byte) (events []event) {
	take := func(n int) []byte {
		n = min(n, len(data))
		p := data[:n:n]
		data = data[n:]
		return p
	}
	field := func(size byte) []byte {
		switch size {
		case 255:
			return nil
		case 254:
			return make([]byte, 8190)
		}
		return append([]byte{}, take(int(size))...)
	}
	for len(data) >= 5 {
		head := take(5)
		e := event{Offset: int64(len(events)), Timestamp: int64(int8(head[0])) << (head[4] % 60), Key: field(head[1]), Value: field(head[2])}
		for range head[3] % 4 {
			p := field(head[4])
			e.Headers = append(e.Headers, pair{Key: append([]byte{}, p...), Value: p})
		}
		events = append(events, e)
	}
	return events
}

// FuzzRoundTrip builds a batch, in place and by copy, and reads it back through every codec, whole and split.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{0, 255, 255, 0, 0, 1, 3, 5, 2, 2, 'k', 'e', 'y', 'v', 'a', 'l', 'u', 'e'})
	f.Add([]byte{0x80, 0, 0, 3, 255, 127, 254, 254, 1, 254})
	f.Add(payload(3000))
	var compressors []*Compressor
	for _, codec := range codecs {
		compressors = append(compressors, compressor(f, codec))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want := eventsFrom(data)
		b := NewBuilder(len(data))
		for i, e := range want {
			if i%2 == 0 {
				v := b.Open(e.Timestamp, Origin{Offset: int64(i)}, e.Key, i%300)
				if v = append(v, e.Value...); e.Value == nil {
					v = nil
				}
				b.Close(v, e.headers())
				b.Open(1, Origin{}, e.Value, 10)
				continue
			}
			b.Append(e.Timestamp, Origin{Offset: int64(i)}, e.Key, e.Value, e.headers())
		}
		if len(want) == 0 {
			return
		}
		for _, c := range compressors {
			if err := b.Compress(c); err != nil {
				t.Fatal(err)
			}
			sameEvents(t, events(t, b), want)
		}
		half := len(want) / 2
		_, second := b.Slice(0, len(want)).Split()
		if got := int64(second.Count()); got != int64(half) {
			t.Fatalf("the second half has %d of %d records", got, len(want))
		}
		for i := range second.Count() {
			if o := second.OriginAt(i).Offset; o != int64(len(want)-half+i) {
				t.Fatalf("record %d of the second half came from %d", i, o)
			}
		}
		batch := b.Stamp(1, 2, 3, true)
		if n := binary.BigEndian.Uint32(batch[atLength:]); int(n)+lengthEnd != len(batch) {
			t.Fatalf("length %d of %d", n, len(batch))
		}
	})
}
