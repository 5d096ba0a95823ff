package view

import (
	"errors"
	"testing"
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
)

func (r *rig) away(yes bool) {
	r.observed.Troubles = nil
	if yes {
		r.observed.Troubles = []handler.Trouble{{Op: "fetch", Err: errors.New("gone"), Since: r.now, Attempts: 2}}
	}
}

// What comes and goes is said once, until it has been away for a while.
func TestTroubleThatComesAndGoesDoesNotFlicker(t *testing.T) {
	r := newRig(t)
	r.pass(5, 100)
	r.requireSays(model.LevelOK, "Healthy")
	var since time.Time
	for i := range 20 {
		r.away(i%3 == 0)
		r.pass(1, 100)
		r.requireSays(model.LevelBad, "Broker away")
		if s := r.Status(); i == 0 {
			since = s.Since
		} else if !s.Since.Equal(since) {
			t.Errorf("since %s, before it was %s", s.Since, since)
		}
	}
	r.away(false)
	r.pass(3, 100)
	r.requireSays(model.LevelOK, "Healthy")
	if s := r.Status(); r.now.Sub(s.Since) > 3*time.Second {
		t.Errorf("healthy since %s, it is %s", s.Since, r.now)
	}
}

func TestTheWorstIsSaidFirst(t *testing.T) {
	r := newRig(t)
	r.pass(5, 100)
	for _, c := range []struct {
		level model.Level
		title string
		set   func()
	}{
		{model.LevelPaused, "Paused", func() { r.pause = &model.Pause{At: r.now} }},
		{model.LevelWarn, "Counts may be off", func() { r.observed.Exact = false }},
		{model.LevelWarn, "Storage away", func() { r.storage.OK = false }},
		{model.LevelWait, "Restoring", func() { r.observed.Restore.Partitions = 2 }},
		{model.LevelBad, "Broker away", func() { r.away(true) }},
	} {
		c.set()
		r.pass(5, 0)
		r.requireSays(c.level, c.title)
	}
}

// A rebalance that is over in a moment, as most are, is a mark and no state.
func TestShortRebalanceIsNoState(t *testing.T) {
	r := newRig(t)
	r.pass(5, 100)
	r.instances[1].Partitions = nil
	r.observed.Generations++
	r.pass(1, 100)
	r.requireSays(model.LevelOK, "Healthy")
	if p := r.Partitions().Source[5]; p.Owner == nil || *p.Owner != "engine-3" {
		t.Errorf("%+v", p)
	}
	r.pass(3, 100)
	r.requireSays(model.LevelWait, "Rebalancing")
	r.instances[1] = other("engine-3", 4, 6)
	r.pass(2, 100)
	r.requireSays(model.LevelOK, "Healthy")
}

// Lag that goes up and down, as it does with every batch, is no growth.
func TestLagThatSwingsIsNoGrowth(t *testing.T) {
	r := newRig(t)
	n := int64(0)
	r.pass(2, 1000)
	for range 100 {
		n++
		r.behindBy(1500 + 1400*(n%7)/7)
		r.pass(1, 1000)
		r.requireSays(model.LevelOK, "Healthy")
	}
}

func TestFallingBehindEndsWhenLagShrinks(t *testing.T) {
	r := newRig(t)
	lag := int64(0)
	r.pass(30, 1000, func() { lag += 2000; r.behindBy(lag) })
	r.requireSays(model.LevelWarn, "Falling behind")
	said := r.Status().Reason
	r.pass(5, 1000, func() { lag += 2150; r.behindBy(lag) })
	if now := r.Status().Reason; now != said {
		t.Errorf("within seconds another sentence:\n%s\n%s", said, now)
	}
	r.pass(10, 1000, func() { lag += 4000; r.behindBy(lag) })
	if now := r.Status().Reason; now == said {
		t.Errorf("still: %s", now)
	}
	r.pass(30, 1000, func() { lag -= 1500; r.behindBy(lag) })
	r.requireSays(model.LevelOK, "Catching up")
	r.pass(60, 1000, func() { lag = max(lag-1500, 0); r.behindBy(lag) })
	r.requireSays(model.LevelOK, "Healthy")
}

// While the brokers are away nothing is heard of anybody, which says nothing about them.
func TestAwayBrokersFreezeTheGroup(t *testing.T) {
	r := newRig(t)
	r.pass(5, 100)
	r.away(true)
	for i := range r.instances {
		r.instances[i].Alive = false
	}
	r.pass(60, 0)
	s, rates := r.Status(), r.Rates()
	if s.Replicas != 3 || rates.Lag != nil || rates.In != 0 {
		t.Errorf("%d replicas, lag %v, in %v", s.Replicas, rates.Lag, rates.In)
	}
	for _, p := range r.Partitions().Source {
		if p.State != stateAway || p.Owner == nil || p.Lag != nil || p.End != nil || *p.Position != 1000 || p.Rate != 0 {
			t.Errorf("%+v", p)
		}
	}
	r.away(false)
	r.pass(10, 100)
	if s := r.Status(); s.Level != model.LevelOK || s.Replicas != 3 {
		t.Errorf("%s: %s; %d replicas, which had no time to tell of themselves", s.Title, s.Reason, s.Replicas)
	}
	r.pass(10, 100)
	if s := r.Status(); s.Replicas != 1 {
		t.Errorf("%d replicas, but of the others nothing is heard", s.Replicas)
	}
}
