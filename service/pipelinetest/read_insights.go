package pipelinetest

import (
	"slices"
	"strings"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// insights reads the insights that are to come of a case.
func (r *reader) insights(n service.Node) []insight {
	var list []insight
	for _, item := range r.items(n, "insights", "a list: - measures: ...") {
		e := insight{at: item.At(), final: true}
		all := []key{
			{name: "aggregate", read: func(n service.Node) { e.aggregate = r.text(n, "aggregate") }},
			{name: "kind", read: func(n service.Node) { e.kind = r.kind(n) }},
			{name: "window", read: func(n service.Node) { r.window(n, &e) }},
			{name: "group", read: func(n service.Node) { e.group = r.members(n, "group") }},
			{name: "measures", read: func(n service.Node) { e.measures = r.members(n, "measures") }},
			{name: "final", read: func(n service.Node) { e.final = r.bool(n, "final") }},
			{name: "sentence", read: func(n service.Node) { e.sentence = new(r.text(n, "sentence")) }},
		}
		r.mapping(item, "an item of insights", all)
		if item.IsMapping() && len(item.Entries()) == 0 {
			r.doc.Problem(item.At(), "an item of insights says at least one of %s", strings.Join(names(all), ", "))
		}
		if e.sentence != nil && e.kind == "" {
			e.kind = service.KindAnomaly
		}
		if e.sentence != nil && e.kind != service.KindAnomaly {
			r.doc.Problem(e.at, "only an anomaly has a sentence, not a %s", e.kind)
		}
		list = append(list, e)
	}
	return list
}

// aggregates reads the names of those whose insights are compared.
func (r *reader) aggregates(n service.Node) []named {
	var list []named
	for _, item := range r.items(n, "aggregates", "a list of names of aggregates, as in [logins]") {
		list = append(list, named{name: r.text(item, "the name of an aggregate"), at: item.At()})
	}
	if len(list) == 0 && !n.IsBroken() {
		r.doc.Problem(n.At(), "aggregates is empty; take it out, and the insights of all are compared")
	}
	return list
}

func (r *reader) kind(n service.Node) string {
	kinds := []string{service.KindWindow, service.KindSession, service.KindAnomaly}
	kind := r.text(n, "kind")
	if kind != "" && !slices.Contains(kinds, kind) {
		r.doc.Problem(n.At(), "kind is one of %s, not %s", strings.Join(kinds, ", "), kind)
	}
	return kind
}

func (r *reader) window(n service.Node, e *insight) {
	at := func(to **time.Time, what string) func(service.Node) {
		return func(n service.Node) { *to = new(r.time(n, what)) }
	}
	r.mapping(n, "a window", []key{{name: "start", read: at(&e.start, "start")}, {name: "end", read: at(&e.end, "end")}})
}

// members reads names with values of JSON.
func (r *reader) members(n service.Node, what string) []named {
	var list []named
	for _, e := range r.entries(n, what, "name: value a line") {
		if !e.Value.IsBroken() {
			list = append(list, named{name: e.Key, at: e.At, value: r.json(nil, e.Value)})
		}
	}
	return list
}

// fitInsights checks that the expected insights are some that the pipeline can have, and fills the aggregate in where there
// is one, and the kind.
func (f *File) fitInsights(aggregates []model.Aggregate) {
	known := make([]string, len(aggregates))
	for i := range aggregates {
		known[i] = aggregates[i].Name
	}
	for i := range f.cases {
		c := &f.cases[i]
		if c.insightsAt != nil && len(known) == 0 {
			f.doc.Problem(*c.insightsAt, "the pipeline has no aggregates, so that no insight comes")
			continue
		}
		compared := f.fitCompared(c, known)
		for j := range c.insights {
			e := &c.insights[j]
			switch {
			case e.aggregate == "" && len(compared) != 1:
				f.doc.Problem(e.at, "aggregate is missing: it is one of %s", strings.Join(compared, ", "))
				continue
			case e.aggregate == "":
				e.aggregate = compared[0]
			case !slices.Contains(known, e.aggregate):
				f.doc.Problem(e.at, "the pipeline has no aggregate %s%s; it has %s", e.aggregate, nearest(e.aggregate, known), strings.Join(known, ", "))
				continue
			case !slices.Contains(compared, e.aggregate):
				f.doc.Problem(e.at, "aggregates says that the insights of %s are compared, not those of %s", strings.Join(compared, ", "), e.aggregate)
				continue
			}
			f.fitInsight(e, &aggregates[slices.Index(known, e.aggregate)])
		}
	}
}

// fitCompared gives the aggregates whose insights a case compares.
func (f *File) fitCompared(c *testCase, known []string) []string {
	if len(c.aggregates) == 0 {
		return known
	}
	if c.insightsAt == nil {
		f.doc.Problem(c.aggregates[0].at, "aggregates says whose insights are compared, and the case has no insights")
	}
	var compared []string
	for _, a := range c.aggregates {
		if !slices.Contains(known, a.name) {
			f.doc.Problem(a.at, "the pipeline has no aggregate %s%s; it has %s", a.name, nearest(a.name, known), orNone(known))
			return known
		}
		compared = append(compared, a.name)
	}
	return compared
}

func (f *File) fitInsight(e *insight, a *model.Aggregate) {
	kind := service.KindWindow
	if a.Window.Kind == model.Session {
		kind = service.KindSession
	}
	switch {
	case e.kind == "":
		e.kind = kind
	case e.kind == service.KindAnomaly && a.Detect == nil:
		f.doc.Problem(e.at, "%s has no detect, so that it finds no anomaly", a.Name)
	case e.kind != service.KindAnomaly && e.kind != kind:
		f.doc.Problem(e.at, "the windows of %s are of kind %s, not %s", a.Name, kind, e.kind)
	}
	if !e.final && e.kind == service.KindAnomaly {
		f.doc.Problem(e.at, "anomalies are found in windows that have closed: they are final")
	} else if !e.final && a.Emit == model.EmitFinal {
		f.doc.Problem(e.at, "%s says emit: final, so that open windows have no insight", a.Name)
	}
	var groups, measures []string
	for _, g := range a.GroupBy {
		groups = append(groups, g.Name)
	}
	for i := range a.Measures {
		measures = append(measures, a.Measures[i].Name)
	}
	f.fitMembers(e.group, groups, "group_by of "+a.Name)
	f.fitMembers(e.measures, measures, "measures of "+a.Name)
}

func (f *File) fitMembers(list []named, known []string, what string) {
	for _, m := range list {
		if !slices.Contains(known, m.name) {
			f.doc.Problem(m.at, "%s has no %s%s; it has %s", what, m.name, nearest(m.name, known), orNone(known))
		}
	}
}
