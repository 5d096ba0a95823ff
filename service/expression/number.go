package expression

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"
)

var errOverflow = errors.New("the result does not fit into 64 bits")

func add(a, b any) (any, error) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return x + y, nil
		}
	case time.Time:
		if y, ok := b.(time.Duration); ok {
			return x.Add(y), nil
		}
	case time.Duration:
		switch y := b.(type) {
		case time.Time:
			return y.Add(x), nil
		case time.Duration:
			sum, err := addInts(int64(x), int64(y))
			return time.Duration(sum), err
		}
	case int64:
		if y, ok := b.(int64); ok {
			return boxInt(addInts(x, y))
		}
	}
	return floats("+", a, b, func(x, y float64) float64 { return x + y })
}

func subtract(a, b any) (any, error) {
	switch x := a.(type) {
	case time.Time:
		switch y := b.(type) {
		case time.Time:
			return x.Sub(y), nil
		case time.Duration:
			return x.Add(-y), nil
		}
	case time.Duration:
		if y, ok := b.(time.Duration); ok {
			diff, err := subInts(int64(x), int64(y))
			return time.Duration(diff), err
		}
	case int64:
		if y, ok := b.(int64); ok {
			return boxInt(subInts(x, y))
		}
	}
	return floats("-", a, b, func(x, y float64) float64 { return x - y })
}

func multiply(a, b any) (any, error) {
	x, xInt := a.(int64)
	y, yInt := b.(int64)
	if xInt && yInt {
		return boxInt(mulInts(x, y))
	}
	if d, ok := a.(time.Duration); ok && yInt {
		product, err := mulInts(int64(d), y)
		return time.Duration(product), err
	}
	if d, ok := b.(time.Duration); ok && xInt {
		product, err := mulInts(int64(d), x)
		return time.Duration(product), err
	}
	return floats("*", a, b, func(x, y float64) float64 { return x * y })
}

// divide always gives a float, as in expr: 5 / 2 is 2.5.
func divide(a, b any) (any, error) {
	if x, ok := a.(time.Duration); ok {
		if y, ok := b.(time.Duration); ok {
			a, b = float64(x), float64(y)
		}
	}
	if KindOf(b)&Number != 0 && toFloat(b) == 0 {
		return nil, errors.New("division by zero")
	}
	return floats("/", a, b, func(x, y float64) float64 { return x / y })
}

func modulo(a, b any) (any, error) {
	x, xInt := a.(int64)
	y, yInt := b.(int64)
	if !xInt || !yInt {
		return nil, fmt.Errorf("%% takes two integers, not %s and %s", Describe(a), Describe(b))
	}
	if y == 0 {
		return nil, errors.New("division by zero")
	}
	if y == -1 {
		return int64(0), nil
	}
	return x % y, nil
}

func power(a, b any) (any, error) { return floats("**", a, b, math.Pow) }

func negate(v any) (any, error) {
	switch v := v.(type) {
	case int64:
		return boxInt(subInts(0, v))
	case time.Duration:
		return -v, nil
	}
	return -v.(float64), nil
}

// floats computes in float64; what JSON cannot hold is an error.
func floats(op string, a, b any, f func(x, y float64) float64) (any, error) {
	if KindOf(a)&Number == 0 || KindOf(b)&Number == 0 {
		return nil, fmt.Errorf("%s does not take %s and %s", op, Describe(a), Describe(b))
	}
	return finite(f(toFloat(a), toFloat(b)))
}

func finite(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("the result is not a finite number")
	}
	return f, nil
}

func toFloat(v any) float64 {
	if i, ok := v.(int64); ok {
		return float64(i)
	}
	f, _ := v.(float64)
	return f
}

func boxInt(i int64, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return i, nil
}

func addInts(x, y int64) (int64, error) {
	sum := x + y
	if (x^sum)&(y^sum) < 0 {
		return 0, errOverflow
	}
	return sum, nil
}

func subInts(x, y int64) (int64, error) {
	diff := x - y
	if (x^y)&(x^diff) < 0 {
		return 0, errOverflow
	}
	return diff, nil
}

func mulInts(x, y int64) (int64, error) {
	hi, lo := bits.Mul64(magnitude(x), magnitude(y))
	negative := (x < 0) != (y < 0)
	switch {
	case hi != 0, lo > 1<<63, lo == 1<<63 && !negative:
		return 0, errOverflow
	case negative:
		return int64(-lo), nil
	}
	return int64(lo), nil
}

func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}
