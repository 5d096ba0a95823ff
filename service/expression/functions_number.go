package expression

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

func numberFunctions() []function {
	one := []Kind{Number}
	some := []Kind{Number | List}
	return []function{
		{name: "abs", params: one, result: Number, call: absolute},
		{name: "ceil", params: one, result: Number, call: rounded(math.Ceil), one: fastRounded(math.Ceil)},
		{name: "floor", params: one, result: Number, call: rounded(math.Floor), one: fastRounded(math.Floor)},
		{name: "round", params: one, result: Number, call: rounded(math.Round), one: fastRounded(math.Round)},
		{name: "min", params: some, variadic: true, result: Number, call: extreme("min", -1)},
		{name: "max", params: some, variadic: true, result: Number, call: extreme("max", 1)},
		{name: "sum", params: []Kind{List}, result: Number, call: sum},
		{name: "mean", params: some, variadic: true, result: Float, call: mean},
		{name: "median", params: some, variadic: true, result: Float, call: median},
		{name: "int", params: []Kind{Number | Text}, result: Int, call: toInt, one: fastInt},
		{name: "float", params: []Kind{Number | Text}, result: Float, call: parseFloat, one: fastFloat},
		{name: "string", params: []Kind{Bool | Number | Text | Time | Duration}, result: Text, call: toText, one: fastString},
	}
}

func absolute(args []any) (any, error) {
	if f, ok := args[0].(float64); ok {
		return math.Abs(f), nil
	}
	if args[0].(int64) < 0 {
		return negate(args[0])
	}
	return args[0], nil
}

func rounded(f func(float64) float64) func([]any) (any, error) {
	return func(args []any) (any, error) {
		if x, ok := args[0].(float64); ok {
			return f(x), nil
		}
		return args[0], nil
	}
}

// numbers are the arguments of min(1, 2) or the elements of min([1, 2]).
func numbers(name string, args []any) ([]any, error) {
	if list, ok := args[0].([]any); ok && len(args) == 1 {
		args = list
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("%s of an empty list", name)
	}
	for _, v := range args {
		if KindOf(v)&Number == 0 {
			return nil, fmt.Errorf("%s takes numbers, not %s", name, Describe(v))
		}
	}
	return args, nil
}

func extreme(name string, sign int) func([]any) (any, error) {
	return func(args []any) (any, error) {
		list, err := numbers(name, args)
		if err != nil {
			return nil, err
		}
		best := list[0]
		for _, v := range list[1:] {
			if compareNumbers(v, best) == sign {
				best = v
			}
		}
		return best, nil
	}
}

func sum(args []any) (any, error) {
	var total any = int64(0)
	for _, v := range args[0].([]any) {
		if KindOf(v)&Number == 0 {
			return nil, fmt.Errorf("sum takes numbers, not %s", Describe(v))
		}
		var err error
		if total, err = add(total, v); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func mean(args []any) (any, error) {
	list, err := numbers("mean", args)
	if err != nil {
		return nil, err
	}
	total := 0.0
	for _, v := range list {
		total += toFloat(v)
	}
	return finite(total / float64(len(list)))
}

func median(args []any) (any, error) {
	list, err := numbers("median", args)
	if err != nil {
		return nil, err
	}
	sorted := make([]float64, len(list))
	for i, v := range list {
		sorted[i] = toFloat(v)
	}
	slices.Sort(sorted)
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2], nil
	}
	return finite((sorted[n/2-1] + sorted[n/2]) / 2)
}

// toInt drops the digits behind the point; text must be an integer.
func toInt(args []any) (any, error) {
	switch v := args[0].(type) {
	case float64:
		if v >= math.MaxInt64 || v < math.MinInt64 || math.IsNaN(v) {
			return nil, fmt.Errorf("int: %s does not fit into 64 bits", Describe(v))
		}
		return int64(v), nil
	case string:
		i, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("int: %s is not an integer of 64 bits", Describe(v))
		}
		return i, nil
	}
	return args[0], nil
}

func parseFloat(args []any) (any, error) {
	s, ok := args[0].(string)
	if !ok {
		return toFloat(args[0]), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("float: %s is not a finite number", Describe(s))
	}
	return f, nil
}

func toText(args []any) (any, error) {
	switch v := args[0].(type) {
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return formatFloat(v), nil
	case time.Time:
		return FormatTime(v), nil
	case time.Duration:
		return v.String(), nil
	}
	return args[0], nil
}
