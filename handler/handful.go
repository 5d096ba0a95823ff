package handler

import "data-stream-engine/model"

// handful is some records that are read ahead of their use: a partition that knows what comes next is faster. Their values
// are copied, since a record is only valid until the next one is read.
type handful struct {
	values  [][]byte
	offsets []int64
	bytes   []byte
}

// Bounds of a handful, in records and in bytes.
const (
	handfulRecords = 64
	handfulBytes   = 64 << 10
)

// read fills the handful anew, and tells whether there was anything.
func (h *handful) read(records model.Records) bool {
	h.values, h.offsets, h.bytes = h.values[:0], h.offsets[:0], h.bytes[:0]
	var message model.Message
	for len(h.values) < handfulRecords && len(h.bytes) < handfulBytes && records.Next(&message) {
		from := len(h.bytes)
		h.bytes = append(h.bytes, message.Value...)
		h.values = append(h.values, h.bytes[from:len(h.bytes):len(h.bytes)])
		h.offsets = append(h.offsets, message.Offset)
	}
	return len(h.values) > 0
}
