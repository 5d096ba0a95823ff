package broker

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/protocol"
)

// maxResponse bounds what a broken or hostile broker can make us allocate.
const maxResponse = 256 << 20

// smallPiece is the size up to which a piece of a request is copied behind its neighbours, so that a small request is
// one write. Larger pieces (record batches) are written from where they lie.
const smallPiece = 16 << 10

// Frame is one request of any API and version, sent over a connection of kafka.Transport as raw bytes: the body goes
// out in pieces as they lie in memory, the answer is read into a buffer that the caller may reuse.
//
// After Exchange failed without an answer, neither the pieces nor the response may be reused: the connection's
// goroutine may still be reading the ones and writing the other.
type Frame struct {
	Key     int16
	Version int16
	// Flexible: request header v2 (KIP-482). FlexibleAnswer: response header v1. They differ for ApiVersions only.
	Flexible       bool
	FlexibleAnswer bool
	Pieces         [][]byte
	Answer         []byte // the body of the answer, a part of buffer
	clientID       string
	correlation    int32
	head, buffer   []byte
}

// ApiKey implements protocol.Message.
func (f *Frame) ApiKey() protocol.ApiKey { return protocol.ApiKey(f.Key) }

// Broker implements protocol.BrokerMessage: the pool of an address has one broker, the one at the address.
func (f *Frame) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: -1}, nil
}

// Required implements protocol.RawExchanger: the frame always speaks for itself.
func (f *Frame) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange implements protocol.RawExchanger.
func (f *Frame) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if err := f.write(rw, f.correlation); err != nil {
		return nil, err
	}
	if err := f.read(rw, f.correlation); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Frame) write(w io.Writer, id int32) error {
	b := append(f.head[:0], 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(f.Key))
	b = binary.BigEndian.AppendUint16(b, uint16(f.Version))
	b = binary.BigEndian.AppendUint32(b, uint32(id))
	b = binary.BigEndian.AppendUint16(b, uint16(len(f.clientID)))
	b = append(b, f.clientID...)
	if f.Flexible {
		b = append(b, 0) // no tagged fields
	}
	size := len(b) - 4
	for _, p := range f.Pieces {
		size += len(p)
	}
	binary.BigEndian.PutUint32(b, uint32(size))
	for _, p := range f.Pieces {
		if len(p) <= smallPiece {
			b = append(b, p...)
			continue
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		b = b[:0]
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	f.head = b[:0]
	if len(b) == 0 {
		return nil
	}
	_, err := w.Write(b)
	return err
}

func (f *Frame) read(r io.Reader, id int32) error {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:]))) - 4
	if got := int32(binary.BigEndian.Uint32(head[4:])); got != id {
		return fmt.Errorf("answer %d where %d was expected", got, id)
	}
	if size < 0 || size > maxResponse {
		return fmt.Errorf("answer of %d bytes", size)
	}
	if cap(f.buffer) < size {
		f.buffer = make([]byte, size+size/8)
	}
	f.Answer = f.buffer[:size]
	if _, err := io.ReadFull(r, f.Answer); err != nil {
		return err
	}
	if f.FlexibleAnswer {
		return f.skipTags()
	}
	return nil
}

// skipTags moves Answer behind the tagged fields of the response header.
func (f *Frame) skipTags() error {
	b := f.Answer
	count, n := binary.Uvarint(b)
	if n <= 0 {
		return io.ErrUnexpectedEOF
	}
	b = b[n:]
	for ; count > 0; count-- {
		_, n = binary.Uvarint(b)
		if n <= 0 {
			return io.ErrUnexpectedEOF
		}
		b = b[n:]
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return io.ErrUnexpectedEOF
		}
		b = b[n+int(size):]
	}
	f.Answer = b
	return nil
}
