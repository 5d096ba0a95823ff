package service

import (
	"strings"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

// mostSpans is how many windows of one event are listed: a hopping window may have thousands.
const mostSpans = 100

// gauges says for each aggregate what it makes of the event, as it came or after the transform.
func (x *Explainer) gauges(e *Explanation, m *model.Message, before, after *object) {
	for i, p := range x.gauged {
		spec := &x.whole.plan.spec.Aggregates[i]
		sees := after
		if spec.OfSource {
			sees = before
		}
		g := x.gauge(p, spec, m, sees)
		g.Counted = g.Counted && e.Outcome != DeadLettered
		e.Aggregates = append(e.Aggregates, g)
	}
}

// gauge asks the engine, by a pipeline that has this aggregate alone, and works the parts out beside it.
func (x *Explainer) gauge(p *Processor, spec *model.Aggregate, m *model.Message, sees *object) Gauged {
	g := Gauged{Aggregate: spec.Name}
	fate, records := x.run(p, m)
	where := True
	switch {
	case fate == DeadLettered:
		g.Error, _ = records[len(records)-1].Header(HeaderMessage)
		if p.gaugeFails() {
			where = Failed
		}
	case len(p.gauges.missed) > 0:
		g.Late = true
		g.Lateness = &Lateness{Watermark: time.UnixMilli(x.source.Watermark).UTC(), Grace: durationText(spec.Window.Grace), DeadLetter: spec.Late != model.PolicyDrop}
	case len(p.gauges.counted) == 0:
		where = False
	default:
		g.Counted = true
	}
	if spec.Where != nil {
		g.Where = x.condition(spec.Where, sees, where)
	}
	if where != True {
		return g
	}
	g.Windows, g.Of = spansOf(p.plan.definitions[0], p.gauges.time)
	if spec.Window.Kind == model.Session {
		g.Gap = durationText(spec.Window.Gap)
	}
	for i := range spec.GroupBy {
		by := &spec.GroupBy[i]
		g.Group = append(g.Group, x.input(by.Name, by.Value.Text, by.Value.Text, sees))
	}
	for i := range spec.Measures {
		taken := &spec.Measures[i]
		if taken.Argument == nil {
			g.Measures = append(g.Measures, Input{Name: taken.Name, Expression: taken.Text})
			continue
		}
		g.Measures = append(g.Measures, x.input(taken.Name, taken.Text, taken.Argument.Text, sees))
	}
	return g
}

// gaugeFails tells whether it is the where of the one aggregate that cannot be answered for the event just seen.
func (p *Processor) gaugeFails() bool {
	g := &p.plan.gauges[0]
	if g.where == nil {
		return false
	}
	env := p.after
	if g.source {
		env = p.env
	}
	_, err := g.where.program.RunBool(env)
	return err != nil
}

func (x *Explainer) input(name, written, text string, sees *object) Input {
	in := Input{Name: name, Expression: strings.TrimSpace(written)}
	var err error
	if in.Value, err = x.scalar(text, sees); err != nil {
		in.Error, in.Reads = message(err), x.reads(text, sees)
	}
	return in
}

// spansOf are the windows that an event at t is in, and how many there are. A session has none.
func spansOf(d *aggregate.Definition, t int64) (list []Span, count int) {
	w := d.Window
	if w.Kind == model.Session {
		return nil, 0
	}
	last := t - t%w.Every
	if last > t {
		last -= w.Every
	}
	count = int((last+w.Size-t-1)/w.Every) + 1
	for start := last - int64(count-1)*w.Every; start <= last && len(list) < mostSpans; start += w.Every {
		list = append(list, Span{time.UnixMilli(start).UTC(), time.UnixMilli(start + w.Size).UTC()})
	}
	return list, count
}
