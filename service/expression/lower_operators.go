package expression

import (
	"regexp"

	"github.com/expr-lang/expr/ast"
)

func (l *lowering) unary(n *ast.UnaryNode) (ast.Node, Kind) {
	switch n.Operator {
	case "!", "not":
		operand := l.boolean(n.Node, n.Operator)
		out := &ast.UnaryNode{Operator: "!", Node: operand}
		out.SetLocation(n.Location())
		return out, Bool
	case "-":
		operand, kind := l.operand(n.Node)
		if c, ok := operand.(*ast.ConstantNode); ok && kind&Number != 0 {
			if v, err := negate(c.Value); err == nil {
				return constant(n, v), kind
			}
		}
		node, _ := l.call(n, l.lib.operators["-x"], []ast.Node{operand}, []Kind{kind})
		return node, kind & (Number | Duration)
	}
	operand, kind := l.operand(n.Node)
	node, _ := l.call(n, l.lib.operators["+x"], []ast.Node{operand}, []Kind{kind})
	return node, kind & (Number | Duration)
}

func (l *lowering) binary(n *ast.BinaryNode) (ast.Node, Kind) {
	switch n.Operator {
	case "&&", "and":
		return l.choice(n, l.boolean(n.Left, n.Operator), l.boolean(n.Right, n.Operator), truth(n, false)), Bool
	case "||", "or":
		return l.choice(n, l.boolean(n.Left, n.Operator), truth(n, true), l.boolean(n.Right, n.Operator)), Bool
	case "??":
		left, lk := l.operand(n.Left)
		right, rk := l.operand(n.Right)
		out := &ast.BinaryNode{Operator: "??", Left: left, Right: right}
		out.SetLocation(n.Location())
		return out, lk&^Nil | rk
	case "!=":
		same, _ := l.infix(n, "==")
		out := &ast.UnaryNode{Operator: "!", Node: same}
		out.SetLocation(n.Location())
		return out, Bool
	case "in":
		return l.in(n)
	case "matches":
		return l.matches(n)
	case "^":
		return l.infix(n, "**")
	}
	return l.infix(n, n.Operator)
}

func (l *lowering) infix(n *ast.BinaryNode, operator string) (ast.Node, Kind) {
	left, lk := l.operand(n.Left)
	right, rk := l.operand(n.Right)
	f, ok := l.lib.operators[operator]
	if !ok {
		l.fail(n, "the operator %s is not offered", n.Operator)
		return n, Any
	}
	return l.call(n, f, []ast.Node{left, right}, []Kind{lk, rk})
}

// operand is a node that is compared or computed with, which the event as a whole is never meant to be.
func (l *lowering) operand(n ast.Node) (ast.Node, Kind) {
	if isEvent(n) {
		l.fail(n, `event is the event as a whole; its field of that name is event["event"]`)
	}
	return l.node(n)
}

// boolean is a node whose value is checked to be a boolean, unless that is certain.
func (l *lowering) boolean(n ast.Node, operator string) ast.Node {
	node, kind := l.operand(n)
	if kind == Bool {
		return node
	}
	f := *l.lib.operators["bool"]
	f.name, f.key = operator, "bool "+operator
	checked, _ := l.call(n, &f, []ast.Node{node}, []Kind{kind})
	return checked
}

func (l *lowering) choice(at, cond, yes, no ast.Node) ast.Node {
	out := &ast.ConditionalNode{Cond: cond, Exp1: yes, Exp2: no}
	out.SetLocation(at.Location())
	return out
}

func truth(at ast.Node, v bool) ast.Node {
	n := &ast.BoolNode{Value: v}
	n.SetLocation(at.Location())
	return n
}

func (l *lowering) conditional(n *ast.ConditionalNode) (ast.Node, Kind) {
	yes, yk := l.operand(n.Exp1)
	no, nk := l.operand(n.Exp2)
	return l.choice(n, l.boolean(n.Cond, "?:"), yes, no), yk | nk
}

func (l *lowering) in(n *ast.BinaryNode) (ast.Node, Kind) {
	left, lk := l.operand(n.Left)
	right, rk := l.node(n.Right)
	if rk&(List|Object) == 0 {
		l.fail(n.Right, "the right side of in is a list or an object, not %s; contains looks into text", rk)
	}
	return l.call(n, l.lib.operators["in"], []ast.Node{left, right}, []Kind{lk, rk})
}

// matches compiles its pattern once, which is why it must be a constant.
func (l *lowering) matches(n *ast.BinaryNode) (ast.Node, Kind) {
	left, lk := l.operand(n.Left)
	pattern, ok := n.Right.(*ast.StringNode)
	if !ok {
		l.fail(n.Right, "the right side of matches is a text in quotes: a regular expression must be constant")
		return n, Bool
	}
	re, err := regexp.Compile(pattern.Value)
	if err != nil {
		l.fail(n.Right, "the regular expression is not valid: %v", err)
		return n, Bool
	}
	f := &function{name: "matches", key: "matches " + pattern.Value, params: []Kind{Text}, result: Bool,
		call: func(args []any) (any, error) { return re.MatchString(args[0].(string)), nil },
		one:  func(_ *work, a value) value { return ofBool(re.MatchString(a.text())) }}
	return l.call(n, f, []ast.Node{left}, []Kind{lk})
}
