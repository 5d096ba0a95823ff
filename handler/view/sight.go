package view

import (
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
)

// recovering is for how long there has to be no trouble until the brokers are taken to be back.
const recovering = 3 * time.Second

// sight is everything as it was seen at one time.
type sight struct {
	at       time.Time
	own      handler.Observed
	away     time.Time // since when the brokers do not do what this instance asks; zero: they do
	gone     string    // a topic that does not exist any more; empty: none
	paused   *model.Pause
	storage  *Storage
	others   []model.InstanceStatus // that are alive
	silent   []model.InstanceStatus // that are not, and have not said goodbye
	grouped  bool                   // the other instances are known
	topic    string                 // of the source
	loadedAt time.Time

	source []SourcePartition // all, in order
	state  []StatePartition
	counts counts
	rates  model.Rates

	joined, left []string // instances, lately
	slope        float64  // of lag, messages a second
	steadily     bool
	sloped       bool      // slope is known
	heard        time.Time // when the group read an event last, or this instance was started
	consumed     bool      // an event was read since then
	reads        float64   // events a second, committed or not
}

// counts are of partitions of the source.
type counts struct {
	all, owned int
	missing    map[int32]bool // those without an owner
}

// ask asks everybody: what they know of themselves, of all instances, and how the partials' topic is called.
func (v *View) ask(now time.Time) (s sight, all []model.InstanceStatus, partials string) {
	spec, processor, _, loadedAt := v.src.Loader.Loaded()
	s = sight{at: now, own: v.src.Engine.Observed(), topic: spec.Source.Topic, loadedAt: loadedAt}
	if v.src.Group != nil {
		s.grouped, s.paused, all = true, v.src.Group.Paused(), v.src.Group.Instances()
	}
	if v.src.Recorder != nil {
		state := v.src.Recorder.State()
		s.storage = &state
	}
	if derived, ok := processor.Derived(); ok {
		partials = derived.Partials
	}
	return s, all, partials
}

// see puts together what they have said.
func (v *View) see(s *sight, all []model.InstanceStatus, partials string) {
	now := s.at
	s.gone = v.gone
	switch {
	case len(s.own.Troubles) > 0:
		v.troubled, s.away = now, s.own.Troubles[0].Since
		if !v.seen.away.IsZero() {
			s.away = v.seen.away
		}
	case now.Sub(v.troubled) < recovering: // one attempt ends and another one begins
		s.away = v.seen.away
	}
	v.roster.look(s, all)
	if partials == "" { // there are no aggregates any more: what was known of their partitions is of no use
		clear(v.roster.state)
	}
	v.meter.add(now, &s.own)
	v.partitions(s, v.counts[s.topic], v.counts[partials])
	s.rates = v.sum(s)
	s.heard, s.consumed = v.seen.heard, v.seen.consumed
	if s.heard.IsZero() {
		s.heard = v.cfg.StartedAt
	}
	for i := range s.source {
		s.reads += s.source[i].Rate
	}
	if s.rates.In > 0 || s.reads > 0 {
		s.heard, s.consumed = now, true
	}
}

// sum is what the whole group does.
func (v *View) sum(s *sight) model.Rates {
	sum, times := v.meter.rates(1), [][]model.Latency{s.own.Latency}
	if s.away.IsZero() { // of the others nothing is heard then
		for i := range s.others {
			sum = add(sum, s.others[i].Rates)
			times = append(times, s.others[i].EndToEnd)
		}
	}
	list := merged(times...)
	sum.P50, sum.P99 = quantile(list, 0.5), quantile(list, 0.99)
	sum.Lag = lag(s.source)
	return sum
}

// lag is how many messages wait in partitions that somebody reads. nil: of one of them that is not known.
func lag(source []SourcePartition) *int64 {
	sum, some := int64(0), false
	for i := range source {
		switch p := &source[i]; {
		case p.Owner == nil:
		case p.Lag == nil:
			return nil
		default:
			sum, some = sum+*p.Lag, true
		}
	}
	if !some {
		return nil
	}
	return &sum
}
