package measure

import (
	"math/rand/v2"
	"testing"
)

// A million groups and a million events a second must leave the garbage collector nothing to do.
func TestAddDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		return
	}
	for _, s := range subjects(t) {
		for _, sample := range samples(s.Function) {
			rng, m := rand.New(rand.NewPCG(6, 1)), s.measure()
			list := events(rng, sample, 4_000)
			cell, pool, in := make([]uint64, m.Words()), new(Pool), new(Input)
			run := func() {
				for i := range list {
					if err := m.Prepare(in, &list[i].x, &list[i].at); err != nil {
						t.Fatal(err)
					}
					if !in.Skip {
						m.Add(cell, pool, in)
					}
				}
			}
			run()
			run()
			if n := testing.AllocsPerRun(2, run); n > 0 {
				t.Errorf("%s of %s: %g allocations in %d events", s, sample.name, n, len(list))
			}
		}
	}
}

// From one transaction to the next the memory is the same.
func TestNextTransactionDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		return
	}
	for _, s := range subjects(t) {
		for _, sample := range samples(s.Function) {
			rng, m := rand.New(rand.NewPCG(6, 1)), s.measure()
			var inputs []Input
			for _, e := range events(rng, sample, 1_000) {
				if in := prepared(t, m, e); !in.Skip {
					inputs = append(inputs, in)
				}
			}
			const groups = 50
			words, pool, encoded := m.Words(), new(Pool), []byte(nil)
			cells := make([]uint64, groups*words)
			run := func() {
				clear(cells)
				for i := range inputs {
					g := i % groups * words
					m.Add(cells[g:g+words:g+words], pool, &inputs[i])
				}
				encoded = encoded[:0]
				for g := 0; g < len(cells); g += words {
					encoded = m.Append(encoded, cells[g:g+words:g+words], pool)
				}
				pool.Reset()
			}
			run()
			run()
			if n := testing.AllocsPerRun(2, run); n > 0 {
				t.Errorf("%s of %s: %g allocations in a transaction", s, sample.name, n)
			}
		}
	}
}
