package expression

import (
	"math"
	"strconv"
)

// Scalar is a value that groups are told apart by and measures count: nil, a boolean, a number or text.
type Scalar struct {
	Kind  Kind   // Nil, Bool, Int, Float or Text
	Bits  uint64 // Bool: 0 or 1; Int: the int64; Float: the bits of the float64
	Text  []byte // valid until the environment is bound again
	plain bool   // nothing in Text has to be escaped
}

// Scalars are the kinds that a Scalar can have.
const Scalars = Nil | Bool | Number | Text

// RunScalar is Run for a value that has to be a scalar.
func (p *Program) RunScalar(env *Env) (Scalar, error) {
	v, err := p.value(env)
	if err != nil {
		return Scalar{}, err
	}
	switch v.kind() {
	case Nil, Bool, Int:
		return Scalar{Kind: v.kind(), Bits: v.num}, nil
	case Float:
		return whole(v.float()), nil
	case Text:
		return Scalar{Kind: Text, Text: bytesOf(v.text()), plain: v.plain()}, nil
	default:
		return Scalar{}, &Error{Line: 1, Column: 1, Message: "this takes " + Scalars.String() + ", not " + Describe(v.boxed())}
	}
}

// whole is a number as the integer that it is worth, if it is one: 5.0 and 5 are the same value.
func whole(f float64) Scalar {
	if f == math.Trunc(f) && f >= math.MinInt64 && f < math.MaxInt64 {
		return Scalar{Kind: Int, Bits: uint64(int64(f))}
	}
	return Scalar{Kind: Float, Bits: math.Float64bits(f)}
}

// AppendScalar writes s as JSON: equal values are the same bytes.
func AppendScalar(dst []byte, s Scalar) []byte {
	switch s.Kind {
	case Bool:
		return strconv.AppendBool(dst, s.Bits != 0)
	case Int:
		return strconv.AppendInt(dst, int64(s.Bits), 10)
	case Float:
		return appendFloat(dst, math.Float64frombits(s.Bits))
	case Text:
		if s.plain {
			return append(append(append(dst, '"'), s.Text...), '"')
		}
		return appendText(dst, view(s.Text))
	default:
		return append(dst, "null"...)
	}
}

// RunMillis is RunTime in milliseconds since 1970, rounded down.
func (p *Program) RunMillis(env *Env) (int64, error) {
	t, err := p.RunTime(env)
	if err != nil {
		return 0, err
	}
	return t.UnixMilli(), nil
}
