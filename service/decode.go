package service

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"data-stream-engine/model"
	"data-stream-engine/service/projection"
)

// The codes of dead letters that the pipeline itself writes. They are short and never change.
const (
	CodeInvalidJSON      = "invalid_json"
	CodeNotAnObject      = "not_an_object"
	CodeExpression       = "expression"
	CodeInvalidEventTime = "invalid_event_time"
	CodeInvalidKey       = "invalid_key"
)

// decode reads the message into p.event. What encoding/json refuses is invalid; a message that is no event has the
// fate that the pipeline gives it.
func (p *Processor) decode(m *model.Message) (model.Policy, *model.Reason) {
	source := &p.plan.spec.Source
	if m.Value == nil {
		if source.Tombstones == model.PolicyDrop {
			return model.PolicyDrop, nil
		}
		return "", &model.Reason{Stage: model.StageDecode, Code: CodeNotAnObject, Message: "the record has no value (a tombstone); tombstones: drop in the pipeline's source drops such records"}
	}
	switch p.plan.fields.Scan(m.Value, &p.event) {
	case projection.IsObject:
	case projection.Invalid:
		return "", &model.Reason{Stage: model.StageDecode, Code: CodeInvalidJSON, Message: invalid(m.Value)}
	case projection.NotObject:
		if source.NotObjects == model.PolicyDrop {
			return model.PolicyDrop, nil
		}
		return "", &model.Reason{Stage: model.StageDecode, Code: CodeNotAnObject, Message: "the value is JSON but not an object: " + kindOfJSON(m.Value) + "; not_objects: drop in the pipeline's source drops such records"}
	}
	return "", nil
}

func invalid(value []byte) string {
	if len(value) == 0 {
		return "the value is empty"
	}
	var raw json.RawMessage
	err := json.Unmarshal(value, &raw)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("byte %d: %v", syntax.Offset, err)
	}
	return fmt.Sprintf("not JSON: %v", err)
}

func kindOfJSON(value []byte) string {
	switch projection.KindAt(bytes.TrimLeft(value, " \t\r\n")) {
	case projection.List:
		return "a list"
	case projection.Text, projection.Unicode, projection.Escaped:
		return "a text"
	case projection.True, projection.False:
		return "a boolean"
	case projection.Null:
		return "null"
	default:
		return "a number"
	}
}

// filter says whether the event passes. The time of an event that passes must be readable, when the pipeline names
// one: otherwise the events of a window could not be told. One that does not pass still tells how late it is.
func (p *Processor) filter(m *model.Message) (bool, *model.Reason) {
	if p.plan.filter != nil {
		pass, err := p.plan.filter.program.RunBool(p.env)
		if err != nil {
			return false, p.failed(model.StageFilter, p.plan.filter, err)
		}
		if !pass {
			p.pass(m)
			return false, nil
		}
	}
	return true, p.timed(m)
}

// failed says which expression failed, where it stands and why.
func (p *Processor) failed(stage model.Stage, s *step, err error) *model.Reason {
	ps := faults(p.plan.spec.File, s.spec, err)
	return &model.Reason{Stage: stage, Code: CodeExpression, Message: fmt.Sprintf("%s: %s [%s: %s]", ps[0].at(), ps[0].Message, s.what, cut(s.spec.Text, 256))}
}

func (p Problem) at() string { return p.File + ":" + p.At.String() }
