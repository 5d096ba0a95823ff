package recordbatch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pierrec/lz4/v4"
)

// The LZ4 frame format, written and read by hand because frames in a batch are small and come one after the other:
// blocks are compressed to and from where they stay, and no reader or writer is set up for each of them.
// https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md

const (
	lz4Magic      = 0x184D2204
	lz4Skippable  = 0x184D2A50 // and the 15 numbers above it
	lz4Raw        = 1 << 31    // a block that is not compressed
	lz4BlockSize  = 64 << 10   // what Java's client writes
	lz4Window     = 64 << 10   // how far back a linked block may point
	lz4MaxRatio   = 255        // no byte of a block stands for more
	lz4FrameStart = "\x04\x22\x4D\x18" + "\x60\x40" + "\x82"
	// lz4FrameStart is the magic; version 1, independent blocks, no checksums; blocks of 64 kB; checksum of these two.
)

// Bits of a frame's first flag byte.
const (
	lz4VersionMask     = 0xC0
	lz4Version1        = 0x40
	lz4Independent     = 1 << 5
	lz4BlockChecksum   = 1 << 4
	lz4ContentSize     = 1 << 3
	lz4ContentChecksum = 1 << 2
	lz4Dictionary      = 1 << 0
)

var errLZ4 = errors.New("not an lz4 frame")

// appendLZ4 writes src to the end of dst as one frame.
func appendLZ4(dst, src []byte, c *lz4.Compressor) ([]byte, error) {
	blocks := (len(src) + lz4BlockSize - 1) / lz4BlockSize
	dst = withRoom(dst, len(lz4FrameStart)+len(src)+4*blocks+4)
	dst = append(dst, lz4FrameStart...)
	for len(src) > 0 {
		block := src[:min(len(src), lz4BlockSize)]
		src = src[len(block):]
		at := len(dst) + 4
		n, err := c.CompressBlock(block, dst[at:at+len(block)])
		if err != nil {
			return dst, fmt.Errorf("compress with lz4: %w", err)
		}
		size := uint32(n)
		if n == 0 || n >= len(block) {
			n = copy(dst[at:at+len(block)], block)
			size = uint32(n) | lz4Raw
		}
		dst = binary.LittleEndian.AppendUint32(dst, size)[:at+n]
	}
	return append(dst, 0, 0, 0, 0), nil
}

// lz4Frame is what the head of a frame says about its blocks.
type lz4Frame struct {
	flags    byte
	blockMax int
}

// unLZ4 decodes all frames of p.
func (f *inflater) unLZ4(p []byte) ([]byte, error) {
	out := f.buf[:0]
	for len(p) > 0 {
		frame, rest, err := lz4Head(p)
		if err != nil {
			return out, err
		}
		if frame.blockMax == 0 { // skippable
			p = rest
			continue
		}
		if out, p, err = f.lz4Blocks(out, rest, frame); err != nil {
			return out, err
		}
	}
	return out, nil
}

// lz4Head reads the head of a frame, or steps over a skippable one.
func lz4Head(p []byte) (frame lz4Frame, rest []byte, err error) {
	const shortest = 8 // a skippable frame of nothing; a real one has at least an end mark behind its 7 bytes
	if len(p) < shortest {
		return frame, nil, errLZ4
	}
	le := binary.LittleEndian
	switch magic := le.Uint32(p); {
	case magic&^15 == lz4Skippable:
		if int64(le.Uint32(p[4:])) > int64(len(p)-8) {
			return frame, nil, errLZ4
		}
		return frame, p[8+int(le.Uint32(p[4:])):], nil
	case magic != lz4Magic:
		return frame, nil, errLZ4
	}
	frame.flags = p[4]
	code := p[5] >> 4 & 7
	if frame.flags&lz4VersionMask != lz4Version1 || frame.flags&lz4Dictionary != 0 || code < 4 {
		return frame, nil, errLZ4
	}
	frame.blockMax = 1 << (8 + 2*int(code)) // 64 kB, 256 kB, 1 MB, 4 MB
	head := 7                               // with the checksum of the head; the batch has a better one
	if frame.flags&lz4ContentSize != 0 {
		head += 8
	}
	if len(p) < head {
		return frame, nil, errLZ4
	}
	return frame, p[head:], nil
}

// lz4Blocks decodes the blocks of one frame to the end of out and returns what follows the frame.
func (f *inflater) lz4Blocks(out, p []byte, frame lz4Frame) (_, rest []byte, err error) {
	start := len(out)
	for {
		if len(p) < 4 {
			return out, nil, errLZ4
		}
		size := binary.LittleEndian.Uint32(p)
		p = p[4:]
		if size == 0 { // the end
			break
		}
		n := int(size &^ lz4Raw)
		tail := n
		if frame.flags&lz4BlockChecksum != 0 {
			tail += 4
		}
		if n > frame.blockMax || tail > len(p) {
			return out, nil, errLZ4
		}
		var dict []byte
		if frame.flags&lz4Independent == 0 {
			dict = out[max(start, len(out)-lz4Window):]
		}
		if out, err = f.lz4Block(out, p[:n], size&lz4Raw != 0, frame.blockMax, dict); err != nil {
			return out, nil, err
		}
		p = p[tail:]
	}
	if frame.flags&lz4ContentChecksum != 0 {
		if len(p) < 4 {
			return out, nil, errLZ4
		}
		p = p[4:]
	}
	return out, p, nil
}

// lz4Block decodes one block to the end of out.
func (f *inflater) lz4Block(out, block []byte, raw bool, blockMax int, dict []byte) ([]byte, error) {
	if raw {
		out, err := f.room(out, len(block))
		return append(out, block...), err
	}
	need := min(blockMax, lz4MaxRatio*len(block))
	left := f.max - len(out)
	grown, err := f.room(out, min(need, left))
	if err != nil {
		return out, err
	}
	n, err := lz4.UncompressBlockWithDict(block, grown[len(out):len(out)+min(need, left)], dict)
	if err != nil {
		if need > left { // it does not say which; more likely it is the bound that was in the way
			err = errTooLarge
		}
		return out, err
	}
	return grown[:len(out)+n], nil
}
