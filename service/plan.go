package service

import (
	"slices"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
	"data-stream-engine/service/expression"
	"data-stream-engine/service/projection"
)

// plan is a compiled pipeline. It never changes, so that all clones of a Processor share one.
type plan struct {
	spec      *model.Pipeline
	lib       *expression.Library
	fields    *projection.Projection // of the event
	filter    *step
	eventTime *step
	set       []assign
	template  *template // nil: the event goes as it came
	outputs   []route
	routed    bool // the outputs' expressions read what only the transformed event has
	gauges    []gauge
	gauged    bool     // so do those of aggregates
	made      []string // the fields of the transformed event that either reads
	topics    []string

	definitions []*aggregate.Definition // of gauges, in their order
	derived     Derived
	replay      string // topic of replayed events
}

// step is an expression at its place in the pipeline.
type step struct {
	what    string // "filter", "set ip"
	spec    model.Expression
	program *expression.Program
}

type assign struct {
	name  string
	value *step
}

type route struct {
	topic     int // in topics
	key, when *step
}

// compile makes the plan of a pipeline, or says everything that is wrong with its expressions.
func compile(spec *model.Pipeline, lib *expression.Library) (*plan, Problems) {
	var layout expression.Layout
	c := compiler{spec: spec, lib: lib, layout: &layout}
	p := &plan{spec: spec, lib: lib, topics: []string{""}}
	p.filter = c.step("filter", spec.Filter, expression.Bool)
	p.eventTime = c.step("event_time", spec.Source.EventTime, expression.Number|expression.Text|expression.Time)
	for _, a := range spec.Transform.Set {
		p.set = append(p.set, assign{name: a.Field, value: c.step("set "+a.Field, &a.Value, expression.Any)})
	}
	var made expression.Layout
	if p.routed = c.transformed(outputExpressions(spec)); p.routed {
		c.layout = &made
	}
	for _, out := range spec.Outputs {
		p.outputs = append(p.outputs, route{
			topic: p.topic(out.Topic),
			when:  c.step("when", out.When, expression.Bool),
			key:   c.step("key", out.Key, keyKinds),
		})
	}
	p.gauged = c.transformed(gaugeExpressions(spec))
	for i := range spec.Aggregates {
		c.layout = &layout
		if p.gauged && !spec.Aggregates[i].OfSource {
			c.layout = &made
		}
		p.gauge(&c, &spec.Aggregates[i])
	}
	if len(c.problems) > 0 {
		return p, c.problems
	}
	p.made = made.Names()
	if t := spec.Transform; len(t.Set) > 0 || len(t.Rename) > 0 || t.Keep != nil || len(t.Remove) > 0 {
		p.template = newTemplate(t, p.set, &layout, &made)
	}
	p.fields = layout.Projection()
	return p, nil
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
	for i := range p.gauges {
		all = append(append(all, p.gauges[i].where), p.gauges[i].group...)
		all = append(all, p.gauges[i].inputs...)
	}
	return slices.DeleteFunc(all, func(s *step) bool { return s == nil })
}

type compiler struct {
	spec     *model.Pipeline
	lib      *expression.Library
	layout   *expression.Layout
	problems Problems
}

func (c *compiler) step(what string, e *model.Expression, want expression.Kind) *step {
	if e == nil {
		return nil
	}
	program, err := c.lib.Compile(e.Text, c.layout)
	if err != nil {
		c.problems = append(c.problems, faults(c.spec.File, *e, err)...)
		return &step{what: what, spec: *e}
	}
	if program.Kind()&want == 0 {
		c.problems = append(c.problems, Problem{File: c.spec.File, At: e.At, Message: what + " takes " + want.String() + ", this is " + program.Kind().String()})
	}
	return &step{what: what, spec: *e, program: program}
}

// transformed tells whether expressions read something that only the transformed event has.
func (c *compiler) transformed(all []*model.Expression) bool {
	touched := map[string]bool{}
	for _, a := range c.spec.Transform.Set {
		touched[a.Field] = true
	}
	for _, r := range c.spec.Transform.Rename {
		touched[r.From], touched[r.To] = true, true
	}
	for _, name := range c.spec.Transform.Remove {
		touched[name] = true
	}
	kept := setOf(c.spec.Transform.Keep)
	for _, e := range all {
		program, err := c.lib.Compile(e.Text, &expression.Layout{})
		if err == nil && (program.Whole() || slices.ContainsFunc(program.Fields(), func(name string) bool {
			return touched[name] || c.spec.Transform.Keep != nil && !kept[name]
		})) {
			return true
		}
	}
	return false
}

func outputExpressions(spec *model.Pipeline) (all []*model.Expression) {
	for _, out := range spec.Outputs {
		all = append(all, out.Key, out.When)
	}
	return slices.DeleteFunc(all, func(e *model.Expression) bool { return e == nil })
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}
