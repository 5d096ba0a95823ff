package service

import (
	"bytes"
	"encoding/json"
	"errors"

	"data-stream-engine/service/expression"
	"data-stream-engine/service/projection"
)

// object is a JSON object by its top-level fields, in their order; of a key that repeats the last value counts.
type object struct {
	names  []string
	values map[string]json.RawMessage
	raw    []byte
}

func readObject(raw []byte) (*object, error) {
	o := &object{values: map[string]json.RawMessage{}, raw: raw}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, errors.New("the value is not an object")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if _, twice := o.values[name]; !twice {
			o.names = append(o.names, name)
		}
		o.values[name] = value
	}
	return o, nil
}

// compiled is an expression that stands alone, with the fields that it reads.
type compiled struct {
	program *expression.Program
	fields  *projection.Projection
}

// value is what an expression gives for an event, at the time of the Explainer. It is good until the next call.
func (x *Explainer) value(text string, event *object) (any, error) {
	program, err := x.bound(text, event)
	if err != nil {
		return nil, err
	}
	return program.Run(x.env)
}

// scalar is the JSON of what an expression gives an aggregate.
func (x *Explainer) scalar(text string, event *object) (json.RawMessage, error) {
	program, err := x.bound(text, event)
	if err != nil {
		return nil, err
	}
	return program.AppendScalar(x.env, nil)
}

// bound is an expression that is ready to run on an event.
func (x *Explainer) bound(text string, event *object) (*expression.Program, error) {
	c, err := x.compile(text)
	if err != nil {
		return nil, err
	}
	var e projection.Event
	c.fields.Scan(event.raw, &e)
	x.env.SetNow(x.now)
	x.env.Bind(&e)
	return c.program, nil
}

func (x *Explainer) compile(text string) (compiled, error) {
	if c, ok := x.programs[text]; ok {
		return c, nil
	}
	var layout expression.Layout
	program, err := x.lib.Compile(text, &layout)
	if err != nil {
		return compiled{}, err
	}
	c := compiled{program: program, fields: layout.Projection()}
	x.programs[text] = c
	return c, nil
}

// message is an error of an expression without its place: the expression stands beside it.
func message(err error) string {
	if fault, ok := errors.AsType[*expression.Error](err); ok {
		return fault.Message
	}
	return err.Error()
}
