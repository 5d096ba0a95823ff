package measure

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestClassesHoldWhatTheyPromise(t *testing.T) {
	for size := 1; size <= 1<<20; size += 1 + size/50 {
		c := classOf(size)
		if got := sizeOf(c); got < size || c > 0 && sizeOf(c-1) >= size || got > max(unit, size+size/2+unit) || got%unit != 0 {
			t.Fatalf("%d bytes are of class %d, which has %d", size, c, got)
		}
		if classOf(sizeOf(c)) != c {
			t.Fatalf("class %d of %d bytes is %d", c, sizeOf(c), classOf(sizeOf(c)))
		}
	}
	if classOf(1<<20) >= classes {
		t.Fatal("1 MiB has no class")
	}
}

func TestBlocksAreZeroAndTheirOwn(t *testing.T) {
	rng, p := rand.New(rand.NewPCG(7, 1)), new(Pool)
	type block struct {
		r    Ref
		fill byte
	}
	for range 4 {
		var live []block
		for i := range 5_000 {
			if len(live) > 0 && rng.IntN(3) == 0 {
				n := rng.IntN(len(live))
				p.Free(live[n].r)
				live[n] = live[len(live)-1]
				live = live[:len(live)-1]
				continue
			}
			size := 1 + rng.IntN(1<<rng.IntN(12))
			if i%500 == 0 {
				size = 100_000
			}
			r := p.Alloc(size)
			b := p.Bytes(r)
			if r == 0 || len(b) < size || cap(b) != len(b) || len(bytes.Trim(b, "\x00")) > 0 {
				t.Fatalf("block %d of %d for %d bytes", r, len(b), size)
			}
			fill := byte(1 + i%255)
			for k := range b {
				b[k] = fill
			}
			live = append(live, block{r, fill})
		}
		for _, l := range live {
			if b := p.Bytes(l.r); b[0] != l.fill || len(bytes.Trim(b, string(rune(l.fill)))) > 0 && l.fill < 0x80 {
				t.Fatalf("block %d was written over", l.r)
			}
		}
		p.Reset()
	}
}

func TestResetKeepsABoundedAmount(t *testing.T) {
	p := new(Pool)
	for range 3 {
		for range 10 * keptPool / 1024 {
			p.Alloc(1024)
		}
		p.Alloc(500_000)
		if p.Size() < 10*keptPool {
			t.Fatalf("%d bytes in use", p.Size())
		}
		p.Reset()
		kept := 0
		for _, c := range p.spare {
			kept += len(c)
		}
		if p.Size() != 0 || len(p.chunks) != 0 || kept != keptPool {
			t.Fatalf("%d bytes in use, %d chunks, %d bytes kept", p.Size(), len(p.chunks), kept)
		}
	}
}

func TestFreedBlocksAreUsedAgain(t *testing.T) {
	p := new(Pool)
	for range 1_000 {
		a, b := p.Alloc(100), p.Alloc(120)
		p.Free(a)
		p.Free(b)
	}
	if p.Size() != 2*128 {
		t.Fatalf("%d bytes in use", p.Size())
	}
}
