package expression

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

func valueFunctions() []function {
	return []function{
		{name: "type", params: []Kind{Any}, result: Text, call: typeName},
		{name: "coalesce", params: []Kind{Any}, variadic: true, result: Any, call: coalesce},
		{name: "to_json", params: []Kind{Any}, result: Text, call: toJSON},
		{name: "parse_json", params: []Kind{Text}, result: Any, call: parseJSON},
		{name: "semver_compare", params: []Kind{Text, Text}, result: Int, call: semverCompare},
	}
}

func typeName(args []any) (any, error) {
	switch KindOf(args[0]) {
	case Nil:
		return "nil", nil
	case Bool:
		return "bool", nil
	case Int:
		return "int", nil
	case Float:
		return "float", nil
	case Text:
		return "string", nil
	case List:
		return "array", nil
	case Object:
		return "map", nil
	case Time:
		return "time", nil
	default:
		return "duration", nil
	}
}

func coalesce(args []any) (any, error) {
	for _, v := range args {
		if v != nil {
			return v, nil
		}
	}
	return nil, nil
}

func toJSON(args []any) (any, error) {
	b, err := AppendJSON(nil, args[0])
	return string(b), err
}

func parseJSON(args []any) (any, error) {
	raw := []byte(args[0].(string))
	if !json.Valid(raw) {
		return nil, fmt.Errorf("parse_json: %s is not JSON", Describe(args[0]))
	}
	return Decode(raw)
}

// version is a semantic version (semver.org 2.0.0). Missing minor and patch numbers are 0 and a leading v is taken
// off, since many clients report 2.1 or v2.1; build metadata does not count.
type version struct {
	numbers    [3]uint64
	prerelease string
}

// semverCompare is -1, 0 or 1 for a version that is older than, as old as or newer than another.
func semverCompare(args []any) (any, error) {
	a, ok := parseVersion(args[0].(string))
	if !ok {
		return nil, fmt.Errorf("semver_compare: %s is not a version such as 1.4.2", Describe(args[0]))
	}
	b, ok := parseVersion(args[1].(string))
	if !ok {
		return nil, fmt.Errorf("semver_compare: %s is not a version such as 1.4.2", Describe(args[1]))
	}
	for i := range a.numbers {
		if c := cmp.Compare(a.numbers[i], b.numbers[i]); c != 0 {
			return int64(c), nil
		}
	}
	return int64(comparePrerelease(a.prerelease, b.prerelease)), nil
}

func parseVersion(s string) (version, bool) {
	var v version
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "v"), "+")
	s, pre, dashed := strings.Cut(s, "-")
	if dashed && pre == "" {
		return v, false
	}
	v.prerelease = pre
	parts := strings.Split(s, ".")
	if len(parts) > len(v.numbers) {
		return v, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			return v, false
		}
		v.numbers[i] = n
	}
	return v, true
}

// comparePrerelease follows rule 11 of semver.org: a release is newer than its pre-releases, numbers come before
// words, the shorter of two that agree is older.
func comparePrerelease(a, b string) int {
	if a == "" || b == "" {
		return -cmp.Compare(len(a), 0) + cmp.Compare(len(b), 0)
	}
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		m, errM := strconv.ParseUint(x[i], 10, 64)
		n, errN := strconv.ParseUint(y[i], 10, 64)
		var c int
		switch {
		case errM == nil && errN == nil:
			c = cmp.Compare(m, n)
		case errM == nil:
			c = -1
		case errN == nil:
			c = 1
		default:
			c = cmp.Compare(x[i], y[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}
