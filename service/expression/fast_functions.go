package expression

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// toBuffer is the fast form of a function that gives text, for those who want a value.
func (f *function) toBuffer(w *work, a value) value {
	start := len(w.buf)
	out, ok := f.text(w, w.buf, a)
	if !ok {
		return declined()
	}
	w.buf = out
	if a.kind() == Text && !a.plain() {
		return w.text(start)
	}
	return w.plain(start)
}

// fastCase is lower or upper of ASCII: from is the first letter that changes.
func fastCase(from byte) func(*work, []byte, value) ([]byte, bool) {
	return func(_ *work, dst []byte, a value) ([]byte, bool) {
		start := len(dst)
		dst = append(dst, a.text()...)
		seen := byte(0)
		for i, c := range dst[start:] {
			seen |= c
			changed := c ^ ' '
			if c-from >= 26 {
				changed = c
			}
			dst[start+i] = changed
		}
		if seen >= utf8.RuneSelf {
			return dst[:start], false
		}
		return dst, true
	}
}

func fastText(f func(s, part string) string) func(*work, value, value) value {
	return func(_ *work, a, b value) value { return ofText(f(a.text(), b.text())) }
}

func fastTexts(f func(s, part string) bool) func(*work, value, value) value {
	return func(_ *work, a, b value) value { return ofBool(f(a.text(), b.text())) }
}

func fastLength(_ *work, a value) value {
	switch {
	case a.kind() == Text:
		return ofInt(int64(utf8.RuneCountInString(a.text())))
	case a.kind() == List && a.decoded():
		return ofInt(int64(len(a.list())))
	}
	return declined()
}

func fastTrim(_ *work, a value) value { return ofText(strings.TrimSpace(a.text())) }

func fastConcat(w *work, a, b value) value {
	start := len(w.buf)
	w.buf = append(append(w.buf, a.text()...), b.text()...)
	return w.text(start)
}

func fastString(w *work, a value) value {
	if a.kind() == Text {
		return a
	}
	start := len(w.buf)
	switch a.kind() {
	case Bool:
		w.buf = strconv.AppendBool(w.buf, a.truth())
	case Int:
		w.buf = strconv.AppendInt(w.buf, a.int(), 10)
	case Float:
		w.buf = appendFloat(w.buf, a.float())
	default:
		return declined()
	}
	return w.text(start)
}

func fastInt(_ *work, a value) value {
	switch {
	case a.kind() == Int:
		return a
	case a.kind() == Float && a.float() < math.MaxInt64 && a.float() >= math.MinInt64:
		return ofInt(int64(a.float()))
	}
	return declined()
}

func fastFloat(_ *work, a value) value {
	if a.is(Number) {
		return ofFloat(a.number())
	}
	return declined()
}

func fastRounded(f func(float64) float64) func(*work, value) value {
	return func(_ *work, a value) value {
		if a.kind() == Float {
			return ofFloat(f(a.float()))
		}
		return a
	}
}

// fastHash is hash with the one HMAC of this work, so that its key is not prepared again for every event.
func (s *signer) fastHash(w *work, dst []byte, a value) ([]byte, bool) {
	if s == nil {
		return dst, false
	}
	if w.signer != s {
		w.signer, w.mac = s, newMAC(s.secret)
	}
	var sum []byte
	if start := len(dst); a.kind() == Int {
		dst = strconv.AppendInt(dst, a.int(), 10)
		sum, dst = w.mac.sum(dst[start:]), dst[:start]
	} else {
		sum = w.mac.sum(bytesOf(a.text()))
	}
	return hex.AppendEncode(append(dst, s.prefix...), sum[:hashBytes]), true
}

// minute is a minute of RFC 3339 as it was last written: events that follow each other mostly lie in the same one.
type minute struct {
	number int64 // since 1970
	text   []byte
}

// The seconds of the years 0 to 9999, which RFC 3339 can write.
const (
	firstSecond = -62167219200
	lastSecond  = 253402300799
)

// fastRFC3339 writes whole seconds in UTC.
func fastRFC3339(w *work, dst []byte, a value) ([]byte, bool) {
	number, ok := timeNumber(a)
	if !ok {
		return dst, false
	}
	seconds, ok := wholeSeconds(number)
	if !ok || seconds < firstSecond || seconds > lastSecond {
		return dst, false
	}
	minute, second := seconds/60, seconds%60
	if second < 0 {
		minute, second = minute-1, second+60
	}
	if w.minute.text == nil || w.minute.number != minute {
		w.minute.number = minute
		w.minute.text = time.Unix(minute*60, 0).UTC().AppendFormat(w.minute.text[:0], time.RFC3339)
	}
	start := len(dst)
	dst = append(dst, w.minute.text...)
	const secondsAt = len("2006-01-02T15:04:")
	dst[start+secondsAt], dst[start+secondsAt+1] = byte('0'+second/10), byte('0'+second%10)
	return dst, true
}

// timeNumber is a time that is an integer, as such or as text.
func timeNumber(a value) (i int64, ok bool) {
	switch {
	case a.kind() == Int:
		return a.int(), true
	case a.kind() == Text && len(a.text()) <= 18:
		return digits(a.text())
	}
	return 0, false
}

// digits reads a natural number of at most 18 digits, eight at a time where there are as many: a time of today has ten.
func digits(s string) (n int64, ok bool) {
	if len(s) >= 8 {
		chunk := binary.LittleEndian.Uint64(bytesOf(s))
		if !eightDigits(chunk) {
			return 0, false
		}
		n, ok, s = valueOfEight(chunk), true, s[8:]
	}
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n, ok = n*10+int64(c), true
	}
	return n, ok
}

// eightDigits and valueOfEight are Lemire's, "Quickly parsing eight digits" (2018), as in simdjson: all in one word, with
// the first digit in the lowest byte.
func eightDigits(x uint64) bool {
	const high, zeros, six = 0xf0f0f0f0f0f0f0f0, 0x3333333333333333, 0x0606060606060606
	return x&high|(x+six)&high>>4 == zeros
}

func valueOfEight(x uint64) int64 {
	x -= 0x3030303030303030
	x = x*10 + x>>8 // pairs
	const mask = 0x000000ff000000ff
	return int64((x&mask*(100+1_000_000<<32) + x>>16&mask*(1+10_000<<32)) >> 32)
}

// wholeSeconds are the seconds since 1970 of a time as EventTime reads it, when there is no fraction.
func wholeSeconds(i int64) (seconds int64, ok bool) {
	switch m := magnitude(i); {
	case m < 1e11:
		return i, true
	case m < 1e14:
		return i / 1e3, i%1e3 == 0
	}
	return 0, false
}

func fastUnix(_ *work, a value) value {
	if a.kind() == Time {
		return ofInt(a.int())
	}
	if i, ok := timeNumber(a); ok {
		return ofInt(fromInt(i).Unix())
	}
	return declined()
}
