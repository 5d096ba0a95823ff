package service

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"data-stream-engine/model"
)

// Every *.yaml in testdata/problems is a pipeline that is wrong; its *.want is everything that is said about it.
// UPDATE=1 writes them anew.
func TestProblemsAreAllReportedAtTheirPlaces(t *testing.T) {
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	env := map[string]string{"SET": "value", "EMPTY": ""}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParsePipeline(filepath.Base(file), src, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
		if model.ClassOf(err) != model.Misconfigured {
			t.Errorf("%s: got %v, class %s", file, err, model.ClassOf(err))
			continue
		}
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatalf("%s: %T is no Problems", file, err)
		}
		golden := strings.TrimSuffix(file, ".yaml") + ".want"
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(golden, []byte(problems.Error()+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got := problems.Error() + "\n"; got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
	}
}

func TestAPipelineIsReadAsItIsWritten(t *testing.T) {
	src := `
name: orders
source:
  topic: ${TOPIC:-in}
  event_time: 'event["at"]'
  tombstones: drop
filter: |
  a == 1 &&
    b != "${X}"
transform:
  rename: {old: new}
  keep: [new, "$${x}"]
output:
  - {topic: "${OUT}-eu", key: new}
`
	env := map[string]string{"OUT": "out", "TOPIC": "", "X": "y"}
	p, err := ParsePipeline("f", []byte(src), func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "orders" || p.File != "f" || p.Source.Topic != "in" || p.Outputs[0].Topic != "out-eu" {
		t.Errorf("got %+v", p)
	}
	if p.Source.Tombstones != model.PolicyDrop || p.Source.NotObjects != model.PolicyDeadLetter {
		t.Errorf("got %+v", p.Source)
	}
	if e := p.Source.EventTime; e.Text != `event["at"]` || e.At != (model.Place{Line: 5, Column: 16}) || e.Wrapped {
		t.Errorf("got %+v", e)
	}
	if e := p.Filter; e.Text != "a == 1 &&\n  b != \"y\"" || !e.Wrapped {
		t.Errorf("got %+v", e)
	}
	if tr := p.Transform; len(tr.Rename) != 1 || tr.Rename[0] != (model.Rename{From: "old", To: "new"}) || strings.Join(tr.Keep, "|") != "new|${x}" {
		t.Errorf("got %+v", tr)
	}
}

func TestSurroundingsOfAPipelineAreChecked(t *testing.T) {
	spec, err := ParsePipeline("p.yaml", []byte("name: p\nsource: {topic: in}\ntransform: {set: {a: hash(a)}}\noutput: [{topic: g-dead-letter}]\n"), unset)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		options Options
		want    string
	}{
		{Options{}, "p.yaml:3:22: set a calls hash, which needs a key: set HASH_KEY"},
		{Options{HashKey: "short"}, "HASH_KEY: the hash key has 5 bytes"},
		{Options{HashKey: testKey, Group: "g"}, "the topic g-dead-letter is the dead-letter topic of this group"},
	} {
		_, err := NewProcessor(spec, c.options)
		if err == nil || !strings.Contains(err.Error(), c.want) || model.ClassOf(err) != model.Misconfigured {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if p, err := NewProcessor(spec, Options{HashKey: testKey}); err != nil || p.Topics()[0] != "p-dead-letter" {
		t.Errorf("got %v", err)
	}
}

func FuzzEveryMessageHasOneFate(f *testing.F) {
	for _, seed := range []string{login, `{"a":[{"b":"c\n"}],"a":1e5}`, `[]`, `{`, "{\"\xff\":\"\\ud800\"}"} {
		f.Add([]byte(seed), []byte(seed))
	}
	src, err := os.ReadFile("../pipeline.yaml")
	if err != nil {
		f.Fatal(err)
	}
	open := "name: p\nsource: {topic: in}\ntransform: {set: {n: len(event), a: a ?? 1}, rename: {b: c}, remove: [d]}\noutput: [{topic: out, key: a}]\n"
	processors := []*Processor{processor(f, string(src)), processor(f, open)}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		for _, p := range processors {
			sink := &memory{t: t, topics: p.Topics(), partitions: 3}
			r := p.Process(&batch{messages: []model.Message{{Key: key, Value: value}, {Value: value}}}, sink, testNow)
			if r.Consumed != 2 || r.Consumed != r.Forwarded+r.Filtered+r.DeadLetters || len(sink.records) != r.Outputs+r.DeadLetters {
				t.Fatalf("%+v with %d records", r, len(sink.records))
			}
			checkRecords(t, sink.records, value)
		}
	})
}

// checkRecords compares with encoding/json: a dead letter is the original, an output is an object without keys that
// repeat.
func checkRecords(t *testing.T, records []written, value []byte) {
	t.Helper()
	var object map[string]json.RawMessage
	isObject := json.Unmarshal(value, &object) == nil && object != nil
	for _, r := range records {
		if strings.HasSuffix(r.Topic, "-dead-letter") {
			if string(r.Value) != string(value) {
				t.Fatalf("the dead letter %q is not %q", r.Value, value)
			}
			if code := r.header(HeaderCode); isObject && (code == CodeInvalidJSON || code == CodeNotAnObject) {
				t.Fatalf("%q is an object, but the letter says %s", value, code)
			}
			continue
		}
		var out map[string]json.RawMessage
		if !isObject || json.Unmarshal(r.Value, &out) != nil {
			t.Fatalf("%q became %q", value, r.Value)
		}
	}
}

func TestCallsWithCommasAreWholeWithinBraces(t *testing.T) {
	const file = `
name: p
source: {topic: in}
output: [{topic: out}]
aggregates:
  - name: a
    window: {tumbling: 1m}
    measures: {n: count(), v: top(version, 3), w: top(coalesce(a, b), 3), p: percentile(len(x), 95), q: 'top(z, 3)'}
`
	spec, err := ParsePipeline("f", []byte(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range spec.Aggregates[0].Measures {
		got = append(got, m.Name+": "+m.Text)
	}
	want := []string{"n: count()", "v: top(version, 3)", "w: top(coalesce(a, b), 3)", "p: percentile(len(x), 95)", "q: top(z, 3)"}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q", got)
	}
}
