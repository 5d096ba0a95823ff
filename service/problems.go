package service

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

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
	text := fmt.Sprintf("%s:%s: %s", p.File, p.At, printable(p.Message))
	if strings.TrimSpace(p.Line) == "" {
		return text
	}
	number := fmt.Sprintf("%5d | ", p.At.Line)
	line, at := window(p.Line, p.At.Column)
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(line[:at]))
	return text + "\n" + number + printable(string(line)) + "\n" + strings.Repeat(" ", len(number)-2) + "| " + pad + "^"
}

// windowSize is how many characters of a line are shown.
const windowSize = 160

// window is the part of a line around a column, and where in it the column is.
func window(line string, column int) (part []rune, at int) {
	part = []rune(line)
	at = min(max(column-1, 0), len(part))
	if len(part) <= windowSize {
		return part, at
	}
	from := max(0, min(at-windowSize/2, len(part)-windowSize))
	to := min(from+windowSize, len(part))
	shown := part[from:to]
	at -= from
	if to < len(part) {
		shown = append(slices.Clone(shown), []rune("...")...)
	}
	if from > 0 {
		shown, at = append([]rune("..."), shown...), at+len("...")
	}
	return shown, at
}

// printable keeps what a file or its name holds from commanding the terminal that it is shown on.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// MaxShown is how many problems of one file are shown: whoever has more begins with these.
const MaxShown = 50

// Problems is everything that is wrong with a pipeline file, in the order of its lines.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, 0, MaxShown+1)
	for _, p := range ps[:min(len(ps), MaxShown)] {
		lines = append(lines, p.Error())
	}
	if more := len(ps) - MaxShown; more > 0 {
		lines = append(lines, fmt.Sprintf("%s: %d problems, the first %d are shown", ps[0].File, len(ps), MaxShown))
	}
	return strings.Join(lines, "\n")
}

// asError is nil without problems, otherwise an error of class Misconfigured around them.
func (ps Problems) asError() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Column, b.At.Column), cmp.Compare(a.Message, b.Message))
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
