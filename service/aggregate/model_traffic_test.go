package aggregate

import (
	"fmt"
	"math/rand/v2"
	"time"

	"data-stream-engine/model"
)

// The fates of the model's events.
const (
	counts   = iota // it passes
	filtered        // it moves the watermark
	letter          // it moves nothing
)

// event is a record of the source.
type event struct {
	time, stamp int64 // its own and the record's, milliseconds
	fate        int
	group       string // JSON
	x           int64
	only        string // of a replay: the one aggregate that it is for
}

// profile is what a seed is like.
type profile struct {
	instances, sources, partials int
	events                       int
	faults                       int // per thousand steps
	slowMarkers                  int // of a hundred, how many steps do not deliver one
	idle                         bool
	added                        bool // source partitions are added on the way
	mixed                        bool // instances have different pipeline files
	graces                       bool // in which the grace differs too
	short                        bool // retention
	interval                     time.Duration
	timeout                      time.Duration // until a source partition is idle
	budget, bytes                int           // of a merge commit
	cut                          int           // events of a transaction, about
	compacts                     bool
	grid                         bool // event times are about whole seconds
	detect                       bool
	replays                      bool // letters are replayed
}

func newProfile(r *rand.Rand) profile {
	p := profile{
		instances: 1 + r.IntN(3), sources: 1 + r.IntN(3), partials: 1 + r.IntN(3), events: 40 + r.IntN(120),
		faults: []int{0, 5, 20, 60}[r.IntN(4)], slowMarkers: []int{0, 60, 90, 97}[r.IntN(4)],
		idle: r.IntN(2) == 0, added: r.IntN(5) == 0, mixed: r.IntN(3) == 0, compacts: r.IntN(2) == 0,
		interval: []time.Duration{0, time.Second}[r.IntN(2)], timeout: 1000 * time.Hour,
		grid: r.IntN(3) == 0, detect: r.IntN(4) == 0, budget: []int{1, 3, 1000}[r.IntN(3)], bytes: []int{200, 1 << 20, 1 << 20}[r.IntN(3)], cut: 1 + r.IntN(20),
	}
	p.replays = r.IntN(3) == 0
	p.graces, p.short = p.mixed && r.IntN(2) == 0, r.IntN(6) == 0
	if p.idle {
		p.timeout = 3 * time.Second
	}
	return p
}

// A seed has two pipeline files: an old one, and a new one that has one measure more and one less, and windows that are
// emitted otherwise.
func versions(r *rand.Rand, p *profile) [2][]*Definition {
	retention := time.Hour
	if p.short {
		retention = time.Duration(r.IntN(8)) * time.Second
	}
	every := []time.Duration{5, 10, 4}[r.IntN(3)] * time.Second // of windows of 10 s: the last kind has panes of 2 s
	emit := []model.Emit{model.EmitUpdates, model.EmitFinal}
	first := r.IntN(2)
	grace := func() time.Duration { return []time.Duration{0, 2, 6, 30}[r.IntN(4)] * time.Second }
	graces := [2]time.Duration{grace()}
	if graces[1] = graces[0]; p.graces {
		graces[1] = grace()
	}
	var all [2][]*Definition
	for v := range all {
		e := emit[(first+v)%2]
		t := &model.Aggregate{Name: "t", GroupBy: byGroup(), Window: model.Window{Kind: model.Tumbling, Size: 10 * time.Second, Grace: graces[v]}, Retention: retention, Emit: e, MaxGroups: 1000}
		h := &model.Aggregate{Name: "h", Window: model.Window{Kind: model.Hopping, Size: 10 * time.Second, Every: every, Grace: graces[v]}, Retention: retention, Emit: e, MaxGroups: 1000}
		s := &model.Aggregate{Name: "s", GroupBy: byGroup(), Window: model.Window{Kind: model.Session, Gap: 4 * time.Second, Grace: graces[v]}, Retention: time.Hour, Emit: e, MaxGroups: 1000}
		if above := 3.0; p.detect {
			t.Detect = &model.Detect{Measure: "n", Sigma: 1, MinWindows: 2}
			s.Detect = &model.Detect{Measure: "n", Above: &above}
			if h.Detect = nil; v == 0 {
				h.Detect = &model.Detect{Measure: "n", Sigma: 2, MinWindows: 1 + r.IntN(3)}
			}
		}
		for _, a := range []*model.Aggregate{t, h, s} {
			a.Measures = []model.Measure{measureOf("n", "count", "")}
			if v == 0 {
				a.Measures = append(a.Measures, measureOf("sum", "sum", "x"))
			} else {
				a.Measures = append(a.Measures, measureOf("max", "max", "x"))
			}
			all[v] = append(all[v], NewDefinition("model", a))
		}
	}
	if !p.mixed {
		all[1] = all[0]
	}
	return all
}

func byGroup() []model.GroupField {
	return []model.GroupField{{Name: "g", Value: model.Expression{Text: "g"}}}
}

func measureOf(name, function, argument string) model.Measure {
	m := model.Measure{Name: name, Text: fmt.Sprintf("%s(%s)", function, argument), Function: function}
	if argument != "" {
		m.Argument = &model.Expression{Text: argument}
	}
	return m
}

// source is a partition of the source topic. Its events come about in the order of time, with disorder.
type source struct {
	number    int32
	log       []event
	processed []int // by offset: which pipeline file the instance had that committed it
	at        int64 // event time
	mute      int   // for so many calls of append nothing comes
}

const epoch = 1_700_000_000_000 // of event times

// append makes the next events, and tells how many.
func (s *source) append(r *rand.Rand, p *profile) int {
	if s.mute > 0 {
		s.mute--
		return 0
	}
	if p.idle && r.IntN(6) == 0 {
		s.mute = r.IntN(30)
	}
	n := 1 + r.IntN(4)
	for range n {
		e := s.next(r)
		if p.grid {
			e.time, e.stamp = nearSecond(r, e.time), nearSecond(r, e.stamp)
		}
		s.log = append(s.log, e)
	}
	return n
}

// nearSecond is a time a millisecond before, at or behind a whole second.
func nearSecond(r *rand.Rand, t int64) int64 { return t/1000*1000 + int64(r.IntN(3)) - 1 }

func (s *source) next(r *rand.Rand) event {
	s.at += int64(r.IntN(1500))
	if r.IntN(40) == 0 {
		s.at += int64(r.IntN(30_000))
	}
	e := event{time: s.at - int64(r.IntN(3000)), group: fmt.Sprintf("%q", "abc"[r.IntN(3):][:1]), x: int64(r.IntN(2000) - 1000)}
	switch r.IntN(12) {
	case 0:
		e.time -= int64(r.IntN(60_000)) // late for some or all
	case 1:
		e.fate = filtered
	case 2:
		if r.IntN(3) == 0 {
			e.fate = letter
			e.time += 1 << 40
		}
	}
	e.stamp = s.at + int64(r.IntN(500))
	if r.IntN(10) == 0 { // the event's clock is ahead of the record's
		e.stamp = e.time - int64(r.IntN(5000))
	}
	return e
}
