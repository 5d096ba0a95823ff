package api

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"data-stream-engine/handler/problem"
)

// The bounds of lists.
const (
	defaultLimit = 100
	maxLimit     = 1000
	maxText      = 1 << 10
)

// params reads the parameters of a request. Each that is wrong, comes twice or is not known is a mistake; err tells all of
// them.
type params struct {
	values   url.Values
	known    map[string]bool
	mistakes []mistake
}

func paramsOf(r *http.Request) *params {
	values, err := url.ParseQuery(r.URL.RawQuery)
	p := &params{values: values, known: map[string]bool{}}
	if err != nil {
		p.wrong("query", "it is not written as name=value&name=value with percent-encoding")
	}
	return p
}

func (p *params) wrong(name, format string, args ...any) {
	p.mistakes = append(p.mistakes, mistake{Name: name, Message: fmt.Sprintf(format, args...)})
}

// text is a parameter, empty when it is not given.
func (p *params) text(name string) string {
	p.known[name] = true
	list := p.values[name]
	switch {
	case len(list) == 0:
		return ""
	case len(list) > 1:
		p.wrong(name, "is given %d times", len(list))
	case len(list[0]) > maxText:
		p.wrong(name, "has more than %d bytes", maxText)
	case !utf8.ValidString(list[0]) || strings.ContainsRune(list[0], 0):
		p.wrong(name, "is not text")
	}
	return list[0]
}

func (p *params) given(name string) bool {
	p.known[name] = true
	return len(p.values[name]) > 0
}

// oneOf is a parameter that takes some words only.
func (p *params) oneOf(name string, words ...string) string {
	s := p.text(name)
	if p.given(name) && !slices.Contains(words, s) {
		p.wrong(name, "is one of %s", strings.Join(words, ", "))
	}
	return s
}

func (p *params) integer(name string, lo, hi, without int64) int64 {
	s := p.text(name)
	if !p.given(name) {
		return without
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < lo || n > hi || s != strconv.FormatInt(n, 10) {
		p.wrong(name, "is a whole number from %d to %d", lo, hi)
	}
	return n
}

func (p *params) limit() int { return int(p.integer("limit", 1, maxLimit, defaultLimit)) }

func (p *params) boolean(name string) *bool {
	switch p.oneOf(name, "true", "false") {
	case "true":
		return new(true)
	case "false":
		return new(false)
	}
	return nil
}

func (p *params) time(name string) time.Time {
	s := p.text(name)
	if !p.given(name) {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		p.wrong(name, "is a time as in 2026-11-22T10:00:07Z (RFC 3339); a + in it is written %%2B")
	}
	return t
}

// prefixed are all parameters whose name begins with prefix, by the rest of the name; nil: none.
func (p *params) prefixed(prefix string) map[string]string {
	var found map[string]string
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok || rest == "" {
			continue
		}
		if found == nil {
			found = map[string]string{}
		}
		found[rest] = p.text(name)
	}
	return found
}

// err is a Problem with everything that is wrong; nil: nothing is.
func (p *params) err() error {
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if !p.known[name] {
			p.wrong(problem.Shown(name), "there is no such parameter here; there are: %s", strings.Join(slices.Sorted(maps.Keys(p.known)), ", "))
		}
	}
	if len(p.mistakes) == 0 {
		return nil
	}
	return wrong(p.mistakes...)
}

// none refuses every parameter.
func none(r *http.Request) error { return paramsOf(r).err() }
