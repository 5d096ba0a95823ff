package recordbatch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// payload is n bytes that compress like JSON does.
func payload(n int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, `{"user_id":"%016x","device_type":"android","n":%d}`, rng.Uint64(), rng.IntN(1000))
	}
	return b.Bytes()[:n]
}

// through writes p to w in pieces and closes it.
func through(t testing.TB, w io.WriteCloser, p []byte) {
	t.Helper()
	for len(p) > 0 {
		n := min(len(p), 10_007)
		if _, err := w.Write(p[:n]); err != nil {
			t.Fatal(err)
		}
		p = p[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// streams are the ways in which other clients compress p.
func streams(t testing.TB, p []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	var b bytes.Buffer
	take := func(name string) { out[name] = bytes.Clone(b.Bytes()); b.Reset() }

	half := len(p) / 2
	through(t, gzip.NewWriter(&b), p[:half])
	through(t, gzip.NewWriter(&b), p[half:])
	take("gzip in two members")

	for i, size := range []lz4.BlockSize{lz4.Block64Kb, lz4.Block256Kb, lz4.Block1Mb, lz4.Block4Mb} {
		w := lz4.NewWriter(&b)
		if err := w.Apply(lz4.BlockSizeOption(size), lz4.ChecksumOption(i%2 == 0), lz4.BlockChecksumOption(i > 1), lz4.SizeOption(uint64(len(p)*(i%2)))); err != nil {
			t.Fatal(err)
		}
		through(t, w, p)
		take(fmt.Sprintf("lz4 in blocks of %d", size))
	}
	b.WriteString("\x5f\x2a\x4d\x18\x03\x00\x00\x00abc")
	through(t, lz4.NewWriter(&b), p[:half])
	through(t, lz4.NewWriter(&b), p[half:])
	take("lz4 in two frames behind a skippable one")

	enc, err := zstd.NewWriter(&b, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithWindowSize(8<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	through(t, enc, p)
	take("zstd of unknown size")
	enc.Reset(&b)
	through(t, enc, p[:half])
	enc.Reset(&b)
	through(t, enc, p[half:])
	take("zstd in two frames")

	b.WriteString(xerialMark + "\x00\x00\x00\x01\x00\x00\x00\x01")
	for rest := p; len(rest) > 0; {
		n := min(len(rest), 32<<10)
		block := s2.EncodeSnappy(nil, rest[:n])
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(block))))
		b.Write(block)
		if rest = rest[n:]; len(rest) < len(p)/2 {
			b.WriteString(xerialMark + "\x00\x00\x00\x01\x00\x00\x00\x01") // streams may follow each other
		}
	}
	take("snappy in xerial's framing")
	return out
}

func codecOf(name string) Codec {
	for i, c := range codecNames {
		if len(name) >= len(c) && name[:len(c)] == c {
			return Codec(i)
		}
	}
	return -1
}

func TestInflatesWhatOtherClientsWrite(t *testing.T) {
	for _, size := range []int{1, 100, 64 << 10, 64<<10 + 1, 300_000, 1_500_000} {
		p := payload(size)
		for name, packed := range streams(t, p) {
			for _, bound := range []int{size, size + 1, 2 * size, testBound} {
				f := inflater{max: bound}
				for range 2 { // the second time with the buffer of the first
					if got, err := f.inflate(codecOf(name), packed); err != nil || !bytes.Equal(got, p) {
						t.Fatalf("%s, %d bytes, bound %d: %d bytes, %v", name, size, bound, len(got), err)
					}
				}
			}
		}
	}
}

func TestInflatesItsOwnFromOneByteUp(t *testing.T) {
	for _, codec := range codecs {
		c := compressor(t, codec)
		for _, size := range []int{0, 1, 2, 10, 1000, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10, 1 << 20} {
			p := payload(size)
			packed, err := c.append([]byte("head"), p)
			if err != nil || string(packed[:4]) != "head" {
				t.Fatalf("%s: %q, %v", codec, packed[:4], err)
			}
			f := inflater{max: max(size, 1)}
			if got, err := f.inflate(codec, packed[4:]); err != nil || !bytes.Equal(got, p) {
				t.Errorf("%s, %d bytes: %d bytes, %v", codec, size, len(got), err)
			}
		}
	}
}

func TestRecordsBeyondTheBoundAreRefused(t *testing.T) {
	for _, size := range []int{100, 64<<10 + 1, 300_000, 1_500_000} {
		p := payload(size)
		all := streams(t, p)
		for _, codec := range codecs[1:] {
			packed, err := compressor(t, codec).append(nil, p)
			if err != nil {
				t.Fatal(err)
			}
			all[codec.String()] = packed
		}
		for name, packed := range all {
			for _, bound := range []int{1, size / 2, size - 1} {
				r := NewReader(bound, ReadCommitted)
				r.Reset(withRecords(codecOf(name), 1, packed), 0, nil)
				if drain(r); r.Err() == nil {
					t.Fatalf("%s, %d bytes: read with a bound of %d", name, size, bound)
				}
				if e := batchError(t, r.Err()); e.Code != CodeTooLarge {
					t.Errorf("%s, %d bytes, bound %d: %v", name, size, bound, e)
				}
				if got := cap(r.inflater.buf); got > bound {
					t.Errorf("%s, %d bytes: kept %d bytes with a bound of %d", name, size, got, bound)
				}
			}
		}
	}
}

// bombs are small inputs that claim or hold very much.
func bombs(t testing.TB) map[string][]byte {
	t.Helper()
	zeros := make([]byte, 64<<20)
	out := map[string][]byte{
		"snappy": {0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0},
		"zstd, claimed": append([]byte{0x28, 0xB5, 0x2F, 0xFD, 0xE0}, // single segment, content size in 8 bytes
			0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0),
	}
	for _, codec := range []Codec{Gzip, LZ4, Zstd} {
		packed, err := compressor(t, codec).append(nil, zeros)
		if err != nil {
			t.Fatal(err)
		}
		out[codec.String()] = packed
	}
	return out
}

func TestBombsCostNoMoreThanTheBound(t *testing.T) {
	const bound, allowed = 4 << 20, 16 << 20
	for name, packed := range bombs(t) {
		r := NewReader(bound, ReadCommitted)
		r.Reset(withRecords(codecOf(name), 1, packed), 0, nil)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		drain(r)
		runtime.ReadMemStats(&after)
		if e := batchError(t, r.Err()); e.Code != CodeTooLarge {
			t.Errorf("%s: %v", name, e)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > allowed {
			t.Errorf("%s: %d bytes were allocated to refuse a batch that is larger than %d", name, got, bound)
		}
	}
}

func TestBrokenCompressionIsRefused(t *testing.T) {
	p := payload(200_000)
	all := streams(t, p)
	for _, codec := range codecs[1:] {
		packed, err := compressor(t, codec).append(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		all[codec.String()] = packed
	}
	for name, packed := range all {
		f := inflater{max: testBound}
		for _, cut := range []int{1, 3, 5, 7, 12, 20, len(packed) / 2, len(packed) - 1} {
			if got, err := f.inflate(codecOf(name), packed[:cut]); err == nil && bytes.Equal(got, p) {
				t.Errorf("%s: all of it from %d of %d bytes", name, cut, len(packed))
			}
		}
		if got, err := f.inflate(codecOf(name), packed); err != nil || !bytes.Equal(got, p) {
			t.Errorf("%s: after broken ones: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestLZ4ReadsLinkedBlocks(t *testing.T) {
	p := payload(150_000)
	frame := []byte("\x04\x22\x4D\x18\x40\x40\xC0")
	var hashes lz4.Compressor
	first := p[:64<<10]
	block := make([]byte, lz4.CompressBlockBound(len(first)))
	n, err := hashes.CompressBlock(first, block)
	if err != nil {
		t.Fatal(err)
	}
	frame = append(binary.LittleEndian.AppendUint32(frame, uint32(n)), block[:n]...)
	// The second block is one match of 1000 bytes that begins 5000 bytes before it, then five literals.
	match := []byte{0x0f, 0x88, 0x13, 255, 255, 255, 1000 - 19 - 3*255, 0x50, 'a', 'b', 'c', 'd', 'e'}
	frame = append(binary.LittleEndian.AppendUint32(frame, uint32(len(match))), match...)
	frame = append(frame, 0, 0, 0, 0)
	want := append(bytes.Clone(first), first[len(first)-5000:len(first)-4000]...)
	want = append(want, "abcde"...)
	f := inflater{max: testBound}
	if got, err := f.inflate(LZ4, frame); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v; want %d", len(got), err, len(want))
	}
	frame[4] = 0x60 // the same, but it says that its blocks are independent
	if _, err := f.inflate(LZ4, frame); err == nil {
		t.Error("an independent block was allowed to point before itself")
	}
}

func TestLZ4FramesAreReadByOthers(t *testing.T) {
	for _, size := range []int{1, 1000, 64 << 10, 1 << 20} {
		p := payload(size)
		packed, err := compressor(t, LZ4).append(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(lz4.NewReader(bytes.NewReader(packed))); err != nil || !bytes.Equal(got, p) {
			t.Errorf("%d bytes: %d, %v", size, len(got), err)
		}
	}
}
