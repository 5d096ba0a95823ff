package group

import (
	"cmp"
	"maps"
	"slices"

	"data-stream-engine/model"
)

// subscriber is what the leader knows about a member.
type subscriber struct {
	id, instance string
	topics       []string
	owned        possessions
}

// shares are the partitions of each member, by member id, ordered by topic and partition.
type shares map[string][]model.TopicPartition

// assign shares the partitions of the topics out, counts being the number of each topic's partitions. Each topic is
// spread evenly over the members that subscribed to it (nobody has two more than another), the totals are as even as
// that allows, and of all such assignments it is one that moves the fewest partitions away from who owns them.
// It is a pure function: the order of the members does not matter.
func assign(members []subscriber, counts map[string]int32) shares {
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b subscriber) int {
		// By instance id first, since the member id of a static member is new after each restart.
		return cmp.Or(cmp.Compare(a.instance, b.instance), cmp.Compare(a.id, b.id))
	})
	topics := subscriptions(members, counts)
	settleClaims(topics, members)
	quotas(topics, len(members))

	out := make(shares, len(members))
	for _, m := range members {
		out[m.id] = nil
	}
	for _, t := range topics {
		for p, i := range t.place() {
			out[members[i].id] = append(out[members[i].id], model.TopicPartition{Topic: t.name, Partition: int32(p)})
		}
	}
	return out
}

// topic is one topic on its way to being assigned. Members are indices into the sorted list.
type topic struct {
	name        string
	partitions  int
	subscribers []int
	owner       []int       // of each partition, nobody when it is free
	claim       []int32     // the generation of each partition's owner
	owns        map[int]int // partitions that each member owns
	quota       map[int]int // partitions that each member shall have
}

const nobody = -1

// subscriptions lists the topics that exist and somebody wants, in the order of their names.
func subscriptions(members []subscriber, counts map[string]int32) []*topic {
	byName := map[string]*topic{}
	for i, m := range members {
		for _, name := range m.topics {
			n := int(counts[name])
			t := byName[name]
			if t == nil && n > 0 {
				t = &topic{name: name, partitions: n, owner: slices.Repeat([]int{nobody}, n), claim: make([]int32, n),
					owns: map[int]int{}, quota: map[int]int{}}
				byName[name] = t
			}
			if t != nil && !slices.Contains(t.subscribers, i) {
				t.subscribers = append(t.subscribers, i)
			}
		}
	}
	topics := make([]*topic, 0, len(byName))
	for _, t := range byName {
		topics = append(topics, t)
	}
	slices.SortFunc(topics, func(a, b *topic) int { return cmp.Compare(a.name, b.name) })
	return topics
}

// settleClaims finds the owner of each partition. When two members claim one, the claim of the later generation is
// right, as the other member slept through a rebalance; at the same generation the first member keeps it.
func settleClaims(topics []*topic, members []subscriber) {
	for _, t := range topics {
		for _, i := range t.subscribers {
			for _, tp := range members[i].owned.partitions {
				p, g := int(tp.Partition), members[i].owned.generation
				if tp.Topic != t.name || p < 0 || p >= t.partitions {
					continue
				}
				if t.owner[p] == nobody || g > t.claim[p] {
					t.owner[p], t.claim[p] = i, g
				}
			}
		}
		for _, i := range t.owner {
			if i != nobody {
				t.owns[i]++
			}
		}
	}
}

// place gives each partition a member: its owner as far as the owner's quota reaches, and whoever has room otherwise.
func (t *topic) place() []int {
	room := make(map[int]int, len(t.quota))
	maps.Copy(room, t.quota)
	at := slices.Clone(t.owner)
	for p, i := range at {
		if i == nobody {
			continue
		}
		if room[i] == 0 {
			at[p] = nobody
			continue
		}
		room[i]--
	}
	next := 0
	for p, i := range at {
		if i != nobody {
			continue
		}
		for room[t.subscribers[next]] == 0 {
			next++
		}
		at[p] = t.subscribers[next]
		room[at[p]]--
	}
	return at
}
