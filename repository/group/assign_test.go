package group

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"data-stream-engine/model"
)

// world is a group as the assignor sees it from generation to generation.
type world struct {
	rnd        *rand.Rand
	members    []subscriber
	counts     map[string]int32
	generation int32
	born       int
}

func newWorld(seed uint64) *world {
	w := &world{rnd: rand.New(rand.NewPCG(seed, 1)), counts: map[string]int32{}}
	for i := range 1 + w.rnd.IntN(4) {
		w.counts[fmt.Sprint("t", i)] = 1 + w.rnd.Int32N(17)
	}
	for range 1 + w.rnd.IntN(5) {
		w.join(sortedKeys(w.counts))
	}
	return w
}

func (w *world) join(topics []string) string {
	w.born++
	m := subscriber{id: fmt.Sprintf("m%d-%d", w.rnd.IntN(100), w.born), topics: topics, owned: possessions{generation: -1}}
	w.members = append(w.members, m)
	return m.id
}

// turn assigns and lets every member own what it got.
func (w *world) turn() shares {
	w.generation++
	w.rnd.Shuffle(len(w.members), func(i, j int) { w.members[i], w.members[j] = w.members[j], w.members[i] })
	s := assign(w.members, w.counts)
	for i := range w.members {
		w.members[i].owned = possessions{partitions: s[w.members[i].id], generation: w.generation}
	}
	return s
}

// owners inverts shares and fails when a partition is with nobody or with two.
func owners(t *testing.T, s shares, counts map[string]int32) map[model.TopicPartition]string {
	t.Helper()
	out := map[model.TopicPartition]string{}
	for id, partitions := range s {
		for _, tp := range partitions {
			if other, twice := out[tp]; twice {
				t.Fatalf("%v is with %s and %s", tp, other, id)
			}
			out[tp] = id
		}
	}
	for name, n := range counts {
		for p := range n {
			if _, ok := out[model.TopicPartition{Topic: name, Partition: p}]; !ok {
				t.Fatalf("%s/%d is with nobody: %v", name, p, s)
			}
		}
	}
	return out
}

func spreadOf(loads map[string]int) int {
	all := slices.Collect(maps.Values(loads))
	return slices.Max(all) - slices.Min(all)
}

// requireBalance checks each topic over its subscribers, and the totals when all subscribe to the same.
func requireBalance(t *testing.T, members []subscriber, s shares) {
	t.Helper()
	perTopic, total, same := map[string]map[string]int{}, map[string]int{}, true
	for _, m := range members {
		same = same && reflect.DeepEqual(m.topics, members[0].topics)
		total[m.id] = len(s[m.id])
		for _, name := range m.topics {
			if perTopic[name] == nil {
				perTopic[name] = map[string]int{}
			}
			perTopic[name][m.id] = 0
		}
	}
	for id, partitions := range s {
		for _, tp := range partitions {
			if _, wants := perTopic[tp.Topic][id]; !wants {
				t.Fatalf("%s got %v, which it did not subscribe to", id, tp)
			}
			perTopic[tp.Topic][id]++
		}
	}
	for name, loads := range perTopic {
		if spreadOf(loads) > 1 {
			t.Fatalf("topic %s is spread %v", name, loads)
		}
	}
	if same && spreadOf(total) > 1 {
		t.Fatalf("totals are %v: %v", total, s)
	}
}

func moved(before, after map[model.TopicPartition]string) []model.TopicPartition {
	var out []model.TopicPartition
	for tp, id := range before {
		if after[tp] != id {
			out = append(out, tp)
		}
	}
	return out
}

func TestAssignmentsStayEvenAndMoveOnlyWhatTheyMust(t *testing.T) {
	for seed := range uint64(500) {
		w := newWorld(seed)
		before := owners(t, w.turn(), w.counts)
		for range 12 {
			switch w.rnd.IntN(4) {
			case 0: // nothing changes, nothing moves
				after := owners(t, w.turn(), w.counts)
				if m := moved(before, after); len(m) > 0 {
					t.Fatalf("seed %d: %v moved though nothing changed", seed, m)
				}
				before = after
			case 1: // a member joins: what moves goes to it, or makes up for what its new owner gave to it
				id := w.join(sortedKeys(w.counts))
				after := owners(t, w.turn(), w.counts)
				lost := map[string]int{}
				for _, tp := range moved(before, after) {
					lost[before[tp]]++
				}
				for _, tp := range moved(before, after) {
					if to := after[tp]; to != id && (len(w.counts) == 1 || lost[to] == 0) {
						t.Fatalf("seed %d: %v moved from %s to %s when %s joined", seed, tp, before[tp], to, id)
					}
				}
				before = after
			case 2: // a member leaves: only what it had moves, or what its owner had to exchange
				if len(w.members) == 1 {
					continue
				}
				gone := w.members[0].id
				w.members = w.members[1:]
				after := owners(t, w.turn(), w.counts)
				won := map[string]int{}
				for _, tp := range moved(before, after) {
					won[after[tp]]++
				}
				for _, tp := range moved(before, after) {
					if from := before[tp]; from != gone && (len(w.counts) == 1 || won[from] == 0) {
						t.Fatalf("seed %d: %v moved from %s to %s when %s left", seed, tp, from, after[tp], gone)
					}
				}
				before = after
			case 3: // a topic grows
				name := sortedKeys(w.counts)[w.rnd.IntN(len(w.counts))]
				w.counts[name] += w.rnd.Int32N(5)
				before = owners(t, w.turn(), w.counts)
			}
			requireBalance(t, w.members, ownedShares(w.members))
		}
	}
}

func ownedShares(members []subscriber) shares {
	s := shares{}
	for _, m := range members {
		s[m.id] = m.owned.partitions
	}
	return s
}

func TestMembersGetOnlyTopicsTheySubscribedTo(t *testing.T) {
	for seed := range uint64(300) {
		w := newWorld(seed)
		all := sortedKeys(w.counts)
		for range 6 {
			w.join(all[:1+w.rnd.IntN(len(all))])
			s := w.turn()
			owners(t, s, w.counts)
			requireBalance(t, w.members, s)
		}
	}
}

func TestAssignmentDoesNotDependOnTheOrderOfMembers(t *testing.T) {
	for seed := range uint64(200) {
		w := newWorld(seed)
		w.turn()
		w.join(sortedKeys(w.counts))
		want := assign(w.members, w.counts)
		for range 5 {
			w.rnd.Shuffle(len(w.members), func(i, j int) { w.members[i], w.members[j] = w.members[j], w.members[i] })
			if got := assign(w.members, w.counts); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: %v, in another order %v", seed, want, got)
			}
		}
	}
}

// The best that any assignment can do, found by trying all quotas: the totals' squares first, then the moves.
func TestNoAssignmentIsMoreEvenOrMovesLess(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		counts := map[string]int32{}
		for i := range 1 + rnd.IntN(3) {
			counts[fmt.Sprint("t", i)] = 1 + rnd.Int32N(5)
		}
		names := sortedKeys(counts)
		members := make([]subscriber, 2+rnd.IntN(2))
		for i := range members {
			members[i] = subscriber{id: fmt.Sprint("m", i), topics: names[rnd.IntN(len(names)):]}
		}
		members[0].topics = names
		for name, n := range counts {
			for p := range n {
				if i := rnd.IntN(len(members) + 1); i < len(members) {
					members[i].owned.partitions = append(members[i].owned.partitions, model.TopicPartition{Topic: name, Partition: p})
				}
			}
		}
		gotSquares, gotKept := score(members, assign(members, counts))
		squares, kept := exhaust(members, names, counts)
		if gotSquares != squares || gotKept != kept {
			t.Fatalf("seed %d: squares %d and %d kept, possible are %d and %d", seed, gotSquares, gotKept, squares, kept)
		}
	}
}

func score(members []subscriber, s shares) (squares, kept int) {
	for _, m := range members {
		squares += len(s[m.id]) * len(s[m.id])
		for _, tp := range s[m.id] {
			if slices.Contains(m.owned.partitions, tp) {
				kept++
			}
		}
	}
	return squares, kept
}

// exhaust tries every way to hand out every topic's remainder.
func exhaust(members []subscriber, names []string, counts map[string]int32) (bestSquares, bestKept int) {
	bestSquares = 1 << 30
	loads := make([]int, len(members))
	var try func(topic, kept int)
	try = func(topic, kept int) {
		if topic == len(names) {
			squares := 0
			for _, l := range loads {
				squares += l * l
			}
			if squares < bestSquares || squares == bestSquares && kept > bestKept {
				bestSquares, bestKept = squares, kept
			}
			return
		}
		var subs []int
		for i, m := range members {
			if slices.Contains(m.topics, names[topic]) {
				subs = append(subs, i)
			}
		}
		n := int(counts[names[topic]])
		for mask := range 1 << len(subs) {
			quota, sum, keep := make([]int, len(subs)), 0, 0
			for b, i := range subs {
				quota[b] = n/len(subs) + mask>>b&1
				sum += quota[b]
				owned := 0
				for _, tp := range members[i].owned.partitions {
					if tp.Topic == names[topic] {
						owned++
					}
				}
				keep += min(owned, quota[b])
			}
			if sum != n {
				continue
			}
			for b, i := range subs {
				loads[i] += quota[b]
			}
			try(topic+1, kept+keep)
			for b, i := range subs {
				loads[i] -= quota[b]
			}
		}
	}
	try(0, 0)
	return bestSquares, bestKept
}

func TestTheLaterGenerationsClaimWins(t *testing.T) {
	p := []model.TopicPartition{{Topic: "t", Partition: 0}}
	q := []model.TopicPartition{{Topic: "t", Partition: 1}}
	s := assign([]subscriber{
		{id: "a", topics: []string{"t"}, owned: possessions{append(p, q...), 3}}, // slept through generation 4
		{id: "b", topics: []string{"t"}, owned: possessions{p, 4}},
	}, map[string]int32{"t": 2})
	if !reflect.DeepEqual(s, shares{"a": q, "b": p}) {
		t.Fatalf("got %v", s)
	}
}

func TestClaimsOfPartitionsThatAreGoneAreIgnored(t *testing.T) {
	had := []model.TopicPartition{{Topic: "gone", Partition: 0}, {Topic: "t", Partition: 7}, {Topic: "t", Partition: -1}}
	s := assign([]subscriber{{id: "a", topics: []string{"t", "gone", "t"}, owned: possessions{had, 1}}}, map[string]int32{"t": 1, "gone": 0})
	if !reflect.DeepEqual(s, shares{"a": {{Topic: "t", Partition: 0}}}) {
		t.Fatalf("got %v", s)
	}
}

func TestAStaticMemberKeepsItsPlaceUnderANewMemberID(t *testing.T) {
	topics, counts := []string{"t"}, map[string]int32{"t": 3}
	one := assign([]subscriber{{id: "x", instance: "pod-1", topics: topics}, {id: "a", instance: "pod-2", topics: topics}}, counts)
	two := assign([]subscriber{{id: "b", instance: "pod-1", topics: topics}, {id: "y", instance: "pod-2", topics: topics}}, counts)
	if !reflect.DeepEqual(one["x"], two["b"]) || !reflect.DeepEqual(one["a"], two["y"]) {
		t.Fatalf("%v became %v", one, two)
	}
}

func BenchmarkAssign(b *testing.B) {
	w := &world{rnd: rand.New(rand.NewPCG(1, 1)), counts: map[string]int32{"source": 1000, "replay": 1000}}
	for range 150 {
		w.join([]string{"replay", "source"})
	}
	w.turn()
	w.join([]string{"replay", "source"})
	for b.Loop() {
		assign(w.members, w.counts)
	}
}
