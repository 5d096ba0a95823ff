package view

import (
	"maps"
	"slices"
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
)

// hearing is how long it takes the others to tell of themselves once brokers are back.
const hearing = 15 * time.Second

// roster remembers the instances of the group, and who has had which partition.
type roster struct {
	others []model.InstanceStatus // that were alive when somebody could be heard last
	away   time.Time              // when nobody could be heard last
	source map[int32]owned[model.PartitionStatus]
	state  map[int32]owned[model.MergeStatus]
}

func newRoster() roster {
	return roster{source: map[int32]owned[model.PartitionStatus]{}, state: map[int32]owned[model.MergeStatus]{}}
}

// look tells the others that are alive from those that have fallen silent. While no broker can be reached nobody can be
// heard, which says nothing about them.
func (r *roster) look(s *sight, all []model.InstanceStatus) {
	var alive, silent []model.InstanceStatus
	for _, i := range all {
		switch {
		case i.Instance == s.own.Instance:
		case i.Alive:
			alive = append(alive, i)
		case i.State != handler.StateStopping:
			silent = append(silent, i)
		}
	}
	if !s.away.IsZero() {
		r.away = s.at
	}
	if s.at.Sub(r.away) < hearing {
		for _, i := range r.others {
			if !slices.ContainsFunc(alive, func(other model.InstanceStatus) bool { return other.Instance == i.Instance }) {
				alive = append(alive, i)
			}
		}
		silent = nil
	}
	s.others, s.silent = alive, silent
	r.others = alive
}

// complete adds the partitions that nobody has, when all instances are known: with what was known of them last. count is how
// many there are, 0 when that is not known.
func (r *roster) complete(s *sight, source map[int32]owned[model.PartitionStatus], state map[int32]owned[model.MergeStatus], sources, partials int32) {
	maps.Copy(r.source, source)
	maps.Copy(r.state, state)
	s.counts = counts{missing: map[int32]bool{}}
	for _, number := range numbers(r.source, source, sources, s.grouped) {
		p, has := holder(source, r.source, number, s.at)
		line := SourcePartition{PartitionStatus: p.status}
		if _, known := r.source[number]; known {
			line.Position = new(p.status.Position)
		}
		s.counts.all++
		if has {
			s.counts.owned++
			line.Owner = &p.owner
		} else {
			line.Partition, line.State, line.Lag, line.Rate, line.IdleSince = number, stateUnassigned, nil, 0, nil
			s.counts.missing[number] = true
		}
		s.source = append(s.source, line)
	}
	for _, number := range numbers(r.state, state, partials, s.grouped) {
		p, has := holder(state, r.state, number, s.at)
		line := StatePartition{MergeStatus: p.status}
		line.Partition = number
		if has {
			line.Owner = &p.owner
		}
		s.state = append(s.state, line)
	}
}

// holder is what is known of a partition, and whether somebody has it, or had it a moment ago.
func holder[P any](now, known map[int32]owned[P], number int32, at time.Time) (p owned[P], has bool) {
	if p, has = now[number]; has {
		return p, true
	}
	p, has = known[number]
	return p, has && at.Sub(p.at) < changing
}

// numbers are the partitions to be shown: those that somebody has, and, when all instances are known, the others as well.
func numbers[P any](known, now map[int32]owned[P], count int32, grouped bool) []int32 {
	all := map[int32]bool{}
	for number := range now {
		all[number] = true
	}
	if grouped {
		for number := range count {
			all[number] = true
		}
		if count == 0 { // how many there are could not be asked yet
			for number := range known {
				all[number] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}
