package service

import (
	"errors"
	"slices"
	"strings"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

// Explain says what the pipeline makes of a message, with one partition a topic. It costs some hundred times as much
// as Process; an Explainer is cheaper for many messages.
func (p *Processor) Explain(m *model.Message, now time.Time) Explanation {
	return NewExplainer(p, nil).Explain(m, now)
}

// Explainer explains messages. It keeps what it compiled and is for one goroutine.
type Explainer struct {
	whole      *Processor
	partitions func(topic string) int32
	decoded    *Processor   // decodes, and does nothing else
	passed     *Processor   // up to the transform, everything to one output
	outputs    []*Processor // everything, with one of the outputs alone
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
		whole: p.Clone(), partitions: partitions, lib: p.library(), env: expression.NewEnv(),
		programs: map[string]compiled{}, chains: map[string]chain{}, paths: map[string][]string{},
	}
	all := []route{{topic: model.DeadLetters + 1}}
	x.decoded = p.variant(func(v *plan) {
		v.filter, v.eventTime, v.set, v.template, v.routed, v.outputs = nil, nil, nil, nil, nil, all
	})
	x.passed = p.variant(func(v *plan) { v.outputs = all })
	for i := range p.plan.outputs {
		x.outputs = append(x.outputs, p.variant(func(v *plan) { v.outputs = v.outputs[i : i+1] }))
	}
	return x
}

// variant is a Processor of a pipeline that differs a little from p's.
func (p *Processor) variant(change func(*plan)) *Processor {
	v := *p.plan
	change(&v)
	return newProcessor(&v, p.limit)
}

// run gives the fate of a message in a variant of the pipeline, and its records.
func (x *Explainer) run(p *Processor, m *model.Message) (Outcome, []Written) {
	records, result := Collect(p, []model.Message{*m}, x.now, x.partitions)
	switch {
	case result.DeadLetters > 0:
		return DeadLettered, records
	case result.Filtered > 0:
		return Filtered, nil
	}
	return Forwarded, records
}

// Explain says what the pipeline makes of a message. now is what now() gives.
func (x *Explainer) Explain(m *model.Message, now time.Time) Explanation {
	x.now = now.Truncate(time.Millisecond) // as Process does
	e := Explanation{Bytes: len(m.Value), Records: []ExplainedRecord{}}
	var records []Written
	e.Outcome, records = x.run(x.whole, m)
	for i := range records {
		e.Records = append(e.Records, explained(&records[i], e.Outcome == DeadLettered))
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

// stages follows the message through the pipeline for as long as it goes.
func (x *Explainer) stages(e *Explanation, m *model.Message) {
	spec := x.whole.plan.spec
	if fate, _ := x.run(x.decoded, m); fate != Forwarded {
		if fate == Filtered {
			e.Stage, e.Why = model.StageDecode, dropped(m)
		}
		return
	}
	event, err := readObject(m.Value)
	if err != nil { // the two readers of JSON disagree; the engine's counts, and there is no more to say
		return
	}
	e.Fields = len(event.names)
	passed, transformed := x.run(x.passed, m)
	if spec.Filter != nil {
		e.Filter = x.condition(spec.Filter, event, filterResult(passed, e))
		if passed == Filtered {
			e.Stage, e.Why = model.StageFilter, e.Filter.why()
		}
		if e.Stage == model.StageFilter {
			return
		}
	}
	if spec.Source.EventTime != nil {
		e.EventTime = x.eventTime(spec.Source.EventTime, event)
		if e.Stage == model.StageDecode {
			e.EventTime.Error = e.Why
			return
		}
	}
	if passed == DeadLettered {
		e.Transform = x.failedTransform(event)
		return
	}
	after, err := readObject(transformed[0].Value)
	if err != nil {
		return
	}
	e.Transform = x.changes(event, after)
	x.routes(e, m, after)
}

func filterResult(passed Outcome, e *Explanation) Result {
	switch {
	case passed == Filtered:
		return False
	case e.Stage == model.StageFilter:
		return Failed
	}
	return True
}

func dropped(m *model.Message) string {
	if m.Value == nil {
		return "the record has no value (a tombstone), and the pipeline's source says tombstones: drop"
	}
	return "the value is JSON but not an object, and the pipeline's source says not_objects: drop"
}

func (x *Explainer) at(e *model.Expression) string {
	return x.whole.plan.spec.File + ":" + e.At.String()
}

func (x *Explainer) eventTime(e *model.Expression, event *object) *Timed {
	t := &Timed{Expression: e.Text, At: x.at(e), Reads: x.reads(e.Text, event)}
	if v, err := x.value("rfc3339("+e.Text+")", event); err == nil {
		t.Time, _ = v.(string)
	}
	return t
}

// routes says for each output whether the transformed event goes there.
func (x *Explainer) routes(e *Explanation, m *model.Message, after *object) {
	for i, out := range x.whole.plan.spec.Outputs {
		r := Routed{Topic: out.Topic}
		fate, records := x.run(x.outputs[i], m)
		if r.Taken = fate == Forwarded; r.Taken {
			r.Key, r.Partition = textOf(records[0].Key), &records[0].Partition
		}
		when := True
		if fate == Filtered {
			when = False
		}
		if fate == DeadLettered {
			r.Error, _ = records[0].Header(HeaderMessage)
			if out.When != nil && x.outputs[i].blames(r.Error, x.outputs[i].plan.outputs[0].when) {
				when = Failed
			} else {
				r.Reads = x.reads(out.Key.Text, after)
			}
		}
		if out.When != nil {
			r.When = x.condition(out.When, after, when)
		}
		if out.Key != nil {
			r.KeyOf = out.Key.Text
		}
		e.Outputs = append(e.Outputs, r)
	}
	if e.Outcome == Filtered {
		e.Stage, e.Why = model.StageRoute, "no output's when is true"
	}
}

// blames tells whether the message of a dead letter is about a step.
func (p *Processor) blames(message string, s *step) bool {
	_, about, _ := strings.Cut(p.failed(model.StageRoute, s, errors.New("")).Message, " [")
	return strings.HasSuffix(message, " ["+about)
}

// changes compares the event before the transform with the one behind it, and says which line of the pipeline file did
// what.
func (x *Explainer) changes(before, after *object) []Change {
	t := x.whole.plan.spec.Transform
	var list []Change
	explained := map[string]bool{}
	for _, a := range t.Set {
		c := Change{Action: ActionSet, Field: a.Field, Expression: a.Value.Text, At: x.at(&a.Value), Before: before.values[a.Field]}
		name := a.Field
		if to := renamed(t, name); to != "" {
			c.To, name = to, to
		}
		c.After = after.values[name]
		explained[a.Field] = true
		if c.To == "" && taken(t, before, a.Field) {
			c.Action, c.After = ActionRemove, nil
		}
		list = append(list, c)
	}
	for _, r := range t.Rename {
		if value, had := before.values[r.From]; had && !explained[r.From] {
			if _, kept := after.values[r.To]; kept {
				list = append(list, Change{Action: ActionRename, Field: r.From, To: r.To, Before: value, After: after.values[r.To]})
				explained[r.From] = true
			}
		}
	}
	for _, name := range before.names {
		if _, kept := after.values[name]; !explained[name] && (!kept || taken(t, before, name)) {
			list = append(list, Change{Action: ActionRemove, Field: name, Before: before.values[name]})
		}
	}
	return list
}

// taken tells whether another field of the event gets this name.
func taken(t model.Transform, before *object, name string) bool {
	return slices.ContainsFunc(t.Rename, func(r model.Rename) bool { return r.To == name && before.values[r.From] != nil })
}

func renamed(t model.Transform, name string) string {
	for _, r := range t.Rename {
		if r.From == name {
			return r.To
		}
	}
	return ""
}

// failedTransform shows what each expression of set gives for an event that one of them fails for.
func (x *Explainer) failedTransform(event *object) []Change {
	var list []Change
	for _, a := range x.passed.plan.set {
		c := Change{Action: ActionSet, Field: a.name, Expression: a.value.spec.Text, At: x.at(&a.value.spec), Before: event.values[a.name]}
		v, err := a.value.program.Run(x.passed.env) // which still sees the event
		if err == nil {
			c.After, err = expression.AppendJSON(nil, v)
		}
		if err != nil {
			c.Action, c.After, c.Error, c.Reads = ActionFail, nil, message(err), x.reads(c.Expression, event)
		}
		list = append(list, c)
	}
	return list
}
