package view

import (
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
)

// Own is what this instance tells the group of itself. Its size is bounded by what it is made of: about 150 bytes for each
// partition. Who writes it adds when, and the hash of the pipeline file.
func (v *View) Own() model.InstanceStatus {
	now := sight{at: v.clock(), own: v.src.Engine.Observed()} // not that of the last look: others should hear at once
	if len(now.own.Troubles) > 0 {
		now.away = now.own.Troubles[0].Since
	}
	_, _, _, now.loadedAt = v.src.Loader.Loaded()
	v.mu.Lock()
	defer v.mu.Unlock()
	o := &now.own
	own := model.InstanceStatus{
		Instance: o.Instance, Version: v.cfg.Version, StartedAt: stamp(v.cfg.StartedAt), At: stamp(now.at), Ready: o.Report.Ready, State: state(&now),
		LoadedAt: stamp(now.loadedAt), Rates: v.ownRates(&now), Partitions: []model.PartitionStatus{}, Merging: []model.MergeStatus{},
		Inexact: !o.Exact, LastCommit: stamped(o.LastCommit), EndToEnd: o.Latency, Alive: true,
	}
	for _, c := range o.Report.Waiting {
		own.Waiting = append(own.Waiting, c.Name)
	}
	own.Partitions = append(own.Partitions, v.ownSource(&now)...)
	own.Merging = append(own.Merging, ownMerging(&now)...)
	return own
}

// ownRates are those of this instance over the last seconds.
func (v *View) ownRates(now *sight) model.Rates {
	r := round(v.meter.rates(meterSeconds))
	r.P50, r.P99 = quantile(now.own.Latency, 0.5), quantile(now.own.Latency, 0.99)
	sum, known := int64(0), false
	for _, p := range v.ownSource(now) {
		if p.Lag == nil {
			return r
		}
		sum, known = sum+*p.Lag, true
	}
	if known {
		r.Lag = &sum
	}
	return r
}

// state is what this instance is about, in one word.
func state(s *sight) string {
	switch {
	case s.own.Phase == handler.StateStopping:
	case !s.away.IsZero():
		return handler.StateAway
	case s.own.Phase == handler.StateReading && s.own.Restore.Partitions > 0:
		return handler.StateRestoring
	}
	return s.own.Phase
}

// instances are all that are known of the group, this one as it is now.
func (v *View) instances() []Instance {
	own := v.Own()
	known := []model.InstanceStatus{own}
	if v.src.Group != nil {
		for _, i := range v.src.Group.Instances() {
			if i.Instance == own.Instance {
				known[0].Every, known[0].Pipeline = i.Every, i.Pipeline
				continue
			}
			known = append(known, i)
		}
	}
	list := make([]Instance, len(known))
	for n := range known {
		list[n] = brief(known[n])
	}
	return list
}

// brief is a status that names partitions where it had all about them.
func brief(i model.InstanceStatus) Instance {
	b := Instance{InstanceStatus: i, Partitions: []int32{}, Merging: []int32{}}
	for _, p := range i.Partitions {
		b.Partitions = append(b.Partitions, p.Partition)
	}
	for _, p := range i.Merging {
		b.Merging = append(b.Merging, p.Partition)
	}
	b.Rates.Edges, b.EndToEnd = nil, nil
	return b
}

// left is how long a restore takes at its pace so far; nil while that is not known.
func left(r handler.RestoreState, now time.Time) *model.Seconds {
	const enough = 0.02 // of it has to be done to say anything
	took := now.Sub(r.Since).Seconds()
	if r.Done < enough || took <= 0 {
		return nil
	}
	return new(model.Seconds(rounded(took*(1-r.Done)/r.Done, 1)))
}
