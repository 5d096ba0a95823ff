package service

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever stands where a call belongs, it is a fault at a place in it, or pieces of it in order.
func FuzzTakeApart(f *testing.F) {
	for _, seed := range []string{"count()", "top(a, 3)", "sum([1, (2)], \"a)\", 'b', `c`)", "f(ä, {\"k\": #}) / 2", "f(a /* , */, b) // c", "f(", "f(,)", "f(x])", "f(\"x)", "f", "", "f(\n a,\n b)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := takeApart(text)
		if c.fault != "" {
			if c.faultAt < 0 || c.faultAt > len(c.runes) {
				t.Fatalf("%q: %s at %d", text, c.fault, c.faultAt)
			}
			return
		}
		if !utf8.ValidString(text) {
			return // files are UTF-8
		}
		end := c.from + utf8.RuneCountInString(c.name)
		if string(c.runes[c.from:end]) != c.name {
			t.Fatalf("%q: the name %q is not at %d", text, c.name, c.from)
		}
		for _, s := range c.arguments {
			if s.from <= end-1 || s.to <= s.from || s.to >= len(c.runes) {
				t.Fatalf("%q: argument from %d to %d", text, s.from, s.to)
			}
			end = s.to
			blanked := c.blanked(s)
			if utf8.RuneCountInString(blanked) != s.to || !strings.HasSuffix(blanked, c.text(s)) || text[c.offset(s.from):c.offset(s.to)] != c.text(s) {
				t.Fatalf("%q: %q is %q with blanks", text, c.text(s), blanked)
			}
		}
	})
}

func TestACallIsTakenApartAtItsCommas(t *testing.T) {
	for text, want := range map[string]string{
		"count()":                        "count",
		" count( )\n":                    "count",
		"top(a, 3)":                      "top|a|3",
		"f(g(a, b), [c, d], {\"e\": f})": `f|g(a, b)|[c, d]|{"e": f}`,
		"f(\"a, b)\", 'c, d(', `e, f`)":  "f|\"a, b)\"|'c, d('|`e, f`",
		"f(a /* b, c) */, d)":            "f|a /* b, c) */|d",
		"f(a ? b : c, -1)":               "f|a ? b : c|-1",
		"f(any(l, # > 5), \"\\\")\")":    `f|any(l, # > 5)|"\")"`,
		"größe(ä, \"ü\")":                `größe|ä|"ü"`,
	} {
		c := takeApart(text)
		got := []string{c.name}
		for _, s := range c.arguments {
			got = append(got, c.text(s))
		}
		if strings.Join(got, "|") != want || c.fault != "" {
			t.Errorf("%s is %q, %s", text, got, c.fault)
		}
	}
}
