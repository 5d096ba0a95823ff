package service

import (
	"regexp"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

// ParsePipeline reads a pipeline file. name is what messages call the file, env looks a variable up. The error is a
// *model.Error of class Misconfigured around Problems, which lists everything that is wrong, not only the first.
func ParsePipeline(name string, src []byte, env func(string) (string, bool)) (*model.Pipeline, error) {
	r := newReader(name, src)
	root := r.document(src)
	if root == nil {
		return nil, r.problems.asError()
	}
	newVariables(r, env).fill(root)
	p := pipelineFile{reader: r, spec: &model.Pipeline{File: name}}
	p.pipeline(root)
	lib, err := expression.NewLibrary("")
	if err != nil {
		return nil, err
	}
	programs, problems := compile(p.spec, lib)
	r.add(problems...)
	r.add(contradictions(p.spec, programs)...)
	if len(r.problems) > 0 {
		return nil, r.problems.asError()
	}
	return p.spec, nil
}

// pipelineFile reads the sections of a pipeline file into a spec.
type pipelineFile struct {
	*reader
	spec *model.Pipeline
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
		{"aggregates", false, func(*node) {}},
	})
	for _, pair := range n.pairs {
		if pair.key == "aggregates" {
			p.problem(pair.at, "aggregates are not supported yet in this version; take them out")
		}
	}
}

func (p *pipelineFile) source(n *node) {
	s := &p.spec.Source
	s.Tombstones, s.NotObjects = model.PolicyDeadLetter, model.PolicyDeadLetter
	p.mapping(n, "source", []section{
		{"topic", true, func(n *node) { s.Topic = p.name(n, "topic", 249) }},
		{"event_time", false, func(n *node) { s.EventTime = p.expression(n, "event_time") }},
		{"tombstones", false, func(n *node) { s.Tombstones = p.policy(n, "tombstones") }},
		{"not_objects", false, func(n *node) { s.NotObjects = p.policy(n, "not_objects") }},
	})
}

func (p *pipelineFile) transform(n *node) {
	t := &p.spec.Transform
	p.mapping(n, "transform", []section{
		{"set", false, p.set},
		{"rename", false, p.rename},
		{"keep", false, func(n *node) { t.Keep = p.fields(n, "keep") }},
		{"remove", false, func(n *node) { t.Remove = p.fields(n, "remove") }},
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
	for _, pair := range n.pairs {
		if e := p.expression(pair.value, pair.key); e != nil {
			p.spec.Transform.Set = append(p.spec.Transform.Set, model.Assign{Field: pair.key, Value: *e})
		}
	}
}

func (p *pipelineFile) rename(n *node) {
	if !p.is(n, mappingShape, "rename", "the old name and the new one, old: new, a line") {
		return
	}
	taken := map[string]bool{}
	for _, pair := range n.pairs {
		to, ok := p.text(pair.value, "a field name")
		switch {
		case !ok:
		case to == pair.key:
			p.problem(pair.value.at, "%s is its name already", to)
		case taken[to]:
			p.problem(pair.value.at, "two fields cannot both become %s", to)
		default:
			p.spec.Transform.Rename = append(p.spec.Transform.Rename, model.Rename{From: pair.key, To: to})
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
		p.spec.Outputs = append(p.spec.Outputs, out)
	}
}

// mapping reads the keys of n and reports the ones that are unknown, empty or missing.
func (p *pipelineFile) mapping(n *node, what string, sections []section) {
	var keys []string
	for _, s := range sections {
		keys = append(keys, s.key)
	}
	if !p.is(n, mappingShape, what, "the keys "+strings.Join(keys, ", ")) {
		return
	}
	found := map[string]*pair{}
	for i, pair := range n.pairs {
		found[pair.key] = &n.pairs[i]
	}
	for _, s := range sections {
		pair := found[s.key]
		switch {
		case pair == nil && s.required:
			p.problem(n.at, "%s has no %s", what, s.key)
		case pair == nil:
		case pair.value.shape == nullShape:
			p.problem(pair.at, "%s is empty; give it a value or take it out", s.key)
		case pair.value.shape == brokenShape:
		default:
			s.read(pair.value)
		}
		delete(found, s.key)
	}
	for key, pair := range found {
		hint := ""
		if near := expression.Nearest(key, keys); near != "" {
			hint = ", did you mean " + near + "?"
		}
		p.problem(pair.at, "unknown key %s%s; accepted are %s", key, hint, strings.Join(keys, ", "))
	}
}

// is reports a value of another shape than the one that is accepted, or one with nothing in it.
func (p *pipelineFile) is(n *node, want shape, what, accepted string) bool {
	switch {
	case n.shape == brokenShape:
	case n.shape != want:
		p.problem(n.at, "%s is %s here; accepted is %s", what, n.shape, accepted)
	case len(n.pairs) == 0 && len(n.items) == 0:
		p.problem(n.at, "%s is empty; accepted is %s", what, accepted)
	default:
		return true
	}
	return false
}

func (p *pipelineFile) text(n *node, what string) (string, bool) {
	switch {
	case n.shape == brokenShape:
	case n.shape == numberShape || n.shape == boolShape:
		p.problem(n.at, `%s is text, not %s; write it in quotes: "%s"`, what, n.shape, n.text)
	case n.shape != textShape:
		p.problem(n.at, "%s is text, not %s", what, n.shape)
	case n.text == "":
		p.problem(n.at, "%s is empty", what)
	default:
		return n.text, true
	}
	return "", false
}

// name reads what becomes a topic's name or a part of one: Kafka accepts these letters, 249 at most.
func (p *pipelineFile) name(n *node, what string, most int) string {
	text, ok := p.text(n, what)
	switch {
	case !ok:
	case len(text) > most:
		p.problem(n.at, "%s has %d characters at most, this one has %d", what, most, len(text))
	case text == "." || text == ".." || !regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(text):
		p.problem(n.at, "%s is made of letters, digits, '.', '_' and '-', %q is not", what, text)
	default:
		return text
	}
	return ""
}

func (p *pipelineFile) policy(n *node, what string) model.Policy {
	text, ok := p.text(n, what)
	policy := model.Policy(text)
	if ok && policy != model.PolicyDeadLetter && policy != model.PolicyDrop {
		p.problem(n.at, "%s is %s or %s, not %s", what, model.PolicyDeadLetter, model.PolicyDrop, text)
	}
	return policy
}

func (p *pipelineFile) fields(n *node, what string) []string {
	if !p.is(n, listShape, what, "a list of field names: [a, b]") {
		return nil
	}
	fields := []string{}
	seen := map[string]bool{}
	for _, item := range n.items {
		text, ok := p.text(item, "a field name")
		if ok && seen[text] {
			p.problem(item.at, "%s is in the list twice", text)
		} else if ok {
			fields = append(fields, text)
		}
		seen[text] = true
	}
	return fields
}
