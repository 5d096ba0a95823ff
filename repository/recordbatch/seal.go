package recordbatch

import (
	"encoding/binary"
	"hash/crc32"

	"data-stream-engine/model"
)

// Compress makes the compressed form of the batch, which Stamp then seals. The records themselves stay, so that the
// batch can be split or written to again. Records that c does not make smaller are left as they are; a nil c leaves
// all of them. It may run on another goroutine than the one that wrote the records.
func (b *Builder) Compress(c *Compressor) error {
	b.codec = None
	if c == nil || c.codec == None || b.Empty() {
		return nil
	}
	if cap(b.packed) < frameSize+headerSize {
		b.packed = make([]byte, 0, frameSize+headerSize+len(b.buf)/2)
	}
	packed, err := c.append(b.packed[:frameSize+headerSize], b.buf[frameSize+headerSize:])
	if err != nil {
		return err
	}
	b.packed = packed
	if len(packed) < len(b.buf) {
		b.codec = c.codec
	}
	return nil
}

// bytes is what goes to the broker: frame, header and the records, compressed or not.
func (b *Builder) bytes() []byte {
	if b.codec != None {
		return b.packed
	}
	return b.buf
}

// PackedLen is the size in bytes of the batch as Stamp returns it: compressed, if it is.
func (b *Builder) PackedLen() int { return len(b.bytes()) - frameSize }

// Stamp writes header and checksum and returns the batch as a Produce request carries it, without the size in front;
// nil when there are no records. It may be called again, with other values. The bytes are valid until the next Open,
// Reset, Compress or Stamp. A batch of no producer has producerID, epoch and baseSequence -1.
func (b *Builder) Stamp(producerID int64, epoch int16, baseSequence int32, transactional bool) []byte {
	if b.Empty() {
		return nil
	}
	attributes := uint16(b.codec)
	if transactional {
		attributes |= transactionalBit
	}
	p := b.bytes()[frameSize:]
	be := binary.BigEndian
	be.PutUint64(p[atBaseOffset:], 0) // the broker's to set
	be.PutUint32(p[atLength:], uint32(len(p)-lengthEnd))
	be.PutUint32(p[atLeaderEpoch:], 1<<32-1) // unknown to a producer: -1
	p[atMagic] = magic2
	be.PutUint16(p[atAttributes:], attributes)
	be.PutUint32(p[atLastOffsetDelta:], uint32(len(b.marks)-1))
	be.PutUint64(p[atFirstTimestamp:], uint64(b.firstTimestamp))
	be.PutUint64(p[atMaxTimestamp:], uint64(b.maxTimestamp))
	be.PutUint64(p[atProducerID:], uint64(producerID))
	be.PutUint16(p[atProducerEpoch:], uint16(epoch))
	be.PutUint32(p[atBaseSequence:], uint32(baseSequence))
	be.PutUint32(p[atCount:], uint32(len(b.marks)))
	be.PutUint32(p[atCRC:], crc32.Checksum(p[atAttributes:], castagnoli))
	return p
}

// Framed is the stamped batch with partition and size in front: one element of the partition array of a Produce
// request before version 9, as it lies in memory. nil when there are no records.
func (b *Builder) Framed(partition int32) []byte {
	if b.Empty() {
		return nil
	}
	p := b.bytes()
	binary.BigEndian.PutUint32(p, uint32(partition))
	binary.BigEndian.PutUint32(p[4:], uint32(len(p)-frameSize))
	return p
}

// Record decodes record i, counted from 0, into m: key, value, headers and timestamp, and i as the offset. The slices
// lie in the batch. It tells whether there is such a record.
func (b *Builder) Record(i int, m *model.Message) bool {
	if i < 0 || i >= len(b.marks) {
		return false
	}
	var headers []model.Header
	scanRecord(b.buf[b.marks[i].start:], m, &headers)
	m.Timestamp += b.firstTimestamp
	return true
}

// Slice is a new batch of the records from the first index to before the second one, with their origins, not yet
// compressed. It is how the records that a broker refuses are told from those that it takes.
func (b *Builder) Slice(from, to int) *Builder {
	from, to = max(from, 0), min(to, len(b.marks))
	if from >= to {
		return NewBuilder(0)
	}
	end := len(b.buf)
	if to < len(b.marks) {
		end = int(b.marks[to].start)
	}
	part := NewBuilder(end - int(b.marks[from].start) + (to-from)*recordHead)
	var m model.Message
	for i := from; i < to; i++ {
		b.Record(i, &m)
		part.Append(m.Timestamp, b.OriginAt(i), m.Key, m.Value, m.Headers)
	}
	return part
}

// Split is two new batches of half the records each. Of a batch that has one record at most, the second one is empty:
// it cannot be split.
func (b *Builder) Split() (first, second *Builder) {
	half := (len(b.marks) + 1) / 2
	return b.Slice(0, half), b.Slice(half, len(b.marks))
}
