package expression

import (
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"data-stream-engine/service/projection"
)

func (c *closures) function(n *ast.CallNode) *function {
	return c.functions[n.Callee.(*ast.IdentifierNode).Value]
}

// call evaluates all arguments, checks what they are and calls the function, in the order in which the machine does.
func (c *closures) call(n *ast.CallNode) eval {
	f, at := c.function(n), c.site(n)
	args := make([]eval, len(n.Arguments))
	for i, a := range n.Arguments {
		args[i] = c.eval(a)
	}
	switch {
	case len(args) == 1 && f.one != nil:
		if i, ok := c.plainField(n.Arguments[0]); ok {
			return callOfField(f, at, i)
		}
		return callOfOne(f, at, args[0])
	case len(args) == 2 && f.two != nil:
		return callOfTwo(f, at, args[0], args[1])
	}
	return func(e *Env) value {
		all := make([]any, len(args))
		for i, arg := range args {
			v := arg(e)
			if v.failed() {
				return v
			}
			all[i] = v.boxed()
		}
		return f.slow(e, at, all...)
	}
}

func callOfOne(f *function, at site, arg eval) eval {
	want := f.param(0)
	return func(e *Env) value {
		a := arg(e)
		if a.failed() {
			return a
		}
		if a.is(want) {
			if v := f.one(&e.work, a); !v.failed() {
				return v
			}
		}
		return f.slow(e, at, a.boxed())
	}
}

// callOfField is callOfOne for the commonest of arguments: no closure is called for it.
func callOfField(f *function, at site, slot int) eval {
	want := f.param(0)
	return func(e *Env) value {
		a := e.field(slot)
		if a.is(want) {
			if v := f.one(&e.work, a); !v.failed() {
				return v
			}
		}
		return f.slow(e, at, a.boxed())
	}
}

// plainField is the slot of a node that is the name of a field.
func (c *closures) plainField(n ast.Node) (slot int, ok bool) {
	id, ok := n.(*ast.IdentifierNode)
	if !ok || !strings.HasPrefix(id.Value, fieldPrefix) {
		return 0, false
	}
	return c.layout.Slot(id.Value[len(fieldPrefix):]), true
}

func callOfTwo(f *function, at site, left, right eval) eval {
	want1, want2 := f.param(0), f.param(1)
	return func(e *Env) value {
		a := left(e)
		if a.failed() {
			return a
		}
		b := right(e)
		if b.failed() {
			return b
		}
		if a.is(want1) && b.is(want2) {
			if v := f.two(&e.work, a, b); !v.failed() {
				return v
			}
		}
		return f.slow(e, at, a.boxed(), b.boxed())
	}
}

// slow calls the form of a function that every kind of value goes through.
func (f *function) slow(e *Env, at site, args ...any) value {
	v, err := f.run(args...)
	if err != nil {
		return at.fail(e, err)
	}
	return unboxed(v)
}

// membership is the test of a field against constant texts and nil: field == "x", field in ["x", nil]. It compares
// bytes. Other calls give nil.
func (c *closures) membership(n *ast.CallNode) test {
	f := c.function(n)
	if f.key != "==" && f.key != "in" {
		return nil
	}
	i, isField := c.plainField(n.Arguments[0])
	constants, ok := plainTexts(f, n.Arguments[1])
	if !isField || !ok {
		return nil
	}
	general := c.call(n)
	return func(e *Env) outcome {
		s := e.slot(i)
		switch s.Kind {
		case projection.Text, projection.Unicode:
			text := e.event.JSON[s.Start+1 : s.End-1]
			for _, t := range constants.texts { //nolint:modernize // slices.Contains takes a string, which would be a copy
				if string(text) == t {
					return yes
				}
			}
			return no
		case projection.Missing, projection.Null:
			return outcomeOf(constants.null)
		default:
			v := general(e)
			if v.failed() {
				return failure
			}
			return outcomeOf(v.truth())
		}
	}
}

type texts struct {
	texts []string
	null  bool
}

// plainTexts are the texts that a field is compared with, if their bytes in JSON are those that they have here.
func plainTexts(f *function, n ast.Node) (texts, bool) {
	constant, ok := constantValue(n)
	if !ok {
		return texts{}, false
	}
	list := []any{constant}
	if f.key == "in" {
		if list, ok = constant.([]any); !ok {
			return texts{}, false
		}
	}
	var t texts
	for _, v := range list {
		switch v := v.(type) {
		case nil:
			t.null = true
		case string:
			if !utf8.ValidString(v) || strings.ContainsRune(v, utf8.RuneError) {
				return texts{}, false
			}
			t.texts = append(t.texts, v)
		default:
			return texts{}, false
		}
	}
	return t, true
}
