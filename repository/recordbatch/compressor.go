package recordbatch

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// zstdWindow is how far back matches are looked for: small enough that the encoder's tables stay in a core's cache.
const zstdWindow = 256 << 10

// Compressor compresses the records of batches with one codec. It keeps the state that the codec needs between
// batches and may be used by several goroutines at once: one serves a whole process.
type Compressor struct {
	codec Codec
	zstd  *zstd.Encoder
	pool  sync.Pool // of *gzipState or *lz4.Compressor
}

type gzipState struct {
	w   *gzip.Writer
	out appender
}

// NewCompressor makes a compressor; None is a codec too. The error says that Kafka has no such codec.
func NewCompressor(codec Codec) (*Compressor, error) {
	c := &Compressor{codec: codec}
	switch codec {
	case None, Snappy:
	case Gzip:
		c.pool.New = func() any {
			s := new(gzipState)
			s.w = gzip.NewWriter(&s.out)
			return s
		}
	case LZ4:
		c.pool.New = func() any { return new(lz4.Compressor) }
	case Zstd:
		// Content checksums are left out: the batch has one. Zero frames: an empty input is a frame, not nothing.
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(zstdWindow),
			zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true))
		if err != nil {
			return nil, fmt.Errorf("make zstd encoder: %w", err)
		}
		c.zstd = enc
	default:
		return nil, fmt.Errorf("kafka has no compression %d", codec)
	}
	return c, nil
}

// Codec is what it compresses with.
func (c *Compressor) Codec() Codec { return c.codec }

// append compresses records to the end of dst.
func (c *Compressor) append(dst, records []byte) ([]byte, error) {
	switch c.codec {
	case Gzip:
		return c.appendGzip(dst, records)
	case Snappy:
		return appendSnappy(dst, records), nil
	case LZ4:
		state := c.pool.Get().(*lz4.Compressor)
		defer c.pool.Put(state)
		return appendLZ4(dst, records, state)
	case Zstd:
		return c.zstd.EncodeAll(records, dst), nil
	default:
		return append(dst, records...), nil
	}
}

func (c *Compressor) appendGzip(dst, records []byte) ([]byte, error) {
	s := c.pool.Get().(*gzipState)
	defer c.pool.Put(s)
	s.out.bytes = dst
	s.w.Reset(&s.out)
	_, err := s.w.Write(records)
	if err == nil {
		err = s.w.Close()
	}
	out := s.out.bytes
	s.out.bytes = nil // the pool must not hold on to the batch
	if err != nil {
		return dst, fmt.Errorf("compress with gzip: %w", err)
	}
	return out, nil
}

// appendSnappy writes one raw Snappy block. Java's producer cuts the block up in xerial's framing; every reader of
// Kafka's takes both.
func appendSnappy(dst, records []byte) []byte {
	n := len(dst)
	dst = withRoom(dst, s2.MaxEncodedLen(len(records)))
	return dst[:n+len(s2.EncodeSnappy(dst[n:cap(dst)], records))]
}

// withRoom is dst with room for n more bytes.
func withRoom(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return append(make([]byte, 0, len(dst)+n), dst...)
}

// appender is a slice that can be written to.
type appender struct{ bytes []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.bytes = append(a.bytes, p...)
	return len(p), nil
}
