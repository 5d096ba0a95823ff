package measure

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
)

// call is the measure that a text like "percentile 99" names.
func call(t *testing.T, s string) Measure {
	t.Helper()
	name, p, _ := strings.Cut(s, " ")
	f, ok := Find(name)
	if !ok {
		t.Fatal(s)
	}
	var parameter float64
	if p != "" {
		var err error
		if parameter, err = strconv.ParseFloat(p, 64); err != nil {
			t.Fatal(err)
		}
	}
	return f.New(parameter)
}

// arguments are JSON values with blanks between them. A number with a point or an exponent is a Float.
func arguments(t *testing.T, s string) (list []Scalar) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	for d.More() {
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		switch v := v.(type) {
		case nil:
			list = append(list, Scalar{})
		case bool:
			list = append(list, ofBool(v))
		case string:
			list = append(list, ofText(v))
		case json.Number:
			if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
				list = append(list, ofInt(n))
			} else if f, err := v.Float64(); err == nil {
				list = append(list, ofFloat(f))
			} else {
				t.Fatal(err)
			}
		}
	}
	return list
}

func TestValues(t *testing.T) {
	for line := range strings.SplitSeq(strings.TrimSpace(`
count: => 0
count: null 1 "a" => 3
sum: => 0
sum: null => 0
sum: 1 2 3.5 => 6.5
sum: 0.1 0.2 => 0.3
sum: 1e-9 2e-9 => 0.000000003
sum: 4e-10 4e-10 4e-10 => 0
sum: 0.1 -0.1 => 0
sum: -5 0.25 => -4.75
sum: 9007199254740993 1 => 9007199254740994
sum: 9223372036854775807 9223372036854775807 9223372036854775807 => 27670116110564327421
sum: -9223372036854775808 -9.223372036854775808e18 -0.5 => -18446744073709551616.5
sum: 9.223372036854775808e18 => 9223372036854775808
avg: => null
avg: null null => null
avg: 1 2 => 1.5
avg: 1 null 2 => 1.5
avg: 1 1 2 => 1.333333333
avg: 2 2 1 => 1.666666667
avg: -1 -1 -2 => -1.333333333
avg: 1e-9 0 => 0
avg: 3e-9 0 => 0.000000002
avg: 5 5.0 => 5
min: => null
min: 3 -2 7.5 => -2
min: 5 5.0 => 5
min: -0.0 0 => 0
max: 9007199254740993 9.007199254740992e15 => 9007199254740993
max: 9223372036854775807 9.223372036854775808e18 => 9223372036854776000
max: 1e300 5 => 1e+300
min: 1e-7 1 => 1e-7
max: -0.5 -1 => -0.5
first: => null
first: "a" "b" null => "a"
first: null "b" => "b"
last: "a" "b" null => "b"
last: "a" 5.0 => 5
last: 1 true => true
last: "say \"hi\"\n\\ \u0001 \u00e9" => "say \"hi\"\n\\ \u0001 é"
distinct: => 0
distinct: null => 0
distinct: 5 5.0 "5" true "true" 5.5 null => 5
distinct: 0 -0.0 "" false => 3
percentile 50: => null
percentile 50: 1 2 3 4 => 2
percentile 50: 1 2 3 4 5 => 3
percentile 99: 1 2 3 4 => 4
percentile 0.001: 1 2 3 4 => 1
percentile 99.9999: 127 -127 => 127
percentile 1: 127 -127 => -127
percentile 50: 1000 => 1003
percentile 50: 1000.5 => 1004
percentile 50: -1000.5 => -1004
percentile 50: 0.1 => 0.10009765625
percentile 50: 1e-10 -1e-10 0 => 0
percentile 50: 1e300 => 9187343239835811840
percentile 50: 9223372036854775807 => 9187343239835811839
percentile 50: -9223372036854775808 => -9187343239835811839
top 3: => []
top 3: null => []
top 3: "a" "b" "a" "c" "b" "a" "d" => [{"value":"a","count":3},{"value":"b","count":2},{"value":"c","count":1}]
top 1: 5 5.0 "5" => [{"value":5,"count":2}]
top 9: 10 -2 9 "b" "a" true 1.5 1000 => [{"value":true,"count":1},{"value":-2,"count":1},{"value":9,"count":1},{"value":10,"count":1},{"value":1000,"count":1},{"value":1.5,"count":1},{"value":"a","count":1},{"value":"b","count":1}]
`), "\n") {
		function, rest, _ := strings.Cut(line, ":")
		in, want, ok := strings.Cut(rest, "=> ")
		if !ok {
			t.Fatal(line)
		}
		m := call(t, function)
		var list []event
		for i, x := range arguments(t, in) {
			list = append(list, event{x, Order{Time: 1_700_000_000_000, Offset: int64(i)}})
		}
		st := state(t, m, list)
		if got := text(m, st); got != want || !m.Valid(st) {
			t.Errorf("%s: got %s", line, got)
		}
	}
}

func TestWhatCannotCountIsRefused(t *testing.T) {
	long := `"` + strings.Repeat("x", maxText) + `"`
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.TrimSpace(`
sum: 1e300 => sum takes numbers from -2^63 to 2^63, not 1e+300
avg: -9.3e18 => avg takes numbers from -2^63 to 2^63, not -9300000000000000000
sum: "12" => sum takes numbers, not text "12"
min: true => min takes numbers, not boolean true
max: LONG => max takes numbers, not text "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"...
percentile 50: "éééééééééééééééééééééééééééééééé_" => percentile takes numbers, not text "éééééééééééééééééééééééééééééééé"...
percentile 50: "xéééééééééééééééééééééééééééééééé" => percentile takes numbers, not text "xééééééééééééééééééééééééééééééé"...
first: LONG =>
last: LONG =>
top 1: LONG =>
distinct: LONG =>
first: LONGx => first takes text of at most 1024 bytes, not of 1025; give it a part of the text, or a hash
top 1: LONGx => top takes text of at most 1024 bytes, not of 1025; give it a part of the text, or a hash
distinct: LONGx =>
`), "LONGx", strings.Replace(long, "x", "xx", 1)), "\n") {
		line = strings.ReplaceAll(line, "LONG", long)
		function, rest, _ := strings.Cut(line, ":")
		argument, want, _ := strings.Cut(rest, " =>")
		err := call(t, function).Prepare(new(Input), &arguments(t, argument)[0], new(Order))
		if got := strings.TrimPrefix(want, " "); got == "" && err != nil || got != "" && (err == nil || err.Error() != got) {
			t.Errorf("%.200s: got %v", line, err)
		}
	}
}

func TestWhatIsNoNumberIsRefused(t *testing.T) {
	for _, s := range subjects(t) {
		if len(s.Takes) == 0 {
			continue
		}
		for _, x := range []Scalar{ofFloat(math.NaN()), ofFloat(math.Inf(1)), ofFloat(math.Inf(-1)), {Kind: 9}} {
			if err := s.measure().Prepare(new(Input), &x, new(Order)); err == nil || !strings.HasPrefix(err.Error(), s.Name+" takes ") {
				t.Errorf("%s of kind %d: %v", s, x.Kind, err)
			}
		}
	}
}

// A definition that somebody else wrote can have any parameter.
func TestParametersOutsideTheirBoundsDoNoHarm(t *testing.T) {
	for _, f := range Functions() {
		for _, p := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 0.5, 1e300, 99.99999999999} {
			m := f.New(p)
			st := state(t, m, []event{{ofInt(1), Order{}}, {ofInt(2), Order{}}})
			if got := text(m, m.Merge(nil, st, st)); !m.Valid(st) || !json.Valid([]byte(got)) {
				t.Errorf("%s with %g: %s", f.Name, p, got)
			}
		}
	}
}

func TestFunctionsAreFoundByName(t *testing.T) {
	last := ""
	for _, f := range Functions() {
		if f.Name <= last {
			t.Errorf("%s behind %s", f.Name, last)
		}
		last = f.Name
		if found, ok := Find(f.Name); !ok || found.Name != f.Name {
			t.Errorf("%s is not found", f.Name)
		}
	}
	if _, ok := Find("median"); ok {
		t.Error("median is found")
	}
}

// The same event may be read twice by way of two topics; two events may agree in their place.
func TestPlacesThatAgreeAreOrderedByValue(t *testing.T) {
	for _, name := range []string{"first", "last"} {
		m := call(t, name)
		values := []Scalar{ofText("a"), ofText("b"), ofInt(7), ofText("a long text, in a block"), ofText("a long text, too"), ofBool(true), ofFloat(1.5)}
		for _, x := range values {
			for _, y := range values {
				at := Order{5, 1, 9}
				a, b := event{x, at}, event{y, at}
				want := state(t, m, []event{a, b})
				for _, got := range [][]byte{state(t, m, []event{b, a}), m.Merge(nil, state(t, m, []event{a}), state(t, m, []event{b})), m.Merge(nil, state(t, m, []event{b}), state(t, m, []event{a}))} {
					if string(got) != string(want) {
						t.Errorf("%s of %s and %s: %q and %q", name, describe(x), describe(y), got, want)
					}
				}
			}
		}
	}
}

func TestInvalidTextIsWrittenAsJSON(t *testing.T) {
	for in, want := range map[string]string{"\xff": `"\ufffd"`, "a\xc3": `"a\ufffd"`, "\xc3(\xe2\x82": `"\ufffd(\ufffd\ufffd"`, "é\u2028\x7f": "\"é\u2028\x7f\""} {
		got := string(appendText(nil, []byte(in)))
		var back, same string
		if json.Unmarshal([]byte(got), &back) != nil || json.Unmarshal([]byte(want), &same) != nil || back != same {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}
