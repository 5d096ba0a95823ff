package service

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"

	"data-stream-engine/model"
)

// MaxPipelineBytes is how large a pipeline file, or another file that is read like one, may be. Whoever reads one need not read more than a byte beyond.
const MaxPipelineBytes = 256 << 10

// What a pipeline file may ask of the YAML library, whose effort grows faster than the file: a hundred times what a
// long file of a careful author has.
const (
	maxTokens = 20_000
	maxNested = 32 // brackets within brackets, lists within lists on one line
)

// maxProblem is how many bytes a message has at most, however long the names are that it repeats.
const maxProblem = 2000

// reader turns a file into nodes and collects what is wrong with it.
type reader struct {
	file     string
	src      string // without a byte order mark, lines end with \n
	lines    []string
	runes    map[int][]rune // of lines that are not ASCII, once they were needed
	problems Problems
}

func newReader(file string, src []byte) *reader {
	r := &reader{file: file, lines: []string{""}, runes: map[int][]rune{}}
	if len(src) > MaxPipelineBytes {
		r.problem(model.Place{}, "a file has %d bytes at most, this one has more", MaxPipelineBytes)
	} else {
		r.src = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(src), "\ufeff"))
		r.lines = strings.Split(r.src, "\n")
	}
	return r
}

// encoded reports the first thing in the file that is no text.
func (r *reader) encoded() bool {
	if strings.HasPrefix(r.src, "\xff\xfe") || strings.HasPrefix(r.src, "\xfe\xff") {
		r.problem(model.Place{}, "the file has to be UTF-8 text and is UTF-16; save it as UTF-8")
		return false
	}
	for i, c := range r.src {
		invalid := c == utf8.RuneError && !strings.HasPrefix(r.src[i:], "\ufffd")
		if !invalid && (!unicode.IsControl(c) || c == '\t' || c == '\n' || c == '\u0085') {
			continue
		}
		before := r.src[:i]
		at := model.Place{Line: strings.Count(before, "\n") + 1, Column: utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1}
		if invalid {
			r.problem(at, "the file has to be UTF-8 text, the byte 0x%02x here is not", r.src[i])
		} else {
			r.problem(at, "the file has to be text, the control character %U does not belong into it", c)
		}
		return false
	}
	return true
}

// bounded reports what would keep the YAML library busy for too long, or the stack growing.
func (r *reader) bounded(tokens token.Tokens) bool {
	if len(tokens) > maxTokens {
		r.problem(tokenPlace(tokens[maxTokens]), "the file has more than %d words and signs up to here, which is too many", maxTokens)
		return false
	}
	depth, line, entries := 0, 0, 0
	for _, t := range tokens {
		at := tokenPlace(t)
		if at.Line != line {
			line, entries = at.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			entries++
		default: // nothing nests in it
		}
		if depth > maxNested || entries > maxNested {
			r.problem(at, "this is nested deeper than %d levels", maxNested)
			return false
		}
	}
	return true
}

func tokenPlace(t *token.Token) model.Place {
	if t == nil || t.Position == nil {
		return model.Place{Line: 1, Column: 1}
	}
	return model.Place{Line: t.Position.Line, Column: t.Position.Column}
}

func (r *reader) problem(at model.Place, format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = clip(s, maxProblem/4)
		}
	}
	r.add(Problem{File: r.file, At: at, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) add(ps ...Problem) {
	for _, p := range ps {
		p.At = r.clamp(p.At)
		p.Line, p.Message = r.lines[p.At.Line-1], clip(p.Message, maxProblem)
		r.problems = append(r.problems, p)
	}
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "..."
}

// clamp keeps a place within the file, just behind the end of its line at most.
func (r *reader) clamp(at model.Place) model.Place {
	at.Line = min(max(at.Line, 1), len(r.lines))
	at.Column = min(max(at.Column, 1), r.length(at.Line-1)+1)
	return at
}

// characters are the characters of a line that is not ASCII; nil when its bytes are its characters. A file may have all
// its values in one line, which must not be taken apart for each of them.
func (r *reader) characters(line int) []rune {
	if list, known := r.runes[line]; known {
		return list
	}
	var list []rune
	for i := range len(r.lines[line]) {
		if r.lines[line][i] >= utf8.RuneSelf {
			list = []rune(r.lines[line])
			break
		}
	}
	r.runes[line] = list
	return list
}

func (r *reader) length(line int) int {
	if list := r.characters(line); list != nil {
		return len(list)
	}
	return len(r.lines[line])
}

// behind is what stands in the file from a place to the end of its line.
func (r *reader) behind(at model.Place) string {
	at = r.clamp(at)
	if list := r.characters(at.Line - 1); list != nil {
		return string(list[at.Column-1:])
	}
	return r.lines[at.Line-1][at.Column-1:]
}

// stands tells whether the lines of text stand in the file one below the other, the first at a place.
func (r *reader) stands(text string, at model.Place) bool {
	line := at.Line - 1
	for part := range strings.SplitSeq(text, "\n") {
		if line < 0 || line >= len(r.lines) || !r.begins(line, at.Column-1, part) {
			return false
		}
		line++
	}
	return true
}

// begins tells whether a line goes on with text behind some of its characters.
func (r *reader) begins(line, from int, text string) bool {
	list := r.characters(line)
	switch {
	case text == "":
		return true
	case from > r.length(line):
		return false
	case list == nil:
		return strings.HasPrefix(r.lines[line][from:], text)
	}
	for _, c := range text {
		if from >= len(list) || list[from] != c {
			return false
		}
		from++
	}
	return true
}
