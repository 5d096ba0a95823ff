package expression

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Decode gives the value of raw, which must be valid JSON. An integer literal within 64 bits is an int64, every other
// number a float64; of a key that repeats the last one counts. Numbers beyond float64 are an error.
func Decode(raw []byte) (any, error) {
	d := decoder{raw: raw}
	return d.value()
}

// decoder walks over JSON that is known to be valid, so it looks only for what it needs.
type decoder struct {
	raw []byte
	at  int
}

func (d *decoder) value() (any, error) {
	switch c := d.peek(); c {
	case '{':
		return d.object()
	case '[':
		return d.list()
	case '"':
		return d.text()
	case 't':
		d.at += len("true")
		return true, nil
	case 'f':
		d.at += len("false")
		return false, nil
	case 'n':
		d.at += len("null")
		return nil, nil
	case 0:
		return nil, errors.New("there is no JSON value")
	}
	start := d.at
	for d.at < len(d.raw) && isNumberByte(d.raw[d.at]) {
		d.at++
	}
	return decodeNumber(string(d.raw[start:d.at]))
}

func (d *decoder) peek() byte {
	for d.at < len(d.raw) {
		switch c := d.raw[d.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			d.at++
		default:
			return c
		}
	}
	return 0
}

func (d *decoder) object() (any, error) {
	d.at++
	object := map[string]any{}
	for d.peek() != '}' {
		if d.at >= len(d.raw) {
			return nil, errors.New("the object does not end")
		}
		key, err := d.text()
		if err != nil {
			return nil, err
		}
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		object[key.(string)] = v
	}
	d.at++
	return object, nil
}

func (d *decoder) list() (any, error) {
	d.at++
	list := []any{}
	for d.peek() != ']' {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	d.at++
	return list, nil
}

func (d *decoder) text() (any, error) {
	start := d.at
	d.at++
	simple := true
	for d.at < len(d.raw) && d.raw[d.at] != '"' {
		if d.raw[d.at] == '\\' {
			simple = false
			d.at++
		}
		d.at++
	}
	d.at = min(d.at+1, len(d.raw))
	return decodeText(d.raw[start:d.at], simple)
}

// DecodeText gives the text of a JSON string with its quotes. Invalid UTF-8 is replaced as encoding/json does.
func DecodeText(quoted []byte) (string, error) {
	simple := true
	for _, c := range quoted {
		simple = simple && c != '\\'
	}
	v, err := decodeText(quoted, simple)
	if err != nil {
		return "", err
	}
	return v.(string), nil
}

func decodeText(quoted []byte, simple bool) (any, error) {
	if simple && len(quoted) >= 2 && utf8.Valid(quoted) {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return nil, err
	}
	return s, nil
}

func isNumberByte(c byte) bool {
	return '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

func decodeNumber(literal string) (any, error) {
	if i, err := strconv.ParseInt(literal, 10, 64); err == nil {
		return i, nil
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return nil, fmt.Errorf("number %s is out of range", firstBytes(literal))
	}
	return f, nil
}

func firstBytes(s string) string {
	if len(s) > maxQuote {
		return s[:maxQuote] + "..."
	}
	return s
}

// AppendJSON appends the JSON of a value: compact, keys of objects in the order of their bytes, times in RFC 3339,
// durations as Go writes them.
func AppendJSON(dst []byte, v any) ([]byte, error) {
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
	case []any:
		return appendList(dst, v)
	case map[string]any:
		return appendObject(dst, v)
	}
	return dst, fmt.Errorf("%T has no form in JSON", v)
}

func appendList(dst []byte, list []any) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = AppendJSON(dst, v); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendObject(dst []byte, object map[string]any) ([]byte, error) {
	dst = append(dst, '{')
	var err error
	for i, key := range slices.Sorted(maps.Keys(object)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, key), ':')
		if dst, err = AppendJSON(dst, object[key]); err != nil {
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
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ':
			dst = append(dst, c)
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
	return append(dst, '"')
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
