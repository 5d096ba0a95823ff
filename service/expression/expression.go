// Package expression compiles and runs the expressions of a pipeline file: `lower(device_type)`, `status >= 500`.
//
// The syntax is github.com/expr-lang/expr's. The meaning is our own table (docs/expressions.md, testdata/cases.yaml):
// every operator and function checks its operands, and what it cannot answer is an error with a place in the
// expression, never a guess. The parsed tree is rewritten so that expr's machine only calls our functions.
//
// The package never does I/O and never looks at the clock: what an expression sees is in its Env.
package expression

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

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
	fields []string // top-level fields whose value it reads
	asked  []string // top-level fields whose presence it asks for with has
	named  []string // those of them that stand there by their plain name, not as event["name"]
	keyed  bool     // it calls hash
	whole  bool     // it reads the event as a whole
	pure   string   // the field that the expression is nothing but a name of
	isPure bool
	code   *vm.Program
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

// Compile makes a Program of text, with the functions of lib. The error is Errors.
func (lib *Library) Compile(text string) (*Program, error) {
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
	p := &Program{text: text, kind: kind, fields: l.fields, asked: l.asked, named: l.named, keyed: l.keyed, whole: l.whole, code: code}
	p.pure, p.isPure = l.pure(node)
	if l.constant() {
		if _, err := p.Run(NewEnv()); err != nil {
			return nil, Errors{asError(err)}
		}
	}
	return p, nil
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

// Text is the expression as it was written.
func (p *Program) Text() string { return p.text }

// Kind is what the result can be, as far as that is known before the first event.
func (p *Program) Kind() Kind { return p.kind }

// Fields are the top-level fields that the expression reads or asks for by a constant name.
func (p *Program) Fields() []string {
	names := make([]string, 0, len(p.fields)+len(p.asked))
	for _, key := range append(append(names, p.fields...), p.asked...) {
		names = append(names, key[1:])
	}
	return names
}

// Named are the top-level fields that stand in the expression by their plain name, not as event["name"].
func (p *Program) Named() []string { return p.named }

// NeedsHashKey tells whether the expression calls hash.
func (p *Program) NeedsHashKey() bool { return p.keyed }

// Whole tells whether the expression reads the event as a whole.
func (p *Program) Whole() bool { return p.whole }

// Field is the name of the field when the expression is nothing else.
func (p *Program) Field() (string, bool) { return p.pure, p.isPure }

// Run gives the value of the expression for the event that env is bound to: nil, bool, int64, float64, string,
// time.Time, time.Duration, []any or map[string]any. Nobody may change it. The error is an *Error.
func (p *Program) Run(env *Env) (any, error) {
	if err := env.load(p); err != nil {
		return nil, err
	}
	v, err := env.machine.Run(p.code, env.values)
	if err != nil {
		return nil, asError(err)
	}
	return v, nil
}

// RunBool is Run for a condition: a result that is not a boolean is an error.
func (p *Program) RunBool(env *Env) (bool, error) {
	v, err := p.Run(env)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, &Error{Line: 1, Column: 1, Message: "a condition is true or false, this one is " + Describe(v)}
	}
	return b, nil
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
