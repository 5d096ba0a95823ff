package measure

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// event is an argument and where its event stands.
type event struct {
	x  Scalar
	at Order
}

func ofInt(n int64) Scalar     { return Scalar{Kind: Int, Bits: uint64(n)} }
func ofFloat(f float64) Scalar { return Scalar{Kind: Float, Bits: math.Float64bits(f)} }
func ofText(s string) Scalar   { return Scalar{Kind: Text, Text: []byte(s)} }
func ofBool(b bool) Scalar {
	if b {
		return Scalar{Kind: Bool, Bits: 1}
	}
	return Scalar{Kind: Bool}
}

// subject is a function with a parameter.
type subject struct {
	Function
	parameter float64
}

func (s subject) String() string {
	if s.Parameter == nil {
		return s.Name
	}
	return s.Name + "-" + strconv.FormatFloat(s.parameter, 'g', -1, 64)
}

func (s subject) measure() Measure { return s.New(s.parameter) }

// subjects is the whole table, with several parameters where there is one.
func subjects(tb testing.TB) (all []subject) {
	tb.Helper()
	parameters := map[string][]float64{"percentile": {0.1, 50, 99.9}, "top": {1, 10, 100}}
	for _, f := range Functions() {
		given := parameters[f.Name]
		if (f.Parameter != nil) != (given != nil) {
			tb.Fatalf("%s: parameters %v", f.Name, given)
		}
		if given == nil {
			given = []float64{0}
		}
		for _, p := range given {
			all = append(all, subject{f, p})
		}
	}
	return all
}

// prepared is what Add takes of an event, made in an Input that another event was in.
func prepared(tb testing.TB, m Measure, e event) Input {
	tb.Helper()
	in := Input{Skip: true, A: 7, B: 8, Text: []byte("another"), Order: Order{1, 2, 3}}
	if err := m.Prepare(&in, &e.x, &e.at); err != nil {
		tb.Fatalf("%s: %v", describe(e.x), err)
	}
	return in
}

// counted adds events to a cell.
func add(tb testing.TB, m Measure, cell []uint64, pool *Pool, events ...event) {
	tb.Helper()
	for _, e := range events {
		if in := prepared(tb, m, e); !in.Skip {
			m.Add(cell, pool, &in)
		}
	}
}

// state is the encoding of events that are counted in one cell.
func state(tb testing.TB, m Measure, events []event) []byte {
	tb.Helper()
	cell, pool := make([]uint64, m.Words()), new(Pool)
	add(tb, m, cell, pool, events...)
	return m.Append(nil, cell, pool)
}

// pieces are the encodings of events that are shuffled and cut anywhere. The cells share a Pool, and take turns.
func pieces(tb testing.TB, rng *rand.Rand, m Measure, events []event) (states [][]byte) {
	tb.Helper()
	events = slices.Clone(events)
	rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	pool, cells := new(Pool), make([][]uint64, 1+rng.IntN(1+rng.IntN(12)))
	for i := range cells {
		cells[i] = make([]uint64, m.Words())
	}
	for _, e := range events {
		add(tb, m, cells[int(float64(len(cells))*math.Pow(rng.Float64(), 2))], pool, e)
	}
	for _, cell := range cells {
		states = append(states, m.Append(nil, cell, pool))
	}
	return states
}

// joined merges states two at a time, any two.
func joined(tb testing.TB, rng *rand.Rand, m Measure, states [][]byte) []byte {
	tb.Helper()
	states = slices.Clone(states)
	for len(states) > 1 {
		rng.Shuffle(len(states), func(i, j int) { states[i], states[j] = states[j], states[i] })
		n := len(states)
		merged := m.Merge([]byte("before"), states[n-1], states[n-2])
		if string(merged[:6]) != "before" {
			tb.Fatalf("merging changed what was in dst to %q", merged[:6])
		}
		states = append(states[:n-2], merged[6:])
	}
	return states[0]
}

// text is the value of a state in an insight.
func text(m Measure, state []byte) string {
	return string(m.AppendJSON([]byte("["), state)[1:])
}

// sample is a way to make up arguments.
type sample struct {
	name string
	make func(rng *rand.Rand) func() Scalar
}

// numberSamples are ways to make up numbers.
func numberSamples() []sample {
	of := func(f func(rng *rand.Rand) Scalar) func(rng *rand.Rand) func() Scalar {
		return func(rng *rand.Rand) func() Scalar { return func() Scalar { return f(rng) } }
	}
	return []sample{
		{"few integers", of(func(rng *rand.Rand) Scalar { return ofInt(rng.Int64N(20) - 10) })},
		{"integers", of(func(rng *rand.Rand) Scalar { return ofInt(rng.Int64N(100_000) - 1_000) })},
		{"all integers", of(func(rng *rand.Rand) Scalar { return ofInt(int64(rng.Uint64() >> rng.IntN(64) * (rng.Uint64() | 1))) })},
		{"whole floats and integers", of(func(rng *rand.Rand) Scalar {
			n := rng.Int64N(30) - 15
			switch rng.IntN(4) {
			case 0:
				return ofFloat(float64(n))
			case 1:
				return ofFloat(math.Copysign(0, float64(n)))
			}
			return ofInt(n)
		})},
		{"normal", of(func(rng *rand.Rand) Scalar { return ofFloat(rng.NormFloat64() * 100) })},
		{"all floats", of(func(rng *rand.Rand) Scalar {
			return ofFloat(math.Ldexp(rng.Float64()*2-1, rng.IntN(140)-77))
		})},
		{"extremes", of(func(rng *rand.Rand) Scalar {
			list := []Scalar{ofInt(math.MinInt64), ofInt(math.MaxInt64), ofInt(1<<53 + 1), ofFloat(1 << 53), ofFloat(math.MinInt64), ofFloat(1 << 63),
				ofFloat(math.SmallestNonzeroFloat64), ofFloat(-math.SmallestNonzeroFloat64), ofFloat(0.5e-9), ofFloat(1.5e-9), ofInt(0), ofFloat(0)}
			return list[rng.IntN(len(list))]
		})},
	}
}

// samples are ways to make up arguments for a function.
func samples(f Function) []sample {
	if len(f.Takes) == 0 {
		return []sample{{"nothing", func(*rand.Rand) func() Scalar { return func() Scalar { return Scalar{} } }}}
	}
	list := numberSamples()
	if !slices.Contains(f.Takes, Text) {
		return list
	}
	zipf := func(most uint64, name func(n uint64) string) func(rng *rand.Rand) func() Scalar {
		return func(rng *rand.Rand) func() Scalar {
			z := rand.NewZipf(rng, 1.2, 1, most)
			return func() Scalar { return ofText(name(z.Uint64())) }
		}
	}
	long := func(n uint64) string { return fmt.Sprintf("%0*d", 20+n*37%900, n) }
	return append(list,
		sample{"few words", zipf(15, func(n uint64) string {
			return []string{"", "a", "android", "iOS", "RU", "2.3.0", "a\x00", "12345678"}[n%8]
		})},
		sample{"words", zipf(5_000, func(n uint64) string { return strconv.FormatUint(n, 36) })},
		sample{"few long texts", zipf(60, long)},
		sample{"long texts", zipf(3_000, long)},
		sample{"everything", func(rng *rand.Rand) func() Scalar {
			word, number := zipf(20, long)(rng), numberSamples()[3].make(rng)
			return func() Scalar {
				switch rng.IntN(4) {
				case 0:
					return word()
				case 1:
					return ofBool(rng.IntN(2) == 0)
				case 2:
					return ofText([]string{"5", "true", "null", "\xff", "\"", "Ω\n"}[rng.IntN(6)])
				default:
					return number()
				}
			}
		}},
	)
}

// events makes up n events, some of them without the argument.
func events(rng *rand.Rand, s sample, n int) []event {
	list, next, nils := make([]event, n), s.make(rng), rng.IntN(3)
	for i := range list {
		list[i] = event{at: Order{Time: rng.Int64N(1 + int64(n)/3), Partition: rng.Int32N(4), Offset: int64(i)}, x: next()}
		if rng.IntN(10) < nils {
			list[i].x = Scalar{}
		}
	}
	return list
}

// eachCase calls f for all functions and samples, with several numbers of events.
func eachCase(t *testing.T, rounds int, f func(t *testing.T, rng *rand.Rand, s subject, list []event)) {
	if raceEnabled {
		rounds = max(rounds/3, 4)
	}
	for _, s := range subjects(t) {
		for _, sample := range samples(s.Function) {
			t.Run(s.String()+"/"+sample.name, func(t *testing.T) {
				for seed := range rounds {
					rng := rand.New(rand.NewPCG(uint64(seed), 1))
					f(t, rng, s, events(rng, sample, rng.IntN([]int{2, 10, 100, 2_000}[seed%4])))
				}
			})
		}
	}
}

// fits tells whether a state has forgotten nothing: only that of top can.
func fits(s subject, list []event) bool {
	return s.Name != "top" || len(exactCounts(list)) <= s.measure().(top).counters
}

func TestOrderAndCutsDoNotChangeAState(t *testing.T) {
	eachCase(t, 24, func(t *testing.T, rng *rand.Rand, s subject, list []event) {
		if !fits(s, list) {
			return // see TestTopKeepsItsBounds
		}
		m := s.measure()
		want := state(t, m, list)
		if !m.Valid(want) {
			t.Fatalf("%d events: %x is not valid", len(list), want)
		}
		if got := joined(t, rng, m, pieces(t, rng, m, list)); string(got) != string(want) {
			t.Fatalf("%d events: %x in pieces, %x in one cell", len(list), got, want)
		}
	})
}

func TestMergeIsCommutativeAndAssociative(t *testing.T) {
	eachCase(t, 12, func(t *testing.T, rng *rand.Rand, s subject, list []event) {
		m := s.measure()
		i := rng.IntN(len(list) + 1)
		k := i + rng.IntN(len(list)+1-i)
		a, b, c := state(t, m, list[:i]), state(t, m, list[i:k]), state(t, m, list[k:])
		ab, ba := m.Merge(nil, a, b), m.Merge(nil, b, a)
		if string(ab) != string(ba) {
			t.Fatalf("%x in one order, %x in the other", ab, ba)
		}
		if left, right := m.Merge(nil, ab, c), m.Merge(nil, a, m.Merge(nil, b, c)); fits(s, list) && string(left) != string(right) {
			t.Fatalf("%x from the left, %x from the right", left, right)
		}
		if same := m.Merge(nil, a, nil); string(same) != string(a) {
			t.Fatalf("%x and nothing became %x", a, same)
		}
	})
}

func TestValuesAreThoseOfTheReference(t *testing.T) {
	eachCase(t, 8, func(t *testing.T, rng *rand.Rand, s subject, list []event) {
		m := s.measure()
		st := joined(t, rng, m, pieces(t, rng, m, list))
		got := text(m, st)
		if !json.Valid([]byte(got)) {
			t.Fatalf("%s is not JSON", got)
		}
		if fault := disagreement(s, list, got); fault != "" {
			t.Fatalf("%d events: %s", len(list), fault)
		}
		n, ok := m.Number(st)
		var want float64
		if err := json.Unmarshal([]byte(got), &want); ok != (err == nil && got != "null") || n != want {
			t.Fatalf("%s is the number %v %v", got, n, ok)
		}
	})
}

// The Combiner moves cells when its tables grow.
func TestCellsCanBeCopied(t *testing.T) {
	eachCase(t, 4, func(t *testing.T, _ *rand.Rand, s subject, list []event) {
		m := s.measure()
		cell, pool := make([]uint64, m.Words()), new(Pool)
		for _, e := range list {
			add(t, m, cell, pool, e)
			cell = slices.Clone(cell)
		}
		if got, want := m.Append(nil, cell, pool), state(t, m, list); string(got) != string(want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

func TestAppendLeavesTheCellAsItIs(t *testing.T) {
	eachCase(t, 4, func(t *testing.T, _ *rand.Rand, s subject, list []event) {
		m := s.measure()
		cell, pool := make([]uint64, m.Words()), new(Pool)
		half := len(list) / 2
		add(t, m, cell, pool, list[:half]...)
		m.Append(nil, cell, pool)
		add(t, m, cell, pool, list[half:]...)
		if got, want := m.Append([]byte("x"), cell, pool), state(t, m, list); string(got[1:]) != string(want) || got[0] != 'x' {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}
