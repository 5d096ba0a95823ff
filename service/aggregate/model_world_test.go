package aggregate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// world is a seed: everything that there is, and who takes the next step.
type world struct {
	seed        uint64
	rng         *rand.Rand
	profile     profile
	definitions [2][]*Definition
	now         time.Time
	trace       *strings.Builder // nil: nobody listens
	err         error            // the first thing that is wrong
	healing     bool             // no faults any more

	sources     []*source
	replays     []*replays
	left        int // events to come
	partials    []*txLog
	changelog   []*txLog
	insights    []*txLog
	coordinator coordinator
	group       group
	instances   []*instance
	born        int
	restoring   map[int32]int // readers of a changelog
	rounds      int
	happened    map[string]int
	judge       judge
}

func newWorld(seed uint64, trace *strings.Builder) *world {
	r := rand.New(rand.NewPCG(seed, 1))
	w := &world{seed: seed, rng: r, profile: newProfile(r), now: time.UnixMilli(1_800_000_000_000), trace: trace, restoring: map[int32]int{}, happened: map[string]int{}}
	w.definitions = versions(r, &w.profile)
	w.left = w.profile.events
	w.group = group{members: map[*instance]int{}, joined: map[*instance]bool{}, assigned: map[*instance][]place{}, committed: map[place]position{}}
	w.coordinator = coordinator{group: &w.group, producers: map[string]*producer{}}
	for n := range w.profile.sources {
		w.sources = append(w.sources, &source{number: int32(n), at: epoch + int64(r.IntN(20_000))})
	}
	for n := range int32(w.profile.sources) {
		if w.profile.replays {
			w.replays = append(w.replays, &replays{number: n})
		}
	}
	for n := range int32(w.profile.partials) {
		w.partials = append(w.partials, &txLog{place: place{partialsTopic, n}})
		w.changelog = append(w.changelog, &txLog{place: place{changelogTopic, n}})
		w.insights = append(w.insights, &txLog{place: place{insightsTopic, n}})
	}
	for range w.profile.instances {
		w.spawn("")
	}
	w.judge = newJudge(w)
	w.say("%+v", w.profile)
	return w
}

// spawn starts a process.
func (w *world) spawn(id string) {
	w.born++
	name := fmt.Sprintf("instance %d", w.born)
	if id == "" {
		id = name
	}
	i := &instance{world: w, name: name, id: id, states: map[int32]*Partition{}, version: w.rng.IntN(2)}
	w.instances = append(w.instances, i)
	w.say("%s starts as %q with pipeline file %d", i, id, i.version)
}

func (w *world) say(format string, args ...any) {
	if w.trace != nil {
		fmt.Fprintf(w.trace, "%8d ", w.now.UnixMilli()-1_800_000_000_000)
		fmt.Fprintf(w.trace, format+"\n", args...)
	}
}

func (w *world) must(err error) {
	if err != nil && w.err == nil {
		w.say("WRONG: %v", err)
		w.err = err
	}
}

func (w *world) logs(at place) *txLog {
	switch at.topic {
	case partialsTopic:
		return w.partials[at.number]
	case changelogTopic:
		return w.changelog[at.number]
	default:
		return w.insights[at.number]
	}
}

// partition is an empty state, with a mark that no other state has.
func (w *world) partition(number int32) *Partition {
	return NewPartition(number, int32(len(w.partials)))
}

func (w *world) pick(numbers []int32) int32 {
	if len(numbers) == 0 {
		return -1
	}
	return numbers[w.rng.IntN(len(numbers))]
}

// run lives through a seed.
func (w *world) run() error {
	for n := 0; (n < 400 || w.left > 0) && n < 3000 && w.err == nil; n++ {
		w.step()
	}
	w.heal()
	if w.err == nil {
		w.must(w.judge.verdict())
	}
	return w.err
}

// step lets somebody do something.
func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.rng.IntN(60)) * time.Millisecond)
	if w.profile.idle && w.rng.IntN(60) == 0 {
		w.now = w.now.Add(4 * time.Second)
	}
	if w.rng.IntN(100) >= w.profile.slowMarkers {
		w.mark()
	}
	if w.left > 0 && w.rng.IntN(8) == 0 {
		s := w.sources[w.rng.IntN(len(w.sources))]
		if n := s.append(w.rng, &w.profile); n > 0 {
			w.left -= n
			w.say("%d events come to source %d", n, s.number)
		}
	}
	if w.profile.replays && w.rng.IntN(30) == 0 {
		w.replay()
	}
	if w.group.preparing && w.rng.IntN(6) == 0 {
		w.rebalance()
	}
	if w.rng.IntN(1000) < w.profile.faults {
		w.fault()
	}
	w.small()
	if len(w.instances) > 0 {
		if i := w.instances[w.rng.IntN(len(w.instances))]; !i.frozen {
			i.step()
		}
	}
}

// mark writes a marker of a transaction that has ended.
func (w *world) mark() {
	if n := len(w.coordinator.ending); n > 0 {
		t := w.coordinator.ending[w.rng.IntN(n)]
		w.coordinator.marker(t, w.rng.IntN(t.markers()))
	}
}

// small are things that happen now and then, and are no faults.
func (w *world) small() {
	if len(w.instances) == 0 {
		return
	}
	switch w.rng.IntN(400) {
	case 0:
		if w.profile.added && len(w.sources) < 6 {
			s := &source{number: int32(len(w.sources)), at: epoch + int64(w.rng.IntN(60_000))}
			w.sources = append(w.sources, s)
			w.judge.calm = false
			w.happened["source partitions added"]++
			w.say("source %d is new", s.number)
			w.group.preparing = true
		}
	case 1, 2, 3, 4:
		number := int32(w.rng.IntN(len(w.changelog)))
		if w.profile.compacts && w.restoring[number] == 0 {
			w.changelog[number].compact()
		}
	case 5, 6, 7, 8:
		w.timeOut()
	case 9, 10, 11:
		if i := w.instances[w.rng.IntN(len(w.instances))]; w.profile.mixed && i.phase == working && !i.frozen {
			w.say("%s is to be replaced by a new version", i)
			i.leaves = true
			i.end()
		}
	case 12:
		if !w.group.preparing && w.rng.IntN(3) == 0 {
			w.group.preparing = true
			w.say("the group is told to rebalance")
		}
	}
}

// timeOut has the coordinator abort a transaction: of a process that is gone, mostly.
func (w *world) timeOut() {
	ids := slices.Sorted(maps.Keys(w.coordinator.producers))
	if len(ids) == 0 {
		return
	}
	p := w.coordinator.producers[ids[w.rng.IntN(len(ids))]]
	if p.txn == nil || p.txn.decided || slices.Contains(w.instances, p.txn.owner) && (w.profile.faults == 0 || w.rng.IntN(8) > 0) {
		return
	}
	w.say("the coordinator aborts transaction %d of %s", p.txn.number, p.txn.owner)
	w.happened["transactions timed out"]++
	w.coordinator.abort(p)
}

// fault is a crash, a process that stands still, or one that wakes up.
func (w *world) fault() {
	if len(w.instances) == 0 || len(w.instances) < w.profile.instances {
		w.spawn("")
		return
	}
	n := w.rng.IntN(len(w.instances))
	i := w.instances[n]
	switch w.rng.IntN(6) {
	case 0, 1: // it comes back at once, under the same name or another one
		w.say("%s crashes", i)
		w.happened["crashes"]++
		w.bury(n)
		if id := i.id; w.rng.IntN(2) == 0 {
			w.spawn(id)
		}
	case 2: // somebody has started a second one with the same name
		w.say("%s stands still, and is replaced", i)
		i.frozen = true
		w.spawn(i.id)
	default:
		i.frozen = !i.frozen
		w.say("%s stands still: %v", i, i.frozen)
	}
}

// bury ends a process.
func (w *world) bury(n int) {
	i := w.instances[n]
	if i.run != nil {
		for _, m := range i.run.missing {
			if m.begun {
				w.restoring[m.number]--
			}
		}
	}
	w.instances = slices.Delete(w.instances, n, n+1)
	if w.group.members[i] != 0 || w.group.joined[i] {
		w.group.preparing = true
	}
	delete(w.group.joined, i)
}

// rebalance makes the next generation of those who have joined. Members that have not may be left out: they are gone, or
// the group thinks so.
func (w *world) rebalance() {
	g := &w.group
	if len(g.joined) == 0 {
		return
	}
	for _, i := range w.instances {
		if g.members[i] == g.generation && g.generation > 0 && !g.joined[i] && !i.frozen && (w.healing || w.rng.IntN(30) > 0) {
			return
		}
	}
	var members []*instance
	for i := range g.joined {
		members = append(members, i)
	}
	slices.SortFunc(members, func(a, b *instance) int { return strings.Compare(a.name, b.name) })
	g.generation++
	g.preparing = false
	before := g.assigned
	g.members, g.joined, g.assigned = map[*instance]int{}, map[*instance]bool{}, map[*instance][]place{}
	for _, i := range members {
		g.members[i] = g.generation
	}
	sticky := w.rng.IntN(2) == 0
	give := func(at place) {
		to := members[w.rng.IntN(len(members))]
		for _, i := range members {
			if sticky && slices.Contains(before[i], at) {
				to = i
			}
		}
		g.assigned[to] = append(g.assigned[to], at)
	}
	for n := range w.sources {
		give(place{sourceTopic, int32(n)})
	}
	for n := range w.replays {
		give(place{replayTopic, int32(n)})
	}
	for n := range w.partials {
		give(place{partialsTopic, int32(n)})
	}
	w.say("generation %d of %v", g.generation, members)
	w.happened["rebalances"]++
}

// heal ends all trouble, and lets everything come to its end.
func (w *world) heal() {
	w.say("from here on all goes well")
	w.healing = true
	for n, i := range slices.Backward(slices.Clone(w.instances)) {
		if i.frozen && len(w.instances) > 1 {
			w.say("%s is gone for good", i)
			w.bury(n)
		} else {
			i.frozen = false
		}
	}
	if len(w.instances) == 0 {
		w.spawn("")
	}
	w.rest(1)
	if !w.profile.idle { // events that nobody counts move all watermarks beyond all windows
		for _, s := range w.sources {
			s.log = append(s.log, event{time: epoch + 1<<40, stamp: epoch + 1<<40, fate: filtered})
		}
	}
	w.rest(4)
}

// rest lets everybody work until nothing is committed any more, though time passes, for so many times.
func (w *world) rest(times int) {
	for quiet := 0; quiet < times && w.err == nil; quiet++ {
		for range 60 {
			if w.round() {
				quiet = 0
			}
			if w.err != nil {
				return
			}
		}
		w.now = w.now.Add(30 * time.Second)
		if w.rounds++; w.rounds > 100 {
			w.must(errors.New("it does not come to rest"))
		}
	}
}

// round lets everybody do everything once, and tells whether anything was committed.
func (w *world) round() bool {
	before := w.judge.transactions
	w.now = w.now.Add(50 * time.Millisecond)
	for _, id := range slices.Sorted(maps.Keys(w.coordinator.producers)) { // of processes that are gone
		if p := w.coordinator.producers[id]; p.txn != nil && !p.txn.decided && (!slices.Contains(w.instances, p.txn.owner) || p.txn.owner.epoch != p.epoch) {
			w.coordinator.abort(p)
		}
	}
	for len(w.coordinator.ending) > 0 {
		w.mark()
	}
	if w.group.preparing {
		w.rebalance()
	}
	for _, i := range slices.Clone(w.instances) {
		i.step()
		for _, do := range []func(){i.restore, i.process, i.look, i.poll, func() { i.merge(false) }, i.close} {
			if i.phase == working {
				do()
			}
		}
		for n := 0; n < 12 && i.run != nil; n++ {
			i.transact()
		}
	}
	return w.judge.transactions != before
}

func sortedOffsets(all map[place]position) string {
	var b strings.Builder
	for _, at := range slices.SortedFunc(maps.Keys(all), func(a, b place) int { return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.number, b.number)) }) {
		p := all[at]
		fmt.Fprintf(&b, "%s %d: %d", topicNames[at.topic], at.number, p.offset)
		if at.topic == partialsTopic {
			fmt.Fprintf(&b, " (%d)", p.sequence)
		} else {
			fmt.Fprintf(&b, " (%d, %v)", max(p.watermark, 0)-epoch, p.idle)
		}
		b.WriteString("; ")
	}
	return b.String()
}
