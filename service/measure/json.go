package measure

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// describe names a value in an error message, with at most 64 bytes of it.
func describe(x Scalar) string {
	switch x.Kind {
	case Nil:
		return "nil"
	case Text:
		return "text " + quote(x.Text)
	case Float:
		if !finite(x.Bits) {
			return "a number that is not finite"
		}
		return "number " + string(appendScalar(nil, x))
	case Bool:
		return "boolean " + string(appendScalar(nil, x))
	case Int:
		return "integer " + string(appendScalar(nil, x))
	}
	return "a value of an unknown type"
}

func quote(s []byte) string {
	cut := 64
	if len(s) <= cut {
		return strconv.Quote(string(s))
	}
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strconv.Quote(string(s[:cut])) + "..."
}

// appendScalar appends the JSON of a value.
func appendScalar(dst []byte, x Scalar) []byte {
	switch x.Kind {
	case Bool:
		return strconv.AppendBool(dst, x.Bits != 0)
	case Int:
		return strconv.AppendInt(dst, x.Int(), 10)
	case Float:
		return appendFloat(dst, x.Float())
	case Text:
		return appendText(dst, x.Text)
	default:
		return append(dst, "null"...)
	}
}

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

// appendText writes a JSON string. What is not UTF-8 becomes U+FFFD: an insight has to be JSON, whoever wrote the state.
func appendText(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[from:i]...), "\uFFFD"...)
				from = i + 1
			}
			i += size
			continue
		}
		i++
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i-1]...)
		from = i
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
