package aggregate

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// appendTime writes milliseconds since 1970 as RFC 3339 in UTC, without zeros at the end of the fraction.
func appendTime(dst []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(dst, time.RFC3339Nano)
}

// appendText writes a JSON string of text that is valid UTF-8.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, `\u00`...)
			dst = append(dst, "0123456789abcdef"[r>>4], "0123456789abcdef"[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// elements yields the elements of a group: JSON scalars with commas between them. The commas within texts are none.
func elements(group []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(group) > 0 {
			end := elementEnd(group)
			if !yield(group[:end]) || end >= len(group) {
				return
			}
			group = group[end+1:]
		}
	}
}

// elementEnd is how long the first element of a group is.
func elementEnd(group []byte) int {
	if group[0] != '"' {
		if end := bytes.IndexByte(group, ','); end >= 0 {
			return end
		}
		return len(group)
	}
	end := 1
	for end < len(group) && group[end] != '"' {
		if group[end] == '\\' {
			end++
		}
		end++
	}
	return min(end+1, len(group))
}

// plain is a scalar of JSON for people.
func plain(value []byte) string {
	var text string
	if len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// span is a stretch of time in UTC for people, its date left out where it is short.
func span(start, end int64) string {
	from, to := time.UnixMilli(start).UTC(), time.UnixMilli(end).UTC()
	layout := "15:04"
	if start%60_000 != 0 || end%60_000 != 0 {
		layout = "15:04:05"
	}
	if from.YearDay() != to.Add(-1).YearDay() || to.Sub(from) >= 24*time.Hour {
		layout = "2006-01-02 " + layout
	}
	return from.Format(layout) + "-" + to.Format(layout)
}

// short is a number with as many digits as a person reads.
func short(x float64) string {
	switch a := math.Abs(x); {
	case x == math.Trunc(x) && a < 1e15:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 1e15:
		return strconv.FormatFloat(x, 'g', 3, 64)
	case a >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 1:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
