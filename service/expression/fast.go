package expression

import (
	"cmp"
	"strings"

	"data-stream-engine/service/projection"
)

// What follows are the fast forms of functions and operators: they know the kinds of arguments that nearly all events
// have, put nothing on the heap, and decline everything else, failures included, by returning no value.

func declined() value { return value{} }

func same(_ *work, a value) value { return a }

func fastEqual(_ *work, a, b value) value {
	if a.kind() != b.kind() && (!a.is(Number) || !b.is(Number)) {
		return ofBool(false)
	}
	switch {
	case a.kind() != b.kind():
	case a.kind() == Text:
		return ofBool(a.text() == b.text())
	case a.kind() == Float:
		return ofBool(a.float() == b.float())
	case a.is(Nil | Bool | Int | Duration):
		return ofBool(a.num == b.num)
	}
	return declined()
}

// fastOrder is a comparison operator.
func fastOrder(holds func(c int) bool) func(*work, value, value) value {
	return func(_ *work, a, b value) value {
		switch {
		case a.kind() != b.kind():
		case a.kind() == Int, a.kind() == Duration:
			return ofBool(holds(cmp.Compare(a.int(), b.int())))
		case a.kind() == Float:
			return ofBool(holds(cmp.Compare(a.float(), b.float())))
		case a.kind() == Text:
			return ofBool(holds(strings.Compare(a.text(), b.text())))
		case a.kind() == Time:
			if c := cmp.Compare(a.int(), b.int()); c != 0 {
				return ofBool(holds(c))
			}
			return ofBool(holds(cmp.Compare(a.nanos(), b.nanos())))
		}
		return declined()
	}
}

// fastIn looks into a constant list.
func fastIn(w *work, a, b value) value {
	list := b.list()
	if list == nil {
		return declined()
	}
	for _, v := range list {
		if equal := fastEqual(w, a, unboxed(v)); equal.failed() || equal.truth() {
			return equal
		}
	}
	return ofBool(false)
}

func fastAdd(w *work, a, b value) value {
	if a.kind() == Text && b.kind() == Text {
		return fastConcat(w, a, b)
	}
	return fastArithmetic(a, b, addInts, func(x, y float64) float64 { return x + y })
}

func fastSubtract(_ *work, a, b value) value {
	return fastArithmetic(a, b, subInts, func(x, y float64) float64 { return x - y })
}

func fastMultiply(_ *work, a, b value) value {
	return fastArithmetic(a, b, mulInts, func(x, y float64) float64 { return x * y })
}

// fastArithmetic is an operator on two numbers: ints for two integers, floats otherwise.
func fastArithmetic(a, b value, ints func(x, y int64) (int64, error), floats func(x, y float64) float64) value {
	switch {
	case !a.is(Number) || !b.is(Number):
	case a.kind() == Int && b.kind() == Int:
		if i, err := ints(a.int(), b.int()); err == nil {
			return ofInt(i)
		}
	default:
		return finiteFloat(floats(a.number(), b.number()))
	}
	return declined()
}

// finiteFloat declines what JSON cannot hold.
func finiteFloat(f float64) value {
	if f-f != 0 {
		return declined()
	}
	return ofFloat(f)
}

func fastDivide(_ *work, a, b value) value {
	if a.is(Number) && b.is(Number) && b.number() != 0 {
		return finiteFloat(a.number() / b.number())
	}
	return declined()
}

func fastModulo(_ *work, a, b value) value {
	if a.kind() == Int && b.kind() == Int && b.int() > 0 {
		return ofInt(a.int() % b.int())
	}
	return declined()
}

func fastNegate(_ *work, a value) value {
	switch {
	case a.kind() == Int && a.int() > 0:
		return ofInt(-a.int())
	case a.kind() == Float:
		return ofFloat(-a.float())
	}
	return declined()
}

// fastGet is one step of a path through JSON that nobody has decoded.
func fastGet(w *work, base, key value) value {
	switch {
	case base.kind() == Nil:
		return nilValue()
	case base.decoded():
	case base.kind() == Object && key.kind() == Text:
		raw, ok := projection.MemberOf(bytesOf(base.text()), key.text())
		return w.found(raw, ok)
	case base.kind() == List && key.kind() == Int && int64(int(key.int())) == key.int():
		raw, ok := projection.ElementOf(bytesOf(base.text()), int(key.int()))
		return w.found(raw, ok)
	}
	return declined()
}

func (w *work) found(raw []byte, ok bool) value {
	if !ok {
		return nilValue()
	}
	return w.load(raw, projection.KindAt(raw))
}

func fastHas(_ *work, base, key value) value {
	switch {
	case base.decoded():
		return declined()
	case base.kind() == Object && key.kind() == Text:
		_, ok := projection.MemberOf(bytesOf(base.text()), key.text())
		return ofBool(ok)
	case base.kind() == List && key.kind() == Int && int64(int(key.int())) == key.int():
		_, ok := projection.ElementOf(bytesOf(base.text()), int(key.int()))
		return ofBool(ok)
	}
	return declined()
}
