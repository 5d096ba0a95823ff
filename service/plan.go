package service

import (
	"slices"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

// plan is a compiled pipeline. It never changes, so that all clones of a Processor share one.
type plan struct {
	spec      *model.Pipeline
	filter    *step
	eventTime *step
	set       []assign
	rename    map[string]rename
	keep      map[string]bool // nil: every field
	remove    map[string]bool
	outputs   []route
	topics    []string
}

// step is an expression at its place in the pipeline.
type step struct {
	what    string // "filter", "set ip"
	spec    model.Expression
	program *expression.Program
}

type assign struct {
	name   string
	plain  []byte // the name once more, as records hold it
	quoted []byte // the name as it is written into JSON
	value  *step
}

type rename struct {
	to     string
	plain  []byte
	quoted []byte
}

type route struct {
	topic     int // in topics
	key, when *step
}

// compile makes the plan of a pipeline, or says everything that is wrong with its expressions.
func compile(spec *model.Pipeline, lib *expression.Library) (*plan, Problems) {
	c := compiler{spec: spec, lib: lib}
	t := spec.Transform
	p := &plan{spec: spec, topics: []string{""}, remove: setOf(t.Remove), rename: map[string]rename{}}
	p.filter = c.step("filter", spec.Filter, expression.Bool)
	p.eventTime = c.step("event_time", spec.Source.EventTime, expression.Number|expression.Text|expression.Time)
	for _, a := range t.Set {
		p.set = append(p.set, assign{name: a.Field, plain: []byte(a.Field), quoted: expression.AppendText(nil, a.Field), value: c.step("set "+a.Field, &a.Value, expression.Any)})
	}
	for _, r := range t.Rename {
		p.rename[r.From] = rename{to: r.To, plain: []byte(r.To), quoted: expression.AppendText(nil, r.To)}
	}
	if t.Keep != nil {
		p.keep = setOf(t.Keep)
	}
	for _, out := range spec.Outputs {
		p.outputs = append(p.outputs, route{
			topic: p.topic(out.Topic),
			when:  c.step("when", out.When, expression.Bool),
			key:   c.step("key", out.Key, keyKinds),
		})
	}
	return p, c.problems
}

// keyKinds are the values that have one obvious form as a record key.
const keyKinds = expression.Nil | expression.Bool | expression.Number | expression.Text

// topic is the place of a topic in topics, behind the dead-letter topic; each topic is there once.
func (p *plan) topic(name string) int {
	if i := slices.Index(p.topics[model.DeadLetters+1:], name); i >= 0 {
		return model.DeadLetters + 1 + i
	}
	p.topics = append(p.topics, name)
	return len(p.topics) - 1
}

// steps are all expressions of the plan.
func (p *plan) steps() []*step {
	all := []*step{p.filter, p.eventTime}
	for _, a := range p.set {
		all = append(all, a.value)
	}
	for _, out := range p.outputs {
		all = append(all, out.key, out.when)
	}
	return slices.DeleteFunc(all, func(s *step) bool { return s == nil })
}

// changes tells whether output records differ from their source.
func (p *plan) changes() bool {
	return len(p.set) > 0 || len(p.rename) > 0 || p.keep != nil || len(p.remove) > 0
}

type compiler struct {
	spec     *model.Pipeline
	lib      *expression.Library
	problems Problems
}

func (c *compiler) step(what string, e *model.Expression, want expression.Kind) *step {
	if e == nil {
		return nil
	}
	program, err := c.lib.Compile(e.Text)
	if err != nil {
		c.problems = append(c.problems, faults(c.spec.File, *e, err)...)
		return &step{what: what, spec: *e}
	}
	if program.Kind()&want == 0 {
		c.problems = append(c.problems, Problem{File: c.spec.File, At: e.At, Message: what + " takes " + want.String() + ", this is " + program.Kind().String()})
	}
	return &step{what: what, spec: *e, program: program}
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}
