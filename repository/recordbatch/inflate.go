package recordbatch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// errTooLarge says that the records would be larger than the bound. How much larger is not found out.
var errTooLarge = errors.New("the records are larger than the bound when decompressed")

// inflater decompresses the records of batches into one buffer, which never grows beyond max bytes whatever the input
// claims to hold.
type inflater struct {
	max  int
	buf  []byte
	src  bytes.Reader
	gzip *gzip.Reader
	zstd *zstd.Decoder
}

// inflate is p decompressed, valid until the next call.
func (f *inflater) inflate(codec Codec, p []byte) (out []byte, err error) {
	if codec == None || len(p) == 0 {
		return p, nil
	}
	switch codec {
	case Gzip:
		out, err = f.unGzip(p)
	case Snappy:
		out, err = f.unSnappy(p)
	case LZ4:
		out, err = f.unLZ4(p)
	case Zstd:
		out, err = f.unZstd(p)
	default:
		return nil, fmt.Errorf("kafka has no compression %d", codec)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", codec, err)
	}
	f.buf = out
	return out, nil
}

// room is out with room for n more bytes, or errTooLarge.
func (f *inflater) room(out []byte, n int) ([]byte, error) {
	need := len(out) + n
	if n < 0 || need > f.max {
		return out, errTooLarge
	}
	if cap(out) >= need {
		return out, nil
	}
	grown := make([]byte, len(out), min(max(2*cap(out), need), f.max))
	copy(grown, out)
	return grown, nil
}

// start is the empty buffer; a new one is as large as compressed JSON usually becomes, or as large as is allowed.
func (f *inflater) start(compressed int) []byte {
	if cap(f.buf) < min(compressed, f.max) {
		f.buf = make([]byte, 0, min(4*compressed, f.max))
	}
	return f.buf[:0]
}

// unGzip decodes all members of p.
func (f *inflater) unGzip(p []byte) (out []byte, err error) {
	f.src.Reset(p)
	if f.gzip == nil {
		f.gzip, err = gzip.NewReader(&f.src)
	} else {
		err = f.gzip.Reset(&f.src)
	}
	if err != nil {
		f.gzip = nil
		return nil, err
	}
	out = f.start(len(p))
	for {
		if len(out) == cap(out) {
			if len(out) >= f.max {
				return out, ended(f.gzip)
			}
			if out, err = f.room(out, 1); err != nil {
				return out, err
			}
		}
		n, err := f.gzip.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// ended is nil when r has no more bytes, errTooLarge when it has.
func ended(r io.Reader) error {
	var one [1]byte
	if _, err := io.ReadFull(r, one[:]); err == io.EOF {
		return nil
	} else if err != nil {
		return err
	}
	return errTooLarge
}

// xerial's framing of Snappy blocks, which Java's client writes: this mark, two version numbers, then blocks with
// their sizes in front. Streams of it may follow each other.
const (
	xerialMark = "\x82SNAPPY\x00"
	xerialHead = len(xerialMark) + 8
)

// unSnappy decodes one raw block or a stream in xerial's framing.
func (f *inflater) unSnappy(p []byte) ([]byte, error) {
	if !bytes.HasPrefix(p, []byte(xerialMark)) {
		return f.snappyBlock(f.buf[:0], p)
	}
	out := f.buf[:0]
	for len(p) > 0 {
		if bytes.HasPrefix(p, []byte(xerialMark)) && len(p) >= xerialHead {
			p = p[xerialHead:]
			continue
		}
		if len(p) < 4 {
			return out, io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(p))
		p = p[4:]
		if n > int64(len(p)) {
			return out, io.ErrUnexpectedEOF
		}
		var err error
		if out, err = f.snappyBlock(out, p[:n]); err != nil {
			return out, err
		}
		p = p[n:]
	}
	return out, nil
}

// snappyBlock decodes one block to the end of out.
func (f *inflater) snappyBlock(out, block []byte) ([]byte, error) {
	n, err := s2.DecodedLen(block)
	if err != nil {
		return out, err
	}
	if out, err = f.room(out, n); err != nil {
		return out, err
	}
	end := len(out) + n
	if _, err = s2.Decode(out[len(out):end:end], block); err != nil {
		return out, err
	}
	return out[:end], nil
}

// zstdBlock is the most that one block of a frame becomes.
const zstdBlock = 128 << 10

// unZstd decodes all frames of p. Frames need not say how large they are, and the decoder does not go beyond the
// buffer, so that a buffer that was too small is doubled; it is kept, so that this happens for few batches. The decoder
// does not always say that it was the buffer: any error within a block of its end counts as that.
func (f *inflater) unZstd(p []byte) ([]byte, error) {
	if f.zstd == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return nil, err
		}
		f.zstd = d
	}
	for buf := f.start(len(p)); ; {
		out, err := f.zstd.DecodeAll(p, buf)
		if err == nil {
			return out, nil
		}
		if !errors.Is(err, zstd.ErrDecoderSizeExceeded) && len(out)+zstdBlock < cap(buf) {
			return nil, err
		}
		if cap(buf) >= f.max {
			return nil, errTooLarge
		}
		buf = make([]byte, 0, min(max(2*cap(buf), zstdBlock), f.max))
	}
}
