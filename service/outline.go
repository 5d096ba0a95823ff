package service

import (
	"strings"
)

// Outline says which lines of a pipeline file are about what.
type Outline struct {
	Source, Filter, Transform LineRange   // zero: the file has none
	Outputs                   []LineRange // in the order of the file
	Aggregates                []LineRange
}

// LineRange is from a first to a last line, counted from 1.
type LineRange struct{ From, To int }

// OutlineOf finds the lines of a pipeline file that was parsed without a problem. Empty lines and comments between two
// parts belong to neither.
func OutlineOf(src []byte) (o Outline) {
	r := newReader("", src)
	root := r.document()
	if root == nil {
		return o
	}
	for i, pair := range root.pairs {
		end := len(r.lines)
		if i+1 < len(root.pairs) {
			end = root.pairs[i+1].at.Line - 1
		}
		lines := r.trimmed(pair.at.Line, end)
		switch pair.key {
		case "source":
			o.Source = lines
		case "filter":
			o.Filter = lines
		case "transform":
			o.Transform = lines
		case "output":
			o.Outputs = r.items(pair.value, lines.To)
		case "aggregates":
			o.Aggregates = r.items(pair.value, lines.To)
		}
	}
	return o
}

// items are the lines of the items of a list that ends at a line.
func (r *reader) items(list *node, end int) (all []LineRange) {
	for i, item := range list.items {
		last := end
		if i+1 < len(list.items) {
			last = list.items[i+1].at.Line - 1
		}
		all = append(all, r.trimmed(item.at.Line, last))
	}
	return all
}

// trimmed leaves out what is empty or a comment at the end. Two parts may be on one line.
func (r *reader) trimmed(from, to int) LineRange {
	for to > from {
		line := strings.TrimSpace(r.lines[min(to, len(r.lines))-1])
		if line != "" && !strings.HasPrefix(line, "#") {
			break
		}
		to--
	}
	return LineRange{from, max(from, to)}
}
