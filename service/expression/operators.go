package expression

import (
	"fmt"
	"strings"
)

// maxRange is how many elements a..b may have.
const maxRange = 100_000

// operators are what the rewritten tree calls in place of expr's own operators.
func operators() []function {
	const summable = Number | Text | Time | Duration
	const scalable = Number | Duration
	ordered := Number | Text | Time | Duration
	two := func(k Kind) []Kind { return []Kind{k, k} }
	return []function{
		{name: "==", params: two(Any), result: Bool, call: func(a []any) (any, error) { return equal(a[0], a[1]), nil }, two: fastEqual},
		{name: "<", params: two(ordered), result: Bool, call: comparison("<", func(c int) bool { return c < 0 }), two: fastOrder(func(c int) bool { return c < 0 })},
		{name: "<=", params: two(ordered), result: Bool, call: comparison("<=", func(c int) bool { return c <= 0 }), two: fastOrder(func(c int) bool { return c <= 0 })},
		{name: ">", params: two(ordered), result: Bool, call: comparison(">", func(c int) bool { return c > 0 }), two: fastOrder(func(c int) bool { return c > 0 })},
		{name: ">=", params: two(ordered), result: Bool, call: comparison(">=", func(c int) bool { return c >= 0 }), two: fastOrder(func(c int) bool { return c >= 0 })},
		{name: "in", params: two(Any), result: Bool, call: in, two: fastIn},
		{name: "contains", params: two(Text), result: Bool, call: ofTexts(strings.Contains), two: fastTexts(strings.Contains)},
		{name: "startsWith", params: two(Text), result: Bool, call: ofTexts(strings.HasPrefix), two: fastTexts(strings.HasPrefix)},
		{name: "endsWith", params: two(Text), result: Bool, call: ofTexts(strings.HasSuffix), two: fastTexts(strings.HasSuffix)},
		{name: "+", params: two(summable), result: summable, call: infix(add), two: fastAdd},
		{name: "-", params: two(scalable | Time), result: scalable | Time, call: infix(subtract), two: fastSubtract},
		{name: "*", params: two(scalable), result: scalable, call: infix(multiply), two: fastMultiply},
		{name: "/", params: two(scalable), result: Float, call: infix(divide), two: fastDivide},
		{name: "%", params: two(Int), result: Int, call: infix(modulo), two: fastModulo},
		{name: "**", params: two(Number), result: Float, call: infix(power)},
		{name: "..", params: two(Int), result: List, call: span},
		{name: "-x", params: []Kind{scalable}, result: scalable, call: func(a []any) (any, error) { return negate(a[0]) }, one: fastNegate},
		{name: "+x", params: []Kind{scalable}, result: scalable, call: itself, one: same},
		{name: "bool", params: []Kind{Bool}, result: Bool, call: itself, one: same},
		{name: "list", params: []Kind{List}, result: List, call: itself, one: same},
		{name: "key", params: []Kind{Text}, result: Text, call: itself, one: same},
		{name: "get", params: []Kind{List | Object | Nil, Int | Text}, result: Any, call: get, two: fastGet},
		{name: "has", params: []Kind{Any, Int | Text}, result: Bool, call: has, two: fastHas},
		{name: "slice", params: []Kind{List, Int | Nil, Int | Nil}, result: List, call: slice},
		{name: "groupBy", params: two(List), result: Object, call: groupBy},
		{name: "sortBy", params: []Kind{List, List, Text}, optional: 1, result: List, call: sortBy},
		{name: "findLast", params: two(List), result: Any, call: findLast},
		{name: "findLastIndex", params: two(List), result: Int | Nil, call: findLastIndex},
		{name: "int64", params: []Kind{Int | Nil}, result: Int | Nil, call: fromMachine},
	}
}

func itself(args []any) (any, error) { return args[0], nil }

func infix(f func(a, b any) (any, error)) func([]any) (any, error) {
	return func(args []any) (any, error) { return f(args[0], args[1]) }
}

func ofTexts(f func(s, part string) bool) func([]any) (any, error) {
	return func(args []any) (any, error) { return f(args[0].(string), args[1].(string)), nil }
}

func comparison(operator string, holds func(c int) bool) func([]any) (any, error) {
	return func(args []any) (any, error) {
		c, ok := order(args[0], args[1])
		if !ok {
			return nil, fmt.Errorf("%s cannot compare %s with %s", operator, Describe(args[0]), Describe(args[1]))
		}
		return holds(c), nil
	}
}

// in looks for an element of a list or a key of an object; nothing is in anything else.
func in(args []any) (any, error) {
	switch all := args[1].(type) {
	case []any:
		for _, v := range all {
			if equal(args[0], v) {
				return true, nil
			}
		}
	case map[string]any:
		key, ok := args[0].(string)
		if !ok {
			return false, nil
		}
		_, ok = all[key]
		return ok, nil
	}
	return false, nil
}

// get is one step of a path. What is not there is nil; an index may count from the end, -1 is the last element.
func get(args []any) (any, error) {
	switch base := args[0].(type) {
	case map[string]any:
		key, ok := args[1].(string)
		if !ok {
			return nil, fmt.Errorf("the fields of an object have names, %s is none", Describe(args[1]))
		}
		return base[key], nil
	case []any:
		i, ok := args[1].(int64)
		if !ok {
			return nil, fmt.Errorf("the elements of a list have numbers, %s is none", Describe(args[1]))
		}
		if i < 0 {
			i += int64(len(base))
		}
		if i < 0 || i >= int64(len(base)) {
			return nil, nil
		}
		return base[i], nil
	}
	return nil, nil
}

func has(args []any) (any, error) {
	switch base := args[0].(type) {
	case map[string]any:
		if key, ok := args[1].(string); ok {
			_, ok = base[key]
			return ok, nil
		}
	case []any:
		if i, ok := args[1].(int64); ok {
			return i >= -int64(len(base)) && i < int64(len(base)), nil
		}
	}
	return false, nil
}

func slice(args []any) (any, error) {
	list := args[0].([]any)
	bound := func(v any, otherwise int) int {
		i, ok := v.(int64)
		if !ok {
			return otherwise
		}
		if i < 0 {
			i += int64(len(list))
		}
		return int(min(max(i, 0), int64(len(list))))
	}
	from, to := bound(args[1], 0), bound(args[2], len(list))
	return list[min(from, to):to:to], nil
}

func span(args []any) (any, error) {
	from, to := args[0].(int64), args[1].(int64)
	if to < from {
		return []any{}, nil
	}
	if uint64(to)-uint64(from) >= maxRange {
		return nil, fmt.Errorf("a range has %d elements at most", maxRange)
	}
	list := make([]any, 0, to-from+1)
	for i := range to - from + 1 {
		list = append(list, from+i)
	}
	return list, nil
}

// fromMachine turns the int of a loop into an int64.
func fromMachine(args []any) (any, error) {
	if i, ok := args[0].(int); ok {
		return int64(i), nil
	}
	return args[0], nil
}
