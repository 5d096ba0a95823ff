package service

import (
	"slices"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

// ParsePipeline reads a pipeline file. name is what messages call the file, env looks a variable up. The error is a
// *model.Error of class Misconfigured around Problems, which lists everything that is wrong, not only the first.
func ParsePipeline(name string, src []byte, env func(string) (string, bool)) (*model.Pipeline, error) {
	p, _, err := parsePipeline(name, src, env)
	if err != nil {
		return nil, err
	}
	return p.spec, nil
}

func parsePipeline(name string, src []byte, env func(string) (string, bool)) (*pipelineFile, []reading, error) {
	p := &pipelineFile{reader: newReader(name, src), spec: &model.Pipeline{File: name}}
	root := p.document()
	if root == nil {
		return nil, nil, p.problems.asError()
	}
	p.variables = newVariables(p.reader, env).fill(root)
	p.given, p.at = map[*model.Expression]bool{}, map[string]model.Place{}
	p.pipeline(root)
	lib, err := expression.NewLibrary("")
	if err != nil {
		return nil, nil, err
	}
	rest := *p.spec
	rest.Aggregates = nil // aggregated says more about them
	_, problems := compile(&rest, lib)
	p.add(p.explained(problems)...)
	readings := readingsOf(p.spec, p.aggregates, lib)
	p.aggregated(readings)
	readings = slices.DeleteFunc(readings, func(r reading) bool { return r.program == nil })
	p.add(contradictions(p, readings)...)
	return p, readings, p.problems.asError()
}

// pipelineFile reads the sections of a pipeline file into a spec.
type pipelineFile struct {
	*reader
	spec      *model.Pipeline
	variables []Variable
	given     map[*model.Expression]bool // at least a part of them came from a variable
	at        map[string]model.Place     // of what the spec has no places for: "rename a", "keep a", "remove a"
	outputsAt []model.Place
	cut       []model.Place // of the last character of expressions that YAML ends where it sees a comment
	// aggregates are all of the file; those with nothing wrong in their structure are in spec.
	aggregates []*model.Aggregate
}

// section is a key of a mapping and what reads its value.
type section struct {
	key      string
	required bool
	read     func(*node)
}

func (p *pipelineFile) pipeline(n *node) {
	p.mapping(n, "a pipeline file", []section{
		{"name", true, func(n *node) { p.spec.Name = p.name(n, "name", 200) }},
		{"source", true, p.source},
		{"filter", false, func(n *node) { p.spec.Filter = p.expression(n, "filter") }},
		{"transform", false, p.transform},
		{"output", true, p.outputs},
		{"aggregates", false, p.aggregateList},
	})
	if at, given := p.at["max_future"]; given && n.shape == mappingShape && !n.has("aggregates") {
		p.problem(at, "max_future keeps events from the far future out of windows, and there are none without aggregates; take it out")
	}
}

func (p *pipelineFile) source(n *node) {
	s := &p.spec.Source
	s.Tombstones, s.NotObjects, s.MaxFuture = model.PolicyDeadLetter, model.PolicyDeadLetter, defaultMaxFuture
	p.mapping(n, "source", []section{
		{"topic", true, func(n *node) { s.Topic = p.name(n, "topic", 249) }},
		{"event_time", false, func(n *node) { s.EventTime = p.expression(n, "event_time") }},
		{"max_future", false, func(n *node) {
			p.at["max_future"] = n.at
			s.MaxFuture, _ = p.duration(n, "max_future", time.Second, day)
		}},
		{"tombstones", false, func(n *node) { s.Tombstones = p.policy(n, "tombstones") }},
		{"not_objects", false, func(n *node) { s.NotObjects = p.policy(n, "not_objects") }},
	})
}

func (p *pipelineFile) transform(n *node) {
	t := &p.spec.Transform
	p.mapping(n, "transform", []section{
		{"set", false, p.set},
		{"rename", false, p.rename},
		{"keep", false, func(n *node) { t.Keep = p.fieldList(n, "keep") }},
		{"remove", false, func(n *node) { t.Remove = p.fieldList(n, "remove") }},
	})
	for _, both := range n.pairs {
		if both.key == "remove" && t.Keep != nil {
			p.problem(both.at, "keep and remove exclude each other: keep already drops every other field")
		}
	}
}

func (p *pipelineFile) set(n *node) {
	if !p.is(n, mappingShape, "set", "a field and an expression a line") {
		return
	}
	seen := map[string]bool{}
	for _, pair := range n.pairs {
		field, ok := p.field(pair.key, pair.at)
		if ok && seen[field] {
			p.problem(pair.at, "%s is set a second time", field)
		}
		seen[field] = ok
		if e := p.expression(pair.value, pair.key); e != nil && ok {
			p.spec.Transform.Set = append(p.spec.Transform.Set, model.Assign{Field: field, Value: *e})
		}
	}
}

func (p *pipelineFile) rename(n *node) {
	if !p.is(n, mappingShape, "rename", "the old name and the new one, old: new, a line") {
		return
	}
	taken := map[string]bool{}
	for _, pair := range n.pairs {
		text, ok := p.text(pair.value, "a field name")
		if !ok {
			continue
		}
		from, ok := p.field(pair.key, pair.at)
		to, both := p.field(text, pair.value.at)
		switch {
		case !ok || !both:
		case to == from:
			p.problem(pair.value.at, "%s is its name already", to)
		case taken[to]:
			p.problem(pair.value.at, "two fields cannot both become %s", to)
		default:
			p.spec.Transform.Rename = append(p.spec.Transform.Rename, model.Rename{From: from, To: to})
			p.at["rename "+from] = pair.at
		}
		taken[to] = true
	}
}

func (p *pipelineFile) outputs(n *node) {
	if !p.is(n, listShape, "output", "a list: - topic: name") {
		return
	}
	for _, item := range n.items {
		var out model.Output
		p.mapping(item, "an output", []section{
			{"topic", true, func(n *node) { out.Topic = p.name(n, "topic", 249) }},
			{"key", false, func(n *node) { out.Key = p.expression(n, "key") }},
			{"when", false, func(n *node) { out.When = p.expression(n, "when") }},
		})
		if out.Topic != "" && out.Topic == p.spec.Source.Topic {
			p.problem(item.at, "the output topic %s is the source topic: the pipeline would read what it writes, for ever", out.Topic)
		}
		p.spec.Outputs, p.outputsAt = append(p.spec.Outputs, out), append(p.outputsAt, item.at)
	}
}
