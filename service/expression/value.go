package expression

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind is a set of value types: what a value is (one bit), or what is accepted (several).
type Kind uint16

// The kinds of values.
const (
	Nil Kind = 1 << iota
	Bool
	Int
	Float
	Text
	List
	Object
	Time
	Duration
	// Beyond is a number that float64 cannot hold. No function takes it.
	Beyond

	Number = Int | Float
	Any    = Nil | Bool | Number | Text | List | Object | Time | Duration
)

// KindOf is the kind of a value of this package.
func KindOf(v any) Kind {
	switch v.(type) {
	case nil:
		return Nil
	case bool:
		return Bool
	case int64, int: // an int comes only from the machine's loops, which turn it into an int64 at once
		return Int
	case float64:
		return Float
	case string:
		return Text
	case []any:
		return List
	case map[string]any:
		return Object
	case time.Time:
		return Time
	case time.Duration:
		return Duration
	case beyond:
		return Beyond
	}
	return 0
}

func (k Kind) String() string {
	if k == Any {
		return "any value"
	}
	var names []string
	if k&Number == Number {
		names, k = append(names, "a number"), k&^Number
	}
	for i, name := range []string{"nil", "a boolean", "an integer", "a number", "text", "a list", "an object", "a time", "a duration"} {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}

// maxQuote is how many bytes of a value an error message shows.
const maxQuote = 64

// Describe names a value in an error message: its type, and at most 64 bytes of it.
func Describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case bool:
		return "boolean " + strconv.FormatBool(v)
	case int64:
		return "integer " + strconv.FormatInt(v, 10)
	case float64:
		return "number " + formatFloat(v)
	case string:
		return "text " + quote(v)
	case []any:
		return "a list of " + strconv.Itoa(len(v))
	case map[string]any:
		return "an object"
	case time.Time:
		return "time " + FormatTime(v)
	case time.Duration:
		return "duration " + v.String()
	case beyond:
		return "number " + firstBytes(string(v)) + ", which is out of range"
	}
	return "a value of an unknown type"
}

func quote(s string) string {
	if len(s) <= maxQuote {
		return strconv.Quote(s)
	}
	cut := maxQuote
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strconv.Quote(s[:cut]) + "..."
}

// equal is ==: values of different types differ, an integer and a number are compared by what they are worth.
func equal(a, b any) bool {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return ok && a == b
	case nil:
		return b == nil
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case int64, float64:
		return KindOf(b)&Number != 0 && compareNumbers(a, b) == 0
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case time.Duration:
		b, ok := b.(time.Duration)
		return ok && a == b
	case []any:
		b, ok := b.([]any)
		return ok && equalLists(a, b)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && equalObjects(a, b)
	}
	return false
}

func equalLists(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalObjects(a, b map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		w, ok := b[k]
		if !ok || !equal(v, w) {
			return false
		}
	}
	return true
}

// order compares two values that have an order: numbers, text by its bytes, times, durations. ok is false for others.
func order(a, b any) (c int, ok bool) {
	switch x := a.(type) {
	case int64, float64:
		if KindOf(b)&Number != 0 {
			return compareNumbers(a, b), true
		}
	case string:
		if y, ok := b.(string); ok {
			return cmp.Compare(x, y), true
		}
	case time.Time:
		if y, ok := b.(time.Time); ok {
			return x.Compare(y), true
		}
	case time.Duration:
		if y, ok := b.(time.Duration); ok {
			return cmp.Compare(x, y), true
		}
	}
	return 0, false
}

// compareNumbers is exact: an integer beyond 2^53 is not rounded to meet a float.
func compareNumbers(a, b any) int {
	x, xInt := a.(int64)
	y, yInt := b.(int64)
	switch {
	case xInt && yInt:
		return cmp.Compare(x, y)
	case xInt:
		return compareIntFloat(x, b.(float64))
	case yInt:
		return -compareIntFloat(y, a.(float64))
	}
	return cmp.Compare(a.(float64), b.(float64))
}

func compareIntFloat(i int64, f float64) int {
	switch {
	case f >= math.MaxInt64: // as a float this is 2^63, one more than any integer
		return -1
	case f < math.MinInt64:
		return 1
	}
	whole := math.Trunc(f)
	if c := cmp.Compare(i, int64(whole)); c != 0 {
		return c
	}
	return cmp.Compare(0, f-whole)
}
