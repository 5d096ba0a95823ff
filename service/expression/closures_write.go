package expression

import "github.com/expr-lang/expr/ast"

// writer appends the JSON of an expression to dst without a value in between, or declines and leaves dst as it was.
type writer func(e *Env, dst []byte) (out []byte, ok bool)

// writer is the way to the JSON of a function of a field that gives text, and of now(), nil for all else.
func (c *closures) writer(n ast.Node) writer {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if _, local := c.locals[n.Value]; n.Value == nowName && !local {
			return func(e *Env, dst []byte) ([]byte, bool) { return append(dst, e.nowJSON...), e.nowJSON != nil }
		}
	case *ast.CallNode:
		f := c.function(n)
		if f.text == nil || len(n.Arguments) != 1 {
			return nil
		}
		if i, ok := c.plainField(n.Arguments[0]); ok {
			return writeText(f, i)
		}
	}
	return nil
}

func writeText(f *function, slot int) writer {
	want := f.param(0)
	return func(e *Env, dst []byte) ([]byte, bool) {
		a := e.field(slot)
		if !a.is(want) || a.kind() == Text && !a.plain() {
			return dst, false
		}
		out, ok := f.text(&e.work, append(dst, '"'), a)
		if !ok {
			return dst, false
		}
		return append(out, '"'), true
	}
}
