package measure

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// workload is what a function is measured with.
type workload struct {
	function  string
	parameter float64
	name      string
	make      func(rng *rand.Rand, i int) Scalar
}

func workloads() []workload {
	user := func(i int) Scalar { return ofText(fmt.Sprintf("424cdd21-063a-43a7-b91b-%012d", i)) }
	latency := func(rng *rand.Rand, _ int) Scalar { return ofInt(int64(rng.ExpFloat64() * 200)) }
	price := func(rng *rand.Rand, _ int) Scalar { return ofFloat(float64(rng.IntN(100_000)) / 100) }
	version := func(rng *rand.Rand, _ int) Scalar { return ofText("2." + strconv.Itoa(rng.IntN(6)) + ".0") }
	return []workload{
		{"avg", 0, "price", price},
		{"count", 0, "", func(*rand.Rand, int) Scalar { return Scalar{} }},
		{"distinct", 0, "2 users", func(_ *rand.Rand, i int) Scalar { return user(i % 2) }},
		{"distinct", 0, "100 users", func(_ *rand.Rand, i int) Scalar { return user(i % 100) }},
		{"distinct", 0, "700 users", func(_ *rand.Rand, i int) Scalar { return user(i % 700) }},
		{"distinct", 0, "100000 integers", func(rng *rand.Rand, _ int) Scalar { return ofInt(rng.Int64N(100_000)) }},
		{"first", 0, "version", version},
		{"last", 0, "version", version},
		{"last", 0, "user", func(_ *rand.Rand, i int) Scalar { return user(i) }},
		{"max", 0, "price", price},
		{"min", 0, "latency", latency},
		{"percentile", 99, "latency", latency},
		{"percentile", 99, "price", price},
		{"sum", 0, "latency", latency},
		{"sum", 0, "price", price},
		{"top", 8, "6 versions", version},
		{"top", 8, "50 users", func(rng *rand.Rand, _ int) Scalar { return user(rng.IntN(50)) }},
		{"top", 8, "5000 integers, zipf", func(rng *rand.Rand, _ int) Scalar {
			return ofInt(int64(rand.NewZipf(rng, 1.2, 1, 5_000).Uint64()))
		}},
		{"top", 100, "100000 users, uniform", func(rng *rand.Rand, _ int) Scalar { return user(rng.IntN(100_000)) }},
	}
}

func (w workload) measure(tb testing.TB) Measure {
	tb.Helper()
	f, ok := Find(w.function)
	if !ok {
		tb.Fatal(w.function)
	}
	return f.New(w.parameter)
}

func (w workload) events() []event {
	list, rng := make([]event, 4096), rand.New(rand.NewPCG(1, 1))
	for i := range list {
		list[i] = event{w.make(rng, i), Order{int64(i), 0, int64(i)}}
	}
	return list
}

func (w workload) run(b *testing.B, f func(b *testing.B, m Measure, list []event)) {
	name := w.function
	if w.name != "" {
		name += "/" + w.name
	}
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		f(b, w.measure(b), w.events())
	})
}

// BenchmarkAdd is an event in a cell that has been in use for a while.
func BenchmarkAdd(b *testing.B) {
	for _, w := range workloads() {
		w.run(b, func(b *testing.B, m Measure, list []event) {
			cell, pool, inputs := make([]uint64, m.Words()), new(Pool), make([]Input, len(list))
			for i, e := range list {
				inputs[i] = prepared(b, m, e)
				m.Add(cell, pool, &inputs[i])
			}
			for i := 0; b.Loop(); i++ {
				m.Add(cell, pool, &inputs[i&(len(inputs)-1)])
			}
		})
	}
}

// BenchmarkPrepare is what an event costs before it is counted.
func BenchmarkPrepare(b *testing.B) {
	for _, w := range workloads() {
		w.run(b, func(b *testing.B, m Measure, list []event) {
			in := new(Input)
			for i := 0; b.Loop(); i++ {
				e := &list[i&(len(list)-1)]
				if err := m.Prepare(in, &e.x, &e.at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNewCells is a transaction of 1,000 groups with 4 events each, up to their encodings.
func BenchmarkNewCells(b *testing.B) {
	for _, w := range workloads() {
		w.run(b, func(b *testing.B, m Measure, list []event) {
			const groups = 1_000
			pool, inputs, words := new(Pool), make([]Input, len(list)), m.Words()
			for i, e := range list {
				inputs[i] = prepared(b, m, e)
			}
			cells, encoded := make([]uint64, groups*words), make([]byte, 0, 1<<16)
			for b.Loop() {
				clear(cells)
				for i := range 4 * groups {
					g := i % groups * words
					m.Add(cells[g:g+words:g+words], pool, &inputs[i&(len(inputs)-1)])
				}
				for g := 0; g < len(cells); g += words {
					encoded = m.Append(encoded[:0], cells[g:g+words:g+words], pool)
				}
				pool.Reset()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(4*groups), "ns/event")
		})
	}
}

// half are the encodings of the even events and of the odd ones.
func halves(tb testing.TB, m Measure, list []event) (states [2][]byte) {
	tb.Helper()
	var parts [2][]event
	for i, e := range list {
		parts[i/2%2] = append(parts[i/2%2], e)
	}
	return [2][]byte{state(tb, m, parts[0]), state(tb, m, parts[1])}
}

func BenchmarkMerge(b *testing.B) {
	for _, w := range workloads() {
		w.run(b, func(b *testing.B, m Measure, list []event) {
			states := halves(b, m, list)
			dst := make([]byte, 0, 1<<16)
			for b.Loop() {
				dst = m.Merge(dst[:0], states[0], states[1])
			}
			b.ReportMetric(float64(len(dst)), "bytes")
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, w := range workloads() {
		w.run(b, func(b *testing.B, m Measure, list []event) {
			cell, pool, dst := make([]uint64, m.Words()), new(Pool), make([]byte, 0, 1<<16)
			add(b, m, cell, pool, list...)
			for b.Loop() {
				dst = m.Append(dst[:0], cell, pool)
			}
		})
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	for _, w := range workloads() {
		w.run(b, func(b *testing.B, m Measure, list []event) {
			st, dst := state(b, m, list), make([]byte, 0, 1<<16)
			for b.Loop() {
				dst = m.AppendJSON(dst[:0], st)
			}
		})
	}
}

func BenchmarkValid(b *testing.B) {
	for _, w := range workloads() {
		w.run(b, func(b *testing.B, m Measure, list []event) {
			st := state(b, m, list)
			for b.Loop() {
				if !m.Valid(st) {
					b.Fatal("not valid")
				}
			}
		})
	}
}
