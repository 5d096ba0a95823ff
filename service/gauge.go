package service

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
	"data-stream-engine/service/expression"
	"data-stream-engine/service/measure"
)

// gauge is a compiled aggregate.
type gauge struct {
	name   string
	source bool // it sees the event as it came, or reads only what is the same in both
	late   model.Policy
	where  *step
	group  []*step
	inputs []*step // of its measures; nil: the measure has no argument
}

// gauge compiles an aggregate.
func (p *plan) gauge(c *compiler, a *model.Aggregate) {
	g := gauge{name: a.Name, source: a.OfSource || !p.gauged, late: a.Late}
	g.where = c.step("where of "+a.Name, a.Where, expression.Bool)
	for i := range a.GroupBy {
		by := &a.GroupBy[i]
		g.group = append(g.group, c.step("group_by "+by.Name+" of "+a.Name, &by.Value, expression.Scalars))
	}
	for i := range a.Measures {
		m := &a.Measures[i]
		g.inputs = append(g.inputs, c.step(m.Name+" of "+a.Name, m.Argument, expression.Scalars))
	}
	p.gauges = append(p.gauges, g)
	p.definitions = append(p.definitions, aggregate.NewDefinition(c.spec.Name, a))
}

// gaugeExpressions are those that see the transformed event.
func gaugeExpressions(spec *model.Pipeline) (all []*model.Expression) {
	for i := range spec.Aggregates {
		a := &spec.Aggregates[i]
		if a.OfSource {
			continue
		}
		all = append(all, a.Where)
		for k := range a.GroupBy {
			all = append(all, &a.GroupBy[k].Value)
		}
		for k := range a.Measures {
			all = append(all, a.Measures[k].Argument)
		}
	}
	return slices.DeleteFunc(all, func(e *model.Expression) bool { return e == nil })
}

// The codes of dead letters of aggregates.
const (
	CodeFutureEventTime = "future_event_time"
	CodeLateEvent       = "late_event"
	CodeGroupTooLarge   = "group_too_large"
	CodeInvalidArgument = "invalid_argument"
)

// gauging is what the aggregates make of an event: worked out as a whole before anything of it counts.
type gauging struct {
	combiner *aggregate.Combiner // nil: nothing is collected
	source   *aggregate.Source   // of the messages that are processed
	clock    int64               // of the batch, milliseconds
	time     int64               // of the event
	counted  []counted
	order    measure.Order
	argument measure.Scalar
	inputs   []measure.Input
	groups   []byte
	missed   []int // gauges that the event came too late for
}

// counted is an aggregate that the event counts in.
type counted struct {
	gauge      int
	from, to   int // of its group, in groups
	inputsFrom int
}

// collect gives the processor something to collect aggregates in.
func (p *Processor) collect() error {
	if len(p.plan.definitions) == 0 {
		return nil
	}
	combiner, err := aggregate.NewCombiner(p.plan.definitions)
	if err != nil {
		return &model.Error{Class: model.Misconfigured, Op: "read", Subject: p.plan.spec.File, Err: err}
	}
	p.gauges.combiner = combiner
	return nil
}

// Definitions are the aggregates of the pipeline.
func (p *Processor) Definitions() []*aggregate.Definition { return p.plan.definitions }

// Collected are the aggregates of what was processed, to be flushed; nil when the pipeline has none.
func (p *Processor) Collected() *aggregate.Combiner { return p.gauges.combiner }

// Full tells that the aggregates of what was processed should be flushed, since they take much memory.
func (p *Processor) Full() bool { return p.gauges.combiner != nil && p.gauges.combiner.Full() }

// From says which source partition the messages of the next Process are from. Without one no event is late.
func (p *Processor) From(s *aggregate.Source) { p.gauges.source = s }

func (g *gauging) release() {
	clear(g.inputs[:cap(g.inputs)])
	if cap(g.groups) > keptScratch {
		g.groups = nil
	}
}

// timed reads the time of an event that has passed the filter.
func (p *Processor) timed(m *model.Message) *model.Reason {
	t := m.Timestamp
	if p.plan.eventTime != nil {
		var err error
		if t, err = p.plan.eventTime.program.RunMillis(p.env); err != nil {
			return p.untimed(err)
		}
	}
	if len(p.plan.gauges) == 0 {
		return nil
	}
	p.gauges.time = t
	if p.plan.eventTime == nil && t < 0 {
		return &model.Reason{Stage: model.StageDecode, Code: CodeInvalidEventTime, Message: "the record has no timestamp, and the pipeline's source no event_time"}
	}
	if ahead, of := p.ahead(m, t); ahead {
		return &model.Reason{Stage: model.StageDecode, Code: CodeFutureEventTime, Message: of}
	}
	return nil
}

// untimed is why a time could not be read.
func (p *Processor) untimed(err error) *model.Reason {
	why := p.failed(model.StageDecode, p.plan.eventTime, err)
	if _, failed := errors.AsType[*expression.Error](err); !failed {
		why.Code = CodeInvalidEventTime
	}
	return why
}

// ahead tells whether an event is so far in the future that some clock must be wrong: its own, held against that of its
// record, or that of whoever wrote the record, held against ours. One such event would make everybody else late.
func (p *Processor) ahead(m *model.Message, t int64) (bool, string) {
	most := p.plan.spec.Source.MaxFuture.Milliseconds()
	stamp := m.Timestamp
	if stamp < 0 {
		stamp = p.gauges.clock
	}
	switch { // differences: a record's timestamp may be any number
	case t-stamp > most:
		return true, fmt.Sprintf("the event's time, %s, is %s ahead of its record's, %s; max_future allows %s", at(t), ahead(t-stamp), at(stamp), p.plan.spec.Source.MaxFuture)
	case stamp-p.gauges.clock > most:
		return true, fmt.Sprintf("the record's timestamp, %s, is %s ahead of the clock; max_future allows %s", at(stamp), ahead(stamp-p.gauges.clock), p.plan.spec.Source.MaxFuture)
	}
	return false, ""
}

// ahead is milliseconds as a duration, the longest one for what is longer: 292 years.
func ahead(ms int64) time.Duration {
	return time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

func at(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

// pass moves the watermark for an event that the filter has dropped, if it has a time that can be believed.
func (p *Processor) pass(m *model.Message) {
	if len(p.plan.gauges) == 0 || p.gauges.source == nil {
		return
	}
	t := m.Timestamp
	if p.plan.eventTime != nil {
		var err error
		if t, err = p.plan.eventTime.program.RunMillis(p.env); err != nil {
			return
		}
	}
	if ahead, _ := p.ahead(m, t); !ahead && (p.plan.eventTime != nil || t >= 0) {
		p.gauges.source.Seen(t, m.Timestamp)
	}
}

// gauge works out what the event counts in and makes it count, before anything of it is written: an event that fails in an
// aggregate has no output either. Nothing can fail after it, and it does not wait until the output is closed: what it has
// worked out may lie in there, and closing moves it.
func (p *Processor) gauge(m *model.Message) *model.Reason {
	if why := p.weigh(m); why != nil {
		p.gauges.missed = p.gauges.missed[:0]
		return why
	}
	p.count(m)
	return nil
}

// weigh works out what the event counts in.
func (p *Processor) weigh(m *model.Message) *model.Reason {
	g := &p.gauges
	g.counted, g.inputs, g.groups = g.counted[:0], g.inputs[:0], g.groups[:0]
	if g.combiner == nil && len(p.plan.gauges) == 0 {
		return nil
	}
	watermark := int64(aggregate.NoWatermark)
	if g.source != nil {
		watermark = g.source.Watermark
	}
	g.order = measure.Order{Time: g.time, Partition: m.Partition, Offset: m.Offset}
	if p.replay != nil {
		g.order.Partition, g.order.Offset = p.replay.Source.Partition, p.replay.Source.Offset
	}
	for i := range p.plan.gauges {
		a := &p.plan.gauges[i]
		if p.replay != nil && !p.aggregateLacks(a.name) {
			continue
		}
		env := p.after
		if a.source {
			env = p.env
		}
		if a.where != nil {
			yes, err := a.where.program.RunBool(env)
			if err != nil {
				return p.failed(model.StageAggregate, a.where, err)
			}
			if !yes {
				continue
			}
		}
		if p.plan.definitions[i].Late(g.time, watermark) {
			g.missed = append(g.missed, i)
			continue
		}
		if why := p.measure(i, a, env); why != nil {
			return why
		}
	}
	return nil
}

// measure works out the group of an event in an aggregate, and what its measures take.
func (p *Processor) measure(i int, a *gauge, env *expression.Env) *model.Reason {
	g := &p.gauges
	c := counted{gauge: i, from: len(g.groups), inputsFrom: len(g.inputs)}
	for k, s := range a.group {
		if k > 0 {
			g.groups = append(g.groups, ',')
		}
		var err error
		if g.groups, err = s.program.AppendScalar(env, g.groups); err != nil {
			return p.failed(model.StageAggregate, s, err)
		}
	}
	c.to = len(g.groups)
	if size := c.to - c.from; size > aggregate.MaxGroupKey {
		return &model.Reason{Stage: model.StageAggregate, Code: CodeGroupTooLarge,
			Message: fmt.Sprintf("the group of %s has %d bytes, %d are allowed; group by something shorter, such as hash(...) of it", a.name, size, aggregate.MaxGroupKey)}
	}
	for k, f := range p.plan.definitions[i].Functions() {
		s := a.inputs[k]
		if s != nil { // otherwise f looks at no argument
			if err := s.program.RunScalar(env, &g.argument); err != nil {
				return p.failed(model.StageAggregate, s, err)
			}
		}
		if err := f.Prepare(g.input(), &g.argument, &g.order); err != nil {
			why := p.failed(model.StageAggregate, s, err)
			why.Code = CodeInvalidArgument
			return why
		}
	}
	g.counted = append(g.counted, c)
	return nil
}

// input is room for what one measure takes. A variable of its own would be an allocation for each event, and what was in
// there before does no harm.
func (g *gauging) input() *measure.Input {
	n := len(g.inputs)
	g.inputs = slices.Grow(g.inputs, 1)[:n+1]
	return &g.inputs[n]
}

// count makes the event count, and moves the watermark.
func (p *Processor) count(m *model.Message) {
	g := &p.gauges
	if g.combiner != nil {
		for _, c := range g.counted {
			p.tally.counted[c.gauge]++
			n := len(p.plan.gauges[c.gauge].inputs)
			g.combiner.Add(c.gauge, g.time, g.groups[c.from:c.to], g.inputs[c.inputsFrom:c.inputsFrom+n])
		}
	}
	if g.source != nil && len(p.plan.gauges) > 0 {
		g.source.Seen(g.time, m.Timestamp)
	}
}

// late writes the dead letter of an event that came too late for aggregates that want one. Its output is not touched by
// that.
func (p *Processor) late(out Sink, m *model.Message, now time.Time) {
	var names []string
	for _, i := range p.gauges.missed {
		if p.plan.gauges[i].late != model.PolicyDrop {
			names = append(names, p.plan.gauges[i].name)
		}
	}
	if len(names) == 0 {
		return
	}
	list := strings.Join(names, ",")
	p.letter(out, m, model.Reason{Stage: model.StageLate, Code: CodeLateEvent, Message: fmt.Sprintf("the event's time, %s, lies further behind the latest of its partition than the grace of %s allows; its outputs are not touched by that, but it is not in these insights",
		at(p.gauges.time), list)}, now, note{HeaderLateFor, list})
}
