package view

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// Pipeline is the pipeline that this instance runs.
func (v *View) Pipeline() Pipeline {
	spec, _, text, at := v.src.Loader.Loaded()
	p := Pipeline{Name: spec.Name, File: spec.File, Text: text, LoadedAt: stamp(at), Source: spec.Source.Topic, Aggregates: []Aggregate{}}
	v.mu.Lock()
	if n, known := v.counts[spec.Source.Topic]; known {
		p.Partitions = new(int(n))
	}
	v.mu.Unlock()
	p.Stages = stages(spec, service.OutlineOf([]byte(text)))
	for i := range spec.Aggregates {
		p.Aggregates = append(p.Aggregates, aggregateOf(spec, &spec.Aggregates[i]))
	}
	return p
}

// stages are the parts of the picture, in the order in which events come by. Topics of several outputs are there once: the
// counts of an output are its topic's.
func stages(spec *model.Pipeline, lines service.Outline) []Stage {
	all := []Stage{
		{"source", "source", spec.Source.Topic, linesOf(lines.Source)},
		{"filter", "filter", filterTitle(spec.Filter), linesOf(lines.Filter)},
		{"transform", "transform", transformTitle(&spec.Transform), linesOf(lines.Transform)},
	}
	places := map[string]int{}
	for i, out := range spec.Outputs {
		at := linesOf(nth(lines.Outputs, i))
		if n, known := places[out.Topic]; known {
			if before := all[n].Lines; before != nil && at != nil {
				before[1] = max(before[1], at[1])
			}
			continue
		}
		places[out.Topic] = len(all)
		all = append(all, Stage{"output:" + out.Topic, "output", out.Topic, at})
	}
	for i := range spec.Aggregates {
		name := spec.Aggregates[i].Name
		all = append(all, Stage{"aggregate:" + name, "aggregate", name, linesOf(nth(lines.Aggregates, i))})
	}
	return all
}

func nth(list []service.LineRange, i int) (l service.LineRange) {
	if i < len(list) {
		l = list[i]
	}
	return l
}

func linesOf(l service.LineRange) *Lines {
	if l.From == 0 {
		return nil
	}
	return &Lines{l.From, l.To}
}

// titleRunes is how long a title may be.
const titleRunes = 60

func filterTitle(e *model.Expression) string {
	if e == nil {
		return "every event passes"
	}
	text := strings.Join(strings.Fields(e.Text), " ")
	if utf8.RuneCountInString(text) > titleRunes {
		text = string([]rune(text)[:titleRunes-2]) + " …"
	}
	return text
}

func transformTitle(t *model.Transform) string {
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{{len(t.Set), "set"}, {len(t.Rename), "renamed"}, {len(t.Remove), "removed"}, {len(t.Keep), "kept"}} {
		if part.n > 0 {
			parts = append(parts, strconv.Itoa(part.n)+" "+part.what)
		}
	}
	if t.Keep != nil && len(t.Keep) == 0 {
		parts = append(parts, "nothing else kept")
	}
	if len(parts) == 0 {
		return "events go as they came"
	}
	return strings.Join(parts, ", ")
}

func aggregateOf(spec *model.Pipeline, a *model.Aggregate) Aggregate {
	d := Aggregate{Name: a.Name, GroupBy: []string{}, Of: "event", Measures: []Measure{}, Window: Window{
		Kind: a.Window.Kind, Size: seconds(a.Window.Size), Every: seconds(a.Window.Every), Gap: seconds(a.Window.Gap), Grace: seconds(a.Window.Grace), Text: service.WindowText(a.Window)}}
	if a.Window.Kind == model.Tumbling {
		d.Window.Every = d.Window.Size
	}
	if a.OfSource {
		d.Of = "source"
	}
	for _, g := range a.GroupBy {
		d.GroupBy = append(d.GroupBy, g.Name)
	}
	if a.Where != nil {
		d.Where = &a.Where.Text
	}
	if a.Detect != nil {
		d.Detect = new(service.DetectText(a.Detect))
	}
	for i := range a.Measures {
		m := &a.Measures[i]
		d.Measures = append(d.Measures, Measure{Name: m.Name, Expression: m.Text, Kind: kind(spec, m), About: exactness(m)})
	}
	return d
}

// kind is how the value of a measure is shown.
func kind(spec *model.Pipeline, m *model.Measure) string {
	switch m.Function {
	case "top":
		return "top"
	case "first", "last":
		if m.Argument != nil && isTime(spec, strings.TrimSpace(m.Argument.Text)) {
			return "time"
		}
		return "text"
	}
	return "number"
}

// isTime tells whether an expression makes a time as text, or is a field that the transform makes with one.
func isTime(spec *model.Pipeline, text string) bool {
	if strings.HasPrefix(text, "rfc3339(") || strings.HasPrefix(text, "now(") {
		return true
	}
	for _, a := range spec.Transform.Set {
		if a.Field == text && a.Value.Text != text {
			return isTime(&model.Pipeline{}, strings.TrimSpace(a.Value.Text))
		}
	}
	return false
}

// exactness is how far the value of a measure may be off; nil when it is exact. The numbers are those of docs/aggregation.md.
func exactness(m *model.Measure) *string {
	switch m.Function {
	case "distinct":
		return new("± 1.6 %")
	case "percentile":
		return new("± 1 %")
	case "top":
		return new(fmt.Sprintf("exact up to %d values", max(64, 8*int(m.Parameter))))
	}
	return nil
}
