package aggregate

import (
	"data-stream-engine/service/measure"
)

// replays is a partition of the replay topic: dead letters that are processed again. They are events of any time that has
// been, they move no watermark and are late for nothing, and some are only for one aggregate, which they had missed.
type replays struct {
	number    int32
	log       []event
	processed []int // as in source
}

// replay sends a dead letter through again.
func (w *world) replay() {
	s := w.sources[w.rng.IntN(len(w.sources))]
	e := s.next(w.rng)
	for e.fate == letter { // its time is beyond all others
		e = s.next(w.rng)
	}
	e.fate, e.only = counts, []string{"", "", "t", "h", "s"}[w.rng.IntN(5)]
	e.time = max(epoch, e.time-int64(w.rng.IntN(60_000)))
	if w.profile.grid {
		e.time = max(epoch, nearSecond(w.rng, e.time))
	}
	r := w.replays[w.rng.IntN(len(w.replays))]
	r.log = append(r.log, e)
	w.judge.calm = false // what had closed is written anew
	w.happened["letters replayed"]++
	w.say("a letter of %d is replayed through %d for %q", e.time-epoch, r.number, e.only)
}

// again reads some events of a partition of the replay topic.
func (i *instance) again(number int32) {
	r := i.run
	from, log := r.replays[number], i.replays[number].log
	for n := 1 + i.rng.IntN(i.profile.cut); n > 0 && r.replays[number] < int64(len(log)); n-- {
		i.recount(number, &log[r.replays[number]])
		r.replays[number]++
	}
	if to := r.replays[number]; to > from {
		i.say("%s reads replays %d from %d to %d", i, number, from, to)
		r.replayed[number] = true
	}
}

// recount is what package service does with a replayed event.
func (i *instance) recount(number int32, e *event) {
	combiner := i.run.combiners[int(number)%len(i.run.combiners)]
	for n, d := range i.definitions[i.version] {
		if e.only == "" || e.only == d.Name {
			i.add(combiner, n, d, e, measure.Order{Time: e.time, Partition: number, Offset: i.run.replays[number]})
		}
	}
}

// recounted is what replays add to the reference.
func (j *judge) recounted(all map[string]*tally, sessions map[string][]member) {
	for _, r := range j.replays {
		for offset := range r.processed {
			e, version := &r.log[offset], r.processed[offset]
			for _, d := range j.definitions[version] {
				if e.only == "" || e.only == d.Name {
					j.count(all, sessions, d, e, version, NoWatermark)
				}
			}
		}
	}
}
