package recordbatch

import "data-stream-engine/model"

// Origin is where a record of a batch came from, small enough to keep one for each: Source is whatever number the
// caller has given to the source partition.
type Origin struct {
	Source int32
	Offset int64
}

// frameSize is the room in front of a batch for its partition and size: see Framed.
const frameSize = 8

// recordHead bounds what Open writes besides key and value: record length, attributes, timestamp delta, offset delta,
// length of the key, length of the value.
const recordHead = 5 + 1 + 10 + 5 + 5 + 5

// Builder makes one batch in a buffer that it keeps: room for the head, then the records one behind the other. A
// record is an Open and a Close; what lies between them is written where it stays.
//
// A Builder belongs to one goroutine at a time. It holds up to 2 GB; callers keep a batch far below, at the topic's
// max.message.bytes.
type Builder struct {
	buf            []byte // frame, header, records
	marks          []mark // one a record
	firstTimestamp int64
	maxTimestamp   int64
	open           openRecord
	guess          guess
	packed         []byte // frame, header, compressed records; of use when codec is not None
	codec          Codec
}

// mark is what is remembered of one record beside its bytes.
type mark struct {
	offset int64 // of its origin
	source int32
	start  int32 // in buf
}

// openRecord is the record between Open and Close. Its bytes lie behind len(buf), so that forgetting it is free.
type openRecord struct {
	is        bool
	origin    Origin
	timestamp int64
	headSize  int // attributes, deltas and key
	valueAt   int // in buf
}

// guess is the size of the two lengths that are known only at Close: those of the record before.
type guess struct{ record, value int }

// NewBuilder makes a builder with room for capacity bytes. It grows when more is written.
func NewBuilder(capacity int) *Builder {
	return &Builder{
		buf:   make([]byte, frameSize+headerSize, frameSize+headerSize+max(capacity, 0)),
		guess: guess{record: 2, value: 2},
	}
}

// Reset starts a new batch in the same buffer.
func (b *Builder) Reset() {
	b.buf = b.buf[:frameSize+headerSize]
	b.marks = b.marks[:0]
	b.open.is = false
	b.codec = None
}

// Open starts a record and returns an empty slice, with room for at least bound bytes, that its value is appended to.
// The slice lies in the batch. timestamp is in milliseconds since 1970; a nil key is null. A record that was opened
// before and not closed is dropped.
func (b *Builder) Open(timestamp int64, origin Origin, key []byte, bound int) []byte {
	if len(b.marks) == 0 {
		b.firstTimestamp = timestamp
	}
	start := len(b.buf)
	b.reserve(recordHead+len(key)+bound, start)
	head := start + b.guess.record
	p := append(b.buf[:head], 0) // attributes
	p = appendVarint(p, timestamp-b.firstTimestamp)
	p = appendVarint(p, int64(len(b.marks)))
	p = appendBytes(p, key)
	at := len(p) + b.guess.value
	b.open = openRecord{is: true, origin: origin, timestamp: timestamp, headSize: len(p) - head, valueAt: at}
	return p[at:at]
}

// Close ends the record. value is what Open returned, grown by append; any other slice is copied. A nil value is
// null. headers are written as they are. Without an open record it does nothing.
func (b *Builder) Close(value []byte, headers []model.Header) {
	if !b.open.is {
		return
	}
	o := b.open
	length := lengthOf(value)
	now := guess{value: varintLen(length)}
	size := o.headSize + now.value + len(value) + headersSize(headers)
	now.record = varintLen(int64(size))
	start := len(b.buf)
	b.reserve(now.record+size, o.valueAt)
	rec := b.buf[start : start+now.record+size]

	head, oldHead := now.record, b.guess.record
	valueAt, oldValueAt := head+o.headSize+now.value, o.valueAt-start
	if valueAt > oldValueAt { // the way is free only when the later bytes go first
		place(rec[valueAt:], value)
	}
	if head != oldHead {
		copy(rec[head:head+o.headSize], b.buf[start+oldHead:o.valueAt]) // never reads past head's own bytes
	}
	if valueAt <= oldValueAt {
		place(rec[valueAt:], value)
	}
	putVarint(rec, int64(size))
	putVarint(rec[valueAt-now.value:], length)
	appendHeaders(rec[:valueAt+len(value)], headers)

	b.buf = b.buf[:start+len(rec)]
	b.keep(start)
	b.guess = now
}

// keep counts the record that was just closed.
func (b *Builder) keep(start int) {
	o := &b.open
	if len(b.marks) == 0 || o.timestamp > b.maxTimestamp {
		b.maxTimestamp = o.timestamp
	}
	b.marks = append(b.marks, mark{offset: o.origin.Offset, source: o.origin.Source, start: int32(start)})
	o.is = false
	b.codec = None // what was compressed before lacks this record
}

// place copies value to dst unless it lies there already.
func place(dst, value []byte) {
	if len(value) > 0 && &dst[0] != &value[0] {
		copy(dst, value)
	}
}

// reserve makes room for n bytes behind those that are written; the first used bytes of the buffer survive a move.
func (b *Builder) reserve(n, used int) {
	if len(b.buf)+n <= cap(b.buf) {
		return
	}
	grown := make([]byte, len(b.buf), max(2*cap(b.buf), len(b.buf)+n))
	copy(grown[:cap(grown)], b.buf[:used])
	b.buf = grown
}

// Append adds a whole record: Open and Close in one.
func (b *Builder) Append(timestamp int64, origin Origin, key, value []byte, headers []model.Header) {
	b.Open(timestamp, origin, key, len(value))
	b.Close(value, headers)
}

// Len is the size of the batch so far in bytes, with its header, before compression.
func (b *Builder) Len() int { return len(b.buf) - frameSize }

// Count is the number of records.
func (b *Builder) Count() int { return len(b.marks) }

// Empty tells whether no record has been closed.
func (b *Builder) Empty() bool { return len(b.marks) == 0 }

// OriginAt is the origin of record i, counted from 0. It panics where Go's own indexing does.
func (b *Builder) OriginAt(i int) Origin {
	return Origin{Source: b.marks[i].source, Offset: b.marks[i].offset}
}
