package service

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"

	"data-stream-engine/model"
)

const (
	mostName         = 100 // characters, of an aggregate, a measure, a group
	mostGroupFields  = 16
	mostMeasures     = 64
	mostGroups       = 100_000_000
	defaultMaxGroups = 100_000
	defaultMaxFuture = 10 * time.Minute

	groupExample = `{day: 'rfc3339(truncate_time(at, "24h"))'}`
)

func (p *pipelineFile) aggregateList(n *node) {
	if !p.is(n, listShape, "aggregates", "a list: - name: logins, with window and measures below it") {
		return
	}
	for _, item := range n.items {
		before := len(p.problems)
		a := p.aggregate(item)
		p.aggregates = append(p.aggregates, a)
		if len(p.problems) == before {
			p.spec.Aggregates = append(p.spec.Aggregates, *a)
		}
	}
}

func (p *pipelineFile) aggregate(item *node) *model.Aggregate {
	a := &model.Aggregate{At: item.at, Emit: model.EmitUpdates, Late: model.PolicyDeadLetter, MaxGroups: defaultMaxGroups}
	var measures, retains, detects *node
	p.mapping(item, "an aggregate", []section{
		{"name", true, func(n *node) { p.aggregateName(n, a) }},
		{"of", false, func(n *node) { a.OfSource = p.choice(n, "of", "event", "source") == "source" }},
		{"where", false, func(n *node) { a.Where = p.expression(n, "where") }},
		{"group_by", false, func(n *node) { p.groupBy(n, a) }},
		{"window", true, func(n *node) { p.window(n, &a.Window) }},
		{"measures", true, func(n *node) {
			measures = n
			p.measures(n, a)
		}},
		{"emit", false, func(n *node) {
			a.Emit = model.Emit(p.choice(n, "emit", string(model.EmitUpdates), string(model.EmitFinal)))
		}},
		{"retention", false, func(n *node) { retains = n }},
		{"late", false, func(n *node) { a.Late = p.policy(n, "late") }},
		{"max_groups", false, func(n *node) { a.MaxGroups = p.whole(n, "max_groups", 1, mostGroups, defaultMaxGroups) }},
		{"detect", false, func(n *node) { detects = n }},
	})
	a.Retention = retention(a.Window)
	if retains != nil {
		a.Retention, _ = p.duration(retains, "retention", 0, mostBehind)
	}
	if detects != nil {
		p.detect(detects, measures, a)
	}
	return a
}

func (p *pipelineFile) aggregateName(n *node, a *model.Aggregate) {
	a.Name = p.name(n, "name", mostName)
	for _, other := range p.aggregates {
		if a.Name != "" && other.Name == a.Name {
			p.problem(n.at, "the aggregate in line %d is called %s too; each has a name of its own", other.At.Line, a.Name)
		}
	}
}

// groupBy reads fields, and expressions with a name.
func (p *pipelineFile) groupBy(n *node, a *model.Aggregate) {
	if !p.is(n, listShape, "group_by", "a list of fields, and of expressions with a name as in "+groupExample) {
		return
	}
	if len(n.items) > mostGroupFields {
		p.problem(n.items[mostGroupFields].at, "group_by has %d items at most, this one has %d", mostGroupFields, len(n.items))
	}
	for _, item := range n.items {
		g, at, ok := p.groupField(item)
		switch {
		case !ok:
		case len(g.Name) > mostName:
			p.problem(at, "the name of a group's value has %d bytes at most, this one has %d; give it a shorter one, as in {name: expression}", mostName, len(g.Name))
		case slices.ContainsFunc(a.GroupBy, func(other model.GroupField) bool { return other.Name == g.Name }):
			p.problem(at, "%s is in group_by twice; give one of them another name, as in {name: expression}", g.Name)
		default:
			a.GroupBy = append(a.GroupBy, g)
		}
	}
}

// groupField reads one item of group_by: the name of a field or the way to one, which is its name too, or a name and an
// expression.
func (p *pipelineFile) groupField(n *node) (g model.GroupField, at model.Place, ok bool) {
	switch n.shape {
	case mappingShape:
	case brokenShape:
		return g, n.at, false
	case textShape:
		name, ok := p.groupName(n)
		return model.GroupField{Name: name, Value: model.Expression{Text: n.text, At: n.start, Wrapped: !n.exact}}, n.at, ok
	case numberShape, boolShape, nullShape, listShape:
		p.problem(n.at, "an item of group_by is a field, or an expression with a name as in %s, not %s", groupExample, n.shape)
		return g, n.at, false
	}
	if len(n.pairs) != 1 {
		hint := ""
		if len(n.pairs) > 1 && n.pairs[1].value.flow && n.pairs[1].value.shape == nullShape {
			hint = inFlow
		}
		p.problem(n.at, "an item of group_by has one name and one expression, as in %s; this one has %d names%s", groupExample, len(n.pairs), hint)
		return g, n.at, false
	}
	pair := n.pairs[0]
	e := p.expression(pair.value, pair.key)
	if strings.TrimSpace(pair.key) == "" {
		p.problem(pair.at, "the name of a group's value is empty")
		return g, pair.at, false
	}
	if e == nil {
		return g, pair.at, false
	}
	return model.GroupField{Name: pair.key, Value: *e}, pair.at, true
}

// groupName is the name that a value has by its own text: that of a field, event["x"] for one that is no word, or the
// way to one within it.
func (p *pipelineFile) groupName(n *node) (string, bool) {
	text := n.text
	if strings.HasPrefix(text, "event[") {
		return p.field(text, n.at)
	}
	if isPath(text) {
		return text, true
	}
	hint := ""
	switch opened := strings.Count(text, "(") - strings.Count(text, ")"); {
	case opened != 0:
		hint = "; within [ ] a comma ends it, unless single quotes stand around it"
	case !strings.ContainsAny(text, "()\"'"):
		hint = "; a field of exactly this name is written event[" + strconv.Quote(text) + "]"
	}
	p.problem(n.at, "%q is not the name of a field, nor the way to one; an expression gets a name, as in %s%s", text, groupExample, hint)
	return "", false
}

// isPath tells whether a text is names with dots between them.
func isPath(text string) bool {
	tokens, err := lexer.Lex(file.NewSource(text))
	if err != nil || len(tokens)%2 != 0 || strings.ContainsAny(text, " \t\n") { // with the end of the text
		return false
	}
	for i, t := range tokens[:len(tokens)-1] {
		if i%2 == 0 && t.Kind != lexer.Identifier || i%2 == 1 && !t.Is(lexer.Operator, ".") {
			return false
		}
	}
	return true
}
