package service

import (
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"testing"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
	"data-stream-engine/service/generator"
)

const (
	passthrough = "name: p\nsource: {topic: in}\noutput: [{topic: out}]\n"
	filterOnly  = "name: p\nsource: {topic: in}\nfilter: user_id not in [nil, \"\"] && device_type in [\"android\", \"iOS\"]\noutput: [{topic: out}]\n"
)

// generated are events of all clients that the pipeline of file makes no dead letter of.
func generated(t testing.TB, file string, n int) []model.Message {
	t.Helper()
	p, g, sink := processor(t, file), generator.New(generator.Default()), &discard{}
	g.Seek(testNow)
	var list []model.Message
	for len(list) < n {
		e := g.Next(nil)
		m := model.Message{Topic: "in", Offset: int64(len(list)), Timestamp: e.Time.UnixMilli(), Key: e.Key, Value: e.Value}
		if p.Process(&batch{messages: []model.Message{m}}, sink, testNow).DeadLetters == 0 {
			list = append(list, m)
		}
	}
	return list
}

// everyMeasure is an aggregate of each kind with each measure, of the transformed event and of the event as it came.
const everyMeasure = `
aggregates:
  - name: minutes
    group_by: [device_type, {upper: upper(locale)}]
    window: {tumbling: 1m, grace: 1h}
    measures:
      n: count()
      users: distinct(user_id)
      versions: top(app_version, 3)
      first: first(app_version)
      last: last(ip)
  - {name: hops, of: source, group_by: [locale], where: ip != "", window: {hopping: {size: 1h, every: 1m}}, measures: {s: sum(timestamp), a: avg(timestamp), p: 'percentile(timestamp, 99)'}}
  - {name: visits, of: source, group_by: [device_type], window: {session: 1h}, measures: {least: min(timestamp), most: max(timestamp)}}
`

func TestEventsCostNoAllocation(t *testing.T) {
	for name, file := range map[string]string{"the shipped pipeline": shipped(t), "a filter": filterOnly, "no stage": passthrough, "aggregates": withAggregates(t)} {
		p, in, sink := processor(t, file), &batch{messages: generated(t, file, 1000)}, &discard{}
		p.From(&aggregate.Source{Watermark: aggregate.NoWatermark})
		perBatch := testing.AllocsPerRun(10, func() {
			in.at = 0
			if r := p.Process(in, sink, testNow); r.Forwarded < 500 {
				t.Errorf("%s: %+v", name, r)
			}
		})
		if c := p.Collected(); c != nil && c.Empty() {
			t.Errorf("%s: nothing has counted", name)
		}
		if perBatch > 1 && !raceEnabled { // the message that all of them are read into
			t.Errorf("%s: %v allocations in a batch of 1,000 events", name, perBatch)
		}
	}
}

// withAggregates is the shipped pipeline with aggregates of all kinds in place of its own.
func withAggregates(t testing.TB) string {
	t.Helper()
	file, _, _ := strings.Cut(shipped(t), "\naggregates:")
	return file + "\n" + everyMeasure
}

// everywhere has a stage of each kind, with expressions that run as closures and others that run on expr's machine.
const everywhere = `
name: p
source: {topic: in}
filter: 'has(a) && any(keys(event), # == "a")'
transform:
  set:
    b: a
    c: "[a, a]"
    d: 'a == "x" ? "x" : to_json(a)'
  rename: {e: f}
  remove: [g]
output:
  - {topic: one, when: 'd != "no"', key: 'coalesce(k, "none")'}
  - {topic: all}
`

func TestExtremeEventsHaveADefinedFate(t *testing.T) {
	size := 10 << 20
	if raceEnabled {
		size = 1 << 20 // ten times slower
	}
	for _, c := range []struct {
		name, value string
		valid       bool // encoding/json takes the event
	}{
		{"megabytes of text", `"` + strings.Repeat("x", size) + `"`, true},
		{"megabytes of escapes", `"` + strings.Repeat(`\n`, size/2) + `"`, true},
		{"megabytes beyond ASCII", `"` + strings.Repeat("é", size/2) + `"`, true},
		{"megabytes of digits", strings.Repeat("7", size), true},
		{"many elements", "[" + strings.Repeat("1,", size/64) + "1]", true},
		{"many members", `{"x":1` + strings.Repeat(`,"y":2`, size/64) + "}", true},
		{"9,999 levels below the event", strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999), true},
		{"10,000 levels below the event", strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), false},
		{"9,999 objects below the event", strings.Repeat(`{"a":`, 9_999) + "1" + strings.Repeat("}", 9_999), true},
		{"a million levels", strings.Repeat("[", 1_000_000), false},
		{"a repeated key", `1,"a":2,"\u0061":"x","b":0,"a":"y","b":1`, true},
		{"invalid UTF-8", "\"\xff\xc0\x80\xed\xa0\x80\"", true},
		{"half a surrogate pair", `"\ud800 \udc00\ud800"`, true},
		{"a number beyond float64", "1e999", true},
		{"one nested", `{"x":[-1e999]}`, true},
		{"a number below float64", "-1e-999", true},
		{"an integer beyond 64 bits", "-9223372036854775809", true},
	} {
		pipelines := []struct{ name, text, event string }{
			{"the shipped pipeline, user", shipped(t), strings.Replace(login, `"424cdd21-063a-43a7-b91b-7ca1a833afae"`, "#", 1)},
			{"the shipped pipeline, device", shipped(t), strings.Replace(login, `"593-47-5928"`, "#", 1)},
			{"all stages", everywhere, `{"a":#,"e":1,"g":2}`},
			{"the shipped pipeline, address", shipped(t), strings.Replace(login, `"199.172.111.135"`, "#", 1)},
			{"the shipped pipeline, time", shipped(t), strings.Replace(login, `1694479551`, "#", 1)},
			{"the shipped pipeline, another field", shipped(t), strings.Replace(login, `"RU"`, "#", 1)},
			{"no stage", passthrough, `{"a":#}`},
		}
		if len(c.value) >= size {
			pipelines = pipelines[:3] // enough of what takes seconds
		}
		for _, f := range pipelines {
			event := strings.Replace(f.event, "#", c.value, 1)
			ordinary := strings.Replace(f.event, "#", `"x"`, 1)
			records, result := run(t, f.text, event, ordinary)
			if got, want := of(1, records), of(0, first(run(t, f.text, ordinary))); !slices.Equal(got, want) {
				t.Errorf("%s, behind %s: %q, want %q", f.name, c.name, got, want)
			}
			if !c.valid && result.DeadLetters == 0 {
				t.Errorf("%s, %s: %+v", f.name, c.name, result)
			}
			for _, r := range records {
				if why := r.header(HeaderCode); why == "<none>" && !json.Valid(r.Value) {
					t.Errorf("%s, %s: wrote %.200q", f.name, c.name, r.Value)
				} else if !c.valid && why == "<none>" && len(r.Value) > 1<<10 {
					t.Errorf("%s, %s: went to %s", f.name, c.name, r.Topic)
				}
			}
		}
	}
}

func first(records []written, _ model.Result) []written { return records }

// of are the topics and values of the records that the n-th message became, those of dead letters aside.
func of(n int64, records []written) (list []string) {
	for _, r := range records {
		if r.Timestamp == 1700000000000+n && r.header(HeaderCode) == "<none>" {
			list = append(list, r.Topic+" "+string(r.Key)+" "+string(r.Value))
		}
	}
	return list
}

func TestOneHugeEventDoesNotHoldMemoryForEver(t *testing.T) {
	const size = 4 << 20
	text := `"` + strings.Repeat(`\n`, size/2) + `"`
	for name, c := range map[string]struct{ file, event string }{
		"the shipped pipeline": {shipped(t), `{"user_id":` + text + `,"device_type":"iOS","ip":"1.2.3.4","device_id":` + text + `,"timestamp":1}`},
		"all stages":           {everywhere, `{"k":"k","a":` + text + `,"e":` + text + `}`},
		"many members":         {filterOnly, `{"user_id":1,"device_type":"iOS"` + strings.Repeat(`,"user_id":1,"x":2`, 300_000) + "}"},
	} {
		p := processor(t, c.file)
		warm(t, p, `{"user_id":"u","device_type":"iOS","ip":"1.2.3.4","device_id":"d","timestamp":1,"a":1}`)
		before := heap()
		warm(t, p, c.event)
		warm(t, p, `{"user_id":"u","device_type":"iOS","ip":"1.2.3.4","device_id":"d","timestamp":1,"a":1}`)
		if after := heap(); after > before+2*keptScratch {
			t.Errorf("%s: %d bytes are held", name, after-before)
		}
		runtime.KeepAlive(p)
	}
}

// warm runs one event, which must be forwarded, through the pipeline.
func warm(t *testing.T, p *Processor, event string) {
	t.Helper()
	if r := p.Process(&batch{messages: []model.Message{{Topic: "in", Value: []byte(event)}}}, &discard{}, testNow); r.Forwarded != 1 {
		t.Fatalf("%.200s: %+v", event, r)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what a sync.Pool holds takes two
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
