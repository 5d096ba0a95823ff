package view

import (
	"time"

	"data-stream-engine/model"
)

// verdict is what there is to say first.
type verdict struct {
	level         model.Level
	title, reason string
	since         time.Time
}

// rule finds one thing that there may be to say. It is said once it has been so for enter, and until it has not been so for
// leave, so that what comes and goes does not flicker.
type rule struct {
	enter, leave time.Duration
	// find says it, when there is reason to; on tells that it is being said. The numbers of a loose one change all the time
	// and are said anew now and then.
	find func(cfg *Config, s *sight, on bool) (f finding, ok bool)
}

type finding struct {
	verdict
	loose bool
}

// looseEvery is how often loose findings are said anew.
const looseEvery = 10 * time.Second

// rules are all of them, the one that is said before all others first.
func rules() []rule {
	return []rule{
		{0, 3 * time.Second, brokerAway},
		{0, 0, stopping},
		{0, 0, topicGone},
		{0, 0, starting},
		{0, 0, notRestored},
		{0, time.Second, restoring},
		{time.Second, time.Second, rebalancing},
		{3 * time.Second, 3 * time.Second, storageAway},
		{5 * time.Second, 3 * time.Second, replicaNotReady},
		{0, 3 * time.Second, fallingBehind},
		{20 * time.Second, 3 * time.Second, standingStill},
		{20 * time.Second, 3 * time.Second, farBehind},
		{0, 0, inexact},
		{0, 0, paused},
		{0, 0, waitingForTheFirst},
		{2 * time.Second, 3 * time.Second, catchingUp},
		{time.Minute, 0, quiet},
		{0, 0, healthy},
	}
}

// judge applies the rules. One goroutine uses it.
type judge struct {
	rules    []rule
	findings []standing
	said     verdict
}

// standing is how it is with one rule.
type standing struct {
	found       bool
	first, last time.Time // that it was found
	said        finding
	at          time.Time // when that was last put into words
	on          bool
}

// decide says what there is to say first.
func (j *judge) decide(cfg *Config, s *sight) verdict {
	if j.rules == nil {
		j.rules = rules()
		j.findings = make([]standing, len(j.rules))
	}
	var first *standing
	for i := range j.rules {
		if st := &j.findings[i]; st.look(&j.rules[i], cfg, s) && first == nil {
			first = st
		}
	}
	if first == nil { // healthy is always found
		return verdict{}
	}
	said := first.said.verdict
	switch {
	case !said.since.IsZero():
	case said.title == j.said.title:
		said.since = j.said.since
	case said.level == model.LevelOK: // it has been found all the time, behind what was worse
		said.since = s.at
	default:
		said.since = first.first
	}
	j.said = said
	return said
}

// look applies one rule, and tells whether there is something to say.
func (st *standing) look(r *rule, cfg *Config, s *sight) bool {
	f, ok := r.find(cfg, s, st.on)
	switch {
	case ok && !st.found && !st.on:
		st.found, st.first, st.last = true, s.at, s.at
		st.said, st.at = f, s.at
	case ok:
		st.found, st.last = true, s.at
		if !st.said.since.IsZero() && st.said.since.Before(f.since) {
			f.since = st.said.since // what fails first may be over, and something else fails since then
		}
		if !f.loose || f.level != st.said.level || f.title != st.said.title || s.at.Sub(st.at) >= looseEvery {
			st.said, st.at = f, s.at
		}
	default:
		st.found = false
	}
	st.on = st.found && s.at.Sub(st.first) >= r.enter || st.on && !st.found && s.at.Sub(st.last) < r.leave
	return st.on
}
