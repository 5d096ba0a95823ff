package harness

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// fault says how the value of a measure differs from that of the events, which are in order. It is empty when it does not.
func (m Measure) fault(got any, events []*counted) string {
	var values []any // nil does not count
	for _, e := range events {
		if v := e.event[m.Of]; v != nil {
			values = append(values, v)
		}
	}
	var want any
	switch m.Function {
	case "count":
		return m.whole(got, int64(len(events)))
	case "sum":
		return m.exactly(got, sum(values))
	case "avg":
		return m.average(got, values)
	case "min", "max":
		want = extreme(values, m.Function == "max")
	case "first":
		want = end(values, 0)
	case "last":
		want = end(values, len(values)-1)
	case "distinct":
		return m.distinct(got, values)
	case "percentile":
		return m.percentile(got, values)
	case "top":
		return m.top(got, values)
	default:
		return "the test is wrong: nobody knows the function " + m.Function
	}
	if canonical(got) != canonical(want) {
		return m.differs(got, canonical(want))
	}
	return ""
}

func (m Measure) differs(got, want any) string {
	return fmt.Sprintf("%s is %s, not %v", m.Name, canonical(got), want)
}

func (m Measure) whole(got any, want int64) string {
	return m.exactly(got, new(big.Rat).SetInt64(want))
}

func (m Measure) exactly(got any, want *big.Rat) string {
	if x, ok := number(got); !ok || x.Cmp(want) != 0 {
		return m.differs(got, decimal(want))
	}
	return ""
}

// decimal is a number with as many digits as it needs, nine at most.
func decimal(x *big.Rat) string {
	text := x.FloatString(9)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// sum adds with nine decimals; each number is rounded before, halves away from zero.
func sum(values []any) *big.Rat {
	total := new(big.Rat)
	for _, v := range values {
		if x, ok := number(v); ok {
			rounded, _ := new(big.Rat).SetString(x.FloatString(9))
			total.Add(total, rounded)
		}
	}
	return total
}

func (m Measure) average(got any, values []any) string {
	if len(values) == 0 {
		return m.nothing(got)
	}
	want := sum(values)
	want.Quo(want, new(big.Rat).SetInt64(int64(len(values))))
	if !near(got, want, want, big.NewRat(1, 1e9)) {
		return m.differs(got, decimal(want))
	}
	return ""
}

// near tells whether a value lies between two, or beyond them by no more than a part of their size, or 1e-9.
func near(got any, low, high, part *big.Rat) bool {
	x, ok := number(got)
	if !ok {
		return false
	}
	room := func(of *big.Rat) *big.Rat {
		r := new(big.Rat).Abs(of)
		r.Mul(r, part)
		if least := big.NewRat(1, 1e9); r.Cmp(least) < 0 {
			return least
		}
		return r
	}
	return x.Cmp(new(big.Rat).Sub(low, room(low))) >= 0 && x.Cmp(new(big.Rat).Add(high, room(high))) <= 0
}

func (m Measure) nothing(got any) string {
	if got != nil {
		return m.differs(got, "null")
	}
	return ""
}

// extreme is the least or the greatest of numbers or of texts.
func extreme(values []any, greatest bool) any {
	if len(values) == 0 {
		return nil
	}
	if greatest {
		return slices.MaxFunc(values, compare)
	}
	return slices.MinFunc(values, compare)
}

func compare(a, b any) int {
	x, ok := number(a)
	y, both := number(b)
	if ok && both {
		return x.Cmp(y)
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

func end(values []any, i int) any {
	if len(values) == 0 {
		return nil
	}
	return values[i]
}

// counts is how often each value is there, by its canonical text.
func counts(values []any) map[string]int64 {
	n := map[string]int64{}
	for _, v := range values {
		n[canonical(v)]++
	}
	return n
}

// distinct is exact while there are few, and an estimate with a standard error of 1.6 % beyond.
func (m Measure) distinct(got any, values []any) string {
	exact := int64(len(counts(values)))
	if exact <= 100 {
		return m.whole(got, exact)
	}
	want := new(big.Rat).SetInt64(exact)
	if x, ok := number(got); !ok || !x.IsInt() || !near(got, want, want, big.NewRat(8, 100)) {
		return m.differs(got, fmt.Sprintf("about %d", exact))
	}
	return ""
}

// percentile lies within 1 % of the values to both sides of the rank; which of them it is differs from book to book.
func (m Measure) percentile(got any, values []any) string {
	if len(values) == 0 {
		return m.nothing(got)
	}
	numbers := make([]*big.Rat, len(values))
	for i, v := range values {
		var ok bool
		if numbers[i], ok = number(v); !ok {
			return "the test is wrong: " + m.Name + " is of something that is no number"
		}
	}
	slices.SortFunc(numbers, (*big.Rat).Cmp)
	rank := m.Parameter / 100 * float64(len(values)-1)
	below := int(rank)
	above := min(below+1, len(values)-1)
	if rank == float64(below) {
		above = below
	}
	low, high := numbers[below], numbers[above]
	if !near(got, low, high, big.NewRat(1000001, 100000000)) {
		return m.differs(got, fmt.Sprintf("%s to %s within 1 %%", decimal(low), decimal(high)))
	}
	return ""
}

// top is checked as far as it is exact: while there are no more values than counters. Those of equal counts may come in
// any order.
func (m Measure) top(got any, values []any) string {
	entries, ok := got.([]any)
	if !ok {
		return m.differs(got, "a list")
	}
	exact := counts(values)
	if len(exact) > max(64, 8*int(m.Parameter)) {
		return ""
	}
	var most []int64
	for _, n := range exact {
		most = append(most, n)
	}
	slices.Sort(most)
	slices.Reverse(most)
	most = most[:min(len(most), int(m.Parameter))]
	if len(entries) != len(most) {
		return m.differs(got, fmt.Sprintf("%d entries with %v", len(most), most))
	}
	seen := map[string]bool{}
	for i, entry := range entries {
		e, _ := entry.(map[string]any)
		value, n := canonical(e["value"]), canonical(e["count"])
		if seen[value] || n != fmt.Sprint(most[i]) || n != fmt.Sprint(exact[value]) || !zero(e["error"]) {
			return m.differs(got, fmt.Sprintf("entries with %v: %v", most, exact))
		}
		seen[value] = true
	}
	return ""
}

// zero takes what is left out for a zero.
func zero(v any) bool { return v == nil || v == json.Number("0") }
