package handler

import (
	"bytes"
	"testing"

	"data-stream-engine/model"
)

// reused yields messages in one buffer, as a log may.
type reused struct {
	model.Records

	values [][]byte
	buf    []byte
	next   int64
}

func (r *reused) Next(m *model.Message) bool {
	clear(r.buf)
	if r.next == int64(len(r.values)) {
		return false
	}
	r.buf = append(r.buf[:0], r.values[r.next]...)
	m.Offset, m.Value = 10+2*r.next, r.buf
	r.next++
	return true
}

// TestHandfulsAreAllRecords: each once, in order, whatever becomes of the memory that they were read in.
func TestHandfulsAreAllRecords(t *testing.T) {
	var values [][]byte
	for i := range 1000 {
		values = append(values, bytes.Repeat([]byte{byte(i)}, i*i%5000))
	}
	values = append(values, make([]byte, 3*handfulBytes), nil)
	in, n := &reused{values: values}, 0
	var h handful
	for h.read(in) {
		if len(h.values) != len(h.offsets) || len(h.values) > handfulRecords {
			t.Fatalf("%d values, %d offsets", len(h.values), len(h.offsets))
		}
		for i, value := range h.values {
			if !bytes.Equal(value, values[n]) || h.offsets[i] != int64(10+2*n) {
				t.Fatalf("record %d is %d bytes at %d", n, len(value), h.offsets[i])
			}
			n++
		}
	}
	if n != len(values) || h.read(in) {
		t.Errorf("%d of %d records", n, len(values))
	}
}
