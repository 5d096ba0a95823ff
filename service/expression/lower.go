package expression

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
)

// lowering rewrites a parsed tree into one in which every operator and every call is a call of a function of ours, so
// that expr's own rules - nil that is false, reflection on Go's methods, integers that wrap around - cannot apply.
// It knows the kinds of constants and of results, and reports what cannot work before the first event.
type lowering struct {
	lib       *Library
	text      string
	functions conf.FunctionsTable
	called    map[string]*function // the same, by what stands in the tree
	errs      Errors
	scopes    []string // variables of the enclosing lets
	fields    []string
	asked     []string
	named     []string // the fields that stand there by their plain name
	whole     bool
	clock     bool
	keyed     bool // it calls hash, which may have no key yet
	variables int
	loops     bool // it has a loop, which may be long
	nodes     int
}

// maxNodes is how many nodes a tree may have after rewriting. The parser has a limit of its own, but it puts one node
// into two places for 1 < x < 5, and nested in each other such comparisons double with every level.
const maxNodes = 20_000

func newLowering(lib *Library, text string) *lowering {
	return &lowering{lib: lib, text: text, functions: conf.FunctionsTable{}, called: map[string]*function{}}
}

func (l *lowering) root(n ast.Node) (ast.Node, Kind) {
	if isEvent(n) {
		l.fail(n, `event is the event as a whole; its field of that name is event["event"]`)
	}
	return l.node(n)
}

// constant tells whether the value depends on nothing, so that its errors can be found at once.
func (l *lowering) constant() bool {
	return len(l.fields) == 0 && len(l.asked) == 0 && !l.whole && !l.clock && !l.keyed && !l.loops
}

func (l *lowering) fail(at ast.Node, format string, args ...any) {
	from := 0
	if at != nil {
		from = at.Location().From
	}
	line, column := place(l.text, from)
	l.errs = append(l.errs, &Error{Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
}

func (l *lowering) sorted() Errors {
	slices.SortStableFunc(l.errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(l.errs, func(a, b *Error) bool { return *a == *b })
}

// node gives the rewritten node and the kinds that its value can have. It never changes n: expr's parser puts one
// node into two places of the tree for 1 < x < 5.
func (l *lowering) node(n ast.Node) (ast.Node, Kind) {
	if l.nodes++; l.nodes > maxNodes {
		if l.nodes == maxNodes+1 {
			l.fail(n, "the expression is too large")
		}
		return n, Any
	}
	switch n := n.(type) {
	case *ast.NilNode:
		return n, Nil
	case *ast.BoolNode:
		return n, Bool
	case *ast.IntegerNode:
		return constant(n, int64(n.Value)), Int
	case *ast.FloatNode:
		return constant(n, n.Value), Float
	case *ast.StringNode:
		return constant(n, n.Value), Text
	case *ast.IdentifierNode:
		return l.identifier(n)
	case *ast.UnaryNode:
		return l.unary(n)
	case *ast.BinaryNode:
		return l.binary(n)
	case *ast.ConditionalNode:
		return l.conditional(n)
	case *ast.ChainNode:
		return l.node(n.Node)
	case *ast.MemberNode:
		return l.member(n)
	case *ast.SliceNode:
		return l.slice(n)
	case *ast.CallNode:
		return l.callNode(n)
	case *ast.BuiltinNode:
		return l.builtin(n)
	case *ast.PointerNode:
		return l.pointer(n)
	case *ast.VariableDeclaratorNode:
		return l.let(n)
	case *ast.ArrayNode:
		return l.array(n)
	case *ast.MapNode:
		return l.object(n)
	}
	return l.refuse(n)
}

func (l *lowering) refuse(n ast.Node) (ast.Node, Kind) {
	switch n := n.(type) {
	case *ast.BytesNode:
		l.fail(n, "byte strings are not offered; write a text")
	case *ast.SequenceNode:
		l.fail(n, "; is only offered after let")
	default:
		l.fail(n, "this is not offered")
	}
	return n, Any
}

func constant(at ast.Node, v any) ast.Node {
	n := &ast.ConstantNode{Value: v}
	n.SetLocation(at.Location())
	return n
}

// call makes a call of f. What the kinds of the arguments already rule out is reported.
func (l *lowering) call(at ast.Node, f *function, args []ast.Node, kinds []Kind) (ast.Node, Kind) {
	if len(args) < f.required() || len(args) > len(f.params) && !f.variadic {
		l.fail(at, "%s takes %s, not %d", f.name, f.counts(), len(args))
		return at, Any
	}
	for i, kind := range kinds {
		if kind&f.param(i) != 0 {
			continue
		}
		if c, ok := args[i].(*ast.ConstantNode); ok {
			l.fail(args[i], "%s takes %s, not %s", f.name, f.param(i), Describe(c.Value))
		} else {
			l.fail(args[i], "%s takes %s, not %s", f.name, f.param(i), kind)
		}
	}
	l.functions[f.key], l.called[f.key] = &builtin.Function{Name: f.key, Func: f.run}, f
	n := &ast.CallNode{Callee: &ast.IdentifierNode{Value: f.key}, Arguments: args}
	n.SetLocation(at.Location())
	n.Callee.SetLocation(at.Location())
	return n, f.result
}

func (l *lowering) identifier(n *ast.IdentifierNode) (ast.Node, Kind) {
	switch {
	case slices.Contains(l.scopes, n.Value):
		return named(n, n.Value), Any
	case n.Value == "$env":
		l.fail(n, "$env is not offered; the event as a whole is called event")
		return n, Any
	case n.Value == eventName:
		l.whole = true
		return named(n, eventName), Object
	}
	l.named = append(l.named, n.Value)
	return l.field(n, n.Value), Any
}

func named(at ast.Node, name string) ast.Node {
	n := &ast.IdentifierNode{Value: name}
	n.SetLocation(at.Location())
	return n
}

func (l *lowering) field(at ast.Node, name string) ast.Node {
	key := fieldPrefix + name
	if !slices.Contains(l.fields, key) {
		l.fields = append(l.fields, key)
	}
	return named(at, key)
}

func isEvent(n ast.Node) bool {
	id, ok := n.(*ast.IdentifierNode)
	return ok && id.Value == eventName
}

// member is a.b, a["b"], a[0] and their ?. forms. A part that is missing makes the whole path nil, so ?. means the
// same as the plain dot.
func (l *lowering) member(n *ast.MemberNode) (ast.Node, Kind) {
	name, isName := n.Property.(*ast.StringNode)
	if isName && isEvent(n.Node) && !slices.Contains(l.scopes, eventName) {
		return l.field(n, name.Value), Any
	}
	base, baseKind := l.node(n.Node)
	if baseKind == Text {
		l.fail(n, "text has no fields and cannot be indexed")
		return n, Any
	}
	property, propertyKind := l.node(n.Property)
	return l.call(n, l.lib.operators["get"], []ast.Node{base, property}, []Kind{baseKind, propertyKind})
}

func (l *lowering) slice(n *ast.SliceNode) (ast.Node, Kind) {
	base, kind := l.node(n.Node)
	if kind == Text {
		l.fail(n, "text cannot be sliced")
		return n, Any
	}
	args, kinds := []ast.Node{base}, []Kind{kind}
	for _, bound := range []ast.Node{n.From, n.To} {
		if bound == nil {
			args, kinds = append(args, &ast.NilNode{}), append(kinds, Nil)
			continue
		}
		b, k := l.node(bound)
		args, kinds = append(args, b), append(kinds, k)
	}
	return l.call(n, l.lib.operators["slice"], args, kinds)
}

func (l *lowering) let(n *ast.VariableDeclaratorNode) (ast.Node, Kind) {
	if slices.Contains(l.scopes, n.Name) || n.Name == eventName {
		l.fail(n, "%s is already a name here", n.Name)
	}
	value, _ := l.node(n.Value)
	l.scopes = append(l.scopes, n.Name)
	body, kind := l.node(n.Expr)
	l.scopes = l.scopes[:len(l.scopes)-1]
	out := &ast.VariableDeclaratorNode{Name: n.Name, Value: value, Expr: body}
	out.SetLocation(n.Location())
	return out, kind
}

// withVariable evaluates value once and gives body a name for it that nobody can write.
func (l *lowering) withVariable(at, value ast.Node, body func(use func() ast.Node) ast.Node) ast.Node {
	l.variables++
	name := "#" + strconv.Itoa(l.variables)
	out := &ast.VariableDeclaratorNode{Name: name, Value: value}
	out.Expr = body(func() ast.Node { return named(at, name) })
	out.SetLocation(at.Location())
	return out
}

// array becomes one constant when all its elements are constants: x in ["a", "b"] then builds nothing per event.
func (l *lowering) array(n *ast.ArrayNode) (ast.Node, Kind) {
	nodes, values := make([]ast.Node, len(n.Nodes)), make([]any, len(n.Nodes))
	fixed := true
	for i, element := range n.Nodes {
		nodes[i], _ = l.node(element)
		var ok bool
		values[i], ok = constantValue(nodes[i])
		fixed = fixed && ok
	}
	if fixed {
		return constant(n, values), List
	}
	out := &ast.ArrayNode{Nodes: nodes}
	out.SetLocation(n.Location())
	return out, List
}

func constantValue(n ast.Node) (any, bool) {
	switch n := n.(type) {
	case *ast.ConstantNode:
		return n.Value, true
	case *ast.NilNode:
		return nil, true
	case *ast.BoolNode:
		return n.Value, true
	}
	return nil, false
}

func (l *lowering) object(n *ast.MapNode) (ast.Node, Kind) {
	out := &ast.MapNode{}
	out.SetLocation(n.Location())
	for _, p := range n.Pairs {
		pair := p.(*ast.PairNode)
		key, kind := l.node(pair.Key)
		key, _ = l.call(pair.Key, l.lib.operators["key"], []ast.Node{key}, []Kind{kind})
		value, _ := l.node(pair.Value)
		outPair := &ast.PairNode{Key: key, Value: value}
		outPair.SetLocation(pair.Location())
		out.Pairs = append(out.Pairs, outPair)
	}
	return out, Object
}
