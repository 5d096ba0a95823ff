package harness

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// events are those of a window with the values of one field: a JSON list.
func events(t *testing.T, list string) []*counted {
	t.Helper()
	var values []any
	if err := decode([]byte(list), &values); err != nil {
		t.Fatal(err)
	}
	all := make([]*counted, len(values))
	for i, v := range values {
		all[i] = &counted{Record: &kgo.Record{Offset: int64(i)}, event: Event{"x": v}}
	}
	return all
}

// Each row is a measure, the values of its field in the events of a window, the values that are right, and those that are wrong.
func TestMeasuresAreRecomputed(t *testing.T) {
	for _, c := range []struct {
		function     string
		parameter    float64
		events       string
		right, wrong string // JSON, separated by blanks
	}{
		{"count", 0, `[1,null,"a"]`, `3 3.0`, `2 4 "3" null`},
		{"sum", 0, `[1,0.1,0.2,null,-2]`, `-0.7 "x"`, `-0.70000001 0 null`},
		{"sum", 0, `[]`, `0`, `1 null`},
		{"sum", 0, `[0.1,0.2]`, `0.3 0.300 3e-1`, `0.30000000000000004`},
		{"sum", 0, `[0.0000000004,0.0000000004]`, `0`, `0.0000000008 0.000000001`},
		{"sum", 0, `[0.0000000006,0.0000000006]`, `0.000000002`, `0.000000001 0.0000000012`},
		{"sum", 0, `[9007199254740993,1]`, `9007199254740994`, `9007199254740993`},
		{"avg", 0, `[1,2,2,null]`, `1.6666666666666667 1.666666667`, `1.6667 1.25 null`},
		{"avg", 0, `[null]`, `null`, `0`},
		{"min", 0, `[3,-1.50,null,2]`, `-1.5 -1.50`, `-1 null 3`},
		{"max", 0, `[3,-1.50,null,10]`, `10`, `3 "10"`},
		{"max", 0, `["b","a","B"]`, `"b"`, `"B"`},
		{"min", 0, `[]`, `null`, `0`},
		{"first", 0, `[null,"a","b",null]`, `"a"`, `null "b"`},
		{"last", 0, `[null,"a","b",null]`, `"b"`, `null "a"`},
		{"last", 0, `[null]`, `null`, `"" 0`},
		{"distinct", 0, `["a","a",null,"b",""]`, `3`, `2 4 null`},
		{"distinct", 0, `[]`, `0`, `1 null`},
		{"percentile", 50, `[1,2,3,4]`, `2 2.5 3 1.99 3.02`, `1.97 3.04 null`},
		{"percentile", 95, `[7]`, `7 6.93 7.07`, `6.9 7.1`},
		{"percentile", 50, `[0,-5,null]`, `-5 -2 0`, `-6 0.1`},
		{"percentile", 50, `[]`, `null`, `0`},
		{"top", 2, `["a","b","a","c",null]`, `[{"value":"a","count":2},{"value":"b","count":1}] [{"value":"a","count":2,"error":0},{"value":"c","count":1}]`,
			`[{"value":"a","count":2}] [{"value":"b","count":1},{"value":"a","count":2}] [{"value":"a","count":2},{"value":"a","count":1}] ` +
				`[{"value":"a","count":2},{"value":"d","count":1}] [{"value":"a","count":2,"error":1},{"value":"b","count":1}] null []`},
		{"top", 3, `["a"]`, `[{"value":"a","count":1}]`, `[]`},
		{"top", 3, `[]`, `[]`, `null [{"value":"a","count":1}]`},
		{"mode", 0, `[]`, ``, `1`},
	} {
		m := Measure{Name: "m", Function: c.function, Of: "x", Parameter: c.parameter}
		for text, right := range answers(c.right, c.wrong) {
			var got any
			if err := decode([]byte(text), &got); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if text == `"x"` {
				continue
			}
			if f := m.fault(got, events(t, c.events)); (f == "") != right {
				t.Errorf("%s of %s: %s is to be %t: %q", c.function, c.events, text, right, f)
			}
		}
	}
}

func answers(right, wrong string) map[string]bool {
	all := map[string]bool{}
	for text := range strings.FieldsSeq(right) {
		all[text] = true
	}
	for text := range strings.FieldsSeq(wrong) {
		all[text] = false
	}
	return all
}

func TestDistinctIsAnEstimateBeyondAHundred(t *testing.T) {
	m := Measure{Name: "m", Function: "distinct", Of: "x"}
	for exact, allowed := range map[int][2]int{100: {100, 100}, 101: {93, 109}, 1000: {920, 1080}} {
		var values []string
		for i := range exact {
			values = append(values, fmt.Sprintf(`"v%d",%d`, i, i%2)) // the numbers are two more values
		}
		list := events(t, "["+strings.Join(values, ",")+"]")
		if exact == 100 {
			list = list[:len(list)-4] // 98 texts and 2 numbers
		}
		for got := 0; got < 1200; got += 1 + got/60 {
			fault := m.fault(json.Number(fmt.Sprint(got)), list)
			if low, high := allowed[0], allowed[1]+4; got >= low+4 && got <= high-4 && fault != "" || (got < low-1 || got > high) && fault == "" {
				t.Errorf("%d of %d: %q", got, exact, fault)
			}
		}
	}
}
