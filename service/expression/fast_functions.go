package expression

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// fastCase is lower or upper of ASCII: from is the first letter that changes.
func fastCase(from byte) func(*work, value) value {
	return func(w *work, a value) value {
		start := len(w.buf)
		for i := range len(a.text) {
			c := a.text[i]
			if c >= utf8.RuneSelf {
				w.buf = w.buf[:start]
				return declined()
			}
			if c-from < 26 {
				c ^= ' '
			}
			w.buf = append(w.buf, c)
		}
		return w.text(start)
	}
}

func fastText(f func(s, part string) string) func(*work, value, value) value {
	return func(_ *work, a, b value) value { return ofText(f(a.text, b.text)) }
}

func fastTexts(f func(s, part string) bool) func(*work, value, value) value {
	return func(_ *work, a, b value) value { return ofBool(f(a.text, b.text)) }
}

func fastLength(_ *work, a value) value {
	switch {
	case a.kind == Text:
		return ofInt(int64(utf8.RuneCountInString(a.text)))
	case a.box == nil:
		return declined()
	}
	n, _ := length([]any{a.box})
	return unboxed(n)
}

func fastTrim(_ *work, a value) value { return ofText(strings.TrimSpace(a.text)) }

func fastConcat(w *work, a, b value) value {
	start := len(w.buf)
	w.buf = append(append(w.buf, a.text...), b.text...)
	return w.text(start)
}

func fastString(w *work, a value) value {
	if a.kind == Text {
		return a
	}
	start := len(w.buf)
	switch a.kind {
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
	case a.kind == Int:
		return a
	case a.kind == Float && a.float() < math.MaxInt64 && a.float() >= math.MinInt64:
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
		if a.kind == Float {
			return ofFloat(f(a.float()))
		}
		return a
	}
}

func fastMaskIP(w *work, a value) value {
	addr, err := netip.ParseAddr(a.text)
	if err != nil || addr.Zone() != "" {
		return declined()
	}
	prefix, ok := network(addr.Unmap())
	if !ok {
		return declined()
	}
	start := len(w.buf)
	w.buf = prefix.AppendTo(w.buf)
	return w.text(start)
}

// fastHash is hash with the one HMAC of this work, so that its key is not prepared again for every event.
func (s *signer) fastHash(w *work, a value) value {
	if s == nil {
		return declined()
	}
	if w.signer != s {
		w.signer, w.mac = s, hmac.New(sha256.New, s.secret)
	}
	start := len(w.buf)
	if a.kind == Int {
		w.buf = strconv.AppendInt(w.buf, a.int(), 10)
		w.mac.Reset()
		w.mac.Write(w.buf[start:])
		w.buf = w.buf[:start]
	} else {
		w.mac.Reset()
		w.mac.Write(bytesOf(a.text))
	}
	w.digest = w.mac.Sum(w.digest[:0])
	w.buf = append(w.buf, s.prefix...)
	w.buf = hex.AppendEncode(w.buf, w.digest[:hashBytes])
	return w.text(start)
}

// minute is a minute of RFC 3339 as it was last written: events that follow each other mostly lie in the same one.
type minute struct {
	number int64 // since 1970
	text   []byte
}

// fastRFC3339 writes whole seconds in UTC.
func fastRFC3339(w *work, a value) value {
	if a.kind != Int {
		return declined()
	}
	t := fromInt(a.int())
	if t.Nanosecond() != 0 || t.Year() < 0 || t.Year() > 9999 {
		return declined()
	}
	number, second := t.Unix()/60, t.Unix()%60
	if second < 0 {
		number, second = number-1, second+60
	}
	if w.minute.text == nil || w.minute.number != number {
		w.minute.number = number
		w.minute.text = time.Unix(number*60, 0).UTC().AppendFormat(w.minute.text[:0], time.RFC3339)
	}
	start := len(w.buf)
	w.buf = append(w.buf, w.minute.text...)
	const secondsAt = len("2006-01-02T15:04:")
	w.buf[start+secondsAt], w.buf[start+secondsAt+1] = byte('0'+second/10), byte('0'+second%10)
	return w.text(start)
}

func fastUnix(_ *work, a value) value {
	switch a.kind {
	case Int:
		return ofInt(fromInt(a.int()).Unix())
	case Time:
		return ofInt(a.int())
	}
	return declined()
}
