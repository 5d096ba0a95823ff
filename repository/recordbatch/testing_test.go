package recordbatch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"data-stream-engine/model"
)

const testBound = 8 << 20

// event is a record as tests compare it: copied out of the batch.
type event struct {
	Offset    int64  `json:"offset"`
	Timestamp int64  `json:"timestamp"`
	Key       []byte `json:"key"`
	Value     []byte `json:"value"`
	Headers   []pair `json:"headers"`
}

type pair struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

func eventOf(m *model.Message) event {
	e := event{Offset: m.Offset, Timestamp: m.Timestamp, Key: bytes.Clone(m.Key), Value: bytes.Clone(m.Value)}
	for _, h := range m.Headers {
		e.Headers = append(e.Headers, pair{bytes.Clone(h.Key), bytes.Clone(h.Value)})
	}
	return e
}

func (e *event) headers() (hs []model.Header) {
	for _, h := range e.Headers {
		hs = append(hs, model.Header{Key: h.Key, Value: h.Value})
	}
	return hs
}

// sameBytes tells null from empty.
func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func (e *event) equal(o *event) bool {
	return e.Offset == o.Offset && e.Timestamp == o.Timestamp && sameBytes(e.Key, o.Key) && sameBytes(e.Value, o.Value) &&
		slices.EqualFunc(e.Headers, o.Headers, func(a, b pair) bool {
			return sameBytes(a.Key, b.Key) && sameBytes(a.Value, b.Value)
		})
}

// drain walks to the end or to an error.
func drain(r *Reader) (events []event) {
	var m model.Message
	for r.Next(&m) {
		events = append(events, eventOf(&m))
	}
	return events
}

// walk reads a set as a read_committed consumer and wants no error.
func walk(t *testing.T, set []byte, from int64, aborted ...Aborted) (events []event, next int64) {
	t.Helper()
	r := NewReader(testBound, ReadCommitted)
	r.Reset(set, from, aborted)
	events = drain(r)
	if err := r.Err(); err != nil {
		t.Fatalf("after %d records: %v", len(events), err)
	}
	return events, r.NextOffset()
}

func sameEvents(t *testing.T, got, want []event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		if !got[i].equal(&want[i]) {
			t.Fatalf("record %d is\n%+v, want\n%+v", i, got[i], want[i])
		}
	}
}

// batchError is err as the error that every refused batch must be.
func batchError(t *testing.T, err error) *BatchError {
	t.Helper()
	var e *BatchError
	if !errors.As(err, &e) {
		t.Fatalf("%v is not a BatchError", err)
	}
	return e
}

func compressor(t testing.TB, codec Codec) *Compressor {
	t.Helper()
	c, err := NewCompressor(codec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// build makes a sealed batch of the events.
func build(t testing.TB, codec Codec, events ...event) []byte {
	t.Helper()
	b := NewBuilder(0)
	for _, e := range events {
		b.Append(e.Timestamp, Origin{}, e.Key, e.Value, e.headers())
	}
	if err := b.Compress(compressor(t, codec)); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Stamp(-1, -1, -1, false))
}

// some are n events that compress well, from offset 0 on.
func some(n int) []event {
	events := make([]event, n)
	for i := range events {
		events[i] = event{Offset: int64(i), Timestamp: int64(1000 + i), Key: fmt.Appendf(nil, "key-%d", i%10),
			Value: fmt.Appendf(nil, `{"user_id":"424cdd21-063a-43a7-b91b-%08d","device_type":"android","locale":"RU"}`, i)}
	}
	return events
}

// at moves a batch to an offset, as a broker does.
func at(batch []byte, offset int64) []byte {
	batch = bytes.Clone(batch)
	binary.BigEndian.PutUint64(batch, uint64(offset))
	return batch
}

// sealAgain makes length and checksum right after a test has changed a batch.
func sealAgain(batch []byte) []byte {
	binary.BigEndian.PutUint32(batch[atLength:], uint32(len(batch)-lengthEnd))
	binary.BigEndian.PutUint32(batch[atCRC:], crc32.Checksum(batch[atAttributes:], castagnoli))
	return batch
}

// withRecords is a batch whose records field is body, as codec's bytes.
func withRecords(codec Codec, count int, body []byte) []byte {
	b := make([]byte, headerSize, headerSize+len(body))
	b[atMagic] = magic2
	binary.BigEndian.PutUint16(b[atAttributes:], uint16(codec))
	binary.BigEndian.PutUint32(b[atLastOffsetDelta:], uint32(max(count-1, 0)))
	binary.BigEndian.PutUint32(b[atCount:], uint32(count))
	return sealAgain(append(b, body...))
}
