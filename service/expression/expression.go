// Package expression compiles and runs the expressions of a pipeline file: `lower(device_type)`, `status >= 500`.
//
// The syntax is github.com/expr-lang/expr's. The meaning is our own table (docs/expressions.md, testdata/cases.yaml):
// every operator and function checks its operands, and what it cannot answer is an error with a place in the
// expression, never a guess. The parsed tree is rewritten so that only our functions are called, and then becomes Go
// closures that read the event's bytes. Expressions with loops, or with lists and objects that are made anew, run on
// expr's machine instead; where both can run an expression, tests hold them against each other.
//
// The package never does I/O and never looks at the clock: what an expression sees is in its Env.
package expression

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// maxText is the length of an expression, in bytes, beyond which it is refused: nobody can read it.
const maxText = 16 << 10

// Program is a compiled expression. It is immutable: many goroutines may run it, each with its own Env.
type Program struct {
	text   string
	kind   Kind
	fields []read   // top-level fields whose value it reads
	asked  []read   // top-level fields whose presence it asks for with has
	named  []string // those of them that stand there by their plain name, not as event["name"]
	keyed  bool     // it calls hash
	whole  bool     // it reads the event as a whole
	path   *path    // when the expression is nothing else
	eval   eval     // nil: only code can run it
	test   test     // of an eval that is true or false
	write  writer   // nil: there is no shorter way to the JSON than the value
	code   *vm.Program
}

// read is a field with its number in the layout.
type read struct {
	name string
	slot int
}

// Error is a fault of an expression at a place in its text. Line and Column count from 1, columns in characters.
type Error struct {
	Line, Column int
	Message      string
}

func (e *Error) Error() string {
	if e.Line > 1 {
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
	}
	return fmt.Sprintf("column %d: %s", e.Column, e.Message)
}

// Errors is everything that is wrong with an expression, in the order of the text. Compile's error is of this type.
type Errors []*Error

func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "; ")
}

// Compile makes a Program of text, with the functions of lib, that finds its fields where layout says. The fields that
// it reads get their numbers there. The error is Errors.
func (lib *Library) Compile(text string, layout *Layout) (*Program, error) {
	if len(text) > maxText {
		return nil, Errors{{Line: 1, Column: 1, Message: fmt.Sprintf("an expression has %d bytes at most, this one has %d", maxText, len(text))}}
	}
	if !utf8.ValidString(text) {
		return nil, Errors{{Line: 1, Column: 1, Message: "an expression is UTF-8 text"}}
	}
	if strings.TrimSpace(text) == "" {
		return nil, Errors{{Line: 1, Column: 1, Message: "the expression is empty"}}
	}
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, Errors{asError(err)}
	}
	l := newLowering(lib, text)
	node, kind := l.root(tree.Node)
	if len(l.errs) > 0 {
		return nil, l.sorted()
	}
	tree.Node = node
	code, err := assemble(tree, l.functions)
	if err != nil {
		return nil, Errors{asError(err)}
	}
	p := &Program{text: text, kind: kind, fields: reads(l.fields, layout), asked: reads(l.asked, layout), named: l.named, keyed: l.keyed, whole: l.whole, code: code}
	p.path = pathOf(node, layout)
	p.close(node, &closures{text: text, layout: layout, functions: l.called})
	if l.constant() {
		if _, err := p.Run(NewEnv()); err != nil {
			return nil, Errors{asError(err)}
		}
	}
	return p, nil
}

func reads(keys []string, layout *Layout) []read {
	list := make([]read, len(keys))
	for i, key := range keys {
		name := key[1:]
		list[i] = read{name, layout.Slot(name)}
	}
	return list
}

// close compiles the tree to closures, if they can run it.
func (p *Program) close(root ast.Node, c *closures) {
	run := c.eval(root)
	if c.foreign {
		return
	}
	p.eval = run
	if c.boolean(root) {
		p.test = c.test(root)
	}
	p.write = c.writer(root)
}

func assemble(tree *parser.Tree, functions conf.FunctionsTable) (*vm.Program, error) {
	config := conf.New(map[string]any{})
	config.Strict = false
	config.Optimize = false
	config.Functions = functions
	if _, err := checker.Check(tree, config); err != nil {
		return nil, err
	}
	return compiler.Compile(tree, config)
}

// asError puts the parser's and the machine's errors, which count columns from 0, into our form.
func asError(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	e, ok := errors.AsType[*file.Error](err)
	if !ok {
		return &Error{Line: 1, Column: 1, Message: firstLine(err.Error())}
	}
	return &Error{Line: max(e.Line, 1), Column: e.Column + 1, Message: plain(e.Message)}
}

// plain turns the parser's way to name tokens, as in Operator("=="), into ours.
func plain(message string) string {
	message = firstLine(message)
	token, ok := strings.CutPrefix(message, "unexpected token ")
	if !ok {
		return message
	}
	if token == "EOF" {
		return "the expression ends too early"
	}
	if _, text, ok := strings.Cut(token, "("); ok {
		token = strings.TrimSuffix(text, ")")
	}
	return "did not expect " + token + " here"
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// place is the line and column, from 1, of a character of the text.
func place(text string, from int) (line, column int) {
	line, column = 1, 1
	for _, r := range text {
		if from == 0 {
			break
		}
		from--
		if r == '\n' {
			line, column = line+1, 1
		} else {
			column++
		}
	}
	return line, column
}
