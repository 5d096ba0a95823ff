package view

import (
	"slices"
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

const (
	// surveyOld is when what a run has told of its partitions is too old to say how far behind they are.
	surveyOld = 5 * time.Second
	// waitingOld is the same for an instance that stands still and looks less often.
	waitingOld = 15 * time.Second
	// changing is how long a partition may be without an owner, as it always is for a moment when the group shares them
	// out anew, until that is shown.
	changing = 2 * time.Second
)

// The states of a source partition.
const (
	stateActive     = "active"
	stateIdle       = "idle"
	statePaused     = "paused"
	stateAway       = "away"
	stateUnassigned = "unassigned"
)

// owned is what was known last of a partition, and when.
type owned[P any] struct {
	status P
	owner  string
	at     time.Time
}

// partitions puts together what all instances have.
func (v *View) partitions(s *sight, sources, partials int32) {
	source, state := map[int32]owned[model.PartitionStatus]{}, map[int32]owned[model.MergeStatus]{}
	others := slices.Clone(s.others)
	slices.SortFunc(others, func(a, b model.InstanceStatus) int { return a.At.Compare(b.At) }) // the latest word counts
	for i := range others {
		o := &others[i]
		for _, p := range o.Partitions {
			if !s.away.IsZero() {
				p.State, p.Lag, p.End, p.Rate = stateAway, nil, nil, 0
			}
			source[p.Partition] = owned[model.PartitionStatus]{p, o.Instance, s.at}
		}
		for _, p := range o.Merging {
			state[p.Partition] = owned[model.MergeStatus]{p, o.Instance, s.at}
		}
	}
	for _, p := range v.ownSource(s) {
		source[p.Partition] = owned[model.PartitionStatus]{p, s.own.Instance, s.at}
	}
	for _, p := range ownMerging(s) {
		state[p.Partition] = owned[model.MergeStatus]{p, s.own.Instance, s.at}
	}
	v.roster.complete(s, source, state, sources, partials)
}

// ownSource are the partitions of the source that this instance has.
func (v *View) ownSource(s *sight) (list []model.PartitionStatus) {
	if !holds(s) {
		return nil
	}
	old := surveyOld
	if s.own.Phase == handler.StatePaused {
		old = waitingOld
	}
	for i := range s.own.Source {
		p := &s.own.Source[i]
		status := model.PartitionStatus{Partition: p.Partition, State: stateActive, Position: p.Position, Rate: rounded(v.meter.partition(p.Partition), 1), Watermark: watermark(p.Watermark)}
		if p.End >= 0 && s.away.IsZero() && s.at.Sub(s.own.Surveyed) < old {
			status.End, status.Lag = new(p.End), new(p.End-p.Position)
		}
		switch {
		case !s.away.IsZero():
			status.State, status.Rate = stateAway, 0
		case s.own.Phase == handler.StatePaused:
			status.State, status.Rate = statePaused, 0
		case !p.IdleSince.IsZero():
			status.State, status.IdleSince = stateIdle, new(stamp(p.IdleSince))
		}
		list = append(list, status)
	}
	return list
}

// holds tells whether what this instance knows of partitions is still its own. While brokers are away nobody has taken them.
func holds(s *sight) bool {
	return !s.away.IsZero() || s.own.Phase != handler.StateStarting && s.own.Phase != handler.StateStandby
}

// ownMerging are the partitions of the partials that this instance has.
func ownMerging(s *sight) (list []model.MergeStatus) {
	if !holds(s) {
		return nil
	}
	for _, p := range s.own.Merging {
		list = append(list, model.MergeStatus{Partition: p.Partition, Watermark: watermark(p.Watermark), WindowsOpen: p.Open, Groups: p.Groups, Restored: rounded(p.Restored, 3)})
	}
	return list
}

func watermark(ms int64) *time.Time {
	if ms == aggregate.NoWatermark || ms == 0 {
		return nil
	}
	return new(time.UnixMilli(ms).UTC())
}

// Partitions are all partitions of the source and of the partials, with the instances that have them.
func (v *View) Partitions() Partitions {
	v.mu.Lock()
	defer v.mu.Unlock()
	return Partitions{Source: append([]SourcePartition{}, v.seen.source...), State: append([]StatePartition{}, v.seen.state...)}
}
