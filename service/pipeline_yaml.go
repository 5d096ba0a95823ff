package service

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"data-stream-engine/model"
)

// maxPipeline is how many bytes a pipeline file may have.
const maxPipeline = 1 << 20

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
	pairs []pair
	items []*node
}

type pair struct {
	key   string
	at    model.Place
	value *node
}

// reader turns a file into nodes and collects what is wrong with it.
type reader struct {
	file     string
	lines    []string
	problems Problems
}

func newReader(file string, src []byte) *reader {
	lines := strings.Split(string(src), "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	return &reader{file: file, lines: lines}
}

func (r *reader) problem(at model.Place, format string, args ...any) {
	r.add(Problem{File: r.file, At: at, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) add(ps ...Problem) {
	for _, p := range ps {
		p.At = r.clamp(p.At)
		p.Line = r.lines[p.At.Line-1]
		r.problems = append(r.problems, p)
	}
}

// clamp keeps a place within the file, just behind the end of its line at most.
func (r *reader) clamp(at model.Place) model.Place {
	at.Line = min(max(at.Line, 1), len(r.lines))
	at.Column = min(max(at.Column, 1), utf8.RuneCountInString(r.lines[at.Line-1])+1)
	return at
}

// document reads the one document of a file. nil: there is none that can be looked at.
func (r *reader) document(src []byte) (root *node) {
	if len(src) > maxPipeline {
		r.problem(model.Place{}, "a pipeline file has %d bytes at most, this one has %d", maxPipeline, len(src))
		return nil
	}
	if !utf8.Valid(src) {
		r.problem(model.Place{}, "a pipeline file is UTF-8 text")
		return nil
	}
	defer func() { // the YAML library panics on some broken input, which must not end the program
		if fault := recover(); fault != nil {
			r.problem(model.Place{}, "this is not YAML that can be read: %v", fault)
			root = nil
		}
	}()
	file, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return nil
	}
	return r.only(file)
}

func (r *reader) only(file *ast.File) (root *node) {
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
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
	if errors.As(err, &e) && e.GetToken() != nil && e.GetToken().Position != nil {
		at := e.GetToken().Position
		r.problem(model.Place{Line: at.Line, Column: at.Column}, "this is not YAML: %s", e.GetMessage())
		return
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	r.problem(model.Place{}, "this is not YAML: %s", message)
}

func placeOf(n ast.Node) model.Place {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return model.Place{Line: t.Position.Line, Column: t.Position.Column}
	}
	return model.Place{Line: 1, Column: 1}
}

func (r *reader) node(n ast.Node) *node {
	out := &node{at: placeOf(n)}
	switch n := n.(type) {
	case *ast.MappingNode:
		out.shape = mappingShape
		if len(n.Values) > 0 && !n.IsFlowStyle {
			out.at = placeOf(n.Values[0].Key)
		}
		r.pairs(out, n.Values)
	case *ast.MappingValueNode:
		out.shape, out.at = mappingShape, placeOf(n.Key)
		r.pairs(out, []*ast.MappingValueNode{n})
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
		r.problem(out.at, "anchors, aliases, tags and merge keys are not supported; write the value")
		out.shape = brokenShape
	}
	return out
}

func (r *reader) pairs(out *node, values []*ast.MappingValueNode) {
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
		if first, twice := seen[text]; twice {
			r.problem(at, "the key %s is here a second time, the first is in line %d", text, first.Line)
			continue
		}
		seen[text] = at
		p := pair{key: text, at: at, value: &node{shape: nullShape, at: at}}
		if v.Value != nil {
			p.value = r.node(v.Value)
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

// stands tells whether the lines of text stand in the file one below the other, the first at a place.
func (r *reader) stands(text string, at model.Place) bool {
	for i, part := range strings.Split(text, "\n") {
		line := at.Line - 1 + i
		if line < 0 || line >= len(r.lines) {
			return false
		}
		rest := []rune(r.lines[line])
		if len(rest) < at.Column-1 {
			if part == "" {
				continue
			}
			return false
		}
		if !strings.HasPrefix(string(rest[at.Column-1:]), part) {
			return false
		}
	}
	return true
}
