package expression

import (
	"errors"

	"github.com/expr-lang/expr/ast"

	"data-stream-engine/service/projection"
)

// eval computes a value. One that has failed says why in the Env's err.
type eval func(*Env) value

// test is an eval of which only truth matters.
type test func(*Env) outcome

type outcome int8

const (
	failure outcome = iota - 1
	no
	yes
)

func outcomeOf(b bool) outcome {
	if b {
		return yes
	}
	return no
}

// closures turns a lowered tree into Go functions that read the event's bytes. It does for hot forms, without any
// allocation, what expr's machine does for all: loops, and lists and objects that are made anew, are left to that.
type closures struct {
	text      string
	layout    *Layout
	functions map[string]*function
	locals    map[string]int
	foreign   bool // there is a node that only the machine can run
}

func (c *closures) site(n ast.Node) site {
	line, column := place(c.text, n.Location().From)
	return site{line, column}
}

// site is a place in the expression.
type site struct{ line, column int }

// fail ends an evaluation at this place. An error that has a place already comes from further inside.
func (s site) fail(e *Env, err error) value {
	if _, ok := errors.AsType[*Error](err); !ok {
		err = &Error{Line: s.line, Column: s.column, Message: err.Error()}
	}
	return e.fail(err)
}

func (c *closures) eval(n ast.Node) eval {
	switch n := n.(type) {
	case *ast.NilNode:
		return func(*Env) value { return nilValue() }
	case *ast.ConstantNode:
		v := unboxed(n.Value)
		return func(*Env) value { return v }
	case *ast.IdentifierNode:
		return c.name(n)
	case *ast.BinaryNode: // only ?? is left
		return coalescing(c.eval(n.Left), c.eval(n.Right))
	case *ast.CallNode:
		return c.call(n)
	case *ast.ConditionalNode:
		if !c.boolean(n) {
			return branch(c.test(n.Cond), c.eval(n.Exp1), c.eval(n.Exp2), value{})
		}
	case *ast.VariableDeclaratorNode:
		return c.let(n)
	}
	if !c.boolean(n) {
		c.foreign = true
		return nil
	}
	t := c.test(n)
	return func(e *Env) value {
		o := t(e)
		if o == failure {
			return value{}
		}
		return ofBool(o == yes)
	}
}

// branch is ?: of values or of conditions; failed is what a failure is among them.
func branch[T any](cond test, exp1, exp2 func(*Env) T, failed T) func(*Env) T {
	return func(e *Env) T {
		switch cond(e) {
		case yes:
			return exp1(e)
		case no:
			return exp2(e)
		case failure:
		}
		return failed
	}
}

func coalescing(left, right eval) eval {
	return func(e *Env) value {
		v := left(e)
		if v.kind() == Nil {
			return right(e)
		}
		return v
	}
}

func (c *closures) name(n *ast.IdentifierNode) eval {
	if i, ok := c.locals[n.Value]; ok {
		return func(e *Env) value { return e.locals[i] }
	}
	switch n.Value[:1] {
	case fieldPrefix:
		i := c.layout.Slot(n.Value[1:])
		return func(e *Env) value { return e.field(i) }
	case askedPrefix:
		i := c.layout.Slot(n.Value[1:])
		return func(e *Env) value { return ofBool(e.slot(i).Kind != projection.Missing) }
	}
	if n.Value == nowName {
		return func(e *Env) value { return e.now }
	}
	c.foreign = true // the event as a whole
	return nil
}

// let keeps its variable in a place of its own, so that the places of an expression are as many as its variables.
func (c *closures) let(n *ast.VariableDeclaratorNode) eval {
	if c.locals == nil {
		c.locals = map[string]int{}
	}
	bind := c.eval(n.Value)
	outer, shadows := c.locals[n.Name]
	i := len(c.locals)
	c.locals[n.Name] = i
	body := c.eval(n.Expr)
	if shadows {
		c.locals[n.Name] = outer
	}
	return func(e *Env) value {
		v := bind(e)
		if v.failed() {
			return v
		}
		for len(e.locals) <= i {
			e.locals = append(e.locals, value{})
		}
		e.locals[i] = v
		return body(e)
	}
}

// boolean tells whether the value of a node is true or false for certain.
func (c *closures) boolean(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BoolNode, *ast.UnaryNode: // of the unary operators only ! is left
		return true
	case *ast.ConditionalNode:
		return c.boolean(n.Exp1) && c.boolean(n.Exp2)
	case *ast.CallNode:
		return c.function(n).result == Bool
	}
	return false
}

func (c *closures) test(n ast.Node) test {
	switch n := n.(type) {
	case *ast.BoolNode:
		o := outcomeOf(n.Value)
		return func(*Env) outcome { return o }
	case *ast.UnaryNode:
		t := c.test(n.Node)
		return func(e *Env) outcome {
			if o := t(e); o != failure {
				return yes - o
			}
			return failure
		}
	case *ast.ConditionalNode:
		if c.boolean(n) { // && and || too
			return branch(c.test(n.Cond), c.test(n.Exp1), c.test(n.Exp2), failure)
		}
	case *ast.CallNode:
		if t := c.membership(n); t != nil {
			return t
		}
	}
	v := c.eval(n)
	return func(e *Env) outcome {
		x := v(e)
		if x.failed() {
			return failure
		}
		return outcomeOf(x.truth())
	}
}
