package pipelinetest

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"data-stream-engine/service"
	"data-stream-engine/service/expression"
)

// insights compares the insights of a case with those that were expected, in any order. Every final one has to be expected;
// those that windows had while they were open are compared where they are.
func (d *diff) insights(c *testCase, got *service.Insights) {
	compared := func(w *service.Insight) bool {
		return len(c.aggregates) == 0 || slices.ContainsFunc(c.aggregates, func(a named) bool { return a.name == w.Aggregate })
	}
	var came []*service.Insight
	for i := range got.Final {
		if compared(&got.Final[i]) {
			came = append(came, &got.Final[i])
		}
	}
	for i := range got.Open {
		if w := &got.Open[i]; !w.Final && compared(w) {
			came = append(came, w)
		}
	}
	want := c.insights
	taken := pairUp(want, came)
	numbers := map[string]int{}
	for i := range want {
		e := &want[i]
		numbers[e.aggregate]++
		title := "insight " + strconv.Itoa(numbers[e.aggregate]) + " of " + e.aggregate
		switch n := taken.of(i); {
		case n < 0:
			d.add("%s: expected, but it did not come", title)
			d.wantedInsight(e)
		default:
			if list := e.differences(came[n]); len(list) > 0 {
				d.add("%s:", title)
				d.table(list)
			}
		}
	}
	for n, w := range came {
		if taken[n] < 0 && w.Final {
			d.add("insight of %s: came, but was not expected", w.Aggregate)
			d.cameInsight(w)
		}
	}
}

// pairing is, for each insight that came, the one that was expected; -1: none.
type pairing []int

func (p pairing) of(want int) int {
	for n, w := range p {
		if w == want {
			return n
		}
	}
	return -1
}

// pairUp gives as many of the expected ones as possible an insight that is as expected, and then those that are left one
// that is about the same: of the same group and window.
func pairUp(want []insight, came []*service.Insight) pairing {
	taken := make(pairing, len(came))
	for n := range taken {
		taken[n] = -1
	}
	fits := make([][]int, len(want))
	for i := range want {
		fits[i] = want[i].fitting(came)
	}
	var augment func(i int, seen []bool) bool
	augment = func(i int, seen []bool) bool { // Kuhn's algorithm
		for _, n := range fits[i] {
			if seen[n] {
				continue
			}
			seen[n] = true
			if taken[n] < 0 || augment(taken[n], seen) {
				taken[n] = i
				return true
			}
		}
		return false
	}
	for i := range want {
		augment(i, make([]bool, len(came)))
	}
	for i := range want {
		for n := 0; n < len(came) && taken.of(i) < 0; n++ {
			if taken[n] < 0 && want[i].about(came[n]) {
				taken[n] = i
			}
		}
	}
	return taken
}

// fitting are the places of the insights that are as expected.
func (e *insight) fitting(came []*service.Insight) (fits []int) {
	for n, w := range came {
		if e.about(w) && len(e.differences(w)) == 0 {
			fits = append(fits, n)
		}
	}
	return fits
}

// about tells whether an insight is about what the expected one is about.
func (e *insight) about(w *service.Insight) bool {
	if e.aggregate != w.Aggregate || e.kind != w.Kind || e.final != w.Final {
		return false
	}
	if e.start != nil && !e.start.Equal(w.Start) || e.end != nil && !e.end.Equal(w.End) {
		return false
	}
	for _, m := range e.group {
		if len(values(m.value, valueOf(w.Group, m.name), false)) > 0 {
			return false
		}
	}
	return true
}

// differences are what of an insight about the same is not as expected.
func (e *insight) differences(w *service.Insight) []difference {
	var list []difference
	for _, m := range e.measures {
		got := valueOf(w.Measures, m.name)
		if got == nil {
			list = append(list, difference{"measures" + member(m.name), string(m.value), absent})
			continue
		}
		for _, x := range values(m.value, got, false) {
			x.what = "measures" + member(m.name) + strings.TrimPrefix(x.what, "value")
			list = append(list, x)
		}
	}
	if e.sentence != nil && !strings.Contains(w.Sentence, *e.sentence) {
		list = append(list, difference{"sentence", *e.sentence, w.Sentence})
	}
	return list
}

func valueOf(list []service.Member, name string) []byte {
	for _, m := range list {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

func (d *diff) wantedInsight(e *insight) {
	if !e.final {
		d.add("        final     false")
	}
	if e.kind == service.KindAnomaly {
		d.add("        kind      %s", e.kind)
	}
	if e.start != nil || e.end != nil {
		d.add("        window    %s", strings.Join(append(moment(nil, "from ", e.start), moment(nil, "to ", e.end)...), " "))
	}
	d.members("group", e.group)
	d.members("measures", e.measures)
	if e.sentence != nil {
		d.add("        sentence  %s", service.Printable(*e.sentence))
	}
}

func (d *diff) cameInsight(w *service.Insight) {
	if w.Kind == service.KindAnomaly {
		d.add("        kind      %s", w.Kind)
	}
	d.add("        window    %s", strings.Join(moment(moment(nil, "from ", &w.Start), "to ", &w.End), " "))
	d.members("group", given(w.Group))
	d.members("measures", given(w.Measures))
	if w.Sentence != "" {
		d.add("        sentence  %s", service.Printable(w.Sentence))
	}
}

func moment(list []string, what string, t *time.Time) []string {
	if t == nil {
		return list
	}
	return append(list, what+t.UTC().Format(time.RFC3339Nano))
}

func given(list []service.Member) []named {
	all := make([]named, len(list))
	for i, m := range list {
		all[i] = named{name: m.Name, value: m.Value}
	}
	return all
}

// members writes names and values as one line of JSON, so that they can be taken over into the file.
func (d *diff) members(what string, list []named) {
	if len(list) == 0 {
		return
	}
	b := []byte{'{'}
	for i, m := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(expression.AppendText(b, m.name), ": "...), bytes.TrimSpace(m.value)...)
	}
	d.add("        %-8s  %s", what, service.Printable(string(append(b, '}'))))
}
