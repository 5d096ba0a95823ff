package view

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// mostNamed is how many of a list of things a sentence names.
const mostNamed = 5

// list is "a", "a and b", "a, b and c", or how many there are when nobody would read all of them.
func list(from []string) string {
	names := make([]string, len(from))
	for i := range from {
		names[i] = plain(from[i])
	}
	switch n := len(names); {
	case n == 0:
		return ""
	case n == 1:
		return names[0]
	case n > mostNamed:
		return strings.Join(names[:mostNamed-1], ", ") + " and " + strconv.Itoa(n-mostNamed+1) + " more"
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// partitionList is "partition 3", or "partitions 3, 4 and 5".
func partitionList(numbers []int32) string {
	names := make([]string, len(numbers))
	for i, n := range numbers {
		names[i] = strconv.Itoa(int(n))
	}
	if len(names) == 1 {
		return "partition " + names[0]
	}
	return "partitions " + list(names)
}

// plain is a text from outside without what could change how the rest of a sentence is shown.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// about is a number to two digits, with commas between thousands: 2,317 is 2,300.
func about(x float64) string {
	n := int64(math.Round(x))
	scale := int64(1)
	for n/scale >= 100 {
		scale *= 10
	}
	return thousands((n + scale/2) / scale * scale)
}

// thousands is a number with commas.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// span is a duration for a person: 4 s, 3 min, 2 h, 5 d.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(math.Round(d.Seconds())))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(math.Round(d.Minutes())))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(math.Round(d.Hours())))
	}
	return fmt.Sprintf("%d d", int(math.Round(d.Hours()/24)))
}

// clock is a time of the day.
func clock(t time.Time) string { return t.UTC().Format("15:04:05") + " UTC" }

// count is "1 replica", "3 replicas".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(int64(n)) + " " + what + "s"
}

// sentence begins with a capital letter and ends with a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	first := []rune(s)
	first[0] = unicode.ToUpper(first[0])
	s = string(first)
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
