package recordbatch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"data-stream-engine/model"
)

// threeBatches are batches of 3, 4 and 5 records, from offset 10 on, and where they begin.
func threeBatches(t *testing.T) (set []byte, starts [4]int) {
	offset := int64(10)
	for i, codec := range []Codec{None, LZ4, Zstd} {
		starts[i] = len(set)
		set = append(set, at(build(t, codec, some(3+i)...), offset)...)
		offset += int64(3 + i)
	}
	starts[3] = len(set)
	return set, starts
}

func TestAnyCutOfASetIsReadUpToItsLastWholeBatch(t *testing.T) {
	set, starts := threeBatches(t)
	for cut := starts[1]; cut <= len(set); cut++ {
		records, next := 3, int64(13)
		if cut >= starts[2] {
			records, next = 7, 17
		}
		if cut == len(set) {
			records, next = 12, 22
		}
		got, end := walk(t, set[:cut], 10)
		ahead, counted := LastOffset(set[:cut], 10)
		if len(got) != records || end != next || ahead != next || counted != records {
			t.Fatalf("of %d bytes: %d records, goes on from %d; headers say %d and %d; want %d and %d", cut, len(got), end, counted, ahead, records, next)
		}
	}
}

func TestACutFirstBatchIsAnErrorThatCanBeSteppedOver(t *testing.T) {
	set, starts := threeBatches(t)
	for cut := 1; cut < starts[1]; cut++ {
		r := NewReader(testBound, ReadCommitted)
		r.Reset(set[:cut], 10, nil)
		if got := drain(r); len(got) != 0 {
			t.Fatalf("%d records of %d bytes", len(got), cut)
		}
		e := batchError(t, r.Err())
		if e.Code != CodeCorrupt || e.FirstOffset != 10 || e.LastOffset < 10 || e.LastOffset > 12 {
			t.Fatalf("of %d bytes: %+v", cut, e)
		}
		r.SkipBatch()
		if len(drain(r)) != 0 || r.Err() != nil || r.NextOffset() <= 10 || r.NextOffset() > 13 {
			t.Fatalf("of %d bytes: goes on from %d, %v", cut, r.NextOffset(), r.Err())
		}
	}
}

func TestAnEmptySetIsNoError(t *testing.T) {
	got, next := walk(t, nil, 42)
	if len(got) != 0 || next != 42 {
		t.Errorf("%d records, goes on from %d", len(got), next)
	}
}

func TestABrokenBatchCanBeSteppedOver(t *testing.T) {
	set, starts := threeBatches(t)
	for i := starts[1]; i < starts[2]; i++ {
		if i >= starts[1]+atLength && i <= starts[1]+atMagic || i < starts[1]+atLength {
			continue // the checksum does not cover these
		}
		for _, flip := range []byte{0xff, 0x01} {
			bad := bytes.Clone(set)
			bad[i] ^= flip
			r := NewReader(testBound, ReadCommitted)
			r.Reset(bad, 10, nil)
			if got := drain(r); len(got) != 3 {
				t.Fatalf("byte %d: %d records before the error", i, len(got))
			}
			e := batchError(t, r.Err())
			if e.Code != CodeCRC || e.FirstOffset != 13 || e.LastOffset < 13 || e.LastOffset > 16 {
				t.Fatalf("byte %d: %+v, want offsets 13 to 16", i, e)
			}
			if again := drain(r); len(again) != 0 || r.NextOffset() != 13 {
				t.Fatalf("byte %d: went on before it was told to", i)
			}
			r.SkipBatch()
			if rest := drain(r); len(rest) != 5 || rest[0].Offset != 17 || r.Err() != nil || r.NextOffset() != 22 {
				t.Fatalf("byte %d: behind it %d records, goes on from %d, %v", i, len(rest), r.NextOffset(), r.Err())
			}
		}
	}
}

func TestABrokenHeaderDoesNotSkipTheBatchesBehindIt(t *testing.T) {
	set, starts := threeBatches(t)
	binary.BigEndian.PutUint32(set[starts[1]+atLastOffsetDelta:], 1_000_000)
	r := NewReader(testBound, ReadCommitted)
	r.Reset(set, 10, nil)
	drain(r)
	if e := batchError(t, r.Err()); e.Code != CodeCRC || e.LastOffset != 16 {
		t.Errorf("%+v, want the last offset before the batch behind it", e)
	}
}

func TestLengthsThatCannotBeEndTheSet(t *testing.T) {
	set, starts := threeBatches(t)
	for _, length := range []uint32{0, 1, 13, 48, 1 << 31, math.MaxUint32} {
		bad := bytes.Clone(set)
		binary.BigEndian.PutUint32(bad[starts[0]+atLength:], length)
		r := NewReader(testBound, ReadCommitted)
		r.Reset(bad, 10, nil)
		if got := drain(r); len(got) != 0 {
			t.Fatalf("length %d: %d records", length, len(got))
		}
		if e := batchError(t, r.Err()); e.Code != CodeCorrupt || e.FirstOffset != 10 || e.LastOffset != 12 {
			t.Errorf("length %d: %+v", length, e)
		}
		r.SkipBatch()
		if len(drain(r)) != 0 || r.NextOffset() != 13 {
			t.Errorf("length %d: goes on from %d", length, r.NextOffset())
		}
		if next, n := LastOffset(bad, 10); next != 10 || n != 0 {
			t.Errorf("length %d: the headers end at %d", length, next)
		}
	}
}

func TestAnUnknownVersionIsRefused(t *testing.T) {
	bad := build(t, None, some(3)...)
	bad[atMagic] = 3
	r := NewReader(testBound, ReadCommitted)
	r.Reset(bad, 0, nil)
	drain(r)
	if e := batchError(t, r.Err()); e.Code != CodeCorrupt {
		t.Errorf("%+v", e)
	}
}

func TestHeadersThatContradictThemselvesAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(b []byte){
		"negative base offset": func(b []byte) { binary.BigEndian.PutUint64(b[atBaseOffset:], 1<<63) },
		"offsets overflow":     func(b []byte) { binary.BigEndian.PutUint64(b[atBaseOffset:], math.MaxInt64) },
		"negative delta":       func(b []byte) { binary.BigEndian.PutUint32(b[atLastOffsetDelta:], math.MaxUint32) },
		"negative count":       func(b []byte) { binary.BigEndian.PutUint32(b[atCount:], math.MaxUint32) },
		"more than offsets":    func(b []byte) { binary.BigEndian.PutUint32(b[atCount:], 4) },
		"fewer than bytes":     func(b []byte) { binary.BigEndian.PutUint32(b[atCount:], 2) },
		"none but bytes":       func(b []byte) { binary.BigEndian.PutUint32(b[atCount:], 0) },
		"more than bytes":      func(b []byte) { b[atLastOffsetDelta], b[atCount] = 0x7f, 0x7f },
		"codec 5":              func(b []byte) { b[atAttributes+1] = 5 },
		"codec 7":              func(b []byte) { b[atAttributes+1] = 7 },
		"control without key":  func(b []byte) { b[atAttributes+1], b[headerSize] = controlBit, 0x7f },
	} {
		t.Run(name, func(t *testing.T) {
			b := build(t, None, some(3)...)
			spoil(b)
			r := NewReader(testBound, ReadCommitted)
			r.Reset(sealAgain(b), 0, nil)
			drain(r)
			e := batchError(t, r.Err())
			if e.Code != CodeCorrupt || e.LastOffset < e.FirstOffset {
				t.Errorf("%+v", e)
			}
			r.SkipBatch()
			if drain(r); r.Err() != nil {
				t.Error(r.Err())
			}
		})
	}
}

func TestBrokenRecordsAreRefused(t *testing.T) {
	good := []byte{16, 0, 0, 0, 2, 'k', 2, 'v', 0}
	for name, body := range map[string][]byte{
		"nothing":               {},
		"length too long":       {18, 0, 0, 0, 2, 'k', 2, 'v', 0},
		"length too short":      {14, 0, 0, 0, 2, 'k', 2, 'v', 0},
		"negative length":       {1, 0, 0, 0, 2, 'k', 2, 'v', 0},
		"endless length":        bytes.Repeat([]byte{0xff}, 20),
		"key too long":          {16, 0, 0, 0, 20, 'k', 2, 'v', 0},
		"value too long":        {16, 0, 0, 0, 2, 'k', 4, 'v', 0},
		"huge value":            {30, 0, 0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0},
		"negative offset":       {16, 0, 0, 1, 2, 'k', 2, 'v', 0},
		"offset behind the end": {16, 0, 0, 2, 2, 'k', 2, 'v', 0},
		"headers missing":       {14, 0, 0, 0, 2, 'k', 2, 'v'},
		"header count negative": {16, 0, 0, 0, 2, 'k', 2, 'v', 1},
		"header count too high": {16, 0, 0, 0, 2, 'k', 2, 'v', 4},
		"many headers":          {22, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 15, 0},
		"header key null":       {18, 0, 0, 0, 1, 2, 'v', 2, 1, 1},
		"header value too long": {20, 0, 0, 0, 1, 1, 2, 2, 'k', 4, 'v'},
		"bytes behind the last": append(bytes.Clone(good), 0),
		"bytes within":          {18, 0, 0, 0, 2, 'k', 2, 'v', 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, codec := range []Codec{None, LZ4} {
				packed, err := compressor(t, codec).append(nil, body)
				if err != nil {
					t.Fatal(err)
				}
				r := NewReader(testBound, ReadCommitted)
				r.Reset(withRecords(codec, 1, packed), 0, nil)
				if got := drain(r); len(got) != 0 {
					t.Errorf("%s: read %+v", codec, got)
				}
				if e := batchError(t, r.Err()); e.Code != CodeCorrupt || e.FirstOffset != 0 || e.LastOffset != 0 {
					t.Errorf("%s: %+v", codec, e)
				}
			}
		})
	}
	if got, _ := walk(t, withRecords(None, 1, good), 0); len(got) != 1 || string(got[0].Value) != "v" {
		t.Errorf("the record that the broken ones are made of reads as %+v", got)
	}
}

func TestAnErrorWithinABatchNamesOnlyWhatWasNotHandedOut(t *testing.T) {
	b := build(t, None, some(5)...)
	b[len(b)-1] = 2 // the last record's header count
	r := NewReader(testBound, ReadCommitted)
	r.Reset(sealAgain(at(b, 100)), 101, nil)
	if got := drain(r); len(got) != 3 || got[0].Offset != 101 {
		t.Fatalf("%d records before it", len(got))
	}
	if e := batchError(t, r.Err()); e.FirstOffset != 104 || e.LastOffset != 104 {
		t.Errorf("%+v, want offset 104 alone", e)
	}
	r.SkipBatch()
	if drain(r); r.NextOffset() != 105 {
		t.Errorf("goes on from %d", r.NextOffset())
	}
}

func TestOffsetsNeverGoBack(t *testing.T) {
	set := append(at(build(t, None, some(5)...), 10), at(build(t, None, some(5)...), 12)...)
	got, next := walk(t, set, 0)
	for i, e := range got {
		if e.Offset != int64(10+i) {
			t.Errorf("record %d has offset %d", i, e.Offset)
		}
	}
	if len(got) != 7 || next != 17 {
		t.Errorf("%d records, goes on from %d", len(got), next)
	}
}

func TestTopicAndPartitionAreLeftAlone(t *testing.T) {
	r := NewReader(testBound, ReadCommitted)
	r.Reset(build(t, None, some(1)...), 0, nil)
	m := model.Message{Topic: "logins", Partition: 7, Headers: []model.Header{{Key: []byte("old")}}}
	if !r.Next(&m) || m.Topic != "logins" || m.Partition != 7 || m.Headers != nil {
		t.Errorf("%+v", m)
	}
}

func TestHandedOutSlicesDoNotReachTheirNeighbours(t *testing.T) {
	r := NewReader(testBound, ReadCommitted)
	r.Reset(build(t, None, some(2)...), 0, nil)
	var m model.Message
	for r.Next(&m) {
		if cap(m.Key) != len(m.Key) || cap(m.Value) != len(m.Value) {
			t.Error("an append would write into the next record")
		}
	}
}

func TestBatchErrorUnwraps(t *testing.T) {
	cause := errors.New("cause")
	e := &BatchError{FirstOffset: 1, LastOffset: 2, Code: CodeCorrupt, Err: cause}
	if !errors.Is(e, cause) || e.Error() != "record batch at offsets 1 to 2: corrupt: cause" {
		t.Error(e)
	}
}
