package service

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

// branching is a pipeline in which events go every way there is.
const branching = `
name: p
source: {topic: in, event_time: at, max_future: 1m, not_objects: drop}
filter: kind != "noise" && len(kind) > 0
transform:
  set: {ip: mask_ip(ip)}
output:
  - {topic: a, key: user, when: 'kind in ["a", "both"]'}
  - {topic: b, when: 'size > 10 || kind == "both"'}
aggregates:
  - {name: all, group_by: [kind], window: {tumbling: 1m, grace: 10s}, measures: {n: count()}}
  - {name: large, where: size > 10, window: {tumbling: 1m, grace: 10s}, measures: {s: sum(weight)}, late: drop}
`

// anything is a message that may meet any fate.
func anything(r *rand.Rand, offset int64) model.Message {
	m := model.Message{Topic: "in", Partition: 3, Offset: offset, Timestamp: testNow.UnixMilli()}
	at := testNow.Add(-time.Duration(r.IntN(5)) * time.Second).UnixMilli()
	kind := []string{`"noise"`, `"a"`, `"b"`, `"both"`, `"c"`, `5`}[r.IntN(6)] // len(5) fails in the filter
	ip, size, weight := `"10.1.2.3"`, fmt.Sprint(r.IntN(20)), "1"
	switch r.IntN(12) {
	case 0:
		m.Value = []byte(`{"kind":`)
		return m
	case 1:
		m.Value = []byte(`[1]`)
		return m
	case 2:
		return m // a tombstone
	case 3:
		at += time.Hour.Milliseconds()
	case 4:
		at -= time.Hour.Milliseconds()
	case 5:
		ip = `"nowhere"`
	case 6:
		size = `"text"` // fails in when
	case 7:
		weight = `"text"` // fails in the aggregate
	}
	m.Value = fmt.Appendf(nil, `{"kind":%s,"user":"u%d","ip":%s,"size":%s,"weight":%s,"at":%d}`, kind, r.IntN(9), ip, size, weight, at/1000)
	return m
}

// What every batch adds up to, whatever is in it.
func TestTheWaysOfEventsAddUp(t *testing.T) {
	p := processor(t, branching)
	source := &aggregate.Source{Partition: 3, Watermark: aggregate.NoWatermark}
	p.From(source)
	seen := map[model.Stage]int{}
	var total model.Tally
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var in []model.Message
		for range r.IntN(100) {
			in = append(in, anything(r, int64(len(in))))
		}
		written, result := Collect(p, in, testNow, nil)
		var got model.Tally
		p.TakeTally(&got)
		total.Add(got)

		records := map[string]int{}
		letters := map[model.Stage]int{}
		for _, w := range written {
			records[w.Topic]++
			if stage, dead := w.Header(HeaderStage); dead {
				letters[model.Stage(stage)]++
				seen[model.Stage(stage)]++
			}
		}
		outputs := 0
		for _, c := range got.Outputs {
			outputs += c.N
			if c.N != records[c.Name] {
				t.Errorf("seed %d: %d records of %s, counted %d", seed, records[c.Name], c.Name, c.N)
			}
		}
		for stage, n := range letters {
			if got.Dead(stage) != n {
				t.Errorf("seed %d: %d letters of %s, counted %d", seed, n, stage, got.Dead(stage))
			}
		}
		before, behind := got.Dead(model.StageDecode, model.StageFilter), got.Dead(model.StageTransform, model.StageRoute, model.StageAggregate)
		switch {
		case outputs != result.Outputs:
			t.Errorf("seed %d: outputs %d of %+v", seed, outputs, result)
		case result.Consumed != result.Forwarded+result.Filtered+result.DeadLetters:
			t.Errorf("seed %d: fates %+v", seed, result)
		case result.DeadLetters != before+behind:
			t.Errorf("seed %d: %d dead letters, by stage %+v", seed, result.DeadLetters, got.Letters)
		case got.Aggregates[0].N != result.Forwarded+got.Unrouted-result.Late:
			t.Errorf("seed %d: %d events counted in an aggregate of all, %+v", seed, got.Aggregates[0].N, result)
		case got.Unrouted > result.Filtered:
			t.Errorf("seed %d: %d unrouted of %d", seed, got.Unrouted, result.Filtered)
		case got.Dead(model.StageLate) > result.Late:
			t.Errorf("seed %d: %d letters of %d late events", seed, got.Dead(model.StageLate), result.Late)
		}
	}
	for _, stage := range []model.Stage{model.StageDecode, model.StageFilter, model.StageTransform, model.StageRoute, model.StageAggregate, model.StageLate} {
		if seen[stage] == 0 {
			t.Errorf("no event failed in %s: the test shows too little", stage)
		}
	}
	if total.Unrouted == 0 || slices.ContainsFunc(total.Aggregates, func(c model.Count) bool { return c.N == 0 }) || len(total.Aggregates) != 2 {
		t.Errorf("the test shows too little: %+v", total)
	}
	counts := map[string]int{}
	p.Collected().Flush(1, func(_ int32, record []byte) { counts["partials"]++ })
	if counts["partials"] == 0 {
		t.Error("nothing was collected")
	}
}

// One output is counted batch by batch.
func TestTheOnlyOutputIsCounted(t *testing.T) {
	p := processor(t, "name: p\nsource: {topic: in}\noutput: [{topic: out, when: n > 1}, {topic: out, when: n > 2}]\n")
	var in []model.Message
	for n := range 5 {
		in = append(in, model.Message{Topic: "in", Value: fmt.Appendf(nil, `{"n":%d}`, n)})
	}
	_, result := Collect(p, in, testNow, nil)
	var got model.Tally
	p.TakeTally(&got)
	if want := (model.Count{Name: "out", N: 5}); len(got.Outputs) != 1 || got.Outputs[0] != want || got.Unrouted != 2 || result.Outputs != 5 {
		t.Errorf("%+v of %+v", got, result)
	}
}

func TestATallyIsTakenOnce(t *testing.T) {
	p := processor(t, branching)
	Collect(p, []model.Message{{Topic: "in", Value: []byte(`{"kind":"both","ip":"1.2.3.4","size":1,"at":1}`), Timestamp: 1000}, {Topic: "in", Value: []byte(`!`)}}, testNow, nil)
	var first, second model.Tally
	p.TakeTally(&first)
	p.TakeTally(&second)
	if first.Outputs[0] != (model.Count{Name: "a", N: 1}) || len(first.Letters) != 1 {
		t.Errorf("%+v", first)
	}
	if second.Outputs[0].N != 0 || len(second.Letters) != 0 {
		t.Errorf("taken twice: %+v", second)
	}
}
