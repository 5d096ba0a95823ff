package expression

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Decode gives the value of raw, which must be valid JSON. An integer literal within 64 bits is an int64, every other
// number a float64; of a key that repeats the last one counts. Numbers beyond float64 are an error.
func Decode(raw []byte) (any, error) {
	d := decoder{raw: raw}
	v := d.value()
	if d.beyond != "" {
		return nil, fmt.Errorf("number %s is out of range", firstBytes(string(d.beyond)))
	}
	return v, nil
}

// decode is Decode for expressions: a number beyond float64 is an error only for those that look at it.
func decode(raw []byte) any {
	d := decoder{raw: raw}
	return d.value()
}

// beyond is a number that float64 cannot hold, as it stands in the JSON. No function takes it.
type beyond string

// decoder walks over JSON that is known to be valid, so it looks only for what it needs.
type decoder struct {
	raw    []byte
	at     int
	beyond beyond // the first one that was met
}

func (d *decoder) value() any {
	switch c := d.peek(); c {
	case '{':
		return d.object()
	case '[':
		return d.list()
	case '"':
		return d.text()
	case 't':
		d.at += len("true")
		return true
	case 'f':
		d.at += len("false")
		return false
	case 'n':
		d.at += len("null")
		return nil
	}
	start := d.at
	for d.at < len(d.raw) && isNumberByte(d.raw[d.at]) {
		d.at++
	}
	return d.number(string(d.raw[start:d.at]))
}

func (d *decoder) number(literal string) any {
	if i, err := strconv.ParseInt(literal, 10, 64); err == nil {
		return i
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err == nil {
		return f
	}
	if d.beyond == "" {
		d.beyond = beyond(literal)
	}
	return beyond(literal)
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

func (d *decoder) object() any {
	d.at++
	object := map[string]any{}
	for c := d.peek(); c != '}' && c != 0; c = d.peek() {
		key := d.text()
		object[key] = d.value()
	}
	d.at++
	return object
}

func (d *decoder) list() any {
	d.at++
	list := []any{}
	for c := d.peek(); c != ']' && c != 0; c = d.peek() {
		list = append(list, d.value())
	}
	d.at++
	return list
}

func (d *decoder) text() string {
	start := d.at
	for d.at++; d.at < len(d.raw) && d.raw[d.at] != '"'; d.at++ {
		if d.raw[d.at] == '\\' {
			d.at++
		}
	}
	d.at = min(d.at+1, len(d.raw))
	return string(appendUnescaped(nil, d.raw[start+1:d.at-1]))
}

// appendUnescaped appends the text of a JSON string without its quotes. Invalid UTF-8 and lone surrogates are replaced
// as encoding/json does.
func appendUnescaped(dst, body []byte) []byte {
	for i := 0; i < len(body); {
		switch c := body[i]; {
		case c == '\\':
			var r rune
			r, i = unescape(body, i)
			dst = utf8.AppendRune(dst, r)
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, size := utf8.DecodeRune(body[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
		}
	}
	return dst
}

// unescape gives the character of the escape at i and where it ends.
func unescape(body []byte, i int) (r rune, end int) {
	switch c := body[i+1]; c {
	case 'b':
		return '\b', i + 2
	case 'f':
		return '\f', i + 2
	case 'n':
		return '\n', i + 2
	case 'r':
		return '\r', i + 2
	case 't':
		return '\t', i + 2
	case 'u':
	default:
		return rune(c), i + 2
	}
	r, i = hex4(body[i+2:]), i+6
	if !utf16.IsSurrogate(r) {
		return r, i
	}
	if i+6 <= len(body) && body[i] == '\\' && body[i+1] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(body[i+2:])); pair != utf8.RuneError {
			return pair, i + 6
		}
	}
	return utf8.RuneError, i
}

func hex4(digits []byte) (r rune) {
	for _, c := range digits[:4] {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = (c | 0x20) - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

func isNumberByte(c byte) bool {
	return '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

func firstBytes(s string) string {
	if len(s) > maxQuote {
		return s[:maxQuote] + "..."
	}
	return s
}
