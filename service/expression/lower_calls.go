package expression

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

func (l *lowering) callNode(n *ast.CallNode) (ast.Node, Kind) {
	switch callee := n.Callee.(type) {
	case *ast.IdentifierNode:
		return l.callNamed(n, callee.Value, n.Arguments)
	case *ast.MemberNode:
		l.fail(n, "methods are not offered; call a function")
	default:
		l.fail(n, "only functions can be called")
	}
	return n, Any
}

// builtin is a call of a name that expr knows: ours are called like any other, those with a predicate are expr's
// loops around checked lists and checked predicates.
func (l *lowering) builtin(n *ast.BuiltinNode) (ast.Node, Kind) {
	if slices.Contains(loopNames(), n.Name) {
		return l.loop(n)
	}
	return l.callNamed(n, n.Name, n.Arguments)
}

func (l *lowering) callNamed(n ast.Node, name string, arguments []ast.Node) (ast.Node, Kind) {
	switch name {
	case "has":
		return l.has(n, arguments)
	case "now":
		if len(arguments) > 0 {
			l.fail(n, "now takes no argument; its time is UTC")
		}
		l.clock = true
		return named(n, nowName), Time
	case "hash":
		l.keyed = true
	}
	f, ok := l.lib.functions[name]
	if !ok {
		l.fail(n, "unknown function %s; %s", name, l.lib.hint(name))
		return n, Any
	}
	args, kinds := make([]ast.Node, len(arguments)), make([]Kind, len(arguments))
	for i, a := range arguments {
		args[i], kinds[i] = l.node(a)
	}
	return l.call(n, f, args, kinds)
}

// has tells a field that is null from one that is not there, so it takes the name of a field, not its value.
func (l *lowering) has(n ast.Node, arguments []ast.Node) (ast.Node, Kind) {
	if len(arguments) != 1 {
		l.fail(n, "has takes one field, not %d", len(arguments))
		return n, Bool
	}
	arg := arguments[0]
	if chain, ok := arg.(*ast.ChainNode); ok {
		arg = chain.Node
	}
	switch a := arg.(type) {
	case *ast.IdentifierNode:
		if a.Value != eventName && a.Value != "$env" && !slices.Contains(l.scopes, a.Value) {
			return l.ask(n, a.Value), Bool
		}
	case *ast.MemberNode:
		name, isName := a.Property.(*ast.StringNode)
		if isName && isEvent(a.Node) {
			return l.ask(n, name.Value), Bool
		}
		base, bk := l.node(a.Node)
		property, pk := l.node(a.Property)
		return l.call(n, l.lib.operators["has"], []ast.Node{base, property}, []Kind{bk, pk})
	}
	l.fail(n, "has takes the name of a field, as in has(user_id) or has(user.id)")
	return n, Bool
}

func (l *lowering) ask(at ast.Node, name string) ast.Node {
	key := askedPrefix + name
	if !slices.Contains(l.asked, key) {
		l.asked = append(l.asked, key)
	}
	return named(at, key)
}

// loopNames are the functions with a predicate.
func loopNames() []string {
	return []string{"all", "any", "count", "filter", "find", "findIndex", "findLast", "findLastIndex", "groupBy", "map",
		"none", "one", "reduce", "sortBy", "sum"}
}

// asksBoolean tells whether the predicate of a loop must be true or false.
func asksBoolean(name string) bool {
	switch name {
	case "groupBy", "map", "reduce", "sortBy", "sum":
		return false
	}
	return true
}

func (l *lowering) loop(n *ast.BuiltinNode) (ast.Node, Kind) {
	l.loops = true
	list, kind := l.node(n.Arguments[0])
	if n.Name == "sum" && len(n.Arguments) == 1 {
		return l.call(n, l.lib.functions["sum"], []ast.Node{list}, []Kind{kind})
	}
	listOf := *l.lib.operators["list"]
	listOf.name, listOf.key = n.Name, "list "+n.Name
	list, _ = l.call(n.Arguments[0], &listOf, []ast.Node{list}, []Kind{kind})
	var body ast.Node = &ast.PointerNode{}
	if len(n.Arguments) > 1 {
		body = n.Arguments[1].(*ast.PredicateNode).Node
	}
	if asksBoolean(n.Name) {
		body = l.boolean(body, n.Name)
	} else {
		body, _ = l.operand(body)
	}
	return l.loopOf(n, list, body)
}

func (l *lowering) loopOf(n *ast.BuiltinNode, list, body ast.Node) (ast.Node, Kind) {
	switch n.Name {
	case "sum":
		return l.call(n, l.lib.functions["sum"], []ast.Node{builtinOf(n, "map", list, body)}, []Kind{List})
	case "groupBy":
		return l.withVariable(n, list, func(use func() ast.Node) ast.Node {
			out, _ := l.call(n, l.lib.operators["groupBy"], []ast.Node{use(), builtinOf(n, "map", use(), body)}, []Kind{List, List})
			return out
		}), Object
	case "sortBy":
		return l.withVariable(n, list, func(use func() ast.Node) ast.Node {
			args, kinds := []ast.Node{use(), builtinOf(n, "map", use(), body)}, []Kind{List, List}
			if len(n.Arguments) > 2 {
				direction, kind := l.node(n.Arguments[2])
				args, kinds = append(args, direction), append(kinds, kind)
			}
			out, _ := l.call(n, l.lib.operators["sortBy"], args, kinds)
			return out
		}), List
	case "reduce":
		if len(n.Arguments) > 2 {
			initial, _ := l.node(n.Arguments[2])
			return builtinOf(n, n.Name, list, body, initial), Any
		}
		return builtinOf(n, n.Name, list, body), Any
	case "count":
		return l.integer(n, builtinOf(n, n.Name, list, body)), Int
	case "findLast", "findLastIndex":
		// expr 1.17 leaves the predicate's result on its stack, where the next operator finds it.
		return l.withVariable(n, list, func(use func() ast.Node) ast.Node {
			out, _ := l.call(n, l.lib.operators[n.Name], []ast.Node{use(), builtinOf(n, "map", use(), body)}, []Kind{List, List})
			return out
		}), l.lib.operators[n.Name].result
	case "findIndex":
		return l.integer(n, builtinOf(n, n.Name, list, body)), Int | Nil
	case "filter", "map":
		return builtinOf(n, n.Name, list, body), List
	case "find":
		return builtinOf(n, n.Name, list, body), Any
	}
	return builtinOf(n, n.Name, list, body), Bool
}

// builtinOf is one of expr's loops. The predicate comes second, whatever follows is taken as it is.
func builtinOf(at ast.Node, name string, list, body ast.Node, more ...ast.Node) ast.Node {
	predicate := &ast.PredicateNode{Node: body}
	predicate.SetLocation(body.Location())
	out := &ast.BuiltinNode{Name: name, Arguments: append([]ast.Node{list, predicate}, more...)}
	out.SetLocation(at.Location())
	return out
}

// integer turns the machine's int into our int64.
func (l *lowering) integer(at, n ast.Node) ast.Node {
	out, _ := l.call(at, l.lib.operators["int64"], []ast.Node{n}, []Kind{Any})
	return out
}

func (l *lowering) pointer(n *ast.PointerNode) (ast.Node, Kind) {
	switch n.Name {
	case "index":
		return l.integer(n, n), Int
	case "", "acc":
		return n, Any
	}
	l.fail(n, "#%s is not offered; # is the element, #index its index, #acc what reduce has so far", n.Name)
	return n, Any
}
