package service

import (
	"regexp"
	"strconv"
	"strings"

	"data-stream-engine/model"
)

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
		hint := meant(key, keys)
		if pair.value.flow && pair.value.shape == nullShape {
			hint = inFlow
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

func (p *pipelineFile) fieldList(n *node, what string) []string {
	if !p.is(n, listShape, what, "a list of field names: [a, b]") {
		return nil
	}
	fields := []string{}
	seen := map[string]bool{}
	for _, item := range n.items {
		text, ok := p.text(item, "a field name")
		if !ok {
			continue
		}
		name, ok := p.field(text, item.at)
		if ok && seen[name] {
			p.problem(item.at, "%s is in the list twice", name)
		} else if ok {
			fields = append(fields, name)
			p.at[what+" "+name] = item.at
		}
		seen[name] = true
	}
	return fields
}

// field is the name of a field of the top level: the text itself, or x for event["x"], the form in which expressions
// name what is no word. A dot would look like a way into an object, and removing user.password would remove nothing.
func (p *pipelineFile) field(text string, at model.Place) (string, bool) {
	if quoted, ok := strings.CutPrefix(text, "event["); ok {
		quoted, closed := strings.CutSuffix(quoted, "]")
		name, err := strconv.Unquote(quoted)
		if !closed || err != nil || name == "" {
			p.problem(at, `%s is not the name of a field; one that is no word is written event["its name"]`, text)
			return "", false
		}
		return name, true
	}
	if text == "" {
		p.problem(at, "a field name is empty")
		return "", false
	}
	if strings.ContainsAny(text, ".[") {
		p.problem(at, `%s looks like something within a field, but set, rename, keep and remove take whole fields; to change what is within one, set it: see docs/pipeline.md. A field of exactly this name is written event[%s]`, text, strconv.Quote(text))
		return "", false
	}
	return text, true
}
