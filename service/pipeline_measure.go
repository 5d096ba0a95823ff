package service

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
	"data-stream-engine/service/measure"
)

// measures reads names and calls: users: distinct(user_id).
func (p *pipelineFile) measures(n *node, a *model.Aggregate) {
	if !p.is(n, mappingShape, "measures", "a name and a call a line, as in users: distinct(user_id)") {
		return
	}
	if len(n.pairs) > mostMeasures {
		p.problem(n.pairs[mostMeasures].at, "an aggregate has %d measures at most, this one has %d", mostMeasures, len(n.pairs))
	}
	cut := false // the last call by a comma of { }
	for _, pair := range p.rejoined(n.pairs) {
		if cut && pair.value.shape == nullShape {
			continue // what stands behind that comma
		}
		before := len(p.problems)
		name := p.name(&node{text: pair.key, at: pair.at}, "the name of a measure", mostName)
		var m *model.Measure
		if m, cut = p.measure(pair.value, pair.key); m != nil && len(p.problems) == before {
			m.Name = name
			a.Measures = append(a.Measures, *m)
		}
	}
	p.fitting(n, a)
}

// mostCounters is how many counters the top measures of an aggregate may have together: with 1 KiB of text each, the state
// of a group still fits into one record of the changelog.
const mostCounters = 7000

func (p *pipelineFile) fitting(n *node, a *model.Aggregate) {
	counters := 0
	for i := range a.Measures {
		if m := &a.Measures[i]; m.Function == "top" {
			counters += measure.Counters(m.Parameter)
		}
	}
	if counters > mostCounters {
		p.problem(n.at, "the top measures of %s have %d counters together, %d fit into the state of a group: top(x, k) has 8k of them and at least 64; take smaller ones, or several aggregates", a.Name, counters, mostCounters)
	}
}

// rejoined are the measures of { } with those calls whole that YAML has ended at a comma: {versions: top(version, 3)} is a
// key with the text "top(version", and a key "3)" without a value.
func (p *pipelineFile) rejoined(pairs []pair) []pair {
	var whole []pair
	for i := 0; i < len(pairs); i++ {
		first, v := pairs[i], pairs[i].value
		for v.flow && v.exact && !v.quote && v.shape == textShape && i+1 < len(pairs) && takeApart(v.text).open {
			next := pairs[i+1]
			text, ok := p.between(v.start, next)
			if next.value.shape != nullShape || !next.value.flow || !ok {
				break
			}
			joined := *v
			joined.text = text
			first.value, v = &joined, &joined
			i++
		}
		whole = append(whole, first)
	}
	return whole
}

// between is the text of the file from a place to the end of a key on the same line, if it is written there as it is.
func (p *pipelineFile) between(from model.Place, key pair) (string, bool) {
	if key.at.Line != from.Line || key.at.Column < from.Column || !p.stands(key.key, key.at) {
		return "", false
	}
	line := []rune(p.lines[from.Line-1])
	end := key.at.Column - 1 + utf8.RuneCountInString(key.key)
	if end > len(line) {
		return "", false
	}
	return string(line[from.Column-1 : end]), true
}

// measure reads one call. nil: it is none, and the problem is noted. cut tells that { } ended it at a comma.
func (p *pipelineFile) measure(n *node, name string) (m *model.Measure, cut bool) {
	switch {
	case n.shape == brokenShape:
		return nil, false
	case n.shape == nullShape && n.flow:
		p.problem(n.at, "%s has no call, as in count() or sum(price)%s", name, inFlow)
		return nil, false
	case n.shape != textShape:
		p.problem(n.at, "the measure %s is a call, as in count() or sum(price), not %s", name, n.shape)
		return nil, false
	}
	c := takeApart(n.text)
	p.noteComment(n)
	at := func(character int) model.Place { return n.placeAt(c.offset(character)) }
	if c.fault != "" {
		cut = n.flow && c.open
		message := c.fault
		if cut {
			message += inFlow
		}
		p.add(p.explained(Problems{{File: p.spec.File, At: at(c.faultAt), Message: message}})...)
		return nil, cut
	}
	f, known := measure.Find(c.name)
	if !known {
		p.problem(at(c.from), "unknown measure %s; %s", c.name, measureMeant(c.name))
		return nil, false
	}
	if fault := wrongCount(f, len(c.arguments)); fault != "" {
		p.problem(at(c.from), "%s", fault)
		return nil, false
	}
	m = &model.Measure{Text: strings.TrimSpace(n.text), At: at(c.from), Function: f.Name}
	if len(f.Takes) > 0 {
		m.Argument = p.argument(n, c, c.arguments[0])
	}
	if f.Parameter != nil {
		m.Parameter = f.Parameter.DefaultsTo
		if len(c.arguments) > 1 {
			second := c.arguments[1]
			var fault string
			if m.Parameter, fault = parameterOf(f.Parameter, c.text(second)); fault != "" {
				p.problem(at(second.from), "%s", fault)
			}
		}
	}
	return m, false
}

// argument is the expression that a measure is of. Where its columns would not be those of the file otherwise, blanks
// stand in it for the rest of the call.
func (p *pipelineFile) argument(n *node, c *call, s span) *model.Expression {
	text := c.text(s)
	e := &model.Expression{Text: text, At: n.placeAt(c.offset(s.from)), Wrapped: !n.exact}
	if !n.exact || strings.Contains(text, "\n") {
		e.At, e.Text = n.placeAt(0), c.blanked(s)
	}
	p.given[e] = n.given
	return e
}

// wrongCount says what is wrong with the number of arguments.
func wrongCount(f measure.Function, n int) string {
	takes, least, most := "1 argument", 1, 1
	switch {
	case len(f.Takes) == 0:
		takes, least, most = "no argument", 0, 0
	case f.Parameter != nil && f.Parameter.Required:
		takes, least, most = "2 arguments, an expression and "+f.Parameter.Name, 2, 2
	case f.Parameter != nil:
		takes, most = "an expression and, if need be, "+f.Parameter.Name, 2
	}
	if n >= least && n <= most {
		return ""
	}
	text := f.Name + " takes " + takes + ", not " + strconv.Itoa(n)
	if most == 0 {
		text += "; which events count, the aggregate's where says"
	}
	return text
}

// parameterOf reads the constant behind an expression.
func parameterOf(want *measure.Parameter, text string) (x float64, fault string) {
	x, ok := numberOf(text)
	outside := x < want.Least || x > want.Most || want.Exclusive && (x == want.Least || x == want.Most)
	switch {
	case !ok:
		return 0, want.Name + " is a constant number, not " + text
	case want.Whole && (outside || x != math.Trunc(x)):
		return 0, want.Name + " is a whole number from " + numberText(want.Least) + " to " + numberText(want.Most) + ", not " + text
	case outside && want.Exclusive:
		return 0, want.Name + " is above " + numberText(want.Least) + " and below " + numberText(want.Most) + ", not " + text
	case outside:
		return 0, want.Name + " is a number from " + numberText(want.Least) + " to " + numberText(want.Most) + ", not " + text
	}
	return x, ""
}

// measureMeant is a hint at the measure that somebody meant by another name.
func measureMeant(name string) string {
	var names []string
	for _, f := range measure.Functions() {
		names = append(names, f.Name)
	}
	near := expression.Nearest(name, names)
	switch strings.ToLower(strings.ReplaceAll(name, "_", "")) { // what other programs call them
	case "average", "mean":
		near = "avg"
	case "countdistinct", "distinctcount", "approxdistinct", "approxcountdistinct", "uniq", "unique", "uniques", "cardinality", "nunique":
		near = "distinct"
	case "quantile", "quantiles", "percentiles", "median", "p50", "p90", "p95", "p99", "approxpercentile", "percentilecont":
		near = "percentile"
	case "topk", "mode", "mostcommon", "heavyhitters", "approxtopk":
		near = "top"
	}
	if near != "" {
		return "did you mean " + near + "?"
	}
	return "known are " + strings.Join(names, ", ")
}

// kindsOf are the kinds of expressions that a function takes.
func kindsOf(f measure.Function) (kinds expression.Kind) {
	for _, k := range f.Takes {
		switch k {
		case measure.Nil:
		case measure.Bool:
			kinds |= expression.Bool
		case measure.Int:
			kinds |= expression.Int
		case measure.Float:
			kinds |= expression.Float
		case measure.Text:
			kinds |= expression.Text
		}
	}
	return kinds
}
