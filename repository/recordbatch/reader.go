package recordbatch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"data-stream-engine/model"
)

// Isolation says whose records a Reader hands out, by the number that a Fetch request has for it.
type Isolation int8

// The isolation levels.
const (
	ReadUncommitted Isolation = iota // all, those of aborted transactions as well
	ReadCommitted                    // those of aborted transactions are dropped
)

// Reader walks the record batches of one partition as a Fetch response holds them: several, the last one perhaps cut
// short. It keeps its buffers from one Reset to the next. A Reader belongs to one goroutine at a time.
type Reader struct {
	isolation Isolation
	inflater  inflater
	headers   []model.Header // m.Headers is laid out in it

	set  []byte
	at   int   // where in set the batch after the current one begins
	next int64 // everything below it was handed out, or is not for us
	err  *BatchError

	transactions transactions
	batch        header
	body         []byte // its records, decompressed
	pos          int    // of the next one in body
	left         int    // records of the batch that have not been looked at
	floor        int64  // the lowest offset that the next record can have
}

// keepHeaders is how many headers' room a Reader keeps; a record with more is rare, and may be meant to hurt.
const keepHeaders = 1024

// NewReader makes a reader. A batch whose records take more than maxBatchBytes when decompressed is refused, and the
// buffer does not grow beyond that to find out. Batches that are not compressed are read at any size: they are in memory
// already.
func NewReader(maxBatchBytes int, isolation Isolation) *Reader {
	return &Reader{isolation: isolation, inflater: inflater{max: max(maxBatchBytes, 1)}}
}

// Reset begins a walk over set, the records field of one partition in a Fetch response (version 3 or later, which never
// cuts off the first batch). from is the offset that was asked for: batches begin before it. aborted is the response's
// list, in any order. set must stay as it is until the walk is over.
func (r *Reader) Reset(set []byte, from int64, aborted []Aborted) {
	r.set, r.at, r.next, r.err = set, 0, from, nil
	r.body, r.left = nil, 0
	r.transactions.reset(aborted)
	if cap(r.headers) > keepHeaders {
		r.headers = nil
	}
}

// Next fills m with the next record: offset, timestamp, key, value and headers, valid until the call after it. It
// leaves Topic and Partition alone. false means that the set is walked, or that Err says why it cannot go on; m is of
// no use then.
func (r *Reader) Next(m *model.Message) bool {
	for r.err == nil {
		if r.left > 0 {
			if r.record(m) {
				return true
			}
		} else if !r.open() {
			return false
		}
	}
	return false
}

// Err is a *BatchError for the batch that ended the walk, nil when there was none.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// NextOffset is the offset to go on from: behind the record that was handed out last and behind all batches that have
// nothing for the caller, such as aborted ones, markers, and what compaction has emptied. It never goes back.
func (r *Reader) NextOffset() int64 { return r.next }

// SkipBatch steps over the batch that Err names; Next goes on behind it. Without an error it does nothing.
func (r *Reader) SkipBatch() {
	if r.err != nil {
		r.next = max(r.next, r.err.LastOffset+1)
		r.err, r.left = nil, 0
	}
}

// record hands out the next record of the batch. It is false as well for a record below the offset asked for.
func (r *Reader) record(m *model.Message) bool {
	n := scanRecord(r.body[r.pos:], m, &r.headers)
	m.Offset += r.batch.base
	r.pos += n
	r.left--
	if n == 0 || m.Offset < r.floor || m.Offset > r.batch.last || r.left == 0 && r.pos != len(r.body) {
		return r.fail(CodeCorrupt, fmt.Errorf("the record at byte %d of %d is broken", r.pos-n, len(r.body)))
	}
	r.floor = m.Offset + 1
	wanted := m.Offset >= r.next
	if r.left == 0 {
		r.next = max(r.next, r.batch.last+1)
	} else {
		r.next = max(r.next, r.floor)
	}
	if r.batch.has(logAppendTimeBit) {
		m.Timestamp = r.batch.maxTimestamp
	} else {
		m.Timestamp += r.batch.firstTimestamp
	}
	return wanted
}

// open steps to the next batch. false means that there is none, or an error.
func (r *Reader) open() bool {
	batch, ok := r.take()
	if !ok {
		return false
	}
	r.batch = parseHeader(batch)
	if !sealed(batch) {
		r.batch.last = r.trusted()
		return r.fail(CodeCRC, errors.New("the checksum does not fit the bytes"))
	}
	if !r.batch.plausible() {
		r.batch.last = r.trusted()
		return r.fail(CodeCorrupt, fmt.Errorf("the header counts %d records from offset %d on", r.batch.count, r.batch.base))
	}
	if r.isolation == ReadCommitted {
		r.transactions.advance(r.batch.last)
		if r.batch.has(transactionalBit) && !r.batch.has(controlBit) && r.transactions.dropping(r.batch.producerID) {
			r.next = max(r.next, r.batch.last+1)
			return true
		}
	}
	return r.unpack(batch[headerSize:])
}

// unpack makes the records of the batch ready to be looked at. A marker is done with here.
func (r *Reader) unpack(records []byte) bool {
	body, err := r.inflater.inflate(r.batch.codec(), records)
	if errors.Is(err, errTooLarge) {
		return r.fail(CodeTooLarge, fmt.Errorf("%w of %d bytes", err, r.inflater.max))
	}
	if err != nil {
		return r.fail(CodeCorrupt, err)
	}
	if int64(r.batch.count)*minRecord > int64(len(body)) || r.batch.count == 0 && len(body) > 0 {
		return r.fail(CodeCorrupt, fmt.Errorf("%d records cannot be in %d bytes", r.batch.count, len(body)))
	}
	if r.batch.has(controlBit) {
		return r.marker(body)
	}
	r.body, r.pos, r.left, r.floor = body, 0, r.batch.count, r.batch.base
	if r.left == 0 {
		r.next = max(r.next, r.batch.last+1)
	}
	return true
}

// marker reads a control batch, which is never handed out: its one record ends a transaction.
func (r *Reader) marker(body []byte) bool {
	if r.batch.count > 0 {
		var m model.Message
		if scanRecord(body, &m, &r.headers) == 0 {
			return r.fail(CodeCorrupt, errors.New("the control record is broken"))
		}
		if abortMarker(m.Key) {
			r.transactions.ended(r.batch.producerID)
		}
	}
	r.next = max(r.next, r.batch.last+1)
	return true
}

// take cuts the next batch off the set. One that is cut short ends the walk; it comes whole with the next fetch, unless
// it was the first already.
func (r *Reader) take() ([]byte, bool) {
	rest := r.set[r.at:]
	if len(rest) == 0 {
		return nil, false
	}
	if batch, ok := wholeBatch(rest); ok {
		r.at += len(batch)
		return batch, true
	}
	first := r.at == 0
	r.at = len(r.set)
	r.batch = header{base: r.next, last: r.next}
	if len(rest) <= atMagic {
		return nil, first && r.fail(CodeCorrupt, fmt.Errorf("the answer has no more than %d bytes", len(rest)))
	}
	size := int64(binary.BigEndian.Uint32(rest[atLength:])) + lengthEnd
	if magic := rest[atMagic]; magic < magic2 && size >= oldEntryHead {
		return nil, r.old(rest, size)
	} else if magic != magic2 {
		return nil, r.fail(CodeCorrupt, fmt.Errorf("the format is version %d", magic))
	}
	if len(rest) >= headerSize {
		r.batch = parseHeader(rest)
		r.batch.last = r.trusted()
	}
	if size < headerSize {
		return nil, r.fail(CodeCorrupt, fmt.Errorf("it claims to have %d bytes, less than its header", size))
	}
	return nil, first && r.fail(CodeCorrupt, fmt.Errorf("it claims to have %d bytes, the answer has %d", size, len(rest)))
}

// old refuses an entry of the formats before version 2, and makes ready to step over it.
func (r *Reader) old(rest []byte, size int64) bool {
	offset := max(int64(binary.BigEndian.Uint64(rest)), r.next)
	r.batch = header{base: r.next, last: offset} // a compressed entry has the offset of its last record
	if size < int64(len(rest)) {
		r.at -= len(rest) - int(size)
	}
	return r.fail(CodeOldMagic, fmt.Errorf("message format %d is not read: set message.format.version of the topic, or "+
		"log.message.format.version of brokers before 3.0, to 0.11.0 or later and have the data written anew", rest[atMagic]))
}

// fail ends the walk with the batch's offsets. It is always false.
func (r *Reader) fail(code string, err error) bool {
	first := r.next
	if r.batch.base > first && r.batch.base <= r.batch.last {
		first = r.batch.base
	}
	r.left = 0
	r.err = &BatchError{FirstOffset: first, LastOffset: max(first, r.batch.last), Code: code, Err: err}
	return false
}

// trusted is the last offset of a batch whose header may be broken: what the header says if it makes sense and does not
// reach into the next batch that is in order, otherwise the offset that the walk has come to. Too low a number costs
// another look at the same batch, too high a one loses records.
func (r *Reader) trusted() int64 {
	if !r.batch.plausible() {
		r.batch.base = r.next
		return r.next
	}
	if next, ok := wholeBatch(r.set[r.at:]); ok && sealed(next) {
		if h := parseHeader(next); h.plausible() && h.base > r.next {
			return min(r.batch.last, h.base-1)
		}
	}
	return r.batch.last
}
