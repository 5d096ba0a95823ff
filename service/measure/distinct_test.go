package measure

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// plainRegister is a register and its rank as the paper has it: the first 12 bits, and how many zeros follow, and one.
func plainRegister(h uint64) (number, rank int) {
	digits := fmt.Sprintf("%064b", h)
	_, _ = fmt.Sscanf(digits[:precision], "%b", &number)
	rest := digits[precision:]
	return number, len(rest) - len(strings.TrimLeft(rest, "0")) + 1
}

// oddHash is a hash with many zeros behind its register more often than not.
func oddHash(rng *rand.Rand) uint64 {
	h, zeros := rng.Uint64(), rng.IntN(64-precision+1)
	if rng.IntN(3) == 0 {
		return h
	}
	return h&^(1<<(64-precision)-1) | h<<precision>>precision>>zeros
}

func TestMarksHoldTheRegisterOfAHash(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 1))
	different := map[uint32]bool{}
	for i := range 100_000 {
		h := oddHash(rng)
		if i == 0 {
			h = 0
		}
		m := markOf(h)
		number, rank := register(m)
		if n, r := plainRegister(h); int(number) != n || int(rank) != r || !isMark(m) || m == 0 {
			t.Fatalf("%064b: mark %032b, register %d, rank %d", h, m, number, rank)
		}
		if rank > prefixBits-precision && m>>1&(1<<fillBits-1) != uint32(h)&(1<<fillBits-1) {
			t.Fatalf("%064b: mark %032b has none of its last bits", h, m)
		}
		different[m] = true
	}
	if len(different) < 95_000 {
		t.Errorf("only %d marks", len(different))
	}
}

// Marks or registers, in one cell or in pieces: the registers are those of the hashes.
func TestRegistersAreThoseOfTheHashes(t *testing.T) {
	rng, m := rand.New(rand.NewPCG(12, 1)), distinct{}
	for _, size := range []int{1, 3, 500, 767, 768, 3_000, 50_000} {
		var want [registers]byte
		marks, pool := map[uint32]bool{}, new(Pool)
		cells := [3][]uint64{make([]uint64, m.Words()), make([]uint64, m.Words()), make([]uint64, m.Words())}
		for range size {
			h := oddHash(rng)
			number, rank := plainRegister(h)
			want[number] = max(want[number], byte(rank))
			marks[markOf(h)] = true
			in := &Input{A: uint64(markOf(h))}
			m.Add(cells[0], pool, in)
			m.Add(cells[1+rng.IntN(20)/19], pool, in) // most of them in one, so that marks meet registers
		}
		one := m.Append(nil, cells[0], pool)
		two := m.Merge(nil, m.Append(nil, cells[1], pool), m.Append(nil, cells[2], pool))
		var got [registers]byte
		raiseState(got[:], one)
		if got != want || string(one) != string(two) || (len(one) == denseSize) != (len(marks) > mostMarks) {
			t.Fatalf("%d hashes, %d marks: %d bytes in one cell, %d in two", size, len(marks), len(one), len(two))
		}
	}
}

func TestRegistersArePackedAndUnpacked(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 1))
	for range 1_000 {
		var a, b, most uint64
		for i := range 8 {
			x, y := rng.Uint64N(64), rng.Uint64N(64)
			a, b, most = a|x<<(8*i), b|y<<(8*i), most|max(x, y)<<(8*i)
		}
		if spread(squeeze(a)) != a || squeeze(a)>>48 != 0 || larger(a, b) != most {
			t.Fatalf("%x, %x: %x, %x", a, b, spread(squeeze(a)), larger(a, b))
		}
	}
}
