package view

import (
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
)

// meterSeconds is over how long an instance averages what it tells the others.
const meterSeconds = 3

// meter turns counters into rates. One goroutine uses it.
type meter struct {
	samples []sample // the latest last, of meterSeconds
}

// sample is what the counters said at a time.
type sample struct {
	at     time.Time
	totals handler.Totals
	events map[int32]int64 // read since the assignment, by partition
}

// add takes a sample. Those that are too old for any rate are forgotten.
func (m *meter) add(at time.Time, o *handler.Observed) {
	s := sample{at: at, totals: o.Totals, events: make(map[int32]int64, len(o.Source))}
	for _, p := range o.Source {
		s.events[p.Partition] = p.Events
	}
	if len(m.samples) > meterSeconds {
		m.samples = append(m.samples[:0], m.samples[1:]...)
	}
	m.samples = append(m.samples, s)
}

// rates are those between the latest sample and one some samples before.
func (m *meter) rates(back int) model.Rates {
	last := len(m.samples) - 1
	from := max(last-back, 0)
	if last < 1 {
		return model.Rates{}
	}
	a, b := &m.samples[from], &m.samples[last]
	seconds := b.at.Sub(a.at).Seconds()
	if seconds <= 0 {
		return model.Rates{}
	}
	return between(&a.totals, &b.totals, seconds)
}

// partition is how many events a second are read of a partition.
func (m *meter) partition(number int32) float64 {
	last := len(m.samples) - 1
	if last < 1 {
		return 0
	}
	a, b := &m.samples[0], &m.samples[last]
	before, known := a.events[number]
	now, still := b.events[number]
	if !known || !still || now < before || b.at.Equal(a.at) { // another assignment counts from zero
		return 0
	}
	return float64(now-before) / b.at.Sub(a.at).Seconds()
}

// The stages whose dead letters never came to the transform, and those that did.
var (
	early = []model.Stage{model.StageDecode, model.StageFilter}
	later = []model.Stage{model.StageTransform, model.StageRoute, model.StageAggregate, model.StageProduce}
)

// between are the rates of what happened from one reading of the counters to another. On every way as many go in as come
// out: in is forwarded, filtered and dead_letter, and also source>filter and source>dead; what source>filter brings goes on
// as filter>filtered and filter>transform; what that brings is forwarded, transform>filtered or transform>dead.
func between(a, b *handler.Totals, seconds float64) model.Rates {
	per := func(n int) float64 { return float64(max(n, 0)) / seconds }
	forwarded, filtered, dead := b.Forwarded-a.Forwarded, b.Filtered-a.Filtered, b.DeadLetters-a.DeadLetters
	rejected := b.Tally.Dead(early...) - a.Tally.Dead(early...)
	unrouted := b.Tally.Unrouted - a.Tally.Unrouted
	in := forwarded + filtered + dead
	r := model.Rates{In: per(in), Forwarded: per(forwarded), Filtered: per(filtered), DeadLetter: per(dead), Late: per(b.Late - a.Late), Edges: map[string]float64{
		"source>filter":      per(in - rejected),
		"source>dead":        per(rejected),
		"filter>filtered":    per(filtered - unrouted),
		"filter>transform":   per(in - rejected - filtered + unrouted),
		"transform>filtered": per(unrouted),
		"transform>dead":     per(b.Tally.Dead(later...) - a.Tally.Dead(later...)),
		"aggregates>dead":    per(b.Tally.Dead(model.StageLate) - a.Tally.Dead(model.StageLate)),
	}}
	edges(r.Edges, "output:", a.Tally.Outputs, b.Tally.Outputs, per)
	edges(r.Edges, "aggregate:", a.Tally.Aggregates, b.Tally.Aggregates, per)
	return r
}

func edges(all map[string]float64, prefix string, a, b []model.Count, per func(int) float64) {
	earlier := make(map[string]int, len(a))
	for _, c := range a {
		earlier[c.Name] = c.N
	}
	for _, c := range b {
		all[prefix+c.Name] = per(c.N - earlier[c.Name])
	}
}

// add sums the rates of two instances up. Lag and latencies are no sums of theirs.
func add(a, b model.Rates) model.Rates {
	sum := model.Rates{In: a.In + b.In, Forwarded: a.Forwarded + b.Forwarded, Filtered: a.Filtered + b.Filtered, DeadLetter: a.DeadLetter + b.DeadLetter, Late: a.Late + b.Late,
		Edges: make(map[string]float64, len(a.Edges))}
	for _, edges := range []map[string]float64{a.Edges, b.Edges} {
		for way, n := range edges {
			sum.Edges[way] += n
		}
	}
	return sum
}
