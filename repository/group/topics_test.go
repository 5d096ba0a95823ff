package group

import (
	"fmt"
	"slices"
	"testing"

	"data-stream-engine/model"
)

// of are the partitions of an assignment that belong to a topic.
func of(a model.Assignment, topic string) (n []model.TopicPartition) {
	for _, tp := range a.Partitions {
		if tp.Topic == topic {
			n = append(n, tp)
		}
	}
	return n
}

// joinAll lets members join at once, as they do in a rebalance.
func joinAll(t *testing.T, members ...*Member) (all []model.Assignment) {
	t.Helper()
	var joining []<-chan model.Assignment
	for _, m := range members {
		joining = append(joining, later(t, m))
	}
	for _, got := range joining {
		all = append(all, <-got)
	}
	return all
}

// A group reads its source and what it derives for itself. Whoever joins gets its part of each, and nobody else's moves.
func TestEachTopicOfASubscriptionIsSpreadEvenly(t *testing.T) {
	r := newRig(t)
	source, partials := r.topic(6), r.topic(4)
	member := func() *Member { return r.member(r.config(source, "", source, partials)) }
	a, b, c := member(), member(), member()
	alone := join(t, a)
	requireAll(t, source, 6, alone)
	requireAll(t, partials, 4, alone)

	first, second := joinBeside(t, a, alone, b)
	for _, topic := range []string{source, partials} {
		if len(of(first, topic)) != len(of(second, topic)) {
			t.Errorf("%s is shared as %v and %v", topic, of(first, topic), of(second, topic))
		}
	}
	third := later(t, c)
	requireEnded(t, a, first, model.Rejoin)
	all := joinAll(t, a, b)
	all = append(all, <-third)
	requireAll(t, source, 6, all...)
	requireAll(t, partials, 4, all...)
	for i, now := range all {
		if len(of(now, source)) != 2 || len(of(now, partials)) < 1 || len(of(now, partials)) > 2 {
			t.Errorf("member %d has %v", i, now.Partitions)
		}
	}
	for i, before := range []model.Assignment{first, second} {
		for _, tp := range all[i].Partitions {
			if !slices.Contains(before.Partitions, tp) {
				t.Errorf("%v moved between those who had been there", tp)
			}
		}
	}
	if err := c.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	requireEnded(t, a, all[0], model.Rejoin)
	last := joinAll(t, a, b)
	requireAll(t, source, 6, last...)
	requireAll(t, partials, 4, last...)
	for i, before := range all[:2] {
		for _, tp := range before.Partitions {
			if !slices.Contains(last[i].Partitions, tp) {
				t.Errorf("%v moved though its owner stayed", tp)
			}
		}
	}
}

// A pipeline file that gets aggregates adds a topic, another KAFKA_SOURCE_TOPIC replaces one. A real coordinator lets a
// static member take over what its predecessor had, without a rebalance and without a look at what it subscribes to.
func TestAStaticMemberThatRestartsWithOtherTopicsGetsThem(t *testing.T) {
	for name, topics := range map[string]func(old, other string) []string{
		"added":    func(old, other string) []string { return []string{old, other} },
		"replaced": func(_, other string) []string { return []string{other} },
	} {
		for _, instances := range []int{1, 2} {
			t.Run(fmt.Sprint(name, "-", instances), func(t *testing.T) {
				r := newRig(t)
				old, other := r.topic(4), r.topic(3)
				members := []*Member{r.member(r.config(old, "pod-0", old))}
				all := []model.Assignment{join(t, members[0])}
				if instances == 2 {
					members = append(members, r.member(r.config(old, "pod-1", old)))
					first, second := joinBeside(t, members[0], all[0], members[1])
					all = []model.Assignment{first, second}
				}
				for i, m := range members { // a rolling restart: one of them leads
					if err := m.Leave(within(t)); err != nil {
						t.Fatal(err)
					}
					members[i] = r.member(r.config(old, fmt.Sprint("pod-", i), topics(old, other)...))
					got := later(t, members[i])
					for j, beside := range members {
						if j != i {
							requireEnded(t, beside, all[j], model.Rejoin)
							all[j] = join(t, beside)
						}
					}
					all[i] = <-got
					if name == "replaced" && len(of(all[i], old)) > 0 {
						t.Fatalf("%v are of a topic that it does not subscribe to", of(all[i], old))
					}
					if len(of(all[i], other)) == 0 {
						t.Fatalf("nothing of the new topic: %v", all[i].Partitions)
					}
				}
				requireAll(t, other, 3, all...)
				if name == "added" {
					requireAll(t, old, 4, all...)
				}
			})
		}
	}
}
