package group

import (
	"math"
	"slices"
)

// quotas sets how many partitions of each topic each subscriber shall have: n/k of them, and the remainder as extras
// of one each. Who gets an extra is a minimum cost flow from topics to members, solved by successive shortest paths
// (Ahuja, Magnanti, Orlin: Network Flows, chapter 9): the cost of a member's load grows with its square, which makes the
// totals even, and far below that, an extra that goes to a member who must be handed a partition for it costs a move.
// Between equal moves it prefers a member that owns nothing yet, so that the old ones are left alone when one joins.
func quotas(topics []*topic, members int) {
	f := &flow{topics: topics, load: make([]int64, members), given: make([][]int, members), owns: make([]int, members), move: 1}
	for _, t := range topics {
		base := t.partitions / len(t.subscribers)
		for _, i := range t.subscribers {
			t.quota[i] = base
			f.load[i] += int64(base)
			f.owns[i] += t.owns[i]
		}
		f.move += int64(t.partitions % len(t.subscribers))
	}
	f.even = f.move * (f.move + 1)
	for n, t := range topics {
		for range t.partitions % len(t.subscribers) {
			f.push(n)
		}
	}
}

// flow is the state of the extras. Its nodes are the topics, followed by the members.
type flow struct {
	topics []*topic
	load   []int64 // partitions of each member
	given  [][]int // topics of which each member has an extra
	owns   []int   // partitions that each member owns
	move   int64   // the price of a move: more than that of bothering every member
	even   int64   // the price of unevenness: more than that of all moves
}

// price is 0 when member i keeps a partition thanks to an extra of topic t, and that of a move when one has to move.
func (f *flow) price(t, i int) int64 {
	base := f.topics[t].partitions / len(f.topics[t].subscribers)
	if f.topics[t].owns[i] > base {
		return 0
	}
	return f.move + int64(min(f.owns[i], 1))
}

// push gives one more extra of topic source away, on the cheapest path: extras that were given before may be handed on
// from member to member on the way.
func (f *flow) push(source int) {
	cost, from := f.paths(source)
	best, end := int64(math.MaxInt64), -1
	for i, load := range f.load {
		at := cost[len(f.topics)+i]
		if at == math.MaxInt64 {
			continue
		}
		if c := at + (2*load+1)*f.even; c < best { // (load+1)^2 - load^2
			best, end = c, i
		}
	}
	f.load[end]++
	for i := end; ; {
		t := from[len(f.topics)+i]
		f.given[i] = append(f.given[i], t)
		f.topics[t].quota[i]++
		if t == source {
			return
		}
		i = from[t] - len(f.topics)
		f.given[i] = slices.DeleteFunc(f.given[i], func(g int) bool { return g == t })
		f.topics[t].quota[i]--
	}
}

// paths are the costs of the cheapest paths from topic source to all nodes, and each node's predecessor on its path
// (Bellman-Ford with a queue; taking an extra back from a member refunds its price).
func (f *flow) paths(source int) (cost []int64, from []int) {
	n := len(f.topics) + len(f.load)
	cost, from = slices.Repeat([]int64{math.MaxInt64}, n), make([]int, n)
	waiting := make([]bool, n)
	cost[source] = 0
	queue := []int{source}
	relax := func(a, b int, price int64) {
		if cost[a]+price >= cost[b] {
			return
		}
		cost[b], from[b] = cost[a]+price, a
		if !waiting[b] {
			waiting[b] = true
			queue = append(queue, b)
		}
	}
	for len(queue) > 0 {
		a := queue[0]
		queue, waiting[a] = queue[1:], false
		if a >= len(f.topics) {
			i := a - len(f.topics)
			for _, t := range f.given[i] {
				relax(a, t, -f.price(t, i))
			}
			continue
		}
		for _, i := range f.topics[a].subscribers {
			if !slices.Contains(f.given[i], a) {
				relax(a, len(f.topics)+i, f.price(a, i))
			}
		}
	}
	return cost, from
}
