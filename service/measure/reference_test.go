package measure

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
)

// This is what measures are worth, worked out slowly and another way: with rational numbers, maps and sorted lists.

// exact is a number as a fraction.
func exact(x Scalar) *big.Rat {
	if x.Kind == Int {
		return new(big.Rat).SetInt64(x.Int())
	}
	return new(big.Rat).SetFloat64(x.Float())
}

// given are the events that have the argument.
func given(list []event) []event {
	return slices.DeleteFunc(slices.Clone(list), func(e event) bool { return e.x.Kind == Nil })
}

// nearest is the whole number nearest to a fraction, the even one of two.
func nearest(r *big.Rat) *big.Int {
	twice := new(big.Int).Mul(r.Num(), big.NewInt(2))
	twice.Add(twice, r.Denom())
	q, rest := new(big.Int).DivMod(twice, new(big.Int).Mul(r.Denom(), big.NewInt(2)), new(big.Int))
	if rest.Sign() == 0 && q.Bit(0) == 1 {
		q.Sub(q, big.NewInt(1))
	}
	return q
}

// billionths is a number that counts them, as decimals.
func billionths(n *big.Int) string {
	s := new(big.Rat).SetFrac(n, big.NewInt(billion)).FloatString(9)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func exactSum(list []event) *big.Int {
	sum := new(big.Int)
	for _, e := range given(list) {
		sum.Add(sum, nearest(new(big.Rat).Mul(exact(e.x), big.NewRat(billion, 1))))
	}
	return sum
}

// written is the JSON of a value that equal values share.
func written(x Scalar) string {
	var v any
	switch x.Kind {
	case Nil:
	case Bool:
		v = x.Bits == 1
	case Text:
		v = strings.ToValidUTF8(string(x.Text), "\uFFFD")
	case Int, Float:
		r := exact(x)
		if r.IsInt() && r.Num().IsInt64() {
			return r.Num().String()
		}
		v = x.Float()
	}
	b, _ := json.Marshal(v)
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
}

// exactCounts is how often each value is there, by what tells it from others.
func exactCounts(list []event) map[string]int {
	counts := map[string]int{}
	for _, e := range given(list) {
		key := written(e.x)
		if e.x.Kind == Text {
			key = "text " + string(e.x.Text)
		}
		counts[key]++
	}
	return counts
}

// sortedNumbers are the numbers, smallest first.
func sortedNumbers(list []event) (numbers []Scalar) {
	type pair struct {
		x     Scalar
		worth *big.Rat
	}
	var pairs []pair
	for _, e := range given(list) {
		pairs = append(pairs, pair{e.x, exact(e.x)})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return a.worth.Cmp(b.worth) })
	for _, p := range pairs {
		numbers = append(numbers, p.x)
	}
	return numbers
}

// disagreement says in what the value of events is not what it should be.
func disagreement(s subject, list []event, got string) string {
	want := "null"
	switch s.Name {
	case "count":
		want = fmt.Sprint(len(list))
	case "sum":
		want = billionths(exactSum(list))
	case "avg":
		if n := len(given(list)); n > 0 {
			want = billionths(nearest(new(big.Rat).SetFrac(exactSum(list), big.NewInt(int64(n)))))
		}
	case "min", "max":
		if numbers := sortedNumbers(list); len(numbers) > 0 && s.Name == "min" {
			want = written(numbers[0])
		} else if len(numbers) > 0 {
			want = written(numbers[len(numbers)-1])
		}
	case "first", "last":
		if in := given(list); len(in) > 0 {
			slices.SortFunc(in, func(a, b event) int { return strings.Compare(fmt.Sprintf("%+020v", a.at), fmt.Sprintf("%+020v", b.at)) })
			want = written(in[0].x)
			if s.Name == "last" {
				want = written(in[len(in)-1].x)
			}
		}
	case "distinct":
		n := len(exactCounts(list))
		want = fmt.Sprint(n)
		var m float64
		if fmt.Sscan(got, &m); n > mostMarks && math.Abs(m-float64(n)) < 0.1*float64(n) {
			return ""
		}
	case "percentile":
		return notPercentile(s.parameter, list, got)
	case "top":
		return notTop(s.measure().(top), list, got)
	default:
		return "no reference for " + s.Name
	}
	if got != want {
		return fmt.Sprintf("%s, want %s", got, want)
	}
	return ""
}

// notPercentile says in what a percentile is not within its bounds.
func notPercentile(p float64, list []event, got string) string {
	numbers := sortedNumbers(list)
	if len(numbers) == 0 {
		if got == "null" {
			return ""
		}
		return got + " of nothing"
	}
	decimal, _ := new(big.Rat).SetString(fmt.Sprint(p))
	share := new(big.Rat).Mul(decimal, big.NewRat(int64(len(numbers)), 100))
	rank := new(big.Int).Div(new(big.Int).Sub(new(big.Int).Add(share.Num(), share.Denom()), big.NewInt(1)), share.Denom())
	want := exact(numbers[rank.Int64()-1])
	value, ok := new(big.Rat).SetString(got)
	if !ok {
		return got + " is not a number"
	}
	f, _ := want.Float64()
	switch far := new(big.Rat).Sub(value, want); {
	case math.Abs(f) < 0x1p-30:
		if value.Sign() == 0 {
			return ""
		}
	case math.Abs(f) > 0x1p63:
		return ""
	case far.Abs(far).Cmp(new(big.Rat).Mul(new(big.Rat).Abs(want), big.NewRat(79, 10_000))) <= 0:
		return ""
	}
	return fmt.Sprintf("%s is not the %g. percentile of %d numbers, which is %s", got, p, len(numbers), want.FloatString(12))
}

// notTop says in what a list is not within its bounds.
func notTop(m top, list []event, got string) string {
	var entries []struct {
		Value        json.RawMessage
		Count, Error int
	}
	if err := json.Unmarshal([]byte(got), &entries); err != nil {
		return err.Error()
	}
	counts, forms := exactCounts(list), map[string]int{} // by value, and by how it is written
	for _, e := range given(list) {
		forms[written(e.x)] = 0
	}
	ambiguous := len(forms) < len(counts)
	for key, n := range counts {
		if text, ok := strings.CutPrefix(key, "text "); ok {
			key = written(ofText(text))
		}
		forms[key] += n
	}
	if len(entries) != min(m.values, len(counts)) {
		return fmt.Sprintf("%d values of %d", len(entries), len(counts))
	}
	var right []int
	for _, n := range counts {
		right = append(right, n)
	}
	slices.Sort(right)
	slices.Reverse(right)
	for i, e := range entries {
		n, known := forms[string(e.Value)]
		switch {
		case !known:
			return fmt.Sprintf("%s was never there", e.Value)
		case i > 0 && e.Count > entries[i-1].Count:
			return fmt.Sprintf("%d behind %d", e.Count, entries[i-1].Count)
		case !ambiguous && (n > e.Count || n < e.Count-e.Error):
			return fmt.Sprintf("%s was there %d times: %d - %d", e.Value, n, e.Count, e.Error)
		case len(counts) <= m.counters && (e.Count != right[i] || e.Error != 0):
			return fmt.Sprintf("%d. is %d, want %d: %v", i, e.Count, right[i], got)
		}
	}
	return ""
}
