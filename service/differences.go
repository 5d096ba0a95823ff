package service

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"data-stream-engine/model"
)

// Differences says in which places of a pipeline file two pipelines differ, in the order of the file. Fields, outputs and
// aggregates are matched by their names and topics, so that one that moves within the file is no difference, unless its
// place among the others means something. What only one side has is one difference, with all that belongs to it.
func Differences(before, after *model.Pipeline) []model.Difference {
	was, is := outline(before), outline(after)
	found := []model.Difference{}
	add := func(what, from, to string) {
		if from != to {
			found = append(found, model.Difference{What: what, From: from, To: to})
		}
	}
	for _, s := range was {
		other := is.find(s.path)
		if other == nil {
			add(s.path, s.text(), "")
			continue
		}
		for _, path := range union(s, other) {
			add(path, s.value(path), other.value(path))
		}
	}
	for _, s := range is {
		if was.find(s.path) == nil {
			add(s.path, "", s.text())
		}
	}
	return found
}

// part is a piece of a pipeline that is there as a whole or not at all: the pipeline's own words, or one output.
type part struct {
	path  string
	lines []line
}

// line is a place in the file and what it says.
type line struct{ path, value string }

type parts []*part

func (ps parts) find(path string) *part {
	if i := slices.IndexFunc(ps, func(p *part) bool { return p.path == path }); i >= 0 {
		return ps[i]
	}
	return nil
}

func (p *part) say(key, value string) {
	path := key
	if p.path != "" {
		path = p.path + "." + key
	}
	p.lines = append(p.lines, line{path, value})
}

// list says values by their names, and their order.
func (p *part) list(key string, all [][2]string) {
	var names []string
	for _, x := range all {
		p.say(key+"."+x[0], x[1])
		names = append(names, x[0])
	}
	p.say(key+orderMark, strings.Join(names, ", "))
}

// orderMark ends the path of a list's order, which is only of interest when nothing was added or taken away.
const orderMark = " (order)"

func (p *part) value(path string) string {
	if i := slices.IndexFunc(p.lines, func(l line) bool { return l.path == path }); i >= 0 {
		return p.lines[i].value
	}
	return ""
}

// text is all of it in one line.
func (p *part) text() string {
	var said []string
	for _, l := range p.lines {
		if l.value != "" && !strings.HasSuffix(l.path, orderMark) {
			said = append(said, strings.TrimPrefix(l.path, p.path+".")+": "+l.value)
		}
	}
	return strings.Join(said, "; ")
}

// union are the paths of both, in the order of the first, with what only the second has behind it. An order is left out
// when the lists have not the same names.
func union(a, b *part) []string {
	var all []string
	for _, p := range []*part{a, b} {
		for _, l := range p.lines {
			if slices.Contains(all, l.path) || strings.HasSuffix(l.path, orderMark) && !sameNames(a.value(l.path), b.value(l.path)) {
				continue
			}
			all = append(all, l.path)
		}
	}
	return all
}

func sameNames(a, b string) bool {
	x, y := strings.Split(a, ", "), strings.Split(b, ", ")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

func outline(spec *model.Pipeline) parts {
	all := parts{outlineHead(spec)}
	for i := range spec.Outputs {
		out := &spec.Outputs[i]
		p := &part{path: "output." + out.Topic}
		for n := 2; all.find(p.path) != nil; n++ { // an event may go to a topic under several conditions
			p.path = fmt.Sprintf("output.%s#%d", out.Topic, n)
		}
		p.say("topic", out.Topic)
		p.say("key", wordsOf(out.Key))
		p.say("when", wordsOf(out.When))
		all = append(all, p)
	}
	for i := range spec.Aggregates {
		all = append(all, outlineAggregate(&spec.Aggregates[i]))
	}
	return all
}

// outlineHead is everything but outputs and aggregates.
func outlineHead(spec *model.Pipeline) *part {
	p := &part{}
	p.say("name", spec.Name)
	p.say("source.topic", spec.Source.Topic)
	p.say("source.event_time", wordsOf(spec.Source.EventTime))
	p.say("source.max_future", durationText(spec.Source.MaxFuture))
	p.say("source.tombstones", string(spec.Source.Tombstones))
	p.say("source.not_objects", string(spec.Source.NotObjects))
	p.say("filter", wordsOf(spec.Filter))
	var set, rename [][2]string
	for _, a := range spec.Transform.Set {
		set = append(set, [2]string{a.Field, wordsOf(&a.Value)})
	}
	for _, r := range spec.Transform.Rename {
		rename = append(rename, [2]string{r.From, r.To})
	}
	p.list("transform.set", set)
	p.list("transform.rename", rename)
	if spec.Transform.Keep != nil {
		p.say("transform.keep", "["+strings.Join(spec.Transform.Keep, ", ")+"]")
	}
	if len(spec.Transform.Remove) > 0 {
		p.say("transform.remove", "["+strings.Join(spec.Transform.Remove, ", ")+"]")
	}
	return p
}

func outlineAggregate(a *model.Aggregate) *part {
	d := describeAggregate(a)
	p := &part{path: "aggregates." + d.Name}
	p.say("of", d.Of)
	p.say("where", d.Where)
	var groups, measures [][2]string
	for _, g := range d.GroupBy {
		groups = append(groups, [2]string{g.Name, g.Expression})
	}
	for _, m := range d.Measures {
		measures = append(measures, [2]string{m.Name, m.Call})
	}
	p.list("group_by", groups)
	p.say("window."+string(d.Window.Kind), d.Window.Size+d.Window.Gap)
	p.say("window.every", d.Window.Every)
	p.say("window.grace", d.Window.Grace)
	p.list("measures", measures)
	p.say("emit", string(d.Emit))
	p.say("retention", d.Retention)
	p.say("late", string(d.Late))
	p.say("max_groups", strconv.Itoa(d.MaxGroups))
	if t := d.Detect; t != nil {
		p.say("detect.measure", t.Measure)
		p.say("detect.sigma", numberText(t.Sigma))
		p.say("detect.min_windows", strconv.Itoa(t.MinWindows))
		p.say("detect.above", limit(t.Above))
		p.say("detect.below", limit(t.Below))
	}
	return p
}

// limit is a limit that need not be there.
func limit(x *float64) string {
	if x == nil {
		return ""
	}
	return numberText(*x)
}
