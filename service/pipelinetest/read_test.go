package pipelinetest

import (
	"strings"
	"testing"

	"data-stream-engine/model"
)

const checkout = `name: checkout
source: {topic: orders}
filter: status == "paid"
transform:
  set: {total: price * amount, place: "'${PLACE:-here}'"}
  remove: [price, amount, status]
output:
  - {topic: all, key: customer}
  - {topic: large, when: total >= 10}
`

// run runs a test file on the pipeline above.
func run(t *testing.T, file string) []Outcome {
	t.Helper()
	f, err := Parse("a_test.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Run("pipeline.yaml", []byte(checkout))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestWrongTestFilesAreToldByLineAndColumn(t *testing.T) {
	const top = "pipeline: p.yaml\ncases:\n  - name: a\n"
	for _, c := range []struct{ file, want string }{
		{"", "is empty"},
		{"cases: []\n", "a_test.yaml:1:1: a pipeline test file has no pipeline"},
		{"pipeline: p.yaml\ncases: []\n", "2:8: cases is empty"},
		{"pipeline: p.yaml\ncase: []\n", "2:1: unknown key case, did you mean cases?"},
		{"pipeline: p.yaml\nnow: today\ncases: [{name: a, input: [x]}]\n", "2:6: now is a time such as"},
		{"pipeline: p.yaml\npartitions: 0\ncases: [{name: a, input: [x]}]\n", "2:13: partitions is a whole number from 1"},
		{"pipeline: p.yaml\nenvironment: [A]\ncases: [{name: a, input: [x]}]\n", "2:14: environment is a list here"},
		{"pipeline: p.yaml\nenvironment: {A: [1]}\ncases: [{name: a, input: [x]}]\n", "the value of A is text, a number or a boolean, not a list"},
		{top, "3:5: a case has no input"},
		{top + "    input: []\n", "4:12: input is empty"},
		{top + "    input: {}\n", "input is a mapping here; accepted is a list"},
		{top + "    input: [5]\n", "4:13: an input is a number here; accepted are the keys value, key,"},
		{top + "    input: [{key: a}]\n", "an input has no value"},
		{top + "    input: [{value: {a: .inf}}]\n", ".inf is not a number of JSON"},
		{top + "    input: [{value: {a: 010}}]\n", "010 is not a number of JSON"},
		{top + "    input: [{value: x, offset: -1}]\n", "offset is a whole number"},
		{top + "    input: [{value: x, timestamp: noon}]\n", "timestamp is a time such as"},
		{top + "    input: [x]\n    output: [{}]\n", "5:14: an item of output says at least one of topic, key,"},
		{top + "    input: [x]\n    output: [{vaule: 1}]\n", "unknown key vaule, did you mean value?"},
		{top + "    input: [x]\n    dead_letters: [{reason: null}]\n", "reason is empty; give it a value or take it out"},
		{top + "    input: [x]\n    insight: []\n", "unknown key insight, did you mean insights?"},
		{top + "    input: [x]\n    exact: 1\n", "exact is true or false"},
		{top + "    input: [x]\n    exact: true\n    output: [{value: {a: 1}}]\n", "exact compares bytes"},
		{top + "    input: [x]\n  - name: a\n    input: [x]\n", "5:5: another case has this name already, in line 3"},
		{top + "    input: [x]\n    input: [y]\n", "a second time"},
		{top + "    input: [&x 1]\n", "anchors"},
	} {
		_, err := Parse("a_test.yaml", []byte(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) || model.ClassOf(err) != model.Misconfigured {
			t.Errorf("%q: got %v, want %s", c.file, err, c.want)
		}
	}
}

func TestEveryProblemOfATestFileIsTold(t *testing.T) {
	_, err := Parse("a_test.yaml", []byte("pipeline: 5\nnow: x\ncases:\n  - nam: a\n    filtered: many\n"))
	for _, want := range []string{":1:11:", ":2:6:", ":4:5: unknown key nam", ":4:5: a case has no name", ":5:15: filtered"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in\n%v", want, err)
		}
	}
}

func TestATestFileHasToFitItsPipeline(t *testing.T) {
	for file, want := range map[string]string{
		"partitions: {larg: 3}\ncases: [{name: a, input: [x]}]":                   "2:14: the pipeline does not write to larg, did you mean large?",
		"cases: [{name: a, input: [x], output: [{key: a}]}]":                      "topic is missing: the pipeline writes to all, large",
		"cases: [{name: a, input: [x], output: [{topic: checkout}]}]":             "the pipeline does not write to checkout",
		"environment: {PLACES: x}\ncases: [{name: a, input: [x]}]":                "the pipeline has no variable PLACES, did you mean PLACE?",
		"hash_key: short\ncases: [{name: a, input: [x]}]":                         "HASH_KEY",
		"cases: [{name: a, input: [x], output: [{topic: checkout-dead-letter}]}]": "the pipeline does not write to checkout-dead-letter",
	} {
		f, err := Parse("a_test.yaml", []byte("pipeline: p.yaml\n"+file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Run("pipeline.yaml", []byte(checkout)); err == nil || !strings.Contains(err.Error(), want) || model.ClassOf(err) != model.Misconfigured {
			t.Errorf("%s: got %v, want %s", file, err, want)
		}
	}
	f, err := Parse("a_test.yaml", []byte("pipeline: p.yaml\ncases: [{name: a, input: [x]}]"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Run("pipeline.yaml", []byte("name: x\n")); err == nil || !strings.Contains(err.Error(), "pipeline.yaml:1:1") {
		t.Errorf("a wrong pipeline: %v", err)
	}
}

func TestInputsAreRecordsAsTheFileSays(t *testing.T) {
	f, err := Parse("a_test.yaml", []byte(`pipeline: p.yaml
now: 2026-01-02T03:04:05.006Z
cases:
  - name: a
    input:
      - value: {b: 1.50, a: [null, true, "5", 12345678901234567890, {"x y": ü}], t: 2.3.0, d: 2026-01-01}
      - {value: null, key: 5, partition: 2, offset: 40, timestamp: 2026-01-01T00:00:00+01:00, headers: {h: true, n: null}}
      - {value: "text", key: "", partition: 2, timestamp: 77}
      - |
        {"a": 1,
         "b":
      - value: [1]
`))
	if err != nil {
		t.Fatal(err)
	}
	in := f.cases[0].input
	for i, want := range []string{`{"b":1.50,"a":[null,true,"5",12345678901234567890,{"x y":"ü"}],"t":"2.3.0","d":"2026-01-01"}`, "", "text", "{\"a\": 1,\n \"b\":", "[1]"} {
		if string(in[i].Value) != want {
			t.Errorf("value %d: %s", i, in[i].Value)
		}
	}
	if in[0].Key != nil || in[0].Timestamp != 1767323045006 || in[0].Offset != 0 || in[0].Partition != 0 {
		t.Errorf("%+v", in[0])
	}
	if m := in[1]; m.Value != nil || string(m.Key) != "5" || m.Partition != 2 || m.Offset != 40 || m.Timestamp != 1767222000000 ||
		string(m.Headers[0].Value) != "true" || m.Headers[1].Value != nil {
		t.Errorf("%+v", m)
	}
	if m := in[2]; m.Offset != 41 || m.Timestamp != 77 || m.Key == nil {
		t.Errorf("%+v", m)
	}
	if in[3].Offset != 1 || in[4].Offset != 2 {
		t.Errorf("%+v", in[3:])
	}
}

func FuzzParse(f *testing.F) {
	f.Add("pipeline: p.yaml\nnow: 2026-01-02T03:04:05Z\nenvironment: {PLACE: x}\npartitions: {all: 3}\ncases:\n  - name: a\n    input: [{value: {status: paid, price: 1, amount: 2}, key: 1}]\n    output: [{topic: all, value: {total: 2}, headers: {a: null}}]\n    filtered: 0\n")
	f.Add("pipeline: p.yaml\ncases: [{name: a, exact: true, input: ['{'], dead_letters: [{value: '{', reason: x}]}]")
	f.Add("pipeline: p.yaml\nnow: 2026-01-02T03:04:05Z\ncases: [{name: a, input: [{value: {at: 1767319200, page: /, user: u}}], insights: [{aggregate: pages, window: {start: \"2026-01-02T02:00:00Z\"}, group: {page: /}, measures: {views: 1}}, {aggregate: stays, sentence: x}], aggregates: [pages, stays]}]")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("a_test.yaml", []byte(text))
		if err == nil {
			pipeline := checkout
			if strings.Contains(text, "insights") {
				pipeline = counting
			}
			_, err = file.Run("pipeline.yaml", []byte(pipeline))
		}
		if err != nil && model.ClassOf(err) != model.Misconfigured {
			t.Errorf("%v", err)
		}
	})
}
