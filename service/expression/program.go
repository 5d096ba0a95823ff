package expression

import (
	"slices"
	"time"
)

// Text is the expression as it was written.
func (p *Program) Text() string { return p.text }

// Kind is what the result can be, as far as that is known before the first event.
func (p *Program) Kind() Kind { return p.kind }

// Fields are the top-level fields that the expression reads or asks for by a constant name.
func (p *Program) Fields() []string {
	names := make([]string, 0, len(p.fields)+len(p.asked))
	for _, f := range slices.Concat(p.fields, p.asked) {
		names = append(names, f.name)
	}
	return names
}

// Named are the top-level fields that stand in the expression by their plain name, not as event["name"].
func (p *Program) Named() []string { return p.named }

// NeedsHashKey tells whether the expression calls hash.
func (p *Program) NeedsHashKey() bool { return p.keyed }

// Whole tells whether the expression reads the event as a whole.
func (p *Program) Whole() bool { return p.whole }

// Run gives the value of the expression for the event that env is bound to: nil, bool, int64, float64, string,
// time.Time, time.Duration, []any or map[string]any. Nobody may change it, and it is valid until env is bound again. The
// error is an *Error.
func (p *Program) Run(env *Env) (any, error) {
	v, err := p.value(env)
	if err != nil {
		return nil, err
	}
	return v.boxed(), nil
}

// RunBool is Run for a condition: a result that is not a boolean is an error.
func (p *Program) RunBool(env *Env) (bool, error) {
	if p.test != nil {
		switch p.test(env) {
		case yes:
			return true, nil
		case no:
			return false, nil
		case failure:
		}
		return false, env.err
	}
	v, err := p.value(env)
	switch {
	case err != nil:
		return false, err
	case v.kind() != Bool:
		return false, &Error{Line: 1, Column: 1, Message: "a condition is true or false, this one is " + Describe(v.boxed())}
	}
	return v.truth(), nil
}

// AppendJSON appends the JSON of the value. Of an expression that is nothing but the name of a field, or the path to one,
// the field is copied byte for byte.
func (p *Program) AppendJSON(env *Env, dst []byte) ([]byte, error) {
	if p.path != nil {
		if raw, ok := p.path.find(env); ok {
			return append(dst, raw...), nil
		}
	}
	if p.write != nil {
		if out, ok := p.write(env, dst); ok {
			return out, nil
		}
	}
	if p.eval != nil {
		if v := p.eval(env); v.plain() {
			return append(append(append(dst, '"'), v.text()...), '"'), nil
		} else if !v.failed() {
			return env.append(dst, v)
		}
		return dst, env.err
	}
	v, err := p.machine(env)
	if err != nil {
		return dst, err
	}
	return env.append(dst, v)
}

// RunText is the value as plain text: of a text its bytes, of nil nothing, of all else its JSON. The kind tells what it was.
// The bytes are valid until env is bound again.
func (p *Program) RunText(env *Env) ([]byte, Kind, error) {
	v, err := p.value(env)
	switch {
	case err != nil:
		return nil, 0, err
	case v.kind() == Text:
		return bytesOf(v.text()), Text, nil
	case v.kind() == Nil:
		return nil, Nil, nil
	}
	from := len(env.buf)
	env.buf, err = env.append(env.buf, v)
	return env.buf[from:len(env.buf):len(env.buf)], v.kind(), err
}

// RunTime is the value as EventTime reads it.
func (p *Program) RunTime(env *Env) (time.Time, error) {
	v, err := p.value(env)
	if err != nil {
		return time.Time{}, err
	}
	if i, ok := timeNumber(v); ok {
		return fromInt(i), nil
	}
	return EventTime(v.boxed())
}

func (p *Program) value(env *Env) (value, error) {
	if p.eval == nil {
		return p.machine(env)
	}
	v := p.eval(env)
	switch v.kind() {
	case 0:
		return v, env.err
	case Beyond:
		return v, outOfRange(v)
	default:
		return v, nil
	}
}

// machine runs the expression on expr's machine.
func (p *Program) machine(env *Env) (value, error) {
	env.prepare(p)
	result, err := env.machine.Run(p.code, env.values)
	if err != nil {
		return value{}, asError(err)
	}
	v := unboxed(result)
	if v.kind() == Beyond {
		return v, outOfRange(v)
	}
	return v, nil
}

func outOfRange(v value) error {
	return &Error{Line: 1, Column: 1, Message: Describe(v.boxed())}
}
