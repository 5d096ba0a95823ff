package service

import (
	"strconv"
	"strings"

	"data-stream-engine/model"
)

// inFlow helps where {key: first(a, b)} has become a key and a b).
const inFlow = "; within { } a comma ends an expression, unless single quotes stand around it"

// expression reads the text of an expression. A number, true and false are constants; nil says that it is no
// expression, and the problem is noted.
func (p *pipelineFile) expression(n *node, what string) *model.Expression {
	switch n.shape {
	case textShape, numberShape, boolShape:
	case brokenShape:
		return nil
	case nullShape:
		hint := ""
		if n.flow {
			hint = inFlow
		}
		p.problem(n.at, "%s has no expression; nil is written nil%s", what, hint)
		return nil
	case mappingShape, listShape:
		p.problem(n.at, "%s is an expression, not %s; an expression that starts with { or [ is put in single quotes", what, n.shape)
		return nil
	}
	if n.quote && ambiguous(n.text) {
		p.problem(n.at, `YAML's quotes do not make %[1]s a text; write %[1]s without quotes for the field or the value, '"%[1]s"' for the text`, n.text)
		return nil
	}
	p.noteComment(n)
	e := &model.Expression{Text: n.text, At: n.start, Wrapped: !n.exact}
	p.given[e] = n.given
	return e
}

// ambiguous texts in quotes - "web", "5" - look like texts but would be a field or a number.
func ambiguous(text string) bool {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return true
	}
	for i, r := range text {
		letter := r == '_' || r == '$' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return text != ""
}

// noteComment notes the end of an expression with a comment behind it: any(list, # > 5) ends at the comma for YAML.
func (p *pipelineFile) noteComment(n *node) {
	if n.quote || !n.exact || strings.Contains(n.text, "\n") {
		return
	}
	if rest := strings.TrimLeft(p.behind(n.placeAt(len(n.text))), " \t"); strings.HasPrefix(rest, "#") {
		p.cut = append(p.cut, n.start)
	}
}

// explained adds to the faults of expressions what YAML has to do with them.
func (p *pipelineFile) explained(ps Problems) Problems {
	cut := map[int]bool{}
	for _, at := range p.cut {
		cut[at.Line] = true
	}
	for i := range ps {
		if cut[ps[i].At.Line] && (strings.Contains(ps[i].Message, "ends too early") || strings.Contains(ps[i].Message, "not terminated")) {
			ps[i].Message += "; for YAML it ends before the #, where a comment begins, unless single quotes stand around it"
		}
	}
	return ps
}
