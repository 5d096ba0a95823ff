package expression

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxResult is how many bytes a function may make of shorter text.
const maxResult = 1 << 20

func textFunctions() []function {
	t := func(n int) []Kind {
		params := make([]Kind, n)
		for i := range params {
			params[i] = Text
		}
		return params
	}
	return []function{
		{name: "lower", params: t(1), result: Text, call: onText(strings.ToLower), text: fastCase('A')},
		{name: "upper", params: t(1), result: Text, call: onText(strings.ToUpper), text: fastCase('a')},
		{name: "trim", params: t(2), optional: 1, result: Text, call: trim, one: fastTrim, two: fastText(strings.Trim)},
		{name: "trimPrefix", params: t(2), result: Text, call: fromTexts(strings.TrimPrefix), two: fastText(strings.TrimPrefix)},
		{name: "trimSuffix", params: t(2), result: Text, call: fromTexts(strings.TrimSuffix), two: fastText(strings.TrimSuffix)},
		{name: "hasPrefix", params: t(2), result: Bool, call: ofTexts(strings.HasPrefix), two: fastTexts(strings.HasPrefix)},
		{name: "hasSuffix", params: t(2), result: Bool, call: ofTexts(strings.HasSuffix), two: fastTexts(strings.HasSuffix)},
		{name: "indexOf", params: t(2), result: Int, call: position(strings.Index)},
		{name: "lastIndexOf", params: t(2), result: Int, call: position(strings.LastIndex)},
		{name: "split", params: []Kind{Text, Text, Int}, optional: 1, result: List, call: split(strings.SplitN)},
		{name: "splitAfter", params: []Kind{Text, Text, Int}, optional: 1, result: List, call: split(strings.SplitAfterN)},
		{name: "replace", params: []Kind{Text, Text, Text, Int}, optional: 1, result: Text, call: replace},
		{name: "repeat", params: []Kind{Text, Int}, result: Text, call: repeat},
		{name: "join", params: []Kind{List, Text}, optional: 1, result: Text, call: join},
		{name: "toBase64", params: t(1), result: Text, call: onText(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) })},
		{name: "fromBase64", params: t(1), result: Text, call: fromBase64},
	}
}

func onText(f func(string) string) func([]any) (any, error) {
	return func(args []any) (any, error) { return f(args[0].(string)), nil }
}

func fromTexts(f func(a, b string) string) func([]any) (any, error) {
	return func(args []any) (any, error) { return f(args[0].(string), args[1].(string)), nil }
}

func trim(args []any) (any, error) {
	if len(args) == 1 {
		return strings.TrimSpace(args[0].(string)), nil
	}
	return strings.Trim(args[0].(string), args[1].(string)), nil
}

// position counts code points, as len does; -1 when there is none.
func position(index func(s, part string) int) func([]any) (any, error) {
	return func(args []any) (any, error) {
		s := args[0].(string)
		i := index(s, args[1].(string))
		if i < 0 {
			return int64(-1), nil
		}
		return int64(utf8.RuneCountInString(s[:i])), nil
	}
}

func split(f func(s, separator string, n int) []string) func([]any) (any, error) {
	return func(args []any) (any, error) {
		n := -1
		if len(args) > 2 {
			n = int(args[2].(int64))
		}
		parts := f(args[0].(string), args[1].(string), n)
		list := make([]any, len(parts))
		for i, part := range parts {
			list[i] = part
		}
		return list, nil
	}
}

func replace(args []any) (any, error) {
	n := -1
	if len(args) > 3 {
		n = int(args[3].(int64))
	}
	s, from, to := args[0].(string), args[1].(string), args[2].(string)
	if strings.Count(s, from)*len(to) > maxResult {
		return nil, tooLong("replace")
	}
	return strings.Replace(s, from, to, n), nil
}

func repeat(args []any) (any, error) {
	s, n := args[0].(string), args[1].(int64)
	if n < 0 {
		return nil, fmt.Errorf("repeat takes a count of at least 0, not %d", n)
	}
	if n > maxResult || int(n)*len(s) > maxResult {
		return nil, tooLong("repeat")
	}
	return strings.Repeat(s, int(n)), nil
}

func tooLong(name string) error {
	return fmt.Errorf("the result of %s would have more than %d bytes", name, maxResult)
}

func join(args []any) (any, error) {
	separator := ""
	if len(args) > 1 {
		separator = args[1].(string)
	}
	list := args[0].([]any)
	parts := make([]string, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("join takes a list of text, element %d is %s", i, Describe(v))
		}
		parts[i] = s
	}
	return strings.Join(parts, separator), nil
}

func fromBase64(args []any) (any, error) {
	b, err := base64.StdEncoding.DecodeString(args[0].(string))
	if err != nil {
		return nil, fmt.Errorf("%s is not base64: %w", Describe(args[0]), err)
	}
	if !utf8.Valid(b) {
		return nil, errors.New("the decoded bytes are not UTF-8 text")
	}
	return string(b), nil
}
