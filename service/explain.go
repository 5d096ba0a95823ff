package service

import (
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
	"data-stream-engine/service/expression"
)

// Explain says what the pipeline makes of a message, with one partition a topic. It takes hundreds of times as long as
// Process; an Explainer, which keeps what it compiled, is quicker for many messages.
func (p *Processor) Explain(m *model.Message, now time.Time) Explanation {
	return NewExplainer(p, nil).Explain(m, now)
}

// Explainer explains messages. It keeps what it compiled and is for one goroutine. Nothing that it explains counts in a
// window.
type Explainer struct {
	whole      *Processor
	partitions func(topic string) int32
	decoded    *Processor   // decodes, and does nothing else
	passed     *Processor   // up to the transform, everything to one output
	outputs    []*Processor // everything, with one of the outputs alone and no aggregates
	gauged     []*Processor // everything to one output, with one of the aggregates alone
	source     *aggregate.Source
	lib        *expression.Library
	env        *expression.Env
	programs   map[string]compiled
	chains     map[string]chain
	paths      map[string][]string
	now        time.Time
}

// NewExplainer makes an Explainer that leaves p alone. partitions gives the partition count of a topic; nil: one each.
func NewExplainer(p *Processor, partitions func(topic string) int32) *Explainer {
	x := &Explainer{
		whole: newProcessor(p.plan, p.limit), partitions: partitions, lib: p.plan.lib, env: expression.NewEnv(),
		programs: map[string]compiled{}, chains: map[string]chain{}, paths: map[string][]string{},
	}
	all := []route{{topic: model.DeadLetters + 1}}
	x.decoded = p.variant(func(v *plan) {
		v.filter, v.eventTime, v.set, v.template, v.routed, v.gauges, v.made, v.outputs = nil, nil, nil, nil, false, nil, nil, all
	})
	x.passed = p.variant(func(v *plan) { v.outputs, v.gauges = all, nil })
	for i := range p.plan.outputs {
		x.outputs = append(x.outputs, p.variant(func(v *plan) { v.outputs, v.gauges = v.outputs[i:i+1], nil }))
	}
	for i := range p.plan.gauges {
		x.gauged = append(x.gauged, p.variant(func(v *plan) { v.outputs, v.gauges, v.definitions = all, v.gauges[i:i+1], v.definitions[i:i+1] }))
	}
	return x
}

// From says which source partition the next messages are from: with it, aggregates can tell that they are late. It is only
// read.
func (x *Explainer) From(s *aggregate.Source) { x.source = s }

// variant is a Processor of a pipeline that differs a little from p's. It collects nothing.
func (p *Processor) variant(change func(*plan)) *Processor {
	v := *p.plan
	change(&v)
	return newProcessor(&v, p.limit)
}

// run gives the fate of a message in a variant of the pipeline, and its records.
func (x *Explainer) run(p *Processor, m *model.Message) (Outcome, []Written) {
	if x.source != nil {
		source := *x.source
		p.From(&source)
	}
	records, result := Collect(p, []model.Message{*m}, x.now, x.partitions)
	switch {
	case result.DeadLetters > 0:
		return DeadLettered, records
	case result.Filtered > 0:
		return Filtered, records
	}
	return Forwarded, records
}

// Explain says what the pipeline makes of a message. now is what now() gives.
func (x *Explainer) Explain(m *model.Message, now time.Time) Explanation {
	x.now = now.Truncate(time.Millisecond) // as Process does
	e := Explanation{Bytes: len(m.Value), Records: []ExplainedRecord{}}
	var records []Written
	e.Outcome, records = x.run(x.whole, m)
	for i := range records { // an event that is late for an aggregate has a dead letter too
		e.Records = append(e.Records, explained(&records[i], records[i].Topic == x.whole.Topics()[model.DeadLetters]))
	}
	if e.Outcome == DeadLettered {
		letter := &records[len(records)-1]
		stage, _ := letter.Header(HeaderStage)
		e.Stage = model.Stage(stage)
		e.Code, _ = letter.Header(HeaderCode)
		e.Why, _ = letter.Header(HeaderMessage)
	}
	x.stages(&e, m)
	return e
}

func explained(w *Written, dead bool) ExplainedRecord {
	r := ExplainedRecord{Topic: w.Topic, Partition: w.Partition, DeadLetter: dead, Key: textOf(w.Key)}
	if dead {
		r.Text = textOf(w.Value)
	} else {
		r.Value = w.Value
	}
	return r
}

func textOf(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}
