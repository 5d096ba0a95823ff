package expression

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestErrorsHaveTheirPlace(t *testing.T) {
	lib := library(t)
	for text, want := range map[string]string{
		"lower(a) == upper(5)":      "column 19: upper takes text, not integer 5",
		"a &&\n  lowr(b)":           "line 2, column 3: unknown function lowr",
		"ä == foo(1) && bar(2)":     "column 6: unknown function foo",
		"foo(1) && bar(2)":          "; column 11: unknown function bar",
		"device_type in [\"a\", ]b": "column 23: did not expect",
	} {
		if _, err := lib.Compile(text, &Layout{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error with %q", text, err, want)
		}
	}
}

func TestComparisonsNestedInEachOtherAreRefusedBeforeTheyExplode(t *testing.T) {
	text := "x"
	for range 40 {
		text = "(1 < " + text + " < 2)"
	}
	if _, err := library(t).Compile(text, &Layout{}); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v", err)
	}
}

func TestRunErrorsHaveTheirPlace(t *testing.T) {
	p, env, err := compiled(library(t), "a == 1 &&\n  b < 2", `{"a":1,"b":"x"}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Program{p, p.onMachine()} {
		_, err = p.Run(env)
		var e *Error
		if !errors.As(err, &e) || e.Line != 2 || e.Column != 5 {
			t.Errorf("got %v, want line 2, column 5", err)
		}
	}
}

func TestErrorsQuoteNoMoreThan64Bytes(t *testing.T) {
	p, env, err := compiled(library(t), "a + 1", `{"a":"`+strings.Repeat("ä", 5000)+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Run(env); err == nil || len(err.Error()) > 200 || !utf8.ValidString(err.Error()) {
		t.Errorf("got an error of %d bytes: %v", len(err.Error()), err)
	}
}

func TestHashKeysAreChecked(t *testing.T) {
	for key, want := range map[string]string{
		"short":                                    "takes at least 16",
		"k2:0123456789abcdef,k1:short":             "hash key k1 has 5 bytes",
		"k2:0123456789abcdef,0123456789abcdef":     "hash key 2 has no id",
		"k2:0123456789abcdef,k2:0123456789abcdefg": "two hash keys have the id k2",
	} {
		_, err := NewLibrary(key)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "short") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

func TestTheFirstHashKeySignsAndNamesItself(t *testing.T) {
	plain, err := NewLibrary("0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := NewLibrary("k2:0123456789abcdef,k1:fedcba9876543210")
	if err != nil {
		t.Fatal(err)
	}
	a, b := runText(t, plain, `hash("x")`), runText(t, rotated, `hash("x")`)
	if len(a) != 32 || b != "k2:"+a {
		t.Errorf("got %q and %q", a, b)
	}
}

func runText(t *testing.T, lib *Library, text string) string {
	t.Helper()
	p, err := lib.Compile(text, &Layout{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Run(NewEnv())
	if err != nil {
		t.Fatal(err)
	}
	return v.(string)
}

func TestHashWithoutAKeyCompilesButDoesNotRun(t *testing.T) {
	lib, err := NewLibrary("")
	if err != nil {
		t.Fatal(err)
	}
	p, err := lib.Compile(`hash("x")`, &Layout{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(NewEnv()); err == nil || !strings.Contains(err.Error(), "HASH_KEY") {
		t.Errorf("got %v", err)
	}
}

func TestEveryFunctionHasACase(t *testing.T) {
	table, err := os.ReadFile("testdata/cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range library(t).Names() {
		if !strings.Contains(string(table), name+"(") {
			t.Errorf("no case calls %s", name)
		}
	}
}

func FuzzDecodeAgreesWithEncodingJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5,"x\u00e9",null,true,{}]}`, `"\ud800"`, `-0`, `1e-7`, `[[],{"":""}]`, "\"\xff\"", `1E400`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return
		}
		got, err := Decode(raw)
		var want any
		if wantErr := json.Unmarshal(raw, &want); (err != nil) != (wantErr != nil) {
			t.Fatalf("%q: got error %v, encoding/json %v", raw, err, wantErr)
		}
		if err != nil {
			return
		}
		text, err := AppendJSON(nil, got)
		if err != nil {
			t.Fatal(err)
		}
		var back any
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%q: wrote %q: %v", raw, text, err)
		}
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(back)
		if string(a) != string(b) && !strings.Contains(string(raw), "-0") {
			t.Errorf("%q: got %s, encoding/json %s", raw, b, a)
		}
	})
}

func FuzzExpressionsNeverPanic(f *testing.F) {
	for _, seed := range []string{`a in [1, "x"] && b.c[0] ?? 1`, `map(a, filter(#, .x))`, `let x = a; {"k": x}`, `1 < a < 2 ? -a : +b`, `groupBy(a, #)`, `;`, `a?.[0]`} {
		f.Add(seed, `[1,"x",{"c":[true]}]`)
	}
	lib := library(f)
	f.Fuzz(func(t *testing.T, text, value string) {
		if strings.Contains(text, "..") && strings.Count(text, "#") > 1 {
			return // loops over ranges within each other take as long as their author asked for
		}
		if !json.Valid([]byte(value)) {
			value = "1"
		}
		p, env, err := compiled(lib, text, `{"a":`+value+`,"b":`+value+`}`)
		if err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 || errs[0].Line < 1 || errs[0].Column < 1 {
				t.Fatalf("%q: %v has no place", text, err)
			}
			return
		}
		v, err := p.Run(env)
		if err != nil {
			if strings.Contains(err.Error(), "runtime error") || strings.Contains(err.Error(), "interface conversion") {
				t.Fatalf("%q of %s: %v", text, value, err)
			}
			return
		}
		if out, err := AppendJSON(nil, v); err != nil || !json.Valid(out) {
			t.Fatalf("%q: %s (%v) is not JSON", text, out, err)
		}
	})
}
