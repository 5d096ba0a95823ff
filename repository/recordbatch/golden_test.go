package recordbatch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"data-stream-engine/model"
)

// golden is a file that Apache Kafka's client wrote, and what that client reads in it.
func golden(t testing.TB, name string) (set []byte, events []event) {
	t.Helper()
	set, err := os.ReadFile(filepath.Join("testdata", "golden", name+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := os.Open(filepath.Join("testdata", "golden", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	for d := json.NewDecoder(lines); ; {
		var e event
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return set, events
		} else if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
}

func TestReadsWhatJavaWrites(t *testing.T) {
	for name, next := range map[string]int64{
		"codec-none": 43, "codec-gzip": 43, "codec-snappy": 43, "codec-lz4": 43, "codec-zstd": 43,
		"transactional": 15, "log-append-time": 84, "compacted": 1<<40 + 1<<31, "emptied": 30, "delete-horizon": 7,
	} {
		t.Run(name, func(t *testing.T) {
			set, want := golden(t, name)
			got, end := walk(t, set, 0)
			sameEvents(t, got, want)
			if end != next {
				t.Errorf("goes on from offset %d, want %d", end, next)
			}
			if ahead, _ := LastOffset(set, 0); ahead != next {
				t.Errorf("the headers end at offset %d, want %d", ahead, next)
			}
		})
	}
}

func TestReadsFromTheMiddleOfABatch(t *testing.T) {
	set, want := golden(t, "codec-snappy")
	got, next := walk(t, set, 17)
	sameEvents(t, got, want[17:])
	if next != int64(len(want)) {
		t.Errorf("goes on from offset %d, want %d", next, len(want))
	}
}

func TestWritesTheBytesThatJavaWrites(t *testing.T) {
	for _, c := range []struct {
		name          string
		producer      int64
		epoch         int16
		sequence      int32
		transactional bool
	}{
		{"codec-none", -1, -1, -1, false},
		{"transactional", 4711, 3, 123456, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			want, events := golden(t, c.name)
			b := NewBuilder(0)
			for _, e := range events {
				b.Append(e.Timestamp, Origin{}, e.Key, e.Value, e.headers())
			}
			if got := b.Stamp(c.producer, c.epoch, c.sequence, c.transactional); !bytes.Equal(got, want) {
				t.Errorf("got\n%x, want\n%x", got, want)
			}
		})
	}
}

var goldenAborted = []Aborted{{ProducerID: 1, FirstOffset: 12}, {ProducerID: 1, FirstOffset: 0}}

func TestAbortedTransactionsAreDropped(t *testing.T) {
	set, all := golden(t, "transactions")
	isCommitted := func(e event) bool { return string(e.Value) != "aborted" }
	for _, from := range []int64{0, 1, 5, 6, 12, 13, 14, 15, 19, 20, 21} {
		got, next := walk(t, set, from, goldenAborted...)
		want := slices.Clone(all)
		want = slices.DeleteFunc(want, func(e event) bool { return e.Offset < from || !isCommitted(e) })
		sameEvents(t, got, want)
		if next != 22 {
			t.Errorf("from %d: goes on from offset %d, want 22, behind the last marker", from, next)
		}
	}
}

func TestUncommittedReadersGetEverythingButMarkers(t *testing.T) {
	set, all := golden(t, "transactions")
	r := NewReader(testBound, ReadUncommitted)
	r.Reset(set, 0, goldenAborted)
	sameEvents(t, drain(r), all)
	if next := r.NextOffset(); next != 22 {
		t.Errorf("goes on from offset %d, want 22", next)
	}
}

func TestPositionPassesWhatIsNotHandedOut(t *testing.T) {
	set, _ := golden(t, "transactions")
	r := NewReader(testBound, ReadCommitted)
	r.Reset(set, 0, goldenAborted)
	var m model.Message
	var seen []int64
	for r.Next(&m) {
		seen = append(seen, r.NextOffset())
	}
	if want := []int64{3, 4, 8, 9, 10, 11, 16, 17, 19, 20}; !slices.Equal(seen, want) {
		t.Errorf("positions after each record %v, want %v", seen, want)
	}
}

func TestOldFormatsAreRefusedWithWhatToDo(t *testing.T) {
	for name, last := range map[string][]int64{"magic0": {3, 4, 5}, "magic1": {3, 4, 5}, "magic0-gzip": {5}, "magic1-gzip": {5}} {
		t.Run(name, func(t *testing.T) {
			set, _ := golden(t, name)
			set = append(set, at(build(t, None, some(2)...), 6)...)
			r := NewReader(testBound, ReadCommitted)
			r.Reset(set, 3, nil)
			for _, offset := range last {
				if got := drain(r); len(got) > 0 {
					t.Fatalf("handed out %d records", len(got))
				}
				e := batchError(t, r.Err())
				if e.Code != CodeOldMagic || e.LastOffset != offset || e.FirstOffset > offset {
					t.Fatalf("error %+v, want %s up to offset %d", e, CodeOldMagic, offset)
				}
				for _, part := range []string{"message.format.version", "log.message.format.version", "3.0"} {
					if !strings.Contains(e.Error(), part) {
						t.Errorf("%q does not name %s", e, part)
					}
				}
				r.SkipBatch()
			}
			if got := drain(r); len(got) != 2 || got[0].Offset != 6 || r.NextOffset() != 8 {
				t.Errorf("behind it came %d records and offset %d, want 2 and 8", len(got), r.NextOffset())
			}
		})
	}
}
