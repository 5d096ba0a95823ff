package expression

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const timeLike = Number | Text | Time

func timeFunctions() []function {
	return []function{
		{name: "date", params: []Kind{Text | Time}, result: Time, call: date},
		{name: "duration", params: []Kind{Text}, result: Duration, call: duration},
		{name: "rfc3339", params: []Kind{timeLike}, result: Text, call: rfc3339, text: fastRFC3339},
		{name: "unix", params: []Kind{timeLike}, result: Int, call: unix, one: fastUnix},
		{name: "truncate_time", params: []Kind{timeLike, Text}, result: Time, call: truncateTime},
	}
}

// EventTime reads a time in the forms that producers write: a number, as such or as text, is seconds since 1970 below
// 1e11, milliseconds below 1e14, microseconds below 1e17 and nanoseconds from there on; text is RFC 3339.
func EventTime(v any) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		return v, nil
	case int64:
		return fromInt(v), nil
	case float64:
		return fromFloat(v)
	case string:
		if i, err := strconv.ParseInt(v, 10, 64); err == nil {
			return fromInt(i), nil
		}
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return fromFloat(f)
		}
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s is not a time: a number since 1970 or RFC 3339 is", Describe(v))
}

func fromInt(i int64) time.Time {
	switch m := magnitude(i); {
	case m < 1e11:
		return time.Unix(i, 0).UTC()
	case m < 1e14:
		return time.UnixMilli(i).UTC()
	case m < 1e17:
		return time.UnixMicro(i).UTC()
	}
	return time.Unix(0, i).UTC()
}

// fromFloat keeps microseconds, which is what a float64 of today's seconds can tell apart.
func fromFloat(f float64) (time.Time, error) {
	scale := 1e6
	switch m := math.Abs(f); {
	case m < 1e11:
	case m < 1e14:
		scale = 1e3
	case m < 1e17:
		scale = 1
	default:
		scale = 1e-3
	}
	us := math.Round(f * scale)
	if math.IsNaN(us) || math.Abs(us) > math.MaxInt64/1000 && scale < 1 {
		return time.Time{}, fmt.Errorf("%s is not a time", Describe(f))
	}
	return time.UnixMicro(int64(us)).UTC(), nil
}

// FormatTime writes RFC 3339 with as many digits of a second as it takes: none, 3, 6 or 9, as Java's Instant does.
func FormatTime(t time.Time) string { return string(appendTime(nil, t)) }

func appendTime(dst []byte, t time.Time) []byte {
	layout := "2006-01-02T15:04:05.000000000Z07:00"
	switch ns := t.Nanosecond(); {
	case ns == 0:
		layout = time.RFC3339
	case ns%1e6 == 0:
		layout = "2006-01-02T15:04:05.000Z07:00"
	case ns%1e3 == 0:
		layout = "2006-01-02T15:04:05.000000Z07:00"
	}
	return t.AppendFormat(dst, layout)
}

func date(args []any) (any, error) {
	s, ok := args[0].(string)
	if !ok {
		return args[0], nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("date: %s is neither RFC 3339 nor a day as in 2026-01-31", Describe(s))
}

func duration(args []any) (any, error) {
	d, err := parseDuration(args[0].(string))
	if err != nil {
		return nil, err
	}
	return d, nil
}

// parseDuration knows days besides Go's units.
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseInt(days, 10, 32); err == nil && magnitude(n) <= 100_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%s is not a duration such as 30s, 1h30m or 7d", Describe(s))
	}
	return d, nil
}

func rfc3339(args []any) (any, error) {
	t, err := EventTime(args[0])
	if err != nil {
		return nil, err
	}
	if y := t.Year(); y < 0 || y > 9999 {
		return nil, fmt.Errorf("RFC 3339 has no year %d", y)
	}
	return FormatTime(t), nil
}

func unix(args []any) (any, error) {
	t, err := EventTime(args[0])
	if err != nil {
		return nil, err
	}
	return t.Unix(), nil
}

// truncateTime gives the start of the interval that a time is in, in UTC. Intervals are counted from 1970.
func truncateTime(args []any) (any, error) {
	t, err := EventTime(args[0])
	if err != nil {
		return nil, err
	}
	d, err := parseDuration(args[1].(string))
	if err != nil {
		return nil, err
	}
	if d <= 0 {
		return nil, fmt.Errorf("truncate_time takes a duration above 0, not %s", d)
	}
	since := t.Sub(time.Unix(0, 0))
	if since == math.MaxInt64 || since == math.MinInt64 {
		return nil, fmt.Errorf("truncate_time takes a year between 1678 and 2262, not %d", t.Year())
	}
	rest := since % d
	if rest < 0 {
		rest += d
	}
	return t.UTC().Add(-rest), nil
}
