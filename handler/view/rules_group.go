package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
)

// overdue is how much longer than the session timeout partitions may be without an owner, until somebody should look.
const overdue = 30 * time.Second

// rebalancing is while partitions of the source have no owner.
func rebalancing(cfg *Config, s *sight, _ bool) (f finding, ok bool) {
	missing := s.counts.all - s.counts.owned
	if missing == 0 || s.paused != nil {
		return f, false
	}
	f.level, f.title = model.LevelWait, "Rebalancing"
	if gone, had := silent(s); gone != nil {
		f.reason = fmt.Sprintf("%s is not heard of any more; %s, which it had, go to others when SESSION_TIMEOUT (%s) is over.", plain(gone.Instance), partitionList(had), span(cfg.SessionTimeout))
		if time.Duration(float64(gone.Age)*float64(time.Second)) > cfg.SessionTimeout+overdue {
			f.level, f.title = model.LevelWarn, "Partitions without an owner"
			f.reason = fmt.Sprintf("Nobody that is heard of reads %s of %s since %s fell silent. Look who else is a member of the consumer group %s.", partitionList(had), s.topic, plain(gone.Instance), plain(cfg.Group))
		}
		return f, true
	}
	var why []string
	if len(s.joined) > 0 {
		why = append(why, list(s.joined)+" joined the group.")
	}
	if len(s.left) > 0 {
		why = append(why, list(s.left)+" left the group.")
	}
	if len(why) == 0 {
		why = append(why, "The group shares its partitions out anew.")
	}
	f.reason = fmt.Sprintf("%s %d of %s are assigned; the others follow within seconds.", strings.Join(why, " "), s.counts.owned, count(s.counts.all, "partition"))
	return f, true
}

// silent is an instance that is not heard of any more, and what it had of what nobody reads now.
func silent(s *sight) (gone *model.InstanceStatus, had []int32) {
	for i := range s.silent {
		for _, p := range s.silent[i].Partitions {
			if s.counts.missing[p.Partition] {
				had = append(had, p.Partition)
			}
		}
		if len(had) > 0 {
			return &s.silent[i], had
		}
	}
	return nil, nil
}

// storageAway is when insights cannot be stored.
func storageAway(_ *Config, s *sight, _ bool) (f finding, ok bool) {
	if s.storage == nil || s.storage.OK {
		return f, false
	}
	name := map[string]string{"sqlite": "SQLite", "postgres": "PostgreSQL"}[s.storage.Kind]
	if name == "" {
		name = "The storage"
	}
	why := ""
	if s.storage.Reason != nil {
		why = ": " + strings.TrimSuffix(plain(*s.storage.Reason), ".")
	}
	f.level, f.title = model.LevelWarn, "Storage away"
	f.reason = fmt.Sprintf("%s does not take insights and dead letters%s. The stream goes on and nothing is lost: they are stored from where that stopped as soon as it works again.", name, why)
	return f, true
}

// replicaNotReady is when another instance says that something keeps it from its work.
func replicaNotReady(_ *Config, s *sight, _ bool) (f finding, ok bool) {
	var names, why []string
	for i := range s.others {
		if o := &s.others[i]; !o.Ready && o.State != handler.StateStarting && o.State != handler.StateRestoring && o.State != handler.StateStopping {
			names = append(names, o.Instance)
			why = append(why, o.Waiting...)
		}
	}
	if len(names) == 0 {
		return f, false
	}
	slices.Sort(why)
	be := "is"
	if len(names) > 1 {
		be = "are"
	}
	f.level, f.title = model.LevelWarn, "A replica is not ready"
	f.reason = fmt.Sprintf("%s %s not ready", list(names), be)
	if why = slices.Compact(why); len(why) > 0 {
		f.reason += " (" + list(why) + ")"
	}
	f.reason += "; its own status says more. What the others read goes on."
	return f, true
}

// paused is when somebody has asked the group to stand still.
func paused(cfg *Config, s *sight, _ bool) (f finding, ok bool) {
	if s.paused == nil {
		return f, false
	}
	all, still := 1+len(s.others), 0
	if s.own.Phase == handler.StatePaused {
		still++
	}
	for i := range s.others {
		if s.others[i].State == handler.StatePaused {
			still++
		}
	}
	who := fmt.Sprintf("All %d replicas of %s have", all, plain(cfg.Group))
	switch {
	case all == 1:
		who = fmt.Sprintf("The only replica of %s has", plain(cfg.Group))
	case still < all:
		who = fmt.Sprintf("%d of %d replicas of %s have", still, all, plain(cfg.Group))
	}
	why := ""
	if s.paused.Reason != "" {
		why = ": “" + plain(s.paused.Reason) + "”"
	}
	f.level, f.title, f.since = model.LevelPaused, "Paused", s.paused.At
	f.reason = fmt.Sprintf("%s stopped reading%s. Nothing is lost; lag grows until somebody resumes.", who, why)
	return f, true
}

// inexact is when events have counted twice.
func inexact(_ *Config, s *sight, _ bool) (f finding, ok bool) {
	found := !s.own.Exact
	for i := range s.others {
		found = found || s.others[i].Inexact
	}
	if !found {
		return f, false
	}
	f.level, f.title = model.LevelWarn, "Counts may be off"
	f.reason = fmt.Sprintf("The offsets of %s were moved back from outside, so some events count twice in windows. Start afresh under a new KAFKA_GROUP_ID.", s.topic)
	if s.own.Repeats {
		f.reason = "Events were read again after an error or a crash, so some count twice in windows, as DELIVERY_GUARANTEE=at_least_once allows."
	}
	return f, true
}

// owners are the instances that have partitions of the source.
func owners(s *sight) []string {
	all := map[string]bool{}
	for i := range s.source {
		if o := s.source[i].Owner; o != nil {
			all[*o] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
