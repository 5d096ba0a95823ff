package expression

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

const testKey = "0123456789abcdef"

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

type testCase struct {
	Expr    string  `yaml:"expr"`
	Event   string  `yaml:"event"`
	Want    *string `yaml:"want"`
	Error   string  `yaml:"error"`
	Refused string  `yaml:"refused"`
}

// object is an event whose fields are found with encoding/json, so that it shares nothing with the code under test.
type object map[string]json.RawMessage

func (o object) Field(name string) ([]byte, bool) {
	raw, ok := o[name]
	return raw, ok
}

func (o object) Names() []string {
	var names []string
	for name := range o {
		names = append(names, name)
	}
	return names
}

func library(t testing.TB) *Library {
	t.Helper()
	lib, err := NewLibrary(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

func TestExpressionsMeanWhatTheTableSays(t *testing.T) {
	src, err := os.ReadFile("testdata/cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]testCase{}
	if err := yaml.UnmarshalWithOptions(src, &rows, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	lib, n := library(t), 0
	for row, cases := range rows {
		t.Run(row, func(t *testing.T) {
			for _, c := range cases {
				runCase(t, lib, c)
			}
		})
		n += len(cases)
	}
	if n < 300 {
		t.Errorf("the table has %d cases, some were lost", n)
	}
}

func runCase(t *testing.T, lib *Library, c testCase) {
	t.Helper()
	p, err := lib.Compile(c.Expr)
	if c.Refused != "" {
		if err == nil || !strings.Contains(err.Error(), c.Refused) {
			t.Errorf("%s: compiled with %v, want an error with %q", c.Expr, err, c.Refused)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", c.Expr, err)
		return
	}
	env := NewEnv()
	env.SetNow(testNow)
	event := object{}
	if c.Event != "" {
		if err := json.Unmarshal([]byte(c.Event), &event); err != nil {
			t.Errorf("%s: the event is no JSON object: %v", c.Expr, err)
		}
	}
	env.Bind(event)
	got, err := p.Run(env)
	switch {
	case c.Error != "":
		if err == nil || !strings.Contains(err.Error(), c.Error) {
			t.Errorf("%s of %s: got %v with error %v, want an error with %q", c.Expr, c.Event, got, err, c.Error)
		}
		return
	case err != nil:
		t.Errorf("%s of %s: %v", c.Expr, c.Event, err)
		return
	case c.Want == nil:
		t.Errorf("%s: the case says nothing about the result", c.Expr)
		return
	}
	text, err := AppendJSON(nil, got)
	if err != nil || string(text) != *c.Want {
		t.Errorf("%s of %s: got %s (%v), want %s", c.Expr, c.Event, text, err, *c.Want)
	}
	if k := KindOf(got); k&p.Kind() == 0 {
		t.Errorf("%s: the result is %s, but Kind promised %s", c.Expr, k, p.Kind())
	}
}
