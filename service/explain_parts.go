package service

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

// chain is an expression as the operands of a chain of one operator, && or ||; every other expression is one operand.
type chain struct {
	joined string
	texts  []string
}

// condition evaluates the operands of a condition from the left, as far as the whole is undecided. result is what the
// engine made of the whole.
func (x *Explainer) condition(e *model.Expression, event *object, result Result) *Condition {
	operands, ok := x.chains[e.Text]
	if !ok {
		operands = split(e.Text)
		x.chains[e.Text] = operands
	}
	c := &Condition{Expression: e.Text, At: x.at(e), Result: result, Joined: operands.joined}
	decided := false
	for _, text := range operands.texts {
		if decided {
			c.Parts = append(c.Parts, Part{Expression: text, Result: NotEvaluated})
			continue
		}
		part := Part{Expression: text, Reads: x.reads(text, event)}
		part.Result, part.Error = x.truth(text, event)
		decided = part.decides(c.Joined)
		c.Parts = append(c.Parts, part)
	}
	return c
}

// decides tells whether an operand leaves nothing to the next one.
func (p *Part) decides(joined string) bool {
	return p.Result == Failed || p.Result == True && joined == "||" || p.Result == False && joined == "&&"
}

// why names the part that made the condition false.
func (c *Condition) why() string {
	var untrue []string
	for _, part := range c.Parts {
		if part.Result == False {
			untrue = append(untrue, part.Expression)
		}
	}
	if len(untrue) == 0 {
		return c.Expression + " is false"
	}
	return strings.Join(untrue, " and ") + " is false"
}

func (x *Explainer) truth(text string, event *object) (Result, string) {
	v, err := x.value(text, event)
	if err != nil {
		return Failed, message(err)
	}
	switch v {
	case true:
		return True, ""
	case false:
		return False, ""
	}
	return Failed, "a condition is true or false, this one is " + expression.Describe(v)
}

// split takes an expression apart. The operands keep the form that they have in the file.
func split(text string) chain {
	tree, err := parser.Parse(text)
	whole := chain{texts: []string{strings.TrimSpace(text)}}
	if err != nil {
		return whole
	}
	root, ok := tree.Node.(*ast.BinaryNode)
	if !ok {
		return whole
	}
	joined := operator(root)
	if joined == "" {
		return whole
	}
	var operands []*ast.BinaryNode // from the right
	var node ast.Node = root
	for {
		b, ok := node.(*ast.BinaryNode)
		if !ok || operator(b) != joined {
			break
		}
		operands, node = append(operands, b), b.Left
	}
	slices.Reverse(operands)
	runes := []rune(text)
	all := chain{joined: joined, texts: []string{asWritten(runes, 0, operands[0].Location().From, node)}}
	for i, b := range operands {
		to := len(runes)
		if i+1 < len(operands) {
			to = operands[i+1].Location().From
		}
		all.texts = append(all.texts, asWritten(runes, b.Location().To, to, b.Right))
	}
	return all
}

// operator is && or || for either spelling, otherwise "".
func operator(b *ast.BinaryNode) string {
	switch b.Operator {
	case "&&", "and":
		return "&&"
	case "||", "or":
		return "||"
	}
	return ""
}

// asWritten is the text between two places when it is the node's, otherwise the parser's own way to write the node:
// parentheses around a part of the chain, or a < b < c, leave no text that stands for an operand alone.
func asWritten(text []rune, from, to int, n ast.Node) string {
	if from <= to && to <= len(text) {
		piece := strings.TrimSpace(string(text[from:to]))
		if tree, err := parser.Parse(piece); err == nil && tree.Node.String() == n.String() {
			return piece
		}
	}
	return n.String()
}
