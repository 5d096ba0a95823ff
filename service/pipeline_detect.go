package service

import (
	"slices"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

const (
	mostSigma         = 100
	mostMinWindows    = 10_000
	defaultMinWindows = 10
)

// detect reads which values are anomalies. It stands behind the measures and the window, wherever it is in the file.
func (p *pipelineFile) detect(n, measures *node, a *model.Aggregate) {
	d := &model.Detect{At: n.at}
	var measure, sigma, windows *node
	p.mapping(n, "detect", []section{
		{"measure", true, func(n *node) { measure = n }},
		{"sigma", false, func(n *node) { sigma, d.Sigma = n, p.sigma(n) }},
		{"min_windows", false, func(n *node) {
			windows, d.MinWindows = n, p.whole(n, "min_windows", 1, mostMinWindows, defaultMinWindows)
		}},
		{"above", false, func(n *node) { d.Above = p.limit(n, "above") }},
		{"below", false, func(n *node) { d.Below = p.limit(n, "below") }},
	})
	if n.shape != mappingShape || len(n.pairs) == 0 {
		return
	}
	a.Detect = d
	if measure != nil {
		d.Measure = p.detectable(measure, measures, a)
	}
	if sigma != nil && windows == nil {
		d.MinWindows = defaultMinWindows
	}
	switch {
	case sigma == nil && !n.has("above") && !n.has("below"):
		p.problem(n.at, "detect says nothing of which values are anomalies; give it sigma, above or below")
	case sigma == nil && windows != nil:
		p.problem(windows.at, "min_windows is how much history sigma needs, and there is no sigma; add it or take min_windows out")
	case sigma != nil && a.Window.Kind == model.Session:
		p.problem(sigma.at, "sigma compares a window with those before it, and sessions stand for themselves; use above or below, or another window")
	}
	if d.Above != nil && d.Below != nil && *d.Below > *d.Above {
		p.problem(n.at, "every value is above %s or below %s; above is the greater one of the two", numberText(*d.Above), numberText(*d.Below))
	}
}

// has tells whether a mapping has a key.
func (n *node) has(key string) bool {
	return slices.ContainsFunc(n.pairs, func(p pair) bool { return p.key == key })
}

func (p *pipelineFile) sigma(n *node) float64 {
	x, ok := p.number(n, "sigma")
	if ok && (x <= 0 || x > mostSigma) {
		p.problem(n.at, "sigma is above 0 and %d at most, not %s", mostSigma, n.text)
	}
	return x
}

func (p *pipelineFile) limit(n *node, what string) *float64 {
	if x, ok := p.number(n, what); ok {
		return &x
	}
	return nil
}

// detectable reads the name of a measure of the aggregate whose values are numbers.
func (p *pipelineFile) detectable(n, measures *node, a *model.Aggregate) string {
	name, ok := p.text(n, "measure")
	if !ok {
		return ""
	}
	var numbers []string
	for _, m := range a.Measures {
		switch m.Function {
		case "top", "first", "last":
			if m.Name == name {
				p.problem(n.at, "anomalies are found in numbers, and %s is %s; choose another measure, or add one such as count()", name, m.Text)
				return name
			}
		default:
			numbers = append(numbers, m.Name)
		}
	}
	if measures == nil || measures.shape != mappingShape || measures.has(name) {
		return name // what is wrong with it is said there
	}
	hint := "; add one, as in " + name + ": count()"
	if len(numbers) > 0 {
		hint = "; it may be one of " + strings.Join(numbers, ", ")
	}
	if near := expression.Nearest(name, numbers); near != "" {
		hint = ", did you mean " + near + "?"
	}
	p.problem(n.at, "the aggregate has no measure %s%s", name, hint)
	return name
}
