package expression

import (
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

func listFunctions() []function {
	list := []Kind{List}
	object := []Kind{Object}
	return []function{
		{name: "len", params: []Kind{Text | List | Object}, result: Int, call: length, one: fastLength},
		{name: "first", params: list, result: Any, call: element(0)},
		{name: "last", params: list, result: Any, call: element(-1)},
		{name: "take", params: []Kind{List, Int}, result: List, call: take},
		{name: "reverse", params: list, result: List, call: reverse},
		{name: "sort", params: []Kind{List, Text}, optional: 1, result: List, call: sortList},
		{name: "uniq", params: list, result: List, call: uniq},
		{name: "concat", params: list, variadic: true, result: List, call: concat},
		{name: "flatten", params: list, result: List, call: func(a []any) (any, error) { return flatten([]any{}, a[0].([]any)), nil }},
		{name: "keys", params: object, result: List, call: keys},
		{name: "values", params: object, result: List, call: values},
		{name: "toPairs", params: object, result: List, call: toPairs},
		{name: "fromPairs", params: list, result: Object, call: fromPairs},
		{name: "get", params: []Kind{List | Object | Nil, Int | Text}, result: Any, call: get, two: fastGet},
	}
}

func length(args []any) (any, error) {
	switch v := args[0].(type) {
	case string:
		return int64(utf8.RuneCountInString(v)), nil
	case []any:
		return int64(len(v)), nil
	case map[string]any:
		return int64(len(v)), nil
	}
	return nil, nil
}

func element(i int64) func([]any) (any, error) {
	return func(args []any) (any, error) { return get([]any{args[0], i}) }
}

func take(args []any) (any, error) {
	list, n := args[0].([]any), args[1].(int64)
	if n < 0 {
		return nil, fmt.Errorf("take takes a count of at least 0, not %d", n)
	}
	n = min(n, int64(len(list)))
	return list[:n:n], nil
}

func reverse(args []any) (any, error) {
	list := slices.Clone(args[0].([]any))
	slices.Reverse(list)
	return list, nil
}

func sortList(args []any) (any, error) {
	return sortBy(append([]any{args[0], args[0]}, args[1:]...))
}

// sortBy puts the elements of one list into the order of the values of another. Equal ones keep their order.
func sortBy(args []any) (any, error) {
	list, by := args[0].([]any), args[1].([]any)
	sign := 1
	if len(args) > 2 {
		switch args[2] {
		case "asc":
		case "desc":
			sign = -1
		default:
			return nil, fmt.Errorf(`the direction is "asc" or "desc", not %s`, Describe(args[2]))
		}
	}
	for _, v := range by {
		if _, ok := order(by[0], v); !ok {
			return nil, fmt.Errorf("%s and %s have no order", Describe(by[0]), Describe(v))
		}
	}
	at := make([]int, len(by))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(i, j int) int {
		c, _ := order(by[i], by[j])
		return sign * c
	})
	sorted := make([]any, len(list))
	for i, from := range at {
		sorted[i] = list[from]
	}
	return sorted, nil
}

func groupBy(args []any) (any, error) {
	list, by := args[0].([]any), args[1].([]any)
	groups := map[string]any{}
	for i, v := range list {
		key, ok := by[i].(string)
		if !ok {
			return nil, fmt.Errorf("groupBy groups by text, not by %s", Describe(by[i]))
		}
		group, _ := groups[key].([]any)
		groups[key] = append(group, v)
	}
	return groups, nil
}

func uniq(args []any) (any, error) {
	seen := map[any]bool{}
	list := []any{}
	for _, v := range args[0].([]any) {
		switch v.(type) {
		case string, bool, int64:
			if seen[v] {
				continue
			}
			seen[v] = true
		}
		if !slices.ContainsFunc(list, func(w any) bool { return KindOf(v)&(Text|Bool) == 0 && equal(v, w) }) {
			list = append(list, v)
		}
	}
	return list, nil
}

func concat(args []any) (any, error) {
	all := []any{}
	for _, a := range args {
		all = append(all, a.([]any)...)
	}
	return all, nil
}

func flatten(dst, list []any) []any {
	for _, v := range list {
		if inner, ok := v.([]any); ok {
			dst = flatten(dst, inner)
		} else {
			dst = append(dst, v)
		}
	}
	return dst
}

// keys, values and pairs come in the order of the keys' bytes, so that the same event always gives the same.
func keys(args []any) (any, error) {
	list := []any{}
	for _, key := range slices.Sorted(maps.Keys(args[0].(map[string]any))) {
		list = append(list, key)
	}
	return list, nil
}

func values(args []any) (any, error) {
	object := args[0].(map[string]any)
	list := []any{}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		list = append(list, object[key])
	}
	return list, nil
}

func toPairs(args []any) (any, error) {
	object := args[0].(map[string]any)
	list := []any{}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		list = append(list, []any{key, object[key]})
	}
	return list, nil
}

func fromPairs(args []any) (any, error) {
	object := map[string]any{}
	for _, v := range args[0].([]any) {
		pair, _ := v.([]any)
		if len(pair) != 2 {
			return nil, fmt.Errorf("fromPairs takes lists of a key and a value, not %s", Describe(v))
		}
		key, ok := pair[0].(string)
		if !ok {
			return nil, fmt.Errorf("fromPairs takes text as a key, not %s", Describe(pair[0]))
		}
		object[key] = pair[1]
	}
	return object, nil
}

// findLastIndex is the place of the last true in a list that holds, for each element of another, whether it was found.
func findLastIndex(args []any) (any, error) {
	found := args[1].([]any)
	for i, yes := range slices.Backward(found) {
		if yes == true {
			return int64(i), nil
		}
	}
	return nil, nil
}

func findLast(args []any) (any, error) {
	i, err := findLastIndex(args)
	if i == nil || err != nil {
		return nil, err
	}
	return args[0].([]any)[i.(int64)], nil
}
