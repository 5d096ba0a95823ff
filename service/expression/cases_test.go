package expression

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"data-stream-engine/service/projection"
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

// compiled compiles an expression and binds an Env to an event for it.
func compiled(lib *Library, text, event string) (*Program, *Env, error) {
	var layout Layout
	p, err := lib.Compile(text, &layout)
	if err != nil {
		return nil, nil, err
	}
	env := NewEnv()
	env.SetNow(testNow)
	var e projection.Event
	if v := layout.Projection().Scan([]byte(cmp.Or(event, "{}")), &e); v != projection.IsObject {
		return nil, nil, fmt.Errorf("the event %s is no JSON object", event)
	}
	env.Bind(&e)
	return p, env, nil
}

// onMachine is the program without its closures.
func (p *Program) onMachine() *Program {
	machine := *p
	machine.eval, machine.test, machine.write = nil, nil, nil
	return &machine
}

func library(t testing.TB) *Library {
	t.Helper()
	lib, err := NewLibrary(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

func cases(t testing.TB) map[string][]testCase {
	t.Helper()
	src, err := os.ReadFile("testdata/cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]testCase{}
	if err := yaml.UnmarshalWithOptions(src, &rows, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestExpressionsMeanWhatTheTableSays(t *testing.T) {
	rows, lib, n := cases(t), library(t), 0
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
	p, env, err := compiled(lib, c.Expr, c.Event)
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
	runOn(t, c, p, env)
	runOn(t, c, p.onMachine(), env)
}

func runOn(t *testing.T, c testCase, p *Program, env *Env) {
	t.Helper()
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

func TestMostOfTheTableRunsAsClosures(t *testing.T) {
	rows, lib := cases(t), library(t)
	all, closed := 0, 0
	for _, cases := range rows {
		for _, c := range cases {
			if p, _, err := compiled(lib, c.Expr, ""); err == nil {
				all++
				if p.eval != nil {
					closed++
				}
			}
		}
	}
	t.Logf("%d of %d", closed, all)
	if closed*10 < all*7 {
		t.Errorf("only %d of %d expressions of the table run as closures", closed, all)
	}
}
