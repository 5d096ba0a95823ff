package service

import (
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"data-stream-engine/service/expression"
)

// reads are the fields that an expression reads, each with its value in the event.
func (x *Explainer) reads(text string, event *object) []Read {
	paths, ok := x.paths[text]
	if !ok {
		paths = pathsOf(text)
		x.paths[text] = paths
	}
	var list []Read
	for _, path := range paths {
		if has, err := x.value("has("+path+")", event); err == nil && has == false {
			list = append(list, Read{Path: path})
			continue
		}
		v, err := x.value(path, event)
		if err != nil {
			continue
		}
		if raw, err := expression.AppendJSON(nil, v); err == nil {
			list = append(list, Read{Path: path, Value: raw})
		}
	}
	return list
}

// pathsOf are the fields in an expression by their longest fixed paths - user.name, items[0] - each once, in the
// order in which they stand there.
func pathsOf(text string) []string {
	tree, err := parser.Parse(text)
	if err != nil {
		return nil
	}
	v := pathVisitor{inner: map[ast.Node]bool{}, variables: map[string]bool{}}
	ast.Walk(&tree.Node, &v)
	var list []string
	for _, n := range v.found {
		if v.inner[n] || v.variables[rootOf(n)] {
			continue
		}
		if path := n.String(); path != eventName && !slices.Contains(list, path) {
			list = append(list, path)
		}
	}
	return list
}

// eventName is the event as a whole, which is shown elsewhere.
const eventName = "event"

// pathVisitor collects paths. The walk comes to the parts of a node before the node.
type pathVisitor struct {
	found     []ast.Node
	inner     map[ast.Node]bool // parts of a longer path, and names of functions
	variables map[string]bool
}

// Visit is ast.Visitor.
func (v *pathVisitor) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		v.found = append(v.found, n)
	case *ast.MemberNode:
		if fixed(n.Property) && rootOf(n) != "" {
			v.inner[withoutChain(n.Node)] = true
			v.found = append(v.found, n)
		}
	case *ast.CallNode:
		v.inner[n.Callee] = true
	case *ast.VariableDeclaratorNode:
		v.variables[n.Name] = true
	}
}

// rootOf is the name that a path begins with, "" for what is no path.
func rootOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value
	case *ast.MemberNode:
		if fixed(n.Property) {
			return rootOf(n.Node)
		}
	case *ast.ChainNode:
		return rootOf(n.Node)
	}
	return ""
}

// withoutChain is the path in a?.b, which the parser wraps.
func withoutChain(n ast.Node) ast.Node {
	if chain, ok := n.(*ast.ChainNode); ok {
		return chain.Node
	}
	return n
}

func fixed(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.StringNode, *ast.IntegerNode:
		return true
	case *ast.UnaryNode: // the last one: tags[-1]
		_, ok := n.Node.(*ast.IntegerNode)
		return ok && n.Operator == "-"
	}
	return false
}
