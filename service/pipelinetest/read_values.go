package pipelinetest

import (
	"encoding/json"
	"strings"

	"data-stream-engine/service"
	"data-stream-engine/service/expression"
)

// mapping reads the keys of n and reports the ones that are unknown, empty or missing.
func (r *reader) mapping(n service.Node, what string, keys []key) {
	accepted := names(keys)
	if n.IsBroken() {
		return
	}
	if !n.IsMapping() {
		r.doc.Problem(n.At(), "%s is %s here; accepted are the keys %s", what, n, strings.Join(accepted, ", "))
		return
	}
	found := map[string]bool{}
	for _, e := range n.Entries() {
		found[e.Key] = true
		i := 0
		for i < len(keys) && keys[i].name != e.Key {
			i++
		}
		switch {
		case i == len(keys):
			r.doc.Problem(e.At, "unknown key %s%s; accepted are %s", e.Key, nearest(e.Key, accepted), strings.Join(accepted, ", "))
		case e.Value.IsBroken():
		case e.Value.IsNull() && !keys[i].null:
			r.doc.Problem(e.At, "%s is empty; give it a value or take it out", e.Key)
		default:
			keys[i].read(e.Value)
		}
	}
	for _, k := range keys {
		if k.required && !found[k.name] {
			r.doc.Problem(n.At(), "%s has no %s", what, k.name)
		}
	}
}

func names(keys []key) []string {
	list := make([]string, len(keys))
	for i, k := range keys {
		list[i] = k.name
	}
	return list
}

func (r *reader) entries(n service.Node, what, accepted string) []service.Entry {
	if !n.IsMapping() && !n.IsBroken() {
		r.doc.Problem(n.At(), "%s is %s here; accepted is %s", what, n, accepted)
	}
	return n.Entries()
}

func (r *reader) items(n service.Node, what, accepted string) []service.Node {
	if !n.IsList() && !n.IsBroken() {
		r.doc.Problem(n.At(), "%s is %s here; accepted is %s", what, n, accepted)
	}
	return n.Items()
}

func (r *reader) text(n service.Node, what string) string {
	switch {
	case n.IsBroken():
	case !n.IsText():
		r.doc.Problem(n.At(), "%s is text, not %s", what, n)
	case n.Text() == "":
		r.doc.Problem(n.At(), "%s is empty", what)
	}
	return n.Text()
}

func (r *reader) bool(n service.Node, what string) bool {
	if !n.IsBool() && !n.IsBroken() {
		r.doc.Problem(n.At(), "%s is true or false, not %s", what, n)
	}
	return strings.EqualFold(n.Text(), "true")
}

// scalar is the text of a text, a number or a boolean.
func (r *reader) scalar(n service.Node, what string) (string, bool) {
	switch {
	case n.IsText(), n.IsNumber(), n.IsBool():
		return n.Text(), true
	case !n.IsBroken():
		r.doc.Problem(n.At(), "%s is text, a number or a boolean, not %s", what, n)
	}
	return "", false
}

// bytes is a key or a header: nil for null.
func (r *reader) bytes(n service.Node, what string) []byte {
	if n.IsNull() {
		return nil
	}
	s, _ := r.scalar(n, what)
	return []byte(s)
}

// value is a record's value: text is taken as it is, a mapping or a list is the JSON that it looks like, null is Kafka's
// null.
func (r *reader) value(n service.Node, exact bool) []byte {
	if (n.IsMapping() || n.IsList()) && exact {
		r.doc.Problem(n.At(), "exact compares bytes, so that the value is text, in quotes or behind |, not %s", n)
		return nil
	}
	switch {
	case n.IsNull(), n.IsBroken():
		return nil
	case n.IsText():
		return []byte(n.Text())
	}
	return r.json(nil, n)
}

// json appends the JSON that a YAML value looks like. Numbers keep their digits.
func (r *reader) json(dst []byte, n service.Node) []byte {
	switch {
	case n.IsMapping():
		dst = append(dst, '{')
		for i, e := range n.Entries() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = r.json(append(expression.AppendText(dst, e.Key), ':'), e.Value)
		}
		return append(dst, '}')
	case n.IsList():
		dst = append(dst, '[')
		for i, item := range n.Items() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = r.json(dst, item)
		}
		return append(dst, ']')
	case n.IsText():
		return expression.AppendText(dst, n.Text())
	case n.IsBool():
		return append(dst, strings.ToLower(n.Text())...)
	case n.IsNumber():
		if !json.Valid([]byte(n.Text())) {
			r.doc.Problem(n.At(), "%s is not a number of JSON; write it as JSON does, or in quotes if it is text", n.Text())
		}
		return append(dst, n.Text()...)
	}
	return append(dst, "null"...)
}
