package projection

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes at a time, as Mycroft's null byte test does: see "Determine if a word has a byte less than n" in Anderson,
// Bit Twiddling Hacks. Only the lowest mark is exact: above it a borrow may have made another.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// special marks, by the high bit of a byte, the first byte that ends a plain run of string: a quote, a backslash or a
// control character.
func special(x uint64) uint64 {
	quoteOrControl := (x ^ 2*ones) - 0x21*ones // a quote is 0x20 here, and the control characters stay below it
	backslash := (x ^ '\\'*ones) - ones
	return (quoteOrControl | backslash) &^ x & highs
}

// notDigit marks the first byte that is no digit.
func notDigit(x uint64) uint64 {
	above := x + (0x80-'9'-1)*ones
	below := x - '0'*ones
	return (above | below) & highs
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func isDigit(c byte) bool { return c-'0' <= 9 }

// skipSpace returns the index of the first byte from b[i] that is no white space, len(b) if all of it is.
func skipSpace(b []byte, i int) int {
	if i < len(b) && b[i] > ' ' {
		return i
	}
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

// value reads the value that begins at b[i], below depth open lists and objects. It returns the index behind the value, or
// -1, and its kind.
func value(b []byte, i, depth int, open *levels) (int, Kind) {
	if i >= len(b) {
		return -1, Missing
	}
	switch b[i] {
	case '{':
		return nestedEnd(b, i, depth, open), Object
	case '[':
		return nestedEnd(b, i, depth, open), List
	}
	return scalarEnd(b, i)
}

// scalarEnd reads the string, number or literal that begins with b[i].
func scalarEnd(b []byte, i int) (int, Kind) {
	switch c := b[i]; {
	case c == '"':
		return stringEnd(b, i+1)
	case isDigit(c), c == '-':
		return numberEnd(b, i)
	}
	return literalEnd(b, i)
}

// stringEnd reads the string whose first byte behind the quote is b[i]. It returns the index behind the closing quote, or
// -1, and whether it is Text, Unicode or Escaped.
func stringEnd(b []byte, i int) (int, Kind) {
	var seen uint64 // the bytes before b[i], one over the other
	for i <= len(b)-8 {
		x := word(b[i:])
		m := special(x)
		if m != 0 {
			i += bits.TrailingZeros64(m) / 8
			seen |= x & (m&-m - 1) // what is below the mark
			if b[i] == '"' {
				if seen&highs != 0 {
					return i + 1, Unicode
				}
				return i + 1, Text
			}
			break
		}
		seen |= x
		i += 8
	}
	return oddStringEnd(b, i, seen)
}

// oddStringEnd is stringEnd for what has an escape, a mistake, or the end of the JSON near.
func oddStringEnd(b []byte, i int, seen uint64) (int, Kind) {
	escaped := false
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			return i + 1, kindOfString(seen, escaped)
		case c < ' ':
			return -1, Missing
		case c == '\\':
			escaped = true
			n := escapeLength(b[i:])
			if n == 0 {
				return -1, Missing
			}
			i += n
		default:
			seen |= uint64(c)
			i++
		}
		for i <= len(b)-8 {
			x := word(b[i:])
			m := special(x)
			if m != 0 {
				i += bits.TrailingZeros64(m) / 8
				seen |= x & (m&-m - 1)
				break
			}
			seen |= x
			i += 8
		}
	}
	return -1, Missing
}

// kindOfString is the kind of a string whose bytes, one over the other, are seen.
func kindOfString(seen uint64, escaped bool) Kind {
	switch {
	case escaped:
		return Escaped
	case seen&highs != 0:
		return Unicode
	}
	return Text
}

// escapeLength is how long the escape is that b begins with, 0 if it is none.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) >= 6 && isHex(b[2]) && isHex(b[3]) && isHex(b[4]) && isHex(b[5]) {
			return 6
		}
	}
	return 0
}

func isHex(c byte) bool { return isDigit(c) || (c|0x20)-'a' < 6 }

// numberEnd reads the number that begins with b[i], a digit or a minus.
func numberEnd(b []byte, i int) (int, Kind) {
	if b[i] == '-' {
		i++
	}
	start := i
	i = digitsEnd(b, i)
	if i == start || i > start+1 && b[start] == '0' {
		return -1, Missing
	}
	if i == len(b) || b[i] != '.' && b[i]|0x20 != 'e' {
		return i, Int
	}
	if b[i] == '.' {
		start = i + 1
		if i = digitsEnd(b, start); i == start {
			return -1, Missing
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		if i = digitsEnd(b, start); i == start {
			return -1, Missing
		}
	}
	return i, Number
}

func digitsEnd(b []byte, i int) int {
	for i <= len(b)-8 {
		if m := notDigit(word(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
		i += 8
	}
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

// literalEnd reads true, false or null.
func literalEnd(b []byte, i int) (int, Kind) {
	switch s := b[i:]; {
	case len(s) >= 4 && string(s[:4]) == "true":
		return i + 4, True
	case len(s) >= 4 && string(s[:4]) == "null":
		return i + 4, Null
	case len(s) >= 5 && string(s[:5]) == "false":
		return i + 5, False
	}
	return -1, Missing
}
