package aggregate

import (
	"encoding/binary"
	"errors"
)

// The kinds of records in the partials topic; each begins with format and its kind.
const (
	kindDefinition = 'd'
	kindPartial    = 'p' // of a pane
	kindSession    = 's' // a mini session
	kindProgress   = 'g'
)

// errCut says that a record ends too early, or has something that no version writes.
var errCut = errors.New("the record is damaged")

// decoder reads a record from its front. After a fault everything is zero, and bad is set.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }

func (d *decoder) fail() { d.rest, d.bad = nil, true }

// partial is what one transaction adds to one group in one pane or mini session. Its slices lie in the record.
type partial struct {
	id          ID
	first, last int64 // a pane: its start, twice
	group       []byte
	measures    []byte
}

// appendPartialHead writes a partial up to its measures.
func appendPartialHead(dst []byte, id ID, session bool, first, last int64, group []byte) []byte {
	if session {
		dst = append(dst, format, kindSession)
	} else {
		dst = append(dst, format, kindPartial)
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(id))
	dst = binary.AppendVarint(dst, first)
	if session {
		dst = binary.AppendUvarint(dst, uint64(last-first))
	}
	return append(binary.AppendUvarint(dst, uint64(len(group))), group...)
}

// parsePartial reads what stands behind the first two bytes. Whether the measures are whole is for measures to say.
func parsePartial(rest []byte, session bool) (partial, error) {
	d := decoder{rest: rest}
	p := partial{id: ID(d.uint64()), first: d.varint()}
	p.last = p.first
	if session {
		p.last += int64(d.uvarint())
	}
	p.group = d.bytes()
	p.measures = d.rest
	if d.bad || p.last < p.first || !within(p.first) || !within(p.last) || len(p.group) > MaxGroupKey {
		return p, errCut
	}
	return p, nil
}

// within tells whether a time can be reckoned with: some ten thousand years before and after 1970.
func within(t int64) bool {
	const most = 1 << 49
	return -most < t && t < most
}

// Progress is how far one source partition has been read, as its owner says in the transaction that read it.
type Progress struct {
	Partition int32
	Epoch     uint32 // of the topic: another one is another topic of the same name
	From, To  int64  // offsets [From, To) were read in the transaction
	Watermark int64  // NoWatermark: there was no event yet
	Idle      bool
}

const (
	progressIdle = 1 << iota
	progressNoWatermark
)

// append writes one entry of a progress record.
func (p *Progress) append(dst []byte) []byte {
	flags, watermark := byte(0), p.Watermark
	if p.Idle {
		flags |= progressIdle
	}
	if watermark == NoWatermark {
		flags, watermark = flags|progressNoWatermark, 0
	}
	dst = binary.AppendUvarint(append(dst, flags), uint64(p.Partition))
	dst = binary.BigEndian.AppendUint32(dst, p.Epoch)
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(p.From)), uint64(p.To))
	return binary.AppendVarint(dst, watermark)
}

// read is the opposite of append.
func (p *Progress) read(d *decoder) {
	flags := d.byte()
	*p = Progress{Partition: int32(d.uvarint()), Epoch: d.uint32(), From: int64(d.uvarint()), To: int64(d.uvarint()), Watermark: d.varint(), Idle: flags&progressIdle != 0}
	if p.Partition < 0 || p.From < 0 || p.To < p.From || !within(p.Watermark) {
		d.fail()
	}
	if flags&progressNoWatermark != 0 {
		p.Watermark = NoWatermark
	}
}
