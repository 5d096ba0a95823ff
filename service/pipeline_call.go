package service

import (
	"errors"
	"strings"
	"unicode"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
)

// call is the text of a measure, name(argument, parameter), taken apart with the lexer of expressions, so that commas
// and brackets within texts, lists and calls are no borders.
type call struct {
	runes     []rune
	name      string
	from      int // of the name
	arguments []span
	fault     string
	faultAt   int
	open      bool // the fault is that it ends too early
}

// span is a piece of the text of a call, in characters.
type span struct{ from, to int }

// takeApart never fails; what is wrong with the text is its fault.
func takeApart(text string) *call {
	c := &call{runes: []rune(text)}
	tokens, err := lexer.Lex(file.NewSource(text))
	if e, ok := errors.AsType[*file.Error](err); ok {
		return c.broken(min(e.From, len(c.runes)), e.Message)
	}
	if err != nil {
		return c.broken(0, err.Error())
	}
	tokens = tokens[:len(tokens)-1] // without the end of the text
	switch {
	case len(tokens) == 0:
		return c.broken(0, "a measure is a call, as in count() or sum(price); this one is empty")
	case tokens[0].Kind != lexer.Identifier || len(tokens) > 1 && !tokens[1].Is(lexer.Bracket, "("):
		return c.broken(tokens[0].From, "a measure is a call, as in count() or sum(price)")
	case len(tokens) == 1:
		return c.broken(tokens[0].From, "a measure is a call, as in count() or sum(price); this one has no ( )")
	}
	c.name, c.from = tokens[0].Value, tokens[0].From
	depth, from := 1, tokens[1].To
	for i, t := range tokens[2:] {
		switch {
		case t.Is(lexer.Bracket, "(", "[", "{"):
			depth++
		case t.Is(lexer.Bracket):
			depth--
		case depth == 1 && t.Is(lexer.Operator, ","):
			c.add(from, t.From)
			from = t.To
		}
		if depth > 0 {
			continue
		}
		if i == 0 {
			return c.closed(tokens[2+i:])
		}
		c.add(from, t.From)
		return c.closed(tokens[2+i:])
	}
	c.open = true
	return c.broken(len(c.runes), "the call of "+c.name+" ends too early, its ) is missing")
}

// closed looks at the end of a call, which is the end of the text.
func (c *call) closed(tokens []lexer.Token) *call {
	switch {
	case tokens[0].Value != ")":
		return c.broken(tokens[0].From, "did not expect "+tokens[0].Value+" here")
	case len(tokens) > 1:
		return c.broken(tokens[1].From, "a measure is one call, and it ends before this; what is computed stands within it, as in sum(price * amount)")
	}
	for _, s := range c.arguments {
		if s.from == s.to {
			return c.broken(s.from, "an argument of "+c.name+" is empty")
		}
	}
	return c
}

func (c *call) broken(at int, fault string) *call {
	c.faultAt, c.fault = at, strings.TrimSpace(fault)
	return c
}

// add notes an argument, without the blanks around it.
func (c *call) add(from, to int) {
	for from < to && unicode.IsSpace(c.runes[from]) {
		from++
	}
	for to > from && unicode.IsSpace(c.runes[to-1]) {
		to--
	}
	c.arguments = append(c.arguments, span{from, to})
}

func (c *call) text(s span) string { return string(c.runes[s.from:s.to]) }

// offset is the number of bytes before a character.
func (c *call) offset(character int) int { return len(string(c.runes[:character])) }

// blanked is an argument with blanks for everything before it.
func (c *call) blanked(s span) string {
	before := strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, string(c.runes[:s.from]))
	return before + c.text(s)
}
