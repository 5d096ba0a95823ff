package service

import (
	"slices"
	"strconv"

	"data-stream-engine/model"
)

// expression reads the text of an expression. A number, true and false are constants; nil says that it is no
// expression, and the problem is noted.
func (p *pipelineFile) expression(n *node, what string) *model.Expression {
	switch n.shape {
	case textShape, numberShape, boolShape:
	case brokenShape:
		return nil
	case nullShape:
		p.problem(n.at, "%s has no expression; nil is written nil", what)
		return nil
	case mappingShape, listShape:
		p.problem(n.at, "%s is an expression, not %s; an expression that starts with { or [ is put in quotes", what, n.shape)
		return nil
	}
	if n.quote && ambiguous(n.text) {
		p.problem(n.at, `YAML's quotes do not make %[1]s a text; write %[1]s without quotes for the field or the value, '"%[1]s"' for the text`, n.text)
		return nil
	}
	return &model.Expression{Text: n.text, At: n.start, Wrapped: !n.exact}
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

// contradictions are the fields that an expression or a list names although, after what stands above it, they cannot
// be there.
func contradictions(spec *model.Pipeline, programs *plan) Problems {
	c := contradiction{spec: spec}
	c.setSeesTheEventBefore(programs.set)
	c.lists()
	for _, out := range programs.outputs {
		c.output(out.key)
		c.output(out.when)
	}
	return c.found
}

type contradiction struct {
	spec  *model.Pipeline
	found Problems
}

func (c *contradiction) problem(at model.Place, message string) {
	c.found = append(c.found, Problem{File: c.spec.File, At: at, Message: message})
}

// setSeesTheEventBefore finds expressions that count on a field that the same transform makes. A field whose own
// expression names it, as in ip: mask_ip(ip), is one of the event.
func (c *contradiction) setSeesTheEventBefore(set []assign) {
	made := map[string]bool{}
	set = slices.DeleteFunc(slices.Clone(set), func(a assign) bool { return a.value.program == nil })
	for _, a := range set {
		made[a.name] = !slices.Contains(a.value.program.Named(), a.name)
	}
	for _, a := range set {
		for _, name := range a.value.program.Named() {
			if made[name] {
				c.problem(a.value.spec.At, name+" is set by this transform, and every expression of set sees the event as it was before; repeat its expression here, or write event["+strconv.Quote(name)+"] if the event has such a field too")
			}
		}
	}
}

func (c *contradiction) lists() {
	t := c.spec.Transform
	for _, a := range t.Set {
		final := a.Field
		for _, r := range t.Rename {
			if r.From == a.Field {
				final = r.To
			}
		}
		switch {
		case slices.Contains(t.Remove, final):
			c.problem(a.Value.At, final+" is set here and removed below; take one of them out")
		case t.Keep != nil && !slices.Contains(t.Keep, final):
			c.problem(a.Value.At, final+" is set here but keep does not list it; add it there, or take it out here")
		}
	}
}

func (c *contradiction) output(e *step) {
	if e == nil || e.program == nil {
		return
	}
	for _, name := range e.program.Fields() {
		if why := c.gone(name); why != "" {
			c.problem(e.spec.At, name+" is not there any more: outputs see the transformed event, and "+why)
		}
	}
}

// gone says why a transformed event cannot have a field, "" when it can.
func (c *contradiction) gone(name string) string {
	t := c.spec.Transform
	switch {
	case slices.Contains(t.Remove, name):
		return "remove takes it out"
	case t.Keep != nil && !slices.Contains(t.Keep, name):
		return "keep does not list it"
	}
	renamed := slices.IndexFunc(t.Rename, func(r model.Rename) bool { return r.From == name })
	if renamed >= 0 && !slices.ContainsFunc(t.Rename, func(r model.Rename) bool { return r.To == name }) {
		return "rename makes it " + t.Rename[renamed].To
	}
	return ""
}
