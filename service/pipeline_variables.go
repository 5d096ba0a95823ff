package service

import (
	"regexp"
	"slices"
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
	used   []Variable
}

func newVariables(r *reader, lookup func(string) (string, bool)) *variables {
	return &variables{reader: r, lookup: lookup, name: regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)}
}

// fill replaces the variables in all values below n, and says which there were. Keys have none.
func (v *variables) fill(n *node) []Variable {
	v.below(n)
	return v.used
}

func (v *variables) below(n *node) {
	for _, p := range n.pairs {
		if strings.Contains(p.key, "${") {
			v.problem(p.at, "variables are filled into values, not into keys")
		}
		v.below(p.value)
	}
	for _, item := range n.items {
		v.below(item)
	}
	if n.shape != textShape || !strings.Contains(n.text, "${") {
		return
	}
	before := len(v.problems)
	var out strings.Builder
	rest, here := n.text, n.placeAt(0)
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			break
		}
		size := len("${")
		if i > 0 && rest[i-1] == '$' {
			out.WriteString(rest[:i-1] + "${")
			here = n.onwards(here, rest[:i+size])
		} else {
			here = n.onwards(here, rest[:i])
			var value string
			value, size = v.value(rest[i:], here)
			out.WriteString(rest[:i] + value)
			here = n.onwards(here, rest[i:i+size])
		}
		rest = rest[i+size:]
	}
	n.text, n.exact, n.quote, n.given = out.String()+rest, false, false, true
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
	v.use(Variable{Name: name, Default: hasDefault && value == "", Value: otherwise})
	switch {
	case hasDefault && value == "":
		return otherwise, size
	case !set:
		v.problem(at, "the variable %s is not set; set it, or give a default as in ${%s:-default}", name, name)
	}
	return value, size
}

// use notes a variable, once for each default that was taken.
func (v *variables) use(one Variable) {
	if !one.Default {
		one.Value = ""
	}
	if !slices.Contains(v.used, one) {
		v.used = append(v.used, one)
	}
}

// placeAt is the place in the file of a byte of the text.
func (n *node) placeAt(offset int) model.Place {
	if !n.exact {
		return n.at
	}
	return n.onwards(n.start, n.text[:offset])
}

// onwards is the place behind a piece of the text that begins at another place.
func (n *node) onwards(from model.Place, piece string) model.Place {
	if !n.exact {
		return n.at
	}
	if i := strings.LastIndexByte(piece, '\n'); i >= 0 {
		from.Line, from.Column = from.Line+strings.Count(piece, "\n"), n.start.Column
		piece = piece[i+1:]
	}
	from.Column += utf8.RuneCountInString(piece)
	return from
}
