package expression

import (
	"math"
	"strconv"

	"data-stream-engine/service/measure"
)

// Scalars are the kinds of values that groups are told apart by and measures count.
const Scalars = Nil | Bool | Number | Text

// AppendScalar appends the JSON of a value that has to be a scalar: equal values are the same bytes.
func (p *Program) AppendScalar(env *Env, dst []byte) ([]byte, error) {
	v, err := p.value(env)
	if err != nil {
		return dst, err
	}
	switch v = whole(v); v.kind() {
	case Text:
		if v.plain() {
			return append(append(append(dst, '"'), v.text()...), '"'), nil
		}
		return appendText(dst, v.text()), nil
	case Int:
		return strconv.AppendInt(dst, v.int(), 10), nil
	case Float:
		return appendFloat(dst, v.float()), nil
	case Bool:
		return strconv.AppendBool(dst, v.truth()), nil
	case Nil:
		return append(dst, "null"...), nil
	default:
		return dst, noScalar(v)
	}
}

// RunScalar is Run for a value that has to be a scalar, as measures take it. It is written to its place because it does not
// fit into registers. Text is valid until env is bound again.
func (p *Program) RunScalar(env *Env, to *measure.Scalar) error {
	v, err := p.value(env)
	if err != nil {
		return err
	}
	switch v = whole(v); v.kind() {
	case Text:
		*to = measure.Scalar{Kind: measure.Text, Text: bytesOf(v.text())}
	case Int:
		*to = measure.Scalar{Kind: measure.Int, Bits: v.num}
	case Float:
		*to = measure.Scalar{Kind: measure.Float, Bits: v.num}
	case Bool:
		*to = measure.Scalar{Kind: measure.Bool, Bits: v.num}
	case Nil:
		*to = measure.Scalar{}
	default:
		return noScalar(v)
	}
	return nil
}

// whole is a number as the integer that it is worth, if it is one: 5.0 and 5 are the same value.
func whole(v value) value {
	if v.kind() == Float {
		if f := v.float(); f == math.Trunc(f) && f >= math.MinInt64 && f < math.MaxInt64 {
			return ofInt(int64(f))
		}
	}
	return v
}

func noScalar(v value) error {
	return &Error{Line: 1, Column: 1, Message: "this takes " + Scalars.String() + ", not " + Describe(v.boxed())}
}

// RunMillis is RunTime in milliseconds since 1970, rounded down.
func (p *Program) RunMillis(env *Env) (int64, error) {
	t, err := p.RunTime(env)
	if err != nil {
		return 0, err
	}
	return t.UnixMilli(), nil
}
