package service

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

const gaugedShop = `name: p
source: {topic: in, event_time: at}
transform:
  set: {kind: lower(kind), total: price * 2}
  remove: [at]
output:
  - {topic: out, when: total > 0}
aggregates:
  - {name: kinds, group_by: [kind, {cheap: total < 5}], window: {tumbling: 1m, grace: 10s}, measures: {n: count(), m: count()}}
  - {name: raw, of: source, where: 'price > 3 && kind != "X"', group_by: [at], window: {hopping: {size: 3m, every: 1m}}, measures: {n: count()}, late: drop}
  - {name: visits, window: {session: 2m}, measures: {n: count()}}
`

// gaugedText is what is said about an aggregate, as text.
func gaugedText(g *Gauged) string {
	text := g.Aggregate
	if g.Counted {
		text += " counted"
	}
	if g.Late {
		text += fmt.Sprintf(" late(%s, %s, %v)", g.Lateness.Watermark.Format(time.RFC3339), g.Lateness.Grace, g.Lateness.DeadLetter)
	}
	for _, w := range g.Windows {
		text += " " + w.Start.Format("15:04:05") + "-" + w.End.Format("15:04:05")
	}
	if g.Gap != "" {
		text += " gap " + g.Gap
	}
	for _, in := range append(slices.Clone(g.Group), g.Measures...) {
		text += fmt.Sprintf(" %s=%s(%s)", in.Name, in.Value, in.Expression)
		if in.Error != "" {
			text += "!" + in.Error
		}
	}
	if g.Error != "" {
		text += " ! " + g.Error
	}
	return text
}

func TestEachAggregateSaysWhatItMakesOfAnEvent(t *testing.T) {
	x := NewExplainer(processor(t, gaugedShop), nil)
	explain := func(value string, watermark time.Time) Explanation {
		x.From(&aggregate.Source{Watermark: watermark.UnixMilli()})
		return x.Explain(&model.Message{Topic: "in", Timestamp: testNow.UnixMilli(), Value: []byte(value)}, testNow)
	}
	at := testNow.Truncate(time.Hour)
	for _, c := range []struct {
		value     string
		watermark time.Duration // behind the event's
		outcome   Outcome
		want      []string
		where     string
	}{
		{`{"at":"2026-01-02T03:00:30Z","kind":"A","price":4}`, 0, Forwarded, []string{
			`kinds counted 03:00:00-03:01:00 kind="a"(kind) cheap=false(total < 5) n=(count()) m=(count())`,
			`raw counted 02:58:00-03:01:00 02:59:00-03:02:00 03:00:00-03:03:00 at="2026-01-02T03:00:30Z"(at) n=(count())`,
			`visits counted gap 2m n=(count())`,
		}, "true&&\ntrue: price > 3 | price=4\ntrue: kind != \"X\" | kind=\"A\""},
		{`{"at":"2026-01-02T03:00:30Z","kind":"A","price":-4}`, 0, Filtered, []string{
			`kinds counted 03:00:00-03:01:00 kind="a"(kind) cheap=true(total < 5) n=(count()) m=(count())`, "raw", `visits counted gap 2m n=(count())`,
		}, "false&&\nfalse: price > 3 | price=-4\nnot evaluated: kind != \"X\""},
		{`{"at":"2026-01-02T03:00:30Z","kind":"A","price":4}`, 65 * time.Second, Forwarded, []string{
			`kinds late(2026-01-02T03:01:35Z, 10s, true) 03:00:00-03:01:00 kind="a"(kind) cheap=false(total < 5) n=(count()) m=(count())`,
			`raw late(2026-01-02T03:01:35Z, 0s, false) 02:58:00-03:01:00 02:59:00-03:02:00 03:00:00-03:03:00 at="2026-01-02T03:00:30Z"(at) n=(count())`,
			`visits counted gap 2m n=(count())`,
		}, "true&&\ntrue: price > 3 | price=4\ntrue: kind != \"X\" | kind=\"A\""},
		{`{"at":"2026-01-02T03:00:30Z","kind":"A","price":-1,"total":[]}`, 0, Filtered, []string{
			`kinds counted 03:00:00-03:01:00 kind="a"(kind) cheap=true(total < 5) n=(count()) m=(count())`, "raw", `visits counted gap 2m n=(count())`,
		}, "false&&\nfalse: price > 3 | price=-1\nnot evaluated: kind != \"X\""},
	} {
		e := explain(c.value, at.Add(30*time.Second+c.watermark))
		if e.Outcome != c.outcome || len(e.Aggregates) != 3 {
			t.Fatalf("%s: %+v", c.value, e)
		}
		for i := range e.Aggregates {
			if got := gaugedText(&e.Aggregates[i]); got != c.want[i] {
				t.Errorf("%s: got\n%s\nwant\n%s", c.value, got, c.want[i])
			}
		}
		if got := told(e.Aggregates[1].Where); got != c.where || e.Aggregates[1].Where.At != "pipeline.yaml:10:37" || e.Aggregates[0].Where != nil {
			t.Errorf("%s: got\n%s at %s\nwant\n%s", c.value, got, e.Aggregates[1].Where.At, c.where)
		}
		if late, dead := strings.Contains(c.want[0], " late"), len(e.Records) > 0 && e.Records[len(e.Records)-1].DeadLetter; late != dead {
			t.Errorf("%s: records %+v", c.value, e.Records)
		}
	}
}

func TestWhatFailsInAnAggregateIsShown(t *testing.T) {
	const file = `name: p
source: {topic: in}
output: [{topic: out, key: id}]
aggregates:
  - {name: a, where: upper(kind) == "A", window: {tumbling: 1m}, measures: {n: count()}}
  - {name: b, group_by: [id, kind], window: {tumbling: 1m}, measures: {n: count()}}
`
	for _, c := range []struct {
		value, stage string
		want         []string
		where        Result
	}{
		{`{"kind":"a","id":1}`, "", []string{"a counted", "b counted"}, True},
		{`{"kind":5,"id":1}`, "aggregate", []string{"a ! pipeline.yaml:5:22: upper takes text", `b 03:04:00-03:05:00 id=1(id) kind=5(kind) n=`}, Failed},
		{`{"kind":"a","id":[]}`, "route", []string{"a 03:04:00-03:05:00 n=", "b 03:04:00-03:05:00 id=(id)!this takes a number, nil, a boolean or text, not a list of 0 kind=\"a\"(kind) n=(count()) ! pipeline.yaml:6:26: this"}, True},
		{`{"kind":{},"id":2}`, "aggregate", []string{"a ! pipeline.yaml:5:22: upper", "b 03:04:00-03:05:00 id=2(id) kind=(kind)!this takes"}, Failed},
	} {
		e := processor(t, file).Explain(&model.Message{Topic: "in", Timestamp: testNow.UnixMilli(), Value: []byte(c.value)}, testNow)
		if string(e.Stage) != c.stage || e.Aggregates[0].Where.Result != c.where {
			t.Errorf("%s: %+v", c.value, e)
		}
		for i := range e.Aggregates {
			if got := gaugedText(&e.Aggregates[i]); !strings.HasPrefix(got, c.want[i]) {
				t.Errorf("%s: got\n%s\nwant\n%s", c.value, got, c.want[i])
			}
		}
		if failed := e.Aggregates[1].Group; c.stage == "route" && len(failed[0].Reads) != 1 {
			t.Errorf("%s: %+v", c.value, failed)
		}
	}
}

func TestATimeThatCannotBeBelievedIsExplained(t *testing.T) {
	e := processor(t, gaugedShop).Explain(&model.Message{Topic: "in", Timestamp: testNow.UnixMilli(), Value: []byte(`{"at":"2036-01-02T03:00:30Z","kind":"A","price":4}`)}, testNow)
	if e.Outcome != DeadLettered || e.Code != CodeFutureEventTime || e.EventTime.Time != "2036-01-02T03:00:30Z" || !strings.Contains(e.EventTime.Error, "max_future") || e.Aggregates != nil || e.Transform != nil {
		t.Errorf("%+v %+v", e, e.EventTime)
	}
	e = processor(t, "name: p\nsource: {topic: in}\noutput: [{topic: out}]\naggregates: [{name: a, window: {tumbling: 1m}, measures: {n: count()}}]\n").
		Explain(&model.Message{Topic: "in", Timestamp: testNow.Add(time.Hour).UnixMilli(), Value: []byte(`{}`)}, testNow)
	if e.Code != CodeFutureEventTime || e.Outputs != nil || e.Aggregates != nil {
		t.Errorf("%+v", e)
	}
}

// A hopping window may be one of thousands.
func TestOfManyWindowsTheFirstAreListed(t *testing.T) {
	p := processor(t, "name: p\nsource: {topic: in}\noutput: [{topic: out}]\naggregates: [{name: a, window: {hopping: {size: 10m, every: 1s}}, measures: {n: count()}}]\n")
	for _, at := range []int64{testNow.UnixMilli(), testNow.Truncate(time.Second).UnixMilli(), 0, 1} {
		g := p.Explain(&model.Message{Topic: "in", Timestamp: at, Value: []byte(`{}`)}, testNow).Aggregates[0]
		first, event := g.Windows[0], time.UnixMilli(at)
		if len(g.Windows) != mostSpans || g.Of != 600 || !first.End.After(event) || first.End.Add(-time.Second).After(event) {
			t.Errorf("%d: %d of %d from %v", at, len(g.Windows), g.Of, first)
		}
	}
}

// Explaining collects nothing, whoever does it, and moves no watermark.
func TestExplainingLeavesWindowsAlone(t *testing.T) {
	p := processor(t, gaugedShop)
	x := NewExplainer(p, nil)
	source := aggregate.Source{Watermark: 5, Position: 7}
	before := source
	x.From(&source)
	for range 3 {
		e := x.Explain(&model.Message{Topic: "in", Timestamp: testNow.UnixMilli(), Value: []byte(`{"at":"2026-01-02T03:00:30Z","kind":"A","price":4}`)}, testNow)
		if _, err := json.Marshal(e); err != nil || !e.Aggregates[0].Counted {
			t.Errorf("%+v %v", e, err)
		}
	}
	if !p.Collected().Empty() || x.whole.Collected() != nil || source != before {
		t.Errorf("%+v", source)
	}
	for _, variant := range append(append([]*Processor{x.decoded, x.passed}, x.outputs...), x.gauged...) {
		if variant.Collected() != nil {
			t.Error("a variant collects")
		}
	}
}
