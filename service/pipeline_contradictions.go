package service

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

// contradictions are the parts of a pipeline that are right one by one and cannot be meant together: a field that is
// asked for although, after what stands above it, it cannot be there; work that is undone; an event that goes to one
// topic twice; a condition that is the same for every event.
func contradictions(p *pipelineFile, readings []reading) Problems {
	c := contradiction{pipelineFile: p}
	c.setSeesTheEventBefore(readings)
	c.sets()
	c.renames()
	for _, r := range readings {
		c.constant(r)
		if r.after {
			c.afterwards(r)
		}
	}
	c.twice()
	return c.found
}

type contradiction struct {
	*pipelineFile
	found Problems
}

func (c *contradiction) problem(at model.Place, format string, args ...any) {
	c.found = append(c.found, Problem{File: c.spec.File, At: at, Message: fmt.Sprintf(format, args...)})
}

// setSeesTheEventBefore finds expressions that count on a field that the same transform makes. A field whose own
// expression names it, as in ip: mask_ip(ip), is one of the event.
func (c *contradiction) setSeesTheEventBefore(readings []reading) {
	made := map[string]bool{}
	for _, r := range readings {
		if r.sets != "" {
			made[r.sets] = !slices.Contains(r.program.Named(), r.sets)
		}
	}
	for _, r := range readings {
		if r.sets == "" {
			continue
		}
		for _, name := range unique(r.program.Named()) {
			if made[name] {
				c.problem(r.spec.At, "%s is set by this transform, and every expression of set sees the event as it was before; repeat its expression here, or write event[%s] if the event has such a field too", name, strconv.Quote(name))
			}
		}
	}
}

// sets are fields that are set for nothing. One whose name rename gives to another is none: it is a default for events
// without the other.
func (c *contradiction) sets() {
	t := c.spec.Transform
	for _, a := range t.Set {
		final, _ := c.renamed(a.Field)
		switch {
		case slices.Contains(t.Remove, final):
			c.problem(a.Value.At, "%s is set here and removed below; take one of them out", final)
		case t.Keep != nil && !slices.Contains(t.Keep, final):
			c.problem(a.Value.At, "%s is set here but keep does not list it; add it there, or take it out here", final)
		}
	}
}

// renames are new names that nobody will see, and old ones that nobody has any more.
func (c *contradiction) renames() {
	t := c.spec.Transform
	for _, r := range t.Rename {
		at := c.at["rename "+r.From]
		switch {
		case slices.Contains(t.Remove, r.To):
			c.problem(at, "%s becomes %s here, which remove takes out; take the rename out and remove %[1]s", r.From, r.To)
		case t.Keep != nil && !slices.Contains(t.Keep, r.To):
			c.problem(at, "%s becomes %s here, which keep does not list; add it there, or take the rename out", r.From, r.To)
		}
	}
	for what, list := range map[string][]string{"keep": t.Keep, "remove": t.Remove} {
		for _, name := range list {
			if to, moved := c.renamed(name); moved && !c.becomes(name) {
				c.problem(c.at[what+" "+name], "%s has the name %s here: rename comes before %s", name, to, what)
			}
		}
	}
}

// renamed is what a field is called behind rename.
func (c *contradiction) renamed(name string) (to string, moved bool) {
	for _, r := range c.spec.Transform.Rename {
		if r.From == name {
			return r.To, true
		}
	}
	return name, false
}

// becomes tells whether rename gives some field a name.
func (c *contradiction) becomes(name string) bool {
	return slices.ContainsFunc(c.spec.Transform.Rename, func(r model.Rename) bool { return r.To == name })
}

// constant finds conditions that read nothing. One that a variable decides about is a switch, and meant.
func (c *contradiction) constant(r reading) {
	if c.given[r.spec] || !r.constant() {
		return
	}
	condition := r.takes == expression.Bool
	if r.aggregate == nil {
		condition = r.what == "filter" || strings.HasPrefix(r.what, "when")
	}
	switch {
	case condition && r.program.Kind()&expression.Bool != 0:
		c.problem(r.spec.At, "this condition reads nothing of the event, so it is the same for all of them; name a field, or take it out")
	case r.measures() && r.program.Kind()&r.takes != 0:
		c.problem(r.spec.At, "%s reads nothing of the event here, so it is of the same value for all of them; name a field, without quotes, or count() them", r.subject)
	}
}

// afterwards finds fields that are gone when the event is transformed.
func (c *contradiction) afterwards(r reading) {
	for _, name := range unique(r.program.Fields()) {
		why := c.gone(name)
		switch {
		case why == "":
		case r.aggregate == nil:
			c.problem(r.spec.At, "%s is not there any more: outputs see the transformed event, and %s", name, why)
		default:
			c.problem(r.spec.At, "%s is not there any more: an aggregate sees the transformed event, and %s; with of: source it sees the event as it came", name, why)
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
	if to, moved := c.renamed(name); moved && !c.becomes(name) {
		return "rename makes it " + to
	}
	return ""
}

// twice finds outputs whose records all are records of another output too. The same topic under two keys is a way to
// look an event up by either, and two conditions may exclude each other; those are left alone.
func (c *contradiction) twice() {
	for i, b := range c.spec.Outputs {
		for j, a := range c.spec.Outputs[:i] {
			if a.Topic == "" || a.Topic != b.Topic || wordsOf(a.Key) != wordsOf(b.Key) {
				continue
			}
			if a.When == nil || b.When == nil || wordsOf(a.When) == wordsOf(b.When) {
				c.problem(c.outputsAt[i], "events would go to %s twice: the output in line %d has the same topic and key, and %s; take one of them out, or give both a when of its own", a.Topic, c.outputsAt[j].Line, both(a, b))
			}
		}
	}
}

func both(a, b model.Output) string {
	switch {
	case a.When == nil && b.When == nil:
		return "neither has a when"
	case a.When == nil:
		return "takes every event"
	case b.When == nil:
		return "this one takes every event"
	}
	return "the same when"
}

func wordsOf(e *model.Expression) string {
	if e == nil {
		return ""
	}
	return strings.TrimSpace(e.Text)
}

func unique(names []string) []string {
	names = append([]string{}, names...)
	slices.Sort(names)
	return slices.Compact(names)
}
