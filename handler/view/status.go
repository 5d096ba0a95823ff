package view

import (
	"time"
)

// Status is whether the service is healthy, with everything that belongs to that.
func (v *View) Status() Status {
	instances := v.instances()
	spec, _, _, loadedAt := v.src.Loader.Loaded()
	v.mu.Lock()
	defer v.mu.Unlock()
	o := &v.seen.own
	s := Status{
		Level: v.verdict.level, Title: v.verdict.title, Reason: v.verdict.reason, Since: stamp(v.verdict.since),
		Ready: o.Report.Ready, Waiting: []Waiting{}, Pipeline: spec.Name, Group: v.cfg.Group,
		Replica: o.Instance, Replicas: 1 + len(v.seen.others), Instances: instances, Version: v.cfg.Version, Delivery: v.cfg.Delivery,
		StartedAt: stamp(v.cfg.StartedAt), LoadedAt: stamp(loadedAt), Exact: o.Exact,
		Control: v.seen.paused, LastCommit: stamped(o.LastCommit), Storage: v.seen.storage,
	}
	for _, c := range o.Report.Waiting {
		s.Waiting = append(s.Waiting, Waiting{c.Name, c.Reason, stamp(c.Since)})
	}
	for i := range v.seen.others {
		s.Exact = s.Exact && !v.seen.others[i].Inexact
	}
	s.retry(&v.seen)
	if r := o.Restore; r.Partitions > 0 {
		s.Restore = &Restore{rounded(r.Done, 3), left(r, v.seen.at)}
	}
	return s
}

// retry adds what is tried again, how often it has been, and when it is next.
func (s *Status) retry(seen *sight) {
	if len(seen.own.Troubles) == 0 {
		return
	}
	attempts, next := 0, time.Time{}
	for _, t := range seen.own.Troubles {
		attempts = max(attempts, t.Attempts)
		if t.Next.After(seen.at) && (next.IsZero() || t.Next.Before(next)) {
			next = t.Next
		}
	}
	s.Attempts, s.NextRetryAt = &attempts, stamped(next)
}
