package service

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"data-stream-engine/model"
)

// explain gives what an Explainer says about one value.
func explain(t *testing.T, file, value string) Explanation {
	t.Helper()
	return processor(t, file).Explain(&model.Message{Topic: "in", Partition: 5, Offset: 7, Value: []byte(value)}, testNow)
}

// told is a condition as text: its result, then each operand with its result and what it read.
func told(c *Condition) string {
	lines := []string{string(c.Result) + c.Joined}
	for _, part := range c.Parts {
		line := string(part.Result) + ": " + part.Expression
		for _, r := range part.Reads {
			line += fmt.Sprintf(" | %s=%s", r.Path, r.Value)
		}
		if part.Error != "" {
			line += " ! " + part.Error
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestAConditionIsExplainedByItsOperands(t *testing.T) {
	for _, c := range []struct{ expression, event, want string }{
		{`a > 1 && b == "x"`, `{"a":2,"b":"x"}`, "true&&\ntrue: a > 1 | a=2\ntrue: b == \"x\" | b=\"x\""},
		{`a > 1 && b == "x"`, `{"a":1,"b":"x"}`, "false&&\nfalse: a > 1 | a=1\nnot evaluated: b == \"x\""},
		{`a > 1 or b not in ["x"]`, `{"a":2}`, "true||\ntrue: a > 1 | a=2\nnot evaluated: b not in [\"x\"]"},
		{`a == 1 and b == nil and c == 3`, `{"a":1}`, "false&&\ntrue: a == 1 | a=1\ntrue: b == nil | b=\nfalse: c == 3 | c="},
		{`(a == 1 || b == 2) && c == 3`, `{"a":1,"c":3}`, "true&&\ntrue: (a == 1 || b == 2) | a=1 | b=\ntrue: c == 3 | c=3"},
		{`(a == 1 && b == 2) && c == 3`, `{"a":1,"b":3}`, "false&&\ntrue: a == 1 | a=1\nfalse: b == 2 | b=3\nnot evaluated: c == 3"},
		{`1 < a < 3`, `{"a":5}`, "false&&\ntrue: 1 < a | a=5\nfalse: a < 3 | a=5"},
		{`größe == "ü" && b == 1`, `{"größe":"ü","b":2}`, "false&&\ntrue: größe == \"ü\" | größe=\"ü\"\nfalse: b == 1 | b=2"},
		{`u.tags[0] == "x" || event["a b"].c == 1`, `{"u":{"tags":["y"]},"a b":{"c":1}}`, "true||\nfalse: u.tags[0] == \"x\" | u.tags[0]=\"y\"\ntrue: event[\"a b\"].c == 1 | event[\"a b\"].c=1"},
		{`u?.list[-1] == nil`, `{"u":{"list":[null]}}`, "true\ntrue: u?.list[-1] == nil | u?.list[-1]=null"},
		{`any(items, .n > low)`, `{"items":[{"n":1}],"low":0}`, "true\ntrue: any(items, .n > low) | items=[{\"n\":1}] | low=0"},
		{`let x = a; x == 1 && b == 2`, `{"a":1,"b":2,"x":9}`, "true\ntrue: let x = a; x == 1 && b == 2 | a=1 | b=2"},
		{`!(a == 1)`, `{"a":1}`, "false\nfalse: !(a == 1) | a=1"},
		{`lower(a) == "x" && b == 1`, `{"a":5}`, "error&&\nerror: lower(a) == \"x\" | a=5 ! lower takes text, not integer 5\nnot evaluated: b == 1"},
		{`hash(a) startsWith "3"`, `{"a":"593-47-5928"}`, "true\ntrue: hash(a) startsWith \"3\" | a=\"593-47-5928\""},
		{`has(a.b) && "x" in event`, `{"x":null}`, "false&&\nfalse: has(a.b) | a.b=\nnot evaluated: \"x\" in event"},
	} {
		e := explain(t, "name: p\nsource: {topic: in}\nfilter: '"+c.expression+"'\noutput: [{topic: out}]\n", c.event)
		if got := told(e.Filter); got != c.want {
			t.Errorf("%s of %s: got\n%s\nwant\n%s", c.expression, c.event, got, c.want)
		}
		if e.Filter.At != "pipeline.yaml:3:10" {
			t.Errorf("%s: at %s", c.expression, e.Filter.At)
		}
		if filtered := e.Outcome == Filtered; filtered != (e.Filter.Result == False) {
			t.Errorf("%s of %s: the event was %s", c.expression, c.event, e.Outcome)
		}
	}
}

const shop = `name: p
source: {topic: in, event_time: at, tombstones: drop, not_objects: drop}
filter: status == "paid"
transform:
  set: {total: price * amount, seen: now(), who: hash(email)}
  rename: {status: state, price: unit_price}
  remove: [amount, email]
output:
  - {topic: all, key: customer}
  - {topic: large, when: total > 10 && customer != nil, key: customer}
`

func TestEachStageSaysWhatItDid(t *testing.T) {
	e := explain(t, shop, `{"status":"paid","at":1694479551,"price":2,"amount":3,"email":"a@b","customer":"c1"}`)
	if e.Outcome != Forwarded || e.Stage != "" || e.Fields != 6 || e.Bytes != 84 || e.EventTime.Time != "2023-09-12T00:45:51Z" {
		t.Errorf("%+v", e)
	}
	var changes []string
	for _, c := range e.Transform {
		changes = append(changes, fmt.Sprintf("%s %s>%s %s>%s %s", c.Action, c.Field, c.To, c.Before, c.After, c.Expression))
	}
	want := []string{
		`set total> >6 price * amount`, `set seen> >"2026-01-02T03:04:05.678Z" now()`, `set who> >"1a96317a95e681022442aa2a173cf256" hash(email)`,
		`rename status>state "paid">"paid" `, `rename price>unit_price 2>2 `, `remove amount> 3> `, `remove email> "a@b"> `,
	}
	if !slices.Equal(changes, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(changes, "\n"), strings.Join(want, "\n"))
	}
	all, large := e.Outputs[0], e.Outputs[1]
	if !all.Taken || *all.Key != "c1" || *all.Partition != 0 || all.KeyOf != "customer" || all.When != nil {
		t.Errorf("%+v", all)
	}
	if large.Taken || large.Key != nil || told(large.When) != "false&&\nfalse: total > 10 | total=6\nnot evaluated: customer != nil" {
		t.Errorf("%+v", large)
	}
	if len(e.Records) != 1 || e.Records[0].Topic != "all" || !strings.Contains(string(e.Records[0].Value), `"total":6`) {
		t.Errorf("%+v", e.Records)
	}
}

func TestItIsSaidWhereAnEventEndedAndWhy(t *testing.T) {
	for _, c := range []struct {
		value   string
		outcome Outcome
		stage   model.Stage
		why     string
	}{
		{`{"status":"open"}`, Filtered, model.StageFilter, `status == "paid" is false`},
		{`[1]`, Filtered, model.StageDecode, "not_objects: drop"},
		{`{"status":`, DeadLettered, model.StageDecode, "unexpected end"},
		{`{"status":"paid","at":"soon"}`, DeadLettered, model.StageDecode, `text "soon" is not a time`},
		{`{"status":"paid","at":1,"price":"2","amount":3,"email":"a"}`, DeadLettered, model.StageTransform, "* takes a number"},
		{`{"status":"paid","at":1,"price":2,"amount":3,"email":"a","customer":[]}`, DeadLettered, model.StageRoute, "a key is text"},
	} {
		e := explain(t, shop, c.value)
		if e.Outcome != c.outcome || e.Stage != c.stage || !strings.Contains(e.Why, c.why) {
			t.Errorf("%s: %s at %s: %s", c.value, e.Outcome, e.Stage, e.Why)
		}
		if dead := len(e.Records) == 1 && e.Records[0].DeadLetter && *e.Records[0].Text == c.value; dead != (c.outcome == DeadLettered) {
			t.Errorf("%s: records %+v", c.value, e.Records)
		}
	}
	tombstone := processor(t, shop).Explain(&model.Message{Topic: "in"}, testNow)
	if tombstone.Outcome != Filtered || !strings.Contains(tombstone.Why, "tombstones: drop") {
		t.Errorf("%+v", tombstone)
	}
	nowhere := explain(t, "name: p\nsource: {topic: in}\noutput: [{topic: out, when: a == 1}, {topic: out, when: a == 2}]\n", `{"a":3}`)
	if nowhere.Outcome != Filtered || nowhere.Stage != model.StageRoute || told(nowhere.Outputs[1].When) != "false\nfalse: a == 2 | a=3" {
		t.Errorf("%+v", nowhere)
	}
}

func TestTheExpressionThatFailedIsShownWithWhatItRead(t *testing.T) {
	e := explain(t, shop, `{"status":"paid","at":1,"price":"2","amount":3,"email":"a"}`)
	total, who := e.Transform[0], e.Transform[2]
	if total.Action != ActionFail || !strings.Contains(total.Error, "* takes a number") || len(total.Reads) != 2 || string(total.Reads[0].Value) != `"2"` {
		t.Errorf("%+v", total)
	}
	if who.Action != ActionSet || who.After == nil {
		t.Errorf("what works is shown too: %+v", who)
	}
	const two = "name: p\nsource: {topic: in}\noutput: [{topic: out, when: 'upper(a) == \"X\"', key: b.c}]\n"
	when := explain(t, two, `{"a":1}`).Outputs[0]
	if when.When.Result != Failed || !strings.Contains(when.Error, "upper takes text") || when.Reads != nil {
		t.Errorf("%+v", when)
	}
	key := explain(t, two, `{"a":"x","b":{"c":{}}}`).Outputs[0]
	if key.When.Result != True || !strings.Contains(key.Error, "a key is") || len(key.Reads) != 1 || key.Reads[0].Path != "b.c" {
		t.Errorf("%+v", key)
	}
}

func TestRenamedAndOverwrittenFieldsAreTold(t *testing.T) {
	e := explain(t, "name: p\nsource: {topic: in}\ntransform:\n  set: {x: a}\n  rename: {a: b, c: d, d: c, x: y}\n  keep: [b, c, d, y]\noutput: [{topic: out}]\n", `{"a":1,"b":2,"c":3,"d":4,"e":5}`)
	var changes []string
	for _, c := range e.Transform {
		changes = append(changes, fmt.Sprintf("%s %s>%s %s>%s", c.Action, c.Field, c.To, c.Before, c.After))
	}
	want := []string{"set x>y >1", "rename a>b 1>1", "rename c>d 3>3", "rename d>c 4>4", "remove b> 2>", "remove e> 5>"}
	if !slices.Equal(changes, want) {
		t.Errorf("got %q\nof %s", changes, e.Records[0].Value)
	}
}

func TestPartitionsAreThoseOfTheTopics(t *testing.T) {
	p := processor(t, "name: p\nsource: {topic: in}\noutput: [{topic: a, key: k}, {topic: b}]\n")
	x := NewExplainer(p, func(topic string) int32 { return map[string]int32{"a": 12, "b": 4}[topic] })
	e := x.Explain(&model.Message{Topic: "in", Partition: 6, Value: []byte(`{"k":"c-17"}`)}, testNow)
	if *e.Outputs[0].Partition != 7 || *e.Outputs[1].Partition != 2 || e.Records[0].Partition != 7 {
		t.Errorf("%+v", e.Outputs)
	}
}

// An explanation leaves the processor alone, and says what Process does.
func TestExplainingChangesNothing(t *testing.T) {
	p := processor(t, shop)
	var in []model.Message
	for _, v := range []string{`{"status":"paid","at":1,"price":2,"amount":3,"email":"a"}`, `{"status":"open"}`, `{"status":5}`, `{`, `{"status":"paid","at":1,"price":"2","amount":3,"email":"a"}`} {
		in = append(in, model.Message{Topic: "in", Value: []byte(v)})
	}
	before, result := Collect(p, in, testNow, nil)
	counts := model.Result{Consumed: len(in)}
	var records []ExplainedRecord
	for i := range in {
		e := p.Explain(&in[i], testNow)
		records = append(records, e.Records...)
		switch e.Outcome {
		case Forwarded:
			counts.Forwarded++
			counts.Outputs += len(e.Records)
		case Filtered:
			counts.Filtered++
		case DeadLettered:
			counts.DeadLetters++
		}
		if _, err := json.Marshal(e); err != nil {
			t.Error(err)
		}
	}
	after, again := Collect(p, in, testNow, nil)
	if counts != result || again != result || len(records) != len(before) || fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("%+v, %+v, %+v", result, counts, again)
	}
	for i, r := range records {
		if value := string(r.Value); !r.DeadLetter && value != string(before[i].Value) || r.DeadLetter && *r.Text != string(before[i].Value) {
			t.Errorf("record %d: %+v", i, r)
		}
	}
}

func TestNoOutputIsTakenWhenOneFails(t *testing.T) {
	e := explain(t, "name: p\nsource: {topic: in}\noutput: [{topic: a, key: k}, {topic: b, key: l}, {topic: c, when: k == 2}]\n", `{"k":1,"l":[]}`)
	a, b, c := e.Outputs[0], e.Outputs[1], e.Outputs[2]
	if e.Stage != model.StageRoute || a.Taken || *a.Key != "1" || a.Error != "" || b.Taken || b.Partition != nil || b.Error == "" || c.Taken || c.Partition != nil || c.Error != "" {
		t.Errorf("%+v", e)
	}
}
