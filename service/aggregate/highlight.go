package aggregate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Highlight is a group that stands out in the latest window of its aggregate.
type Highlight struct {
	Aggregate  string
	Start, End int64
	Group      []byte // its values, JSON with commas between them
	Measures   []byte // the members of a JSON object
	Rank       float64
	Final      bool
}

// Compare orders highlights: by aggregate, the highest first.
func (h Highlight) Compare(o Highlight) int {
	return cmp.Or(cmp.Compare(h.Aggregate, o.Aggregate), cmp.Compare(o.Rank, h.Rank), bytes.Compare(h.Group, o.Group))
}

// String is a highlight for people: "android, RU: logins 123, users 97".
func (h Highlight) String() string {
	var values, numbers []string
	for v := range elements(h.Group) {
		values = append(values, plain(v))
	}
	if len(values) == 0 {
		values = []string{"all"}
	}
	d := json.NewDecoder(io.MultiReader(strings.NewReader("{"), bytes.NewReader(h.Measures), strings.NewReader("}")))
	for _, err := d.Token(); err == nil && d.More(); { // in the order of the pipeline file
		var name json.Token
		var value json.RawMessage
		if name, err = d.Token(); err == nil {
			err = d.Decode(&value)
		}
		if err == nil && !bytes.HasPrefix(value, []byte("[")) {
			numbers = append(numbers, fmt.Sprint(name)+" "+plain(value))
		}
	}
	return strings.Join(values, ", ") + ": " + strings.Join(numbers, ", ")
}

// Span is the window of a highlight for people, in UTC.
func (h Highlight) Span() string { return span(h.Start, h.End) }

// mostHighlights is how many groups of an aggregate a summary names.
const mostHighlights = 3

// highlight keeps the groups of the latest window with the largest first number among their measures. text are those
// measures as they stand in the insight.
func (c *committing) highlight(s *series, start, end int64, group, text, measures []byte, final bool) {
	if s.def.session() { // their latest ones have hardly begun
		return
	}
	all := c.did.Highlights
	from := slices.IndexFunc(all, func(h Highlight) bool { return h.Aggregate == s.def.Name })
	if from < 0 {
		from = len(all)
	}
	to := from
	for to < len(all) && all[to].Aggregate == s.def.Name {
		to++
	}
	if to > from && all[from].Start > start {
		return
	}
	rank, ok := s.rank(measures)
	if !ok {
		return
	}
	if to > from && all[from].Start < start {
		all = slices.Delete(all, from, to)
		to = from
	}
	at := from
	for at < to && all[at].Rank >= rank {
		at++
	}
	if at-from < mostHighlights {
		if to-from == mostHighlights {
			all = slices.Delete(all, to-1, to)
		}
		all = slices.Insert(all, at, Highlight{s.def.Name, start, end, slices.Clone(group), slices.Clone(text), rank, final})
	}
	c.did.Highlights = all
}

// rank is the first number among measures.
func (s *series) rank(measures []byte) (float64, bool) {
	for i := range s.names {
		if state := stateOf(measures, s.names[i].id); state != nil {
			if x, ok := s.functions.of(s.names[i].id).Number(state); ok {
				return x, true
			}
		}
	}
	return 0, false
}
