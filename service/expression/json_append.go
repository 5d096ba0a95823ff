package expression

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// maxLevels is how deep lists and objects may lie in each other: one less than readers such as encoding/json take, since
// they become part of an event.
const maxLevels = 9_999

// AppendJSON appends the JSON of a value: compact, keys of objects in the order of their bytes, times in RFC 3339,
// durations as Go writes them.
func AppendJSON(dst []byte, v any) ([]byte, error) { return appendValue(dst, v, 0) }

// appendValue is AppendJSON for a value in that many lists and objects.
func appendValue(dst []byte, v any, levels int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return dst, errors.New("JSON has no number that is not finite")
		}
		return appendFloat(dst, v), nil
	case string:
		return appendText(dst, v), nil
	case time.Time:
		return append(appendTime(append(dst, '"'), v), '"'), nil
	case time.Duration:
		return appendText(dst, v.String()), nil
	case beyond:
		return dst, fmt.Errorf("number %s is out of range", firstBytes(string(v)))
	case []any:
		return appendList(dst, v, levels+1)
	case map[string]any:
		return appendObject(dst, v, levels+1)
	}
	return dst, fmt.Errorf("%T has no form in JSON", v)
}

var errTooDeep = errors.New("lists and objects lie in each other on more than 10,000 levels, which readers of JSON refuse")

func appendList(dst []byte, list []any, levels int) ([]byte, error) {
	if levels > maxLevels {
		return dst, errTooDeep
	}
	dst = append(dst, '[')
	var err error
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendValue(dst, v, levels); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendObject(dst []byte, object map[string]any, levels int) ([]byte, error) {
	if levels > maxLevels {
		return dst, errTooDeep
	}
	dst = append(dst, '{')
	var err error
	for i, key := range slices.Sorted(maps.Keys(object)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, key), ':')
		if dst, err = appendValue(dst, object[key], levels); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// AppendText appends s as a JSON string.
func AppendText(dst []byte, s string) []byte { return appendText(dst, s) }

func appendText(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch {
		case c >= ' ':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}

func formatFloat(f float64) string { return string(appendFloat(nil, f)) }

// appendFloat writes a float as encoding/json does: the shortest digits that read back the same, with an exponent
// only for the very small and the very large.
func appendFloat(dst []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, format, -1, 64)
	if n := len(dst); format == 'e' && n-start >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}
