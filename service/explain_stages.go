package service

import (
	"data-stream-engine/model"
)

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
	}
	if e.Stage == model.StageDecode { // its time cannot be read, or not be believed
		if e.EventTime != nil {
			e.EventTime.Error = e.Why
		}
		return
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
	x.gauges(e, m, event, after)
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
		if fate == Forwarded {
			r.Key, r.Partition = textOf(records[0].Key), &records[0].Partition
			r.Taken = e.Outcome == Forwarded
		}
		when := True
		if fate == Filtered {
			when = False
		}
		if fate == DeadLettered {
			r.Error, _ = records[0].Header(HeaderMessage)
			if x.outputs[i].whenFails() {
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

// whenFails tells whether it is the condition of the one output that cannot be answered for the event just seen.
func (p *Processor) whenFails() bool {
	when := p.plan.outputs[0].when
	if when == nil {
		return false
	}
	_, err := when.program.RunBool(p.routes)
	return err != nil
}
