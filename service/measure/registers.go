package measure

import (
	"math"
	"slices"
)

// Registers are packed eight at a time: of a word of 48 bits the lowest six are the first. spread and squeeze turn that
// into a byte each and back.

func spread(x uint64) uint64 {
	x = x&0xffffff | x&0xffffff000000<<8
	x = x&0x00000fff00000fff | x&0x00fff00000fff000<<4
	return x&0x003f003f003f003f | x&0x0fc00fc00fc00fc0<<2
}

func squeeze(x uint64) uint64 {
	x = x&0x003f003f003f003f | x>>2&0x0fc00fc00fc00fc0
	x = x&0x00000fff00000fff | x>>4&0x00fff00000fff000
	return x&0xffffff | x>>8&0xffffff000000
}

// packed is the word i of packed registers, spread.
func packed(state []byte, i int) uint64 {
	return spread(uint64(load32(state, 6*i)) | uint64(load16(state, 6*i+4))<<32)
}

// larger is the larger of two bytes in each of eight, all below 64.
func larger(a, b uint64) uint64 {
	const upper = 0x8080808080808080
	wins := (a | upper - b) & upper // where a is at least b
	wins |= wins - wins>>7
	return a&wins | b&^wins
}

// extended appends room for packed registers, and returns it too.
func extended(dst []byte) (longer, room []byte) {
	n := len(dst)
	dst = slices.Grow(dst, denseSize)[:n+denseSize]
	return dst, dst[n:]
}

// setPacked sets word i of packed registers.
func setPacked(room []byte, i int, x uint64) {
	x = squeeze(x)
	store32(room, 6*i, uint32(x))
	store16(room, 6*i+4, uint16(x>>32))
}

// appendPacked appends registers that are a byte each.
func appendPacked(dst, ranks []byte) []byte {
	dst, room := extended(dst)
	for i := range registers / 8 {
		setPacked(room, i, load64(ranks, 8*i))
	}
	return dst
}

// mergePacked appends the larger of each two registers.
func mergePacked(dst, a, b []byte) []byte {
	dst, room := extended(dst)
	for i := range registers / 8 {
		setPacked(room, i, larger(packed(a, i), packed(b, i)))
	}
	return dst
}

// raisePacked raises registers of a byte each to packed ones.
func raisePacked(ranks, state []byte) {
	for i := range registers / 8 {
		store64(ranks, 8*i, larger(load64(ranks, 8*i), packed(state, i)))
	}
}

// validPacked tells whether packed registers can be: not above the highest rank, and not all without any.
func validPacked(state []byte) bool {
	var all uint64
	for i := range registers / 8 {
		x := packed(state, i)
		if larger(x, mostRank*0x0101010101010101) != mostRank*0x0101010101010101 {
			return false
		}
		all |= x
	}
	return all != 0
}

// countRanks counts the packed registers of each rank.
func countRanks(state []byte) (counts [1 << rankBits]int) {
	for i := range registers / 8 {
		for x, n := packed(state, i), 0; n < 8; x, n = x>>8, n+1 {
			counts[x&(1<<rankBits-1)]++
		}
	}
	return counts
}

// estimate is how many values there were if that many registers have each rank: the improved raw estimator of Ertl, New
// cardinality estimation algorithms for HyperLogLog sketches (2017, arXiv:1702.01284), algorithm 6. It has no bias at any
// size and needs no table that was measured. The conversions keep a compiler from joining a product and a sum into one
// operation, which rounds otherwise.
func estimate(counts [1 << rankBits]int) float64 {
	const m = registers
	z := m * tau(1-float64(counts[mostRank])/m)
	for k := mostRank - 1; k >= 1; k-- {
		z = 0.5 * (z + float64(counts[k]))
	}
	z += float64(m * sigma(float64(counts[0])/m))
	return m * m / (2 * math.Ln2 * z)
}

// sigma is x + x^2 + 2 x^4 + 4 x^8 + ..., what registers without a value add.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	z := x
	for y, before := 1.0, -1.0; z != before; y += y {
		x *= x
		before = z
		z += float64(x * y)
	}
	return z
}

// tau is (1 - x - (1-x^(1/2))^2/2 - (1-x^(1/4))^2/4 - ...) / 3, what full registers add.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	z := 1 - x
	for y, before := 0.5, -1.0; z != before; y *= 0.5 {
		x = math.Sqrt(x)
		before = z
		z -= float64(float64((1-x)*(1-x)) * y)
	}
	return z / 3
}
