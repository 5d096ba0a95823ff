package measure

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// listedCounts are the counters of a state, by the bytes of their values.
func listedCounts(state []byte) (floor uint64, counts map[string]entry) {
	counts = map[string]entry{}
	r := enlist(state)
	for e := r.next(); e.value != nil; e = r.next() {
		counts[string(e.value)] = e
	}
	return r.floor, counts
}

// outOfBounds says which promise of top a state breaks.
func outOfBounds(m top, list []event, state []byte) string {
	exact, n := map[string]uint64{}, uint64(0)
	for _, e := range given(list) {
		kind, b := canonical(e.x.Kind, e.x.Bits)
		exact[string(appendValue(nil, kind, b, e.x.Text))]++
		n++
	}
	floor, counts := listedCounts(state)
	sum := uint64(0)
	for value, e := range counts {
		sum += e.count
		if exact[value] > e.count || exact[value] < e.count-e.error || e.error > floor || e.count < floor {
			return fmt.Sprintf("%q: %d - %d, floor %d, and was there %d times", value, e.count, e.error, floor, exact[value])
		}
	}
	for value, times := range exact {
		if _, ok := counts[value]; !ok && times > floor {
			return fmt.Sprintf("%q was there %d times, has no counter, and the floor is %d", value, times, floor)
		}
		if _, ok := counts[value]; !ok && times > n/uint64(m.counters) {
			return fmt.Sprintf("%q was there %d times of %d, and has no counter", value, times, n)
		}
	}
	switch {
	case sum > n:
		return fmt.Sprintf("%d counted of %d", sum, n)
	case floor > n/uint64(m.counters):
		return fmt.Sprintf("the floor is %d of %d with %d counters", floor, n, m.counters)
	case len(exact) <= m.counters && floor > 0:
		return "not exact, and all fits"
	}
	return ""
}

func TestTopKeepsItsBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for _, skew := range []float64{1.01, 1.2, 1.6, 3} {
		for _, values := range []uint64{40, 70, 200, 3_000, 100_000} {
			for _, k := range []float64{1, 10, 100} {
				m := topOf(k).(top)
				z := rand.NewZipf(rng, skew, 1+float64(rng.IntN(20)), values-1)
				list := make([]event, 1+rng.IntN(20_000))
				if raceEnabled {
					list = list[:1+len(list)/4]
				}
				for i := range list {
					switch n := z.Uint64(); n % 3 {
					case 0:
						list[i].x = ofInt(int64(n))
					case 1:
						list[i].x = ofText(fmt.Sprintf("%016d", n))
					default:
						list[i].x = ofText(fmt.Sprint(n))
					}
				}
				one := state(t, m, list)
				_, counts := listedCounts(one)
				sum := uint64(0)
				for _, e := range counts {
					sum += e.count
				}
				if sum != uint64(len(list)) {
					t.Fatalf("one cell counts %d of %d events", sum, len(list))
				}
				for _, st := range [][]byte{one, joined(t, rng, m, pieces(t, rng, m, list))} {
					if fault := outOfBounds(m, list, st); fault != "" || !m.Valid(st) {
						t.Fatalf("top %g of %d values, skew %g: %s", k, values, skew, fault)
					}
				}
			}
		}
	}
}

// What is merged over and over again, as in a long window, keeps the bounds too.
func TestTopKeepsItsBoundsOverManyMerges(t *testing.T) {
	rng, m := rand.New(rand.NewPCG(4, 1)), topOf(3).(top)
	z := rand.NewZipf(rng, 1.1, 3, 20_000)
	var list []event
	var st []byte
	for range 300 {
		part := make([]event, rng.IntN(300))
		for i := range part {
			part[i].x = ofInt(int64(z.Uint64()))
		}
		list = append(list, part...)
		st = m.Merge(nil, st, state(t, m, part))
	}
	if fault := outOfBounds(m, list, st); fault != "" {
		t.Fatal(fault)
	}
}

// The counter that is taken over is always one that has counted least.
func TestTopTakesOverTheLeast(t *testing.T) {
	rng, m := rand.New(rand.NewPCG(5, 1)), topOf(1).(top)
	cell, pool := make([]uint64, m.Words()), new(Pool)
	want := map[int64][2]uint64{} // value: count, error
	for range 5_000 {
		v := int64(rng.ExpFloat64() * 40)
		before := m.Append(nil, cell, pool)
		add(t, m, cell, pool, event{x: ofInt(v)})
		if e, ok := want[v]; ok || len(want) < m.counters {
			want[v] = [2]uint64{e[0] + 1, e[1]}
			continue
		}
		_, had := listedCounts(before)
		_, has := listedCounts(m.Append(nil, cell, pool))
		least := uint64(1 << 62)
		for _, e := range want {
			least = min(least, e[0])
		}
		for value, e := range had {
			if _, still := has[value]; !still {
				x := valueOf([]byte(value))
				if e.count != least {
					t.Fatalf("%d with %d went, the least is %d", x.Int(), e.count, least)
				}
				delete(want, x.Int())
			}
		}
		want[v] = [2]uint64{least + 1, least}
	}
	_, has := listedCounts(m.Append(nil, cell, pool))
	for v, e := range want {
		if got := has[string(appendBits(nil, Int, uint64(v)))]; got.count != e[0] || got.error != e[1] {
			t.Fatalf("%d: %d - %d, want %v", v, got.count, got.error, e)
		}
	}
}
