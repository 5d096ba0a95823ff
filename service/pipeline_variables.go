package service

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"data-stream-engine/model"
)

// variables fills ${NAME} and ${NAME:-default} into scalars. $${ stands for ${ itself. As in a shell, the default is
// taken when the variable is unset or empty.
type variables struct {
	*reader
	lookup func(name string) (string, bool)
	name   *regexp.Regexp
}

func newVariables(r *reader, lookup func(string) (string, bool)) *variables {
	return &variables{reader: r, lookup: lookup, name: regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)}
}

// fill replaces the variables in all values below n. Keys have none.
func (v *variables) fill(n *node) {
	for _, p := range n.pairs {
		if strings.Contains(p.key, "${") {
			v.problem(p.at, "variables are filled into values, not into keys")
		}
		v.fill(p.value)
	}
	for _, item := range n.items {
		v.fill(item)
	}
	if n.shape != textShape || !strings.Contains(n.text, "${") {
		return
	}
	before := len(v.problems)
	var out strings.Builder
	rest, at := n.text, 0
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			break
		}
		if i > 0 && rest[i-1] == '$' {
			out.WriteString(rest[:i-1] + "${")
			rest, at = rest[i+2:], at+i+2
			continue
		}
		out.WriteString(rest[:i])
		value, size := v.value(rest[i:], n.placeAt(at+i))
		out.WriteString(value)
		rest, at = rest[i+size:], at+i+size
	}
	n.text, n.exact, n.quote = out.String()+rest, false, false
	if len(v.problems) > before {
		n.shape = brokenShape
	}
}

// value is what the variable at the beginning of text stands for, and how many bytes its name takes.
func (v *variables) value(text string, at model.Place) (value string, size int) {
	inner, _, ok := strings.Cut(text[len("${"):], "}")
	if !ok {
		v.problem(at, "${ has no } behind it; $${ stands for ${ itself")
		return "", len(text)
	}
	size = len("${") + len(inner) + len("}")
	name, otherwise, hasDefault := strings.Cut(inner, ":-")
	if !v.name.MatchString(name) {
		v.problem(at, "${%s} does not name a variable; ${NAME} and ${NAME:-default} do, $${ stands for ${ itself", inner)
		return "", size
	}
	value, set := v.lookup(name)
	switch {
	case hasDefault && value == "":
		return otherwise, size
	case !set:
		v.problem(at, "the variable %s is not set; set it, or give a default as in ${%s:-default}", name, name)
	}
	return value, size
}

// placeAt is the place in the file of a byte of the text.
func (n *node) placeAt(offset int) model.Place {
	if !n.exact {
		return n.at
	}
	before := n.text[:offset]
	line := strings.Count(before, "\n")
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return model.Place{Line: n.start.Line + line, Column: n.start.Column + column}
}
