package service

import (
	"slices"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

// Description is what a pipeline does and needs, for a person or a tool that has to decide about it before it runs.
type Description struct {
	Name       string                  `json:"name"`
	Source     string                  `json:"source"`
	Outputs    []OutputDescription     `json:"outputs"`
	Aggregates []AggregateDescription  `json:"aggregates,omitempty"`
	Stages     []model.Stage           `json:"stages"`
	Fields     []string                `json:"fields"` // of the source event that expressions read
	WholeEvent bool                    `json:"whole_event"`
	Reads      []ExpressionDescription `json:"reads"`
	Set        []string                `json:"set,omitempty"`
	Rename     map[string]string       `json:"rename,omitempty"`
	Keep       []string                `json:"keep,omitempty"`
	Remove     []string                `json:"remove,omitempty"`
	HashKeyFor []string                `json:"hash_key_for,omitempty"` // the expressions that call hash
	Variables  []Variable              `json:"variables,omitempty"`
}

// OutputDescription is one output, its expressions as they are written. Empty ones are not there.
type OutputDescription struct {
	Topic string `json:"topic"`
	Key   string `json:"key,omitempty"`
	When  string `json:"when,omitempty"`
}

// ExpressionDescription is what one expression reads.
type ExpressionDescription struct {
	Expression string   `json:"expression"` // "filter", "set ip"
	Fields     []string `json:"fields"`
	WholeEvent bool     `json:"whole_event"`
	After      bool     `json:"after_transform"` // it sees the transformed event
}

// Variable is a variable of the environment that the file names.
type Variable struct {
	Name    string `json:"name"`
	Default bool   `json:"default"` // it is not set or empty, and the file's own default was taken
	Value   string `json:"-"`       // the default that was taken: what is in the environment is not ours to show
}

// DescribePipeline reads a pipeline file as ParsePipeline does, with the same error, and says what it does and needs.
func DescribePipeline(name string, src []byte, env func(string) (string, bool)) (*model.Pipeline, *Description, error) {
	p, readings, err := parsePipeline(name, src, env)
	if err != nil {
		return nil, nil, err
	}
	spec, t := p.spec, p.spec.Transform
	d := &Description{Name: spec.Name, Source: spec.Source.Topic, Stages: []model.Stage{model.StageDecode}, Keep: t.Keep, Remove: t.Remove, Rename: map[string]string{}, Variables: p.variables}
	if spec.Filter != nil {
		d.Stages = append(d.Stages, model.StageFilter)
	}
	if len(t.Set) > 0 || len(t.Rename) > 0 || t.Keep != nil || len(t.Remove) > 0 {
		d.Stages = append(d.Stages, model.StageTransform)
	}
	if len(spec.Aggregates) > 0 {
		d.Stages = append(d.Stages, model.StageAggregate)
	}
	d.Stages = append(d.Stages, model.StageRoute)
	for _, a := range t.Set {
		d.Set = append(d.Set, a.Field)
	}
	for _, r := range t.Rename {
		d.Rename[r.From] = r.To
	}
	for _, out := range spec.Outputs {
		d.Outputs = append(d.Outputs, OutputDescription{Topic: out.Topic, Key: wordsOf(out.Key), When: wordsOf(out.When)})
	}
	for i := range spec.Aggregates {
		d.Aggregates = append(d.Aggregates, describeAggregate(&spec.Aggregates[i]))
	}
	for _, r := range readings {
		d.read(r)
	}
	d.Fields = unique(d.Fields)
	return spec, d, nil
}

func (d *Description) read(r reading) {
	fields := unique(r.program.Fields())
	d.Reads = append(d.Reads, ExpressionDescription{Expression: r.what, Fields: fields, WholeEvent: r.program.Whole(), After: r.after})
	d.WholeEvent = d.WholeEvent || r.program.Whole()
	if r.program.NeedsHashKey() {
		d.HashKeyFor = append(d.HashKeyFor, r.what)
	}
	for _, name := range fields {
		if r.after {
			for from, to := range d.Rename {
				if to == name {
					name = from
					break
				}
			}
			if slices.Contains(d.Set, name) {
				continue // what it is made of is read by its own expression
			}
		}
		d.Fields = append(d.Fields, name)
	}
}

// reading is an expression of a pipeline, compiled to see what it reads.
type reading struct {
	what    string // "filter", "set ip"
	sets    string // the field that it is for, of those of set
	after   bool   // it sees the transformed event
	spec    *model.Expression
	program *expression.Program // nil: it does not compile
	err     error               // why

	aggregate *model.Aggregate // nil: it is of the pipeline itself
	subject   string           // of an aggregate: what takes the value
	takes     expression.Kind  // and which values
}

// constant tells whether it is the same for every event. One that may ask for the time is not.
func (r reading) constant() bool {
	return len(r.program.Fields()) == 0 && !r.program.Whole() && !strings.Contains(r.program.Text(), "now")
}

// readingsOf are the expressions of a pipeline, in the order in which they run.
func readingsOf(spec *model.Pipeline, aggregates []*model.Aggregate, lib *expression.Library) []reading {
	all := []reading{{what: "event_time", spec: spec.Source.EventTime}, {what: "filter", spec: spec.Filter}}
	for i := range spec.Transform.Set {
		a := &spec.Transform.Set[i]
		all = append(all, reading{what: "set " + a.Field, sets: a.Field, spec: &a.Value})
	}
	for _, out := range spec.Outputs {
		all = append(all, reading{what: "when of " + out.Topic, after: true, spec: out.When}, reading{what: "key of " + out.Topic, after: true, spec: out.Key})
	}
	for _, a := range aggregates {
		all = append(all, readingsOfAggregate(a)...)
	}
	all = slices.DeleteFunc(all, func(r reading) bool { return r.spec == nil })
	for i := range all {
		all[i].program, all[i].err = lib.Compile(all[i].spec.Text, &expression.Layout{})
	}
	return all
}
