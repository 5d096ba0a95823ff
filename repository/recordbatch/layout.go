// Package recordbatch writes and reads Kafka's record batches, format version 2 (magic 2, KIP-98), at a cost close to
// that of copying their bytes: nothing is allocated per record, and keys and values are slices of the bytes that were
// fetched.
//
// It knows bytes only. It never talks to a broker, and what it is given to read never makes it panic, loop for ever,
// or decompress beyond its bound: a broken batch is a BatchError that names its offsets and can be stepped over.
package recordbatch

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// Where the fields of a batch lie, in bytes from its start (org.apache.kafka.common.record.DefaultRecordBatch).
const (
	atBaseOffset      = 0
	atLength          = 8 // of what follows it
	atLeaderEpoch     = 12
	atMagic           = 16
	atCRC             = 17
	atAttributes      = 21 // the checksum covers everything from here on
	atLastOffsetDelta = 23
	atFirstTimestamp  = 27
	atMaxTimestamp    = 35
	atProducerID      = 43
	atProducerEpoch   = 51
	atBaseSequence    = 53
	atCount           = 57
	headerSize        = 61

	lengthEnd    = atLeaderEpoch // the length field does not count what lies before this
	oldEntryHead = 26            // the smallest entry of the formats before version 2 (magic 0): no key, no value
)

// Bits of the attributes. The lowest three are the codec.
const (
	codecMask        = 7
	logAppendTimeBit = 1 << 3
	transactionalBit = 1 << 4
	controlBit       = 1 << 5
)

const (
	magic2 = 2
	// minRecord is the size of the smallest record: length, attributes, two deltas, null key, null value, no headers.
	minRecord = 7
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the fixed part of a batch, decoded.
type header struct {
	base, last                   int64 // offsets
	attributes                   int16
	firstTimestamp, maxTimestamp int64
	producerID                   int64
	count                        int
}

func (h *header) codec() Codec { return Codec(h.attributes & codecMask) }

// has tells whether a bit of the attributes is set.
func (h *header) has(bit int16) bool { return h.attributes&bit != 0 }

// plausible tells whether the numbers can be those of a batch that a broker has written. A compacted batch may count
// fewer records than its offsets span, never more.
func (h *header) plausible() bool {
	return h.base >= 0 && h.last >= h.base && h.last < math.MaxInt64 && h.count >= 0 && int64(h.count) <= h.last-h.base+1
}

// parseHeader decodes the head of a batch of at least headerSize bytes.
func parseHeader(b []byte) header {
	be := binary.BigEndian
	h := header{
		base:           int64(be.Uint64(b[atBaseOffset:])),
		attributes:     int16(be.Uint16(b[atAttributes:])),
		firstTimestamp: int64(be.Uint64(b[atFirstTimestamp:])),
		maxTimestamp:   int64(be.Uint64(b[atMaxTimestamp:])),
		producerID:     int64(be.Uint64(b[atProducerID:])),
		count:          int(int32(be.Uint32(b[atCount:]))),
	}
	h.last = h.base + int64(int32(be.Uint32(b[atLastOffsetDelta:])))
	return h
}

// sealed tells whether the checksum of a whole batch is right.
func sealed(batch []byte) bool {
	return crc32.Checksum(batch[atAttributes:], castagnoli) == binary.BigEndian.Uint32(batch[atCRC:])
}

// wholeBatch is the first batch of set if it is there from its first to its last byte and is of version 2.
func wholeBatch(set []byte) ([]byte, bool) {
	if len(set) < headerSize || set[atMagic] != magic2 {
		return nil, false
	}
	size := int64(binary.BigEndian.Uint32(set[atLength:])) + lengthEnd
	if size < headerSize || size > int64(len(set)) {
		return nil, false
	}
	return set[:size], true
}

// LastOffset is the offset behind the last whole batch of a fetched set, and the number of records that the batches
// count (control batches aside), from their headers alone: checksums are not computed and records not looked at. A
// fetcher asks for the next bytes with it while these are still being walked; Reader.NextOffset has the last word.
// It stops at the first batch that cannot be right, and is from where there is none.
func LastOffset(set []byte, from int64) (next int64, records int) {
	next = from
	for {
		batch, ok := wholeBatch(set)
		if !ok {
			return next, records
		}
		h := parseHeader(batch)
		if !h.plausible() {
			return next, records
		}
		next = max(next, h.last+1)
		if !h.has(controlBit) {
			records += h.count
		}
		set = set[len(batch):]
	}
}
