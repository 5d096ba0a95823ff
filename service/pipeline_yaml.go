package service

import (
	"errors"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"data-stream-engine/model"
)

type shape int

const (
	textShape shape = iota
	numberShape
	boolShape
	nullShape
	mappingShape
	listShape
	brokenShape // a problem is noted already
)

func (s shape) String() string {
	return [...]string{"text", "a number", "true or false", "nothing", "a mapping", "a list", "broken"}[s]
}

// node is a value of a YAML file. Only the plain part of YAML is understood: no anchors, tags or merge keys, which
// nobody needs for a page of settings.
type node struct {
	shape shape
	at    model.Place // where the value starts, its quote or its | included
	text  string      // of a scalar
	start model.Place // where text starts
	exact bool        // text stands in the file as it is, line by line from start
	quote bool
	flow  bool // it is the value of a key within { }
	given bool // at least a part of it came from a variable
	pairs []pair
	items []*node
}

type pair struct {
	key   string
	at    model.Place
	value *node
}

// document reads the one document of a file. nil: there is none that can be looked at.
func (r *reader) document() (root *node) {
	if len(r.problems) > 0 || !r.encoded() {
		return nil
	}
	defer func() { // the YAML library panics on some broken input, which must not end the program
		if fault := recover(); fault != nil {
			r.problem(model.Place{}, "this is not YAML that can be read: %v", fault)
			root = nil
		}
	}()
	tokens := lexer.Tokenize(r.src)
	if !r.bounded(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return nil
	}
	return r.only(file)
}

func (r *reader) only(file *ast.File) (root *node) {
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.NullType:
		case root != nil:
			r.problem(placeOf(doc.Body), "a pipeline file holds one document, a second one starts here")
		default:
			root = r.node(doc.Body)
		}
	}
	if root == nil {
		r.problem(model.Place{}, "the file is empty")
	}
	return root
}

func (r *reader) syntax(err error) {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		at := r.clamp(tokenPlace(e.GetToken()))
		message := strings.ReplaceAll(e.GetMessage(), "\t", `\t`)
		hint := r.quoting(at, strings.HasPrefix(message, "value is not allowed"))
		if inner := strings.Contains(message, "flow map content") || strings.Contains(message, "must be specified"); hint == "" && inner && strings.Contains(r.lines[at.Line-1], "(") {
			hint = "; within { } and [ ] a comma ends an expression, unless single quotes stand around it"
		}
		r.problem(at, "this is not YAML: %s%s", message, hint)
		return
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	r.problem(model.Place{}, "this is not YAML: %s", message)
}

// quoting is what helps when the line of a fault holds an expression that YAML takes for something of its own.
// goesOn tells that something stands behind what YAML took for the whole value.
func (r *reader) quoting(at model.Place, goesOn bool) string {
	line := r.lines[at.Line-1]
	if strings.HasPrefix(strings.TrimLeft(line, " "), "\t") {
		return "; indent with spaces, YAML takes no tabs"
	}
	key, value, isPair := strings.Cut(strings.TrimLeft(line, " -"), ": ")
	if value = strings.TrimSpace(value); !isPair || value == "" || strings.ContainsAny(key, "{[") {
		return ""
	}
	bracket := strings.Contains("{[", value[:1])
	switch {
	case bracket && strings.Contains(value, "${"):
		return `; within { } and [ ] a value with ${...} stands in quotes: "${NAME}"`
	case bracket && goesOn, strings.Contains("\"'", value[:1]) && goesOn,
		strings.Contains("@`%!&*|>", value[:1]),
		!strings.Contains("{[\"'", value[:1]) && strings.Contains(value, ": "):
		return "; if this is an expression, put all of it into single quotes" + singleQuoted(value)
	}
	return ""
}

// singleQuoted shows a short text in a form that YAML takes for nothing else.
func singleQuoted(text string) string {
	if len(text) > 100 || strings.Contains(text, "#") {
		return ""
	}
	return ": '" + strings.ReplaceAll(text, "'", "''") + "'"
}

func placeOf(n ast.Node) model.Place { return tokenPlace(n.GetToken()) }

func (r *reader) node(n ast.Node) *node {
	out := &node{at: placeOf(n)}
	switch n := n.(type) {
	case *ast.MappingNode:
		out.shape = mappingShape
		if len(n.Values) > 0 && !n.IsFlowStyle {
			out.at = placeOf(n.Values[0].Key)
		}
		r.pairs(out, n.Values, n.IsFlowStyle)
	case *ast.MappingValueNode:
		out.shape, out.at = mappingShape, placeOf(n.Key)
		r.pairs(out, []*ast.MappingValueNode{n}, false)
	case *ast.SequenceNode:
		out.shape = listShape
		for _, item := range n.Values {
			out.items = append(out.items, r.node(item))
		}
	case *ast.LiteralNode:
		out.text = strings.TrimRight(n.Value.Value, "\n")
		r.find(out)
	case *ast.StringNode:
		out.text = n.Value
		out.quote = n.Token.Type == token.DoubleQuoteType || n.Token.Type == token.SingleQuoteType
		r.find(out)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.shape, out.text = numberShape, n.GetToken().Value
		r.find(out)
	case *ast.BoolNode:
		out.shape, out.text = boolShape, n.Token.Value
		r.find(out)
	case *ast.NullNode:
		out.shape = nullShape
	default:
		r.problem(out.at, "anchors, aliases, tags and merge keys are not supported; write the value, and an expression that begins with !, & or * in single quotes")
		out.shape = brokenShape
	}
	return out
}

func (r *reader) pairs(out *node, values []*ast.MappingValueNode, flow bool) {
	seen := map[string]model.Place{}
	for _, v := range values {
		at := placeOf(v.Key)
		key, ok := v.Key.(ast.ScalarNode)
		if !ok || v.Key.Type() == ast.MergeKeyType {
			r.problem(at, "a key is plain text")
			out.shape = brokenShape
			continue
		}
		text := v.Key.GetToken().Value
		if _, isText := key.(*ast.StringNode); isText {
			text = key.GetValue().(string)
		}
		if first, twice := seen[text]; twice && (v.Value == nil || v.Value.Type() == ast.NullType) && flow {
			// {a: top(x, 3), b: top(y, 3)} has the key 3) twice: whoever reads calls joins them
		} else if twice {
			r.problem(at, "the key %s is here a second time, the first is in line %d", text, first.Line)
			continue
		}
		seen[text] = at
		p := pair{key: text, at: at, value: &node{shape: nullShape, at: at, flow: flow}}
		if v.Value != nil {
			p.value = r.node(v.Value)
			p.value.flow = flow
		}
		out.pairs = append(out.pairs, p)
	}
}

// find looks for the text of a scalar in the file: behind its quote, or in the lines below its |. What is folded or
// escaped is not found, and its places are then those of the value as a whole.
func (r *reader) find(n *node) {
	n.start = n.at
	candidates := []model.Place{n.at, {Line: n.at.Line, Column: n.at.Column + 1}}
	if n.at.Line < len(r.lines) {
		next := r.lines[n.at.Line]
		indent := len(next) - len(strings.TrimLeft(next, " "))
		candidates = append(candidates, model.Place{Line: n.at.Line + 1, Column: indent + 1})
	}
	for _, at := range candidates {
		if r.stands(n.text, at) {
			n.start, n.exact = at, true
			return
		}
	}
}
