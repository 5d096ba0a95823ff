package projection

import (
	"unicode/utf16"
	"unicode/utf8"
)

// decodeRune decodes the first character of the inside of a valid string and returns how many bytes it takes. As with
// encoding/json, half of a surrogate pair and a byte that is not UTF-8 are U+FFFD.
func decodeRune(s []byte) (r rune, size int) {
	if len(s) < 2 || s[0] != '\\' {
		return utf8.DecodeRune(s)
	}
	switch s[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return decodeUnicode(s)
	}
	return rune(s[1]), 2
}

func decodeUnicode(s []byte) (r rune, size int) {
	r = hex4(s)
	if r < 0 {
		return utf8.RuneError, 2
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if pair := utf16.DecodeRune(r, hex4(s[6:])); pair != utf8.RuneError {
		return pair, 12
	}
	return utf8.RuneError, 6
}

// hex4 is the number in the escape \u1234 that s begins with, -1 if that is none.
func hex4(s []byte) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	r := rune(0)
	for _, c := range s[2:6] {
		switch {
		case isDigit(c):
			c -= '0'
		case (c|0x20)-'a' < 6:
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
