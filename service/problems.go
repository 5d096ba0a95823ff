package service

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

// Problem is one fault of a pipeline file.
type Problem struct {
	File    string
	At      model.Place
	Message string // what is wrong and what is accepted
	Line    string // the line of the file, empty when the text is not at hand
}

// Error is "file:line:column: message", and the line with a caret under the place.
func (p Problem) Error() string {
	text := fmt.Sprintf("%s:%s: %s", p.File, p.At, p.Message)
	if strings.TrimSpace(p.Line) == "" {
		return text
	}
	number := fmt.Sprintf("%5d | ", p.At.Line)
	pad := make([]rune, 0, p.At.Column)
	for i, r := range []rune(p.Line) {
		if i+1 >= p.At.Column {
			break
		}
		if r != '\t' {
			r = ' '
		}
		pad = append(pad, r)
	}
	return text + "\n" + number + p.Line + "\n" + strings.Repeat(" ", len(number)-2) + "| " + string(pad) + "^"
}

// Problems is everything that is wrong with a pipeline file, in the order of its lines.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// asError is nil without problems, otherwise an error of class Misconfigured around them.
func (ps Problems) asError() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Column, b.At.Column))
	})
	return &model.Error{Class: model.Misconfigured, Err: ps} // each line begins with its place, as editors want it
}

// faults are the faults of an expression, each with its place in the file.
func faults(file string, e model.Expression, err error) Problems {
	var all expression.Errors
	var one *expression.Error
	switch {
	case errors.As(err, &all):
	case errors.As(err, &one):
		all = expression.Errors{one}
	default:
		return Problems{{File: file, At: e.At, Message: err.Error()}}
	}
	var ps Problems
	for _, fault := range all {
		p := Problem{File: file, At: e.At, Message: fault.Message}
		if e.Wrapped {
			p.Message = fault.Error()
		} else {
			p.At.Line += fault.Line - 1
			p.At.Column += fault.Column - 1
		}
		ps = append(ps, p)
	}
	return ps
}
