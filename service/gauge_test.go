package service

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

// merged are the insights of what a processor has collected, by the fields of their groups: all are open.
func mergedOf(t *testing.T, p *Processor) (list []string) {
	t.Helper()
	part := aggregate.NewPartition(0, 1)
	source := &aggregate.Source{Watermark: aggregate.NoWatermark}
	a := aggregate.NewAnnouncer(p.Definitions(), []*aggregate.Source{source}, 1, 0, 0, testNow)
	a.Close(testNow, func(partial func(int32, []byte)) { p.Collected().Flush(1, partial) }, func(_ int32, record []byte) {
		if err := part.Take(record); err != nil {
			t.Fatal(err)
		}
	})
	part.Commit(aggregate.Tick{Now: testNow, Sources: 1, Budget: 1000, MaxBytes: 1 << 20}, insightLog{&list, t})
	return list
}

type insightLog struct {
	list *[]string
	t    *testing.T
}

func (l insightLog) Changelog([]byte, []byte) {}
func (l insightLog) Expired(document []byte)  { l.t.Errorf("expired: %s", document) }
func (l insightLog) Insight(_, value []byte) {
	i, err := ReadInsight(value)
	if err != nil {
		l.t.Fatal(err)
	}
	line := i.Aggregate
	for _, m := range append(i.Group, i.Measures...) {
		line += fmt.Sprintf(" %s=%s", m.Name, m.Value)
	}
	*l.list = append(*l.list, line)
}

// moving is a Sink that moves the value when it is closed, as a record batch does whose lengths take another number of
// bytes than those of the record before.
type moving struct {
	discard
	open []byte
}

func (s *moving) Open(topic int, partition int32, m *model.Message, key []byte, n int) []byte {
	s.open = make([]byte, 1, n+512)
	return s.open[1:]
}

func (s *moving) Close(value []byte, _ []model.Header) {
	copy(value[:cap(value)], strings.Repeat("#", len(value)))
}

// A measure of the transformed event keeps texts that lie in the output: they count as they were before that is closed.
func TestTextOfTheOutputCountsThoughClosingItMovesIt(t *testing.T) {
	p := processor(t, `
name: p
source: {topic: in}
transform: {set: {v: upper(v)}}
output: [{topic: out}]
aggregates:
  - name: a
    group_by: [v]
    window: {tumbling: 1h}
    measures:
      first: first(v)
      last: last(w)
      users: distinct(v)
      versions: top(v, 2)
`)
	v := strings.Repeat("long text ", 20)
	in := &batch{messages: []model.Message{{Topic: "in", Timestamp: 1, Value: []byte(`{"v":"` + v + `","w":"` + v + `"}`)}}}
	if r := p.Process(in, &moving{}, testNow); r.Forwarded != 1 {
		t.Fatalf("%+v", r)
	}
	big := strings.ToUpper(v)
	want := fmt.Sprintf(`a v=%q first=%q last=%q users=1 versions=[{"value":%q,"count":1}]`, big, big, v, big)
	if got := mergedOf(t, p); len(got) != 1 || got[0] != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// What an expression sees is decided for the outputs and for the aggregates each: one may need the transformed event, and
// the other not.
func TestAggregateSeesItsFieldsWhateverTheOutputsRead(t *testing.T) {
	for name, c := range map[string]struct{ transform, key, group, want string }{
		"the output alone reads what is new":    {"set: {a: upper(a)}", "a", "[b, c]", `x b="B" c="c" n=1`},
		"the aggregate alone reads what is new": {"set: {a: upper(a)}", "b", "[a, c]", `x a="A" c="c" n=1`},
		"both do":                               {"set: {a: upper(a), d: b}", "a", "[d, a]", `x d="B" a="A" n=1`},
		"neither does":                          {"set: {a: upper(a)}", "b", "[c, b]", `x c="c" b="B" n=1`},
		"a renamed field":                       {"rename: {a: z}", "b", "[z, b]", `x z="a" b="B" n=1`},
		"a field that was never there":          {"set: {a: upper(a)}", "a", "[nothing]", `x nothing=null n=1`},
	} {
		p := processor(t, fmt.Sprintf("name: p\nsource: {topic: in}\ntransform: {%s}\noutput: [{topic: out, key: %s}]\naggregates: [{name: x, group_by: %s, window: {tumbling: 1h}, measures: {n: count()}}]\n", c.transform, c.key, c.group))
		p.Process(&batch{messages: []model.Message{{Topic: "in", Timestamp: 1, Value: []byte(`{"a":"a","b":"B","c":"c"}`)}}}, &discard{}, testNow)
		if got := mergedOf(t, p); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestAggregateOfTheSourceSeesTheEventAsItCame(t *testing.T) {
	p := processor(t, `
name: p
source: {topic: in}
transform: {set: {a: upper(a)}, remove: [b]}
output: [{topic: out}]
aggregates:
  - {name: before, of: source, where: b == 1, group_by: [a], window: {tumbling: 1h}, measures: {b: sum(b)}}
  - {name: after, group_by: [a], window: {tumbling: 1h}, measures: {n: count()}}
`)
	p.Process(&batch{messages: []model.Message{{Topic: "in", Timestamp: 1, Value: []byte(`{"a":"a","b":1}`)}, {Topic: "in", Timestamp: 2, Value: []byte(`{"a":"a","b":2}`)}}}, &discard{}, testNow)
	if got, want := strings.Join(mergedOf(t, p), "; "), `before a="a" b=1; after a="A" n=2`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

const badInput = `
name: p
source: {topic: in, event_time: at, max_future: 10m}
filter: drop == nil
output: [{topic: out}]
aggregates:
  - name: a
    group_by: [g]
    where: w ?? true
    window: {tumbling: 1m}
    measures: {n: count(), s: sum(x), l: last(y), m: max(x)}
  - {name: b, window: {session: 1m, grace: 2m}, measures: {t: 'top(y, 2)'}}
  - {name: c, window: {tumbling: 1s}, measures: {n: count()}, late: drop}
`

// Whatever an event is, it has one fate, and those around it have theirs.
func TestBadInputOfAggregatesHasADefinedFate(t *testing.T) {
	const stamp = 1_700_000_000_000 // of the record; the watermark is there too
	for _, c := range []struct {
		name, event string
		timestamp   int64
		stage, code string // of its dead letter; empty: none
		late        string // the aggregates that it missed
		forwarded   bool
	}{
		{"in order", `{"at":1700000000,"g":"g","x":1}`, stamp, "", "", "", true},
		{"without a time", `{"g":"g"}`, stamp, "decode", "invalid_event_time", "", false},
		{"null for a time", `{"at":null}`, stamp, "decode", "invalid_event_time", "", false},
		{"a time that cannot be read", `{"at":"yesterday"}`, stamp, "decode", "invalid_event_time", "", false},
		{"a list for a time", `{"at":[1700000000]}`, stamp, "decode", "invalid_event_time", "", false},
		{"the largest integer for a time", `{"at":9223372036854775807}`, stamp, "decode", "future_event_time", "", false},
		{"beyond 64 bits for a time", `{"at":1e300}`, stamp, "decode", "invalid_event_time", "", false},
		{"as far ahead of its record as allowed", `{"at":1700000600}`, stamp, "", "", "", true},
		{"further ahead of its record", `{"at":1700000601}`, stamp, "decode", "future_event_time", "", false},
		{"a record ahead of the clock", `{"at":1700000000}`, testNow.UnixMilli() + 601_000, "decode", "future_event_time", "", false},
		{"a record as far ahead of all clocks as can be", `{"at":1700000000}`, math.MaxInt64, "decode", "future_event_time", "", false},
		{"a record without a timestamp", `{"at":1700000000}`, -1, "", "", "", true},
		{"a few seconds behind", `{"at":1699999990,"x":1}`, stamp, "late", "late_event", "a,b", true}, // see below
		{"far behind", `{"at":-99999999999}`, stamp, "late", "late_event", "a,b", true},
		{"late, and not even a time for its group", `{"at":1,"g":[]}`, stamp, "late", "late_event", "a,b", true},
		{"text where a number is summed", `{"at":1700000000,"x":"1"}`, stamp, "aggregate", "invalid_argument", "", false},
		{"a list where a number is summed", `{"at":1700000000,"x":[1]}`, stamp, "aggregate", "expression", "", false},
		{"a number too large to be summed", `{"at":1700000000,"x":1e19}`, stamp, "aggregate", "invalid_argument", "", false},
		{"an integer too large to be summed", `{"at":1700000000,"x":18446744073709551616}`, stamp, "aggregate", "invalid_argument", "", false},
		{"a number beyond float64", `{"at":1700000000,"x":1e999}`, stamp, "aggregate", "expression", "", false},
		{"the smallest number", `{"at":1700000000,"x":5e-324}`, stamp, "", "", "", true},
		{"null where a number is summed", `{"at":1700000000,"x":null}`, stamp, "", "", "", true},
		{"a list for a group", `{"at":1700000000,"g":[1]}`, stamp, "aggregate", "expression", "", false},
		{"an object for a group", `{"at":1700000000,"g":{}}`, stamp, "aggregate", "expression", "", false},
		{"a group of a megabyte", `{"at":1700000000,"g":"` + strings.Repeat("x", 1<<20) + `"}`, stamp, "aggregate", "group_too_large", "", false},
		{"the longest group", `{"at":1700000000,"g":"` + strings.Repeat("x", 1022) + `"}`, stamp, "", "", "", true},
		{"a group one byte longer", `{"at":1700000000,"g":"` + strings.Repeat("x", 1023) + `"}`, stamp, "aggregate", "group_too_large", "", false},
		{"a group of escapes", `{"at":1700000000,"g":"` + strings.Repeat(`\u0001`, 171) + `"}`, stamp, "aggregate", "group_too_large", "", false},
		{"a text too long to be kept", `{"at":1700000000,"y":"` + strings.Repeat("x", 1025) + `"}`, stamp, "aggregate", "invalid_argument", "", false},
		{"no boolean for where", `{"at":1700000000,"w":1}`, stamp, "aggregate", "expression", "", false},
		{"a measure that where leaves out", `{"at":1700000000,"w":false,"x":"1"}`, stamp, "", "", "", true},
		{"dropped by the filter", `{"at":"yesterday","drop":1}`, stamp, "", "", "", false},
		{"not JSON", `{"at":`, stamp, "decode", "invalid_json", "", false},
	} {
		if c.name == "a few seconds behind" {
			c.stage, c.code, c.late = "", "", "" // c drops it: counted, and no letter
		}
		p := processor(t, badInput)
		source := &aggregate.Source{Watermark: stamp}
		p.From(source)
		sink := &memory{t: t, topics: p.Topics(), partitions: 1}
		around := model.Message{Topic: "in", Timestamp: stamp, Value: []byte(`{"at":1700000000,"g":"around"}`)}
		r := p.Process(&batch{messages: []model.Message{around, {Topic: "in", Offset: 1, Timestamp: c.timestamp, Value: []byte(c.event)}, around}}, sink, testNow)
		var letters []written
		forwarded := -2
		for _, w := range sink.records {
			if w.Topic == "out" {
				forwarded++
			} else {
				letters = append(letters, w)
			}
		}
		if (forwarded == 1) != c.forwarded || r.Consumed != r.Forwarded+r.Filtered+r.DeadLetters {
			t.Errorf("%s: %+v", c.name, r)
		}
		if c.code == "" {
			if len(letters) != 0 {
				t.Errorf("%s: %v", c.name, letters)
			}
			continue
		}
		if len(letters) != 1 || letters[0].header(HeaderStage) != c.stage || letters[0].header(HeaderCode) != c.code {
			t.Errorf("%s: %.500v", c.name, letters)
			continue
		}
		if c.late != "" && letters[0].header(HeaderLateFor) != c.late || (c.stage == "late") != (r.Late == 1) || (c.stage == "late") == (r.DeadLetters == 1) {
			t.Errorf("%s: %+v, %s", c.name, r, letters[0].header(HeaderLateFor))
		}
		if c.stage != "late" && source.Watermark != stamp {
			t.Errorf("%s: a dead letter has moved the watermark to %d", c.name, source.Watermark)
		}
	}
}

// The watermark is what everybody else is held against, so that little moves it.
func TestWatermarkIsMovedByEventsThatCanBeBelieved(t *testing.T) {
	const stamp = int64(1_700_000_000_000)
	for name, c := range map[string]struct {
		event string
		stamp int64
		want  int64
	}{
		"an event":                             {`{"at":1700000001}`, stamp + 2000, stamp + 1000},
		"one ahead of its record":              {`{"at":1700000060}`, stamp + 2000, stamp + 2000},
		"one whose record has no timestamp":    {`{"at":1700000001}`, -1, stamp + 1000},
		"one behind":                           {`{"at":1600000000}`, stamp + 2000, stamp},
		"one that the filter drops":            {`{"at":1700000001,"drop":1}`, stamp + 2000, stamp + 1000},
		"one that it drops, from the future":   {`{"at":1700009999,"drop":1}`, stamp, stamp},
		"one that it drops, without a time":    {`{"drop":1}`, stamp + 2000, stamp},
		"one that no aggregate counts":         {`{"at":1700000001,"w":false}`, stamp + 2000, stamp + 1000},
		"a dead letter":                        {`{"at":1700000001,"x":"x"}`, stamp + 2000, stamp},
		"a dead letter from the future":        {`{"at":1700009999}`, stamp, stamp},
		"a dead letter, as no clock can be so": {`{"at":1700000001}`, testNow.Add(time.Hour).UnixMilli(), stamp},
	} {
		p := processor(t, badInput)
		source := &aggregate.Source{Watermark: stamp}
		p.From(source)
		p.Process(&batch{messages: []model.Message{{Topic: "in", Timestamp: c.stamp, Value: []byte(c.event)}}}, &discard{}, testNow)
		if source.Watermark != c.want {
			t.Errorf("%s: %d, want %d", name, source.Watermark, c.want)
		}
	}
}

func TestDeadPartialIsCutOffLikeAnyDeadLetter(t *testing.T) {
	p := processor(t, badInput)
	p.limit = 10
	sink := &memory{t: t, topics: p.Topics(), partitions: 4}
	p.DeadPartial(sink, 7, []byte(`{"aggregate":"a"}`), testNow)
	w := sink.records[0]
	if string(w.Value) != `{"aggregat` || w.Partition != 3 || w.Key != nil || w.header(HeaderTruncated) != "17" || w.header(HeaderStage) != "late" || w.header(HeaderCode) != CodePartialExpired || w.header(HeaderPartition) != "7" {
		t.Errorf("%v", w)
	}
}

// What arithmetic makes of an event may be no number at all.
func TestNumbersThatAreNoneAreDeadLettersOrNothing(t *testing.T) {
	for expression, want := range map[string]string{
		"x / y": "aggregate expression", "float(t)": "aggregate expression", "big * big": "aggregate expression", "-big * 10": "aggregate expression",
		"nothing": "", "x * y": "", "int(t)": "aggregate expression", "large + large": "aggregate", "-x": "", "third * 3": "",
	} {
		for _, f := range []string{"sum", "avg", "min", "max", "distinct"} {
			file := fmt.Sprintf("name: p\nsource: {topic: in}\noutput: [{topic: out}]\naggregates:\n  - {name: a, window: {tumbling: 1m}, measures: {m: %s(%s)}}\n", f, expression)
			records, r := run(t, file, `{"x":0,"y":0,"t":"NaN","big":1e308,"large":9223372036854775807,"third":0.1}`)
			got := ""
			if r.DeadLetters == 1 {
				got = records[0].header(HeaderStage) + " " + records[0].header(HeaderCode)
			}
			if !strings.HasPrefix(got, want) || (want == "") != (r.DeadLetters == 0) {
				t.Errorf("%s(%s): %q, want %q: %+v", f, expression, got, want, records)
			}
		}
	}
}
