package view

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
	"data-stream-engine/service"
)

const waysPipeline = `
name: p
source: {topic: in, event_time: at, not_objects: drop}
filter: kind != "noise" && len(kind) > 0
transform: {set: {ip: mask_ip(ip)}}
output:
  - {topic: a, when: 'kind in ["a", "both"]'}
  - {topic: b, when: 'size > 10 || kind == "both"'}
aggregates:
  - {name: all, window: {tumbling: 1m}, measures: {n: count()}}
`

func messages(r *rand.Rand) (list []model.Message) {
	for range 1 + r.IntN(60) {
		kind := []string{`"noise"`, `"a"`, `"b"`, `"both"`, `"c"`, `5`}[r.IntN(6)]
		value := fmt.Appendf(nil, `{"kind":%s,"ip":%s,"size":%d,"at":1}`, kind, []string{`"10.0.0.1"`, `"?"`}[min(r.IntN(8), 1)^1], r.IntN(20))
		if r.IntN(10) == 0 {
			value = []byte(`{`)
		}
		list = append(list, model.Message{Topic: "in", Timestamp: 1000, Value: value})
	}
	return list
}

// Whatever the processor made of random batches, on each way as many events come out as go in.
func TestWaysAddUpWhateverComes(t *testing.T) {
	rig := newRig(t)
	rig.parse(waysPipeline)
	m := handler.NewMetrics("g", "v")
	for seed := range uint64(100) {
		before := m.Totals()
		_, result := service.Collect(rig.processor, messages(rand.New(rand.NewPCG(seed, 7))), began, nil)
		var ways model.Tally
		rig.processor.TakeTally(&ways)
		m.Batch(result, ways, time.Millisecond)
		after := m.Totals()
		p := between(&before, &after, 2)
		e := p.Edges
		for what, pair := range map[string][2]float64{
			"all":       {p.In, float64(result.Consumed) / 2},
			"in":        {p.In, p.Forwarded + p.Filtered + p.DeadLetter},
			"source":    {p.In, e["source>filter"] + e["source>dead"]},
			"filter":    {e["source>filter"], e["filter>transform"] + e["filter>filtered"]},
			"transform": {e["filter>transform"], p.Forwarded + e["transform>filtered"] + e["transform>dead"]},
			"filtered":  {p.Filtered, e["filter>filtered"] + e["transform>filtered"]},
			"dead":      {p.DeadLetter, e["source>dead"] + e["transform>dead"]},
			"outputs":   {float64(result.Outputs) / 2, e["output:a"] + e["output:b"]},
			"aggregate": {p.Forwarded + e["transform>filtered"], e["aggregate:all"]},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-9 {
				t.Errorf("batch %d, %s: %v is not %v; %+v", seed, what, pair[0], pair[1], p)
			}
		}
	}
	if end := m.Totals(); end.Tally.Unrouted == 0 || end.Filtered == 0 || end.Tally.Dead(early...) == 0 || end.Tally.Dead(later...) == 0 {
		t.Errorf("the test shows too little: %+v", end)
	}
}

func TestRatesAreThoseOfTheWholeGroup(t *testing.T) {
	r := newRig(t)
	r.instances[0].EndToEnd = []model.Latency{{Seconds: 0.05, Events: 90}}
	r.observed.Latency = []model.Latency{{Seconds: 0.02, Events: 9}, {Seconds: 3, Events: 1}}
	r.behindBy(40)
	r.pass(1, 500)
	if p := r.Rates(); p.In != 200 { // of itself it knows one reading of the counters
		t.Errorf("%+v", p)
	}
	r.pass(1, 500)
	p := r.Rates()
	if p.In != 700 || p.Forwarded != 700 || *p.Lag != 40 || *p.P50 != 0.05 || *p.P99 != 0.05 || p.Edges["source>filter"] != 700 || p.At != r.now.UnixMilli() {
		t.Errorf("%+v, lag %v, p50 %v, p99 %v", p, *p.Lag, *p.P50, *p.P99)
	}
	r.instances[0].Alive = false
	r.pass(1, 500)
	if p := r.Rates(); p.In != 600 || *p.P99 != 3 {
		t.Errorf("%+v", p)
	}
	r.instances = nil
	r.observed.Latency = nil
	r.pass(1, 0)
	if p := r.Rates(); p.In != 0 || p.P50 != nil || p.P99 != nil {
		t.Errorf("%+v", p)
	}
}

// A partition that comes back counts from zero, which is no negative rate.
func TestRateOfAPartition(t *testing.T) {
	r := newRig(t)
	for range 5 {
		r.observed.Source[0].Events += 30
		r.pass(1, 30)
	}
	if p := r.Partitions().Source[0]; p.Rate != 30 {
		t.Errorf("%v a second", p.Rate)
	}
	r.observed.Source[0].Events = 10
	r.pass(1, 10)
	if p := r.Partitions().Source[0]; p.Rate != 0 {
		t.Errorf("%v a second", p.Rate)
	}
}

func TestQuantiles(t *testing.T) {
	if quantile(nil, 0.5) != nil {
		t.Error("a quantile of nothing")
	}
	list := merged([]model.Latency{{Seconds: 0.2, Events: 1}, {Seconds: 5, Events: 1}}, []model.Latency{{Seconds: 0.1, Events: 98}})
	for part, want := range map[float64]float64{0.5: 0.1, 0.98: 0.1, 0.985: 0.2, 1: 5} {
		if got := *quantile(list, part); got != want {
			t.Errorf("%v: %v, want %v", part, got, want)
		}
	}
}
