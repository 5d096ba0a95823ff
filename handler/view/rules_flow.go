package view

import (
	"fmt"
	"slices"
	"time"

	"data-stream-engine/model"
)

const (
	leastGrowth = 20   // messages a second: below, lag does not grow
	partGrowth  = 0.01 // of what is read: below, neither
	leastBehind = 1000 // messages that are worth a word
	// behindBy and caughtBy are how many seconds of reading wait when a group is said to be behind, and when it is not any
	// more.
	behindBy = 5
	caughtBy = 2
	// mostOf is the part of the lag that makes a partition the one to look at.
	mostOf = 0.5
)

// fallingBehind is when lag has grown over 20 seconds, by more than what comes and goes.
func fallingBehind(_ *Config, s *sight, on bool) (f finding, ok bool) {
	if s.paused != nil || !s.sloped || s.rates.Lag == nil {
		return f, false
	}
	lag := float64(*s.rates.Lag)
	grows := s.slope > max(leastGrowth, partGrowth*s.rates.In)
	switch {
	case on && s.slope <= 0:
		return f, false
	case !on && (!grows || !s.steadily || lag < max(leastBehind, caughtBy*s.rates.In)):
		return f, false
	}
	f.level, f.title, f.loose = model.LevelWarn, "Falling behind", true
	f.reason = fmt.Sprintf("Lag grows by %s events a second: %s brings more than this group reads. %s", about(s.slope), s.topic, advice(s, lag))
	return f, true
}

// advice is what to do about lag.
func advice(s *sight, lag float64) string {
	do := "Start another replica"
	if readers := len(owners(s)); readers >= s.counts.all {
		do = fmt.Sprintf("Each of its %s has a replica of its own already: faster machines or more partitions help", count(s.counts.all, "partition"))
	}
	worst := slices.MaxFunc(s.source, func(a, b SourcePartition) int { return int(lagOf(&a) - lagOf(&b)) })
	if of := float64(lagOf(&worst)) / lag; s.counts.all > 1 && of >= mostOf {
		do += fmt.Sprintf(", or look at partition %d, which has %.0f %% of the lag", worst.Partition, 100*of)
	}
	return do + "."
}

func lagOf(p *SourcePartition) int64 {
	if p.Lag == nil {
		return 0
	}
	return *p.Lag
}

// standingStill is when events wait and none is read, though nothing is said to fail.
func standingStill(_ *Config, s *sight, _ bool) (f finding, ok bool) {
	if s.paused != nil || s.rates.Lag == nil || *s.rates.Lag == 0 || s.reads > 0 || s.rates.In > 0 {
		return f, false
	}
	f.level, f.title, f.loose = model.LevelWarn, "Nothing is read", true
	wait := "wait"
	if *s.rates.Lag == 1 {
		wait = "waits"
	}
	f.reason = fmt.Sprintf("%s of %s %s, and nothing has been read since %s.", count(int(*s.rates.Lag), "event"), s.topic, wait, clock(s.heard))
	return f, true
}

// farBehind is when much waits, and it does not get less.
func farBehind(_ *Config, s *sight, on bool) (f finding, ok bool) {
	if !behind(s, on) || !s.sloped || s.slope < -leastGrowth {
		return f, false
	}
	lag := float64(*s.rates.Lag)
	f.level, f.title, f.loose = model.LevelWarn, "Far behind", true
	f.reason = fmt.Sprintf("%s events of %s wait, and they do not get fewer: the group reads %s a second. %s", about(lag), s.topic, about(s.rates.In), advice(s, lag))
	return f, true
}

// behind tells whether so much waits that it is worth a word.
func behind(s *sight, on bool) bool {
	if s.rates.Lag == nil || s.paused != nil {
		return false
	}
	seconds := float64(behindBy)
	if on {
		seconds = caughtBy
	}
	return float64(*s.rates.Lag) >= max(leastBehind, seconds*s.rates.In)
}

// waitingForTheFirst is while the source is empty and nothing was read since the start.
func waitingForTheFirst(_ *Config, s *sight, _ bool) (f finding, ok bool) {
	if s.consumed || len(s.source) == 0 {
		return f, false
	}
	for i := range s.source {
		if end := s.source[i].End; end == nil || *end > 0 {
			return f, false
		}
	}
	f.level, f.title = model.LevelWait, "Waiting for the first event"
	f.reason = fmt.Sprintf("Connected and assigned. The topic %s has %s and no records yet.", s.topic, count(s.counts.all, "partition"))
	return f, true
}

// catchingUp is when much waits, and less with each second.
func catchingUp(_ *Config, s *sight, on bool) (f finding, ok bool) {
	if !behind(s, on) {
		return f, false
	}
	lag := float64(*s.rates.Lag)
	f.level, f.title, f.loose = model.LevelOK, "Catching up", true
	switch {
	case s.sloped && s.slope < -leastGrowth:
		left := time.Duration(lag / -s.slope * float64(time.Second))
		f.reason = fmt.Sprintf("%s events wait, and fewer each second: the end of %s is reached in about %s.", about(lag), s.topic, span(left))
	default:
		f.reason = fmt.Sprintf("%s events of %s wait; the group reads %s a second.", about(lag), s.topic, about(s.rates.In))
	}
	return f, true
}

// quiet is when everything is read and nothing comes.
func quiet(_ *Config, s *sight, _ bool) (f finding, ok bool) {
	if s.rates.In > 0 || s.rates.Lag == nil || *s.rates.Lag > 0 {
		return f, false
	}
	f.level, f.title = model.LevelOK, "Healthy"
	f.reason = fmt.Sprintf("Every partition is read to its end; nothing has come since %s.", clock(s.heard))
	return f, true
}

// healthy is when there is nothing else to say.
func healthy(_ *Config, s *sight, _ bool) (f finding, ok bool) {
	f.level, f.title, f.reason = model.LevelOK, "Healthy", "Every partition is read in step, nothing is retried."
	if s.rates.Lag == nil {
		f.reason = "Every partition has an owner; how far they are behind is being asked."
	}
	return f, true
}
