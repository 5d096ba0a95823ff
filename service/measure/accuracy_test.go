package measure

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The errors of the two measures that estimate, against exact answers. go test -run Error -v shows the tables.

type named[T any] struct {
	name string
	make T
}

// namedValues are ways to make different values.
func namedValues() []named[func(i uint64) Scalar] {
	return []named[func(i uint64) Scalar]{
		{"integers", func(i uint64) Scalar { return ofInt(int64(i)) }},
		{"fractions", func(i uint64) Scalar { return ofFloat(float64(i) + 0.5) }},
		{"text", func(i uint64) Scalar { return Scalar{Kind: Text, Text: strconv.AppendUint([]byte("user-"), i, 10)} }},
		{"long text", func(i uint64) Scalar {
			return Scalar{Kind: Text, Text: strconv.AppendUint([]byte("https://www.example.com/a/path/that/is/long/enough/for/more/than/64/bytes?id="), i, 10)}
		}},
	}
}

// standardError is that of HyperLogLog, 1.04 / sqrt(4096).
const standardError = 1.04 / 64

// A state with registers is worth 768 at least, which is why just above the errors are smaller and mostly positive.
// Otherwise the error of a set is about normally distributed. Of n sets the mean of errors is off by 1/sqrt(n) standard errors, and
// their root mean square by 1/sqrt(2n) of itself; both are allowed three times as much.
func TestErrorOfDistinct(t *testing.T) {
	table := &strings.Builder{}
	m, in, from := distinct{}, new(Input), uint64(1)
	for _, kind := range namedValues() {
		for _, size := range []int{1, 10, 100, 767, 768, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 200_000, 1_000_000} {
			sets := min(max(200_000/size, 8), 300)
			if raceEnabled {
				sets = max(sets/20, 1)
			}
			if size == 1_000_000 && (raceEnabled || kind.name != "integers") {
				continue
			}
			var sum, squares, worst float64
			for range sets {
				cell, pool := make([]uint64, m.Words()), new(Pool)
				for range size {
					if err := m.Prepare(in, new(kind.make(from)), new(Order)); err != nil {
						t.Fatal(err)
					}
					m.Add(cell, pool, in)
					from++
				}
				n, _ := m.Number(m.Append(nil, cell, pool))
				e := n/float64(size) - 1
				sum, squares, worst = sum+e, squares+e*e, max(worst, math.Abs(e))
			}
			mean, deviation := sum/float64(sets), math.Sqrt(squares/float64(sets))
			fmt.Fprintf(table, "%-10s %9d values %4d sets: mean %+.2f %%, standard error %.2f %%, worst %.2f %%\n", kind.name, size, sets, 100*mean, 100*deviation, 100*worst)
			switch {
			case size <= mostMarks && worst > 0:
				t.Errorf("%d %s: off by %.2f %%, and should be exact", size, kind.name, 100*worst)
			case size >= 1_000 && math.Abs(mean) > 3*standardError/math.Sqrt(float64(sets)):
				t.Errorf("%d %s: the mean is off by %.2f %% over %d sets", size, kind.name, 100*mean, sets)
			case deviation > standardError*(1+3/math.Sqrt(2*float64(sets))):
				t.Errorf("%d %s: the standard error is %.2f %% over %d sets", size, kind.name, 100*deviation, sets)
			}
		}
	}
	t.Log("\n" + table.String())
}

// Beyond what can be counted in a test, registers are drawn as those of n values are distributed: the highest of a
// geometric number for each of its share.
func TestErrorOfDistinctOfHugeSets(t *testing.T) {
	rng, table := rand.New(rand.NewPCG(8, 1)), &strings.Builder{}
	for _, size := range []float64{1e7, 1e9, 1e12, 1e15, 1e17, 1e18, 5e18} {
		const sets = 200
		var sum, squares float64
		for range sets {
			var counts [1 << rankBits]int
			for range registers {
				// P(rank <= k) is (1 - 2^-k)^(n/m), nearly exp(-n/m 2^-k).
				share := size / registers
				rank := math.Ceil(math.Log2(share) - math.Log2(-math.Log(rng.Float64())))
				counts[int(min(max(rank, 0), mostRank))]++
			}
			e := estimate(counts)/size - 1
			sum, squares = sum+e, squares+e*e
		}
		mean, deviation := sum/sets, math.Sqrt(squares/sets)
		fmt.Fprintf(table, "%g values: mean %+.2f %%, standard error %.2f %%\n", size, 100*mean, 100*deviation)
		if math.Abs(mean) > 3*standardError/math.Sqrt(sets) || deviation > standardError*(1+3/math.Sqrt(2*sets)) {
			t.Errorf("%g values: the mean is off by %.2f %%, the standard error is %.2f %%", size, 100*mean, 100*deviation)
		}
	}
	t.Log("\n" + table.String())
}

// distributions of numbers.
func distributions() []named[func(rng *rand.Rand) float64] {
	return []named[func(rng *rand.Rand) float64]{
		{"uniform", func(rng *rand.Rand) float64 { return rng.Float64() * 1_000 }},
		{"normal", func(rng *rand.Rand) float64 { return rng.NormFloat64() * 50 }},
		{"exponential", func(rng *rand.Rand) float64 { return rng.ExpFloat64() * 0.02 }},
		{"zipf", func(rng *rand.Rand) float64 { return math.Ceil(math.Pow(1-rng.Float64(), -2)) }},
		{"bimodal", func(rng *rand.Rand) float64 {
			if rng.IntN(10) == 0 {
				return 30_000 + rng.NormFloat64()*1_000
			}
			return 20 + rng.NormFloat64()*3
		}},
		{"integers", func(rng *rand.Rand) float64 { return math.Floor(rng.ExpFloat64() * 200) }},
		{"tiny", func(rng *rand.Rand) float64 { return 1e-8 + rng.ExpFloat64()*1e-6 }},
		{"huge", func(rng *rand.Rand) float64 { return rng.ExpFloat64() * 1e17 }},
		{"lognormal", func(rng *rand.Rand) float64 { return math.Exp(rng.NormFloat64() * 3) }},
	}
}

func TestErrorOfPercentile(t *testing.T) {
	rng, table := rand.New(rand.NewPCG(9, 1)), &strings.Builder{}
	percents := []float64{0.1, 1, 5, 25, 50, 75, 90, 95, 99, 99.9, 99.99}
	for _, d := range distributions() {
		for _, size := range []int{1, 2, 3, 10, 1_000, 1_000_000} {
			if size == 1_000_000 && (raceEnabled || !slices.Contains([]string{"bimodal", "exponential", "normal", "zipf"}, d.name)) {
				continue
			}
			worst, cell, pool := 0.0, make([]uint64, percentile{}.Words()), new(Pool)
			numbers := make([]float64, size)
			for i := range numbers {
				numbers[i] = d.make(rng)
				add(t, percentile{}, cell, pool, event{x: ofFloat(numbers[i])})
			}
			slices.Sort(numbers)
			st := percentile{}.Append(nil, cell, pool)
			for _, p := range percents {
				want := numbers[int(math.Ceil(math.Round(p*1e6)*float64(size)/1e8))-1]
				got, _ := percentileOf(p).Number(st)
				if want == 0 && got == 0 {
					continue
				}
				worst = max(worst, math.Abs(got/want-1))
			}
			fmt.Fprintf(table, "%-12s %8d numbers: worst %.3f %%, %4d bytes\n", d.name, size, 100*worst, len(st))
			if worst > 0.0079 {
				t.Errorf("%d %s numbers: off by %.3f %%", size, d.name, 100*worst)
			}
		}
	}
	t.Log("\n" + table.String())
}

// Every bucket: what is at its ends belongs to it, is near its middle, and what is just outside belongs to its neighbour.
func TestBucketsHoldWhatIsNear(t *testing.T) {
	for bucket := range buckets {
		if bucket == zeroBucket {
			continue
		}
		exponent, within, negative := takenApart(bucket)
		least := math.Ldexp(64+float64(within), exponent-6)
		most := math.Nextafter(math.Ldexp(65+float64(within), exponent-6), 0)
		below := math.Nextafter(least, 0)
		sign, next := 1.0, -1
		if negative {
			sign, next = -1, 1
		}
		of := func(f float64) int { return bucketOf(canonical(Float, math.Float64bits(sign*f))) }
		if of(least) != bucket || of(most) != bucket || of(below) != bucket+next {
			t.Fatalf("%d: %g is in %d, %g in %d, %g in %d", bucket, least, of(least), most, of(most), below, of(below))
		}
		middles := []Scalar{{}}
		middles[0].Kind, middles[0].Bits = middle(bucket, false)
		if hasWhole(bucket) != (math.Ceil(least) <= most) {
			t.Fatalf("%d: whole numbers in %g to %g: %v", bucket, least, most, hasWhole(bucket))
		}
		if hasWhole(bucket) {
			kind, b := middle(bucket, true)
			middles = append(middles, Scalar{Kind: kind, Bits: b})
			if kind != Int || least < 128 && float64(int64(b)) != sign*math.Ceil(least) {
				t.Fatalf("%d: %d stands for %g to %g", bucket, int64(b), least, most)
			}
		}
		for i, x := range middles {
			if i == 1 {
				most = math.Floor(most)
			}
			if f, ok := asNumber(x.Kind, x.Bits); !ok || of(sign*f) != bucket || math.Abs(sign*f/least-1) > 0.0079 || math.Abs(sign*f/most-1) > 0.0079 {
				t.Fatalf("%d: %g stands for %g to %g", bucket, f, least, most)
			}
		}
	}
}
