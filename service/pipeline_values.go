package service

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"data-stream-engine/service/expression"
)

const day = 24 * time.Hour

// duration reads a duration in Go's units or days, of whole milliseconds, from least to most. ok is false when a problem
// is noted.
func (p *pipelineFile) duration(n *node, what string, least, most time.Duration) (d time.Duration, ok bool) {
	switch n.shape {
	case brokenShape:
		return 0, false
	case numberShape:
		p.problem(n.at, "%s is a duration with its unit, such as 500ms, 30s, 5m or 7d; %s has none", what, n.text)
		return 0, false
	case textShape:
	case boolShape, nullShape, mappingShape, listShape:
		p.problem(n.at, "%s is a duration such as 30s, 5m or 7d, not %s", what, n.shape)
		return 0, false
	}
	d, ok = durationOf(n.text)
	switch {
	case !ok:
		p.problem(n.at, "%s is a duration such as 500ms, 30s, 1h30m or 7d, %q is none", what, n.text)
	case d < least || d > most:
		p.problem(n.at, "%s is %s to %s, not %s", what, durationText(least), durationText(most), n.text)
		return 0, false
	case d%time.Millisecond != 0:
		p.problem(n.at, "%s is a number of whole milliseconds, %s is none", what, n.text)
		return 0, false
	}
	return d, ok
}

// durationOf knows days besides Go's units: 7d, 1d12h.
func durationOf(text string) (d time.Duration, ok bool) {
	m := regexp.MustCompile(`^(?:([0-9]{1,5})d)?((?:[0-9]+(?:\.[0-9]+)?(?:h|m|s|ms|us|µs|ns))*)$`).FindStringSubmatch(text)
	if m == nil || text == "" {
		return 0, false
	}
	if m[1] != "" {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return 0, false
		}
		d = time.Duration(n) * day
	}
	if m[2] != "" {
		rest, err := time.ParseDuration(m[2])
		if err != nil {
			return 0, false
		}
		d += rest
	}
	return d, d >= 0 // below that it is larger than a Duration can be
}

// durationText writes a duration as people do: 5m instead of 5m0s, 7d instead of 168h0m0s.
func durationText(d time.Duration) string {
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// number reads a finite number. What comes from a variable is text of the file and a number all the same; so is 1e6,
// which the YAML library takes for text.
func (p *pipelineFile) number(n *node, what string) (x float64, ok bool) {
	switch {
	case n.shape == brokenShape:
		return 0, false
	case n.shape == numberShape, n.shape == textShape && !n.quote:
		if x, ok = numberOf(strings.TrimSpace(n.text)); ok {
			return x, true
		}
	}
	if n.shape == numberShape || n.given {
		p.problem(n.at, "%s is a number such as 4, 0.5 or 1e6, not %s", what, n.text)
	} else {
		p.problem(n.at, "%s is a number, not %s", what, n.shape)
	}
	return 0, false
}

// numberOf reads a finite decimal number.
func numberOf(text string) (x float64, ok bool) {
	if !regexp.MustCompile(`^[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?$`).MatchString(text) {
		return 0, false
	}
	x, err := strconv.ParseFloat(text, 64)
	return x, err == nil
}

func numberText(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// whole reads a whole number from least to most; otherwise is what it is when a problem is noted.
func (p *pipelineFile) whole(n *node, what string, least, most, otherwise int) int {
	x, ok := p.number(n, what)
	if !ok {
		return otherwise
	}
	if x != math.Trunc(x) || x < float64(least) || x > float64(most) {
		p.problem(n.at, "%s is a whole number from %d to %d, not %s", what, least, most, n.text)
		return otherwise
	}
	return int(x)
}

// choice reads one of a few words, "" when it is none of them.
func (p *pipelineFile) choice(n *node, what string, words ...string) string {
	text, ok := p.text(n, what)
	if !ok || slices.Contains(words, text) {
		return text
	}
	hint := ""
	if near := expression.Nearest(text, words); near != "" {
		hint = "; did you mean " + near + "?"
	}
	p.problem(n.at, "%s is %s, not %s%s", what, strings.Join(words, " or "), text, hint)
	return ""
}
