package pipelinetest

import (
	"strings"
	"testing"
)

// oneCase runs a case on two good events, one that is filtered and one that is a dead letter.
func oneCase(t *testing.T, expectations string) string {
	t.Helper()
	list := run(t, `pipeline: p.yaml
partitions: {all: 4}
cases:
  - name: a
    input:
      - {value: {customer: c1, status: paid, price: 2, amount: 3}, headers: {trace: t1}}
      - value: {customer: c2, status: open}
      - value: {customer: c3, status: paid, price: 5.5, amount: 2}
      - value: {customer: c4, status: paid, price: free, amount: 2}
`+expectations)
	if len(list) != 1 || list[0].At != "a_test.yaml:4" || list[0].Name != "a" || list[0].Passed() != (len(list[0].Diff) == 0) {
		t.Fatalf("%+v", list)
	}
	return strings.Join(list[0].Diff, "\n")
}

const good = `    output:
      - {topic: all, key: c1, value: {place: here, customer: c1, total: 6.0}, partition: 3, headers: {trace: t1, other: null}}
      - {topic: large, key: null, value: {customer: c3, total: 11, place: here}}
      - {topic: all, value: '{"customer":"c3","total":1.1e1,"place":"\u0068ere"}'}
    dead_letters:
      - {stage: transform, code: expression, reason: '* takes', value: {amount: 2, price: free, status: paid, customer: c4}}
    filtered: 1
`

func TestWhatCameAsExpectedPasses(t *testing.T) {
	if got := oneCase(t, good); got != "" {
		t.Errorf("got\n%s", got)
	}
}

// Each expectation that is changed has to be noticed: a test file that cannot fail proves nothing.
func TestEveryDifferenceIsNoticed(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"key: c1,", "key: c2,", "record 1 of all, from input 1:\n    key\n        expected  c2\n        got       c1"},
		{"key: null", `key: ""`, "    key\n        expected  \n        got       null"},
		{"total: 6.0", "total: 6.01", "    value.total\n        expected  6.01\n        got       6"},
		{"place: here, customer: c1", "customer: c1", "    value.place\n        expected  (none)\n        got       \"here\""},
		{"total: 11", "total: 11, x: [1]", "    value.x\n        expected  [1]\n        got       (none)"},
		{"partition: 3", "partition: 1", "    partition\n        expected  1\n        got       3"},
		{"trace: t1, ", "trace: t2, ", "    header trace\n        expected  t2\n        got       t1"},
		{"other: null", "other: x", "    header other\n        expected  x\n        got       (none)"},
		{"headers: {trace: t1, other: null}", "headers: {trace: null}", "    header trace\n        expected  (none)\n        got       t1"},
		{"stage: transform", "stage: route", "dead letter 1, from input 4:\n    stage\n        expected  route\n        got       transform"},
		{"code: expression", "code: other", "    code\n        expected  other\n        got       expression"},
		{"'* takes'", "'/ takes'", "    reason\n        expected  / takes\n        got       pipeline.yaml:5:22: * takes"},
		{"price: free", "price: dear", "    value.price\n        expected  \"dear\"\n        got       \"free\""},
		{"filtered: 1", "filtered: 2", "filtered: expected 2, got 1"},
		{`      - {topic: large, key: null, value: {customer: c3, total: 11, place: here}}` + "\n", "", "record 1 of large, from input 3: came, but was not expected\n        key       null\n        value     {\"customer\":\"c3\""},
		{good, "", "dead letter 1, from input 4: came, but was not expected\n        stage     transform\n        code      expression"},
		{"    filtered", "      - {stage: decode}\n    filtered", "dead letter 2: expected, but it did not come\n        stage     decode"},
	} {
		changed := strings.Replace(good, c.old, c.new, 1)
		if changed == good {
			t.Fatalf("%s is not there", c.old)
		}
		if got := oneCase(t, changed); !strings.Contains(got, c.want) || !strings.Contains(got, "what became of the input:") {
			t.Errorf("%s: got\n%s\nwant\n%s", c.new, got, c.want)
		}
	}
}

func TestAFailureSaysWhatBecameOfEachInputAndWhy(t *testing.T) {
	got := oneCase(t, "    filtered: 4\n")
	for _, want := range []string{
		"1  forwarded to all\n", `2  filtered (filter): status == "paid" is false` + "\n", "3  forwarded to all, large\n", "4  dead letter (transform, expression): pipeline.yaml:5:22: * takes",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
}

// One record that is missing does not make all that follow it differ.
func TestRecordsAreAlignedBeforeTheyAreCompared(t *testing.T) {
	const events = `pipeline: p.yaml
cases:
  - name: a
    input:
      - value: {customer: c1, status: paid, price: 1, amount: 1}
      - value: {customer: c2, status: open}
      - value: {customer: c3, status: paid, price: 1, amount: 3}
      - value: {customer: c4, status: paid, price: 1, amount: 4}
    output:
`
	list := run(t, events+"      - {topic: all, key: c1}\n      - {topic: all, key: c2}\n      - {topic: all, key: c3}\n      - {topic: all, key: c4}\n")
	got := strings.Join(list[0].Diff, "\n")
	if !strings.HasPrefix(got, "record 2 of all: expected, but it did not come\n        key       c2\nwhat became") {
		t.Errorf("got\n%s", got)
	}
	list = run(t, events+"      - {topic: all, key: c1}\n      - {topic: all, key: c4}\n")
	got = strings.Join(list[0].Diff, "\n")
	if !strings.HasPrefix(got, "record 2 of all, from input 3: came, but was not expected\n        key       c3\n") || strings.Contains(got, "c4\n") {
		t.Errorf("got\n%s", got)
	}
}

func TestExactComparesBytes(t *testing.T) {
	const file = "pipeline: p.yaml\ncases:\n  - name: a\n    exact: true\n    input: ['{\"status\":\"paid\", \"price\":1,\"amount\":1,\"x\":1.50}']\n    output: [{topic: all, value: '"
	list := run(t, file+`{"x":1.50,"total":1,"place":"here"}'}]`)
	if !list[0].Passed() {
		t.Errorf("got %q", list[0].Diff)
	}
	list = run(t, file+`{"x":1.5,"total":1,"place":"here"}'}]`)
	got := strings.Join(list[0].Diff, "\n")
	if want := "    value\n        expected  {\"x\":1.5,\"total\":1,\"place\":\"here\"}\n        got       {\"x\":1.50,"; !strings.Contains(got, want) {
		t.Errorf("got\n%s", got)
	}
}

func TestValuesAreComparedByWhatTheySay(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{`{"a":1,"b":2}`, ` { "b":2.0, "a":1e0 } `, true},
		{`12345678901234567890`, `12345678901234567891`, false},
		{`9007199254740993`, `9007199254740992`, false},
		{`"\u00fc"`, `"ü"`, true},
		{`[1,2]`, `[2,1]`, false},
		{`null`, `{}`, false},
		{`true`, `"true"`, false},
		{`1`, `"1"`, false},
		{`not json`, `not json`, true},
		{`not json`, `not  json`, false},
		{`{"a":1}`, `{"a":1} x`, false},
		{``, ``, true},
	} {
		if got := len(values([]byte(c.a), []byte(c.b), false)) == 0; got != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
	if len(values(nil, []byte{}, false)) == 0 || len(values(nil, nil, false)) != 0 || len(values(nil, []byte("null"), false)) == 0 {
		t.Error("Kafka's null is neither empty nor JSON's null")
	}
}

func TestTheEnvironmentIsTheFilesAlone(t *testing.T) {
	t.Setenv("PLACE", "shell")
	const event = "cases:\n  - name: a\n    input: [{value: {status: paid, price: 1, amount: 1}}]\n    output: [{topic: all, value: {total: 1, place: "
	for environment, want := range map[string]string{"": "here", "environment: {PLACE: there}\n": "there", "environment: {PLACE: ''}\n": "here", "environment: {PLACE: 5}\n": "'5'"} {
		if list := run(t, "pipeline: p.yaml\n"+environment+event+want+"}}]\n"); !list[0].Passed() {
			t.Errorf("%s: %q", environment, list[0].Diff)
		}
	}
}

func TestOfManyInputsOnlyTheFirstAreExplained(t *testing.T) {
	list := run(t, "pipeline: p.yaml\ncases:\n  - name: a\n    filtered: 0\n    input:\n"+strings.Repeat("      - value: {status: open}\n", 60))
	got := strings.Join(list[0].Diff, "\n")
	if !strings.Contains(got, "    50  filtered") || strings.Contains(got, "    51  filtered") || !strings.HasSuffix(got, "\n    and 10 more") {
		t.Errorf("got\n%s", got)
	}
}
