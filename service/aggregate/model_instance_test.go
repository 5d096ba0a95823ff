package aggregate

import (
	"errors"
	"slices"
	"time"

	"data-stream-engine/service/measure"
)

// What an instance is doing.
type phase byte

const (
	joining  phase = iota
	starting       // it has an assignment, and asks for a producer's epoch and the offsets
	working
	ending // the group wants its partitions back
)

// instance is one process. It drives Combiner, Announcer and Partition as package handler does.
type instance struct {
	*world
	name    string
	id      string // transactional
	version int    // of its pipeline file

	frozen     bool
	leaves     bool // it ends with its assignment
	phase      phase
	epoch      int
	clean      bool
	generation int
	assigned   []place
	states     map[int32]*Partition // kept from one assignment to the next
	run        *modelRun
}

// modelRun is the work on one assignment.
type modelRun struct {
	sources   map[int32]*Source
	order     []*Source
	announcer *Announcer
	combiners []*Combiner // one a worker
	count     int32       // source partitions that the topic has
	moved     map[int32]bool
	replays   map[int32]int64 // positions in the replay topic
	again     []int32         // its partitions
	replayed  map[int32]bool  // those that moved

	merging map[int32]*modelMerging
	parts   []int32
	missing []*modelRestore
	emitted time.Time
	more    bool
	ready   *modelMerge
	on      *modelMerge   // on its way, or ready
	queue   []*modelBatch // transactions, the first one is under way
}

type modelMerging struct {
	state    *Partition
	position position
	caughtUp bool
}

type modelRestore struct {
	number   int32
	position position
	begun    bool
	state    *Partition
	at, end  int64
}

func (i *instance) String() string { return i.name }

// step does whatever comes next.
func (i *instance) step() {
	if i.leaves && i.phase != ending {
		i.say("%s has left", i)
		i.bury(slices.Index(i.instances, i))
		i.spawn("")
		return
	}
	switch i.phase {
	case joining:
		switch g := &i.group; {
		case g.joined[i]:
		case g.members[i] == g.generation && g.generation > i.generation:
			i.generation, i.assigned, i.phase = g.generation, g.assigned[i], starting
			i.say("%s is in generation %d with %v", i, i.generation, i.assigned)
		default:
			i.say("%s joins", i)
			g.join(i)
		}
	case starting:
		i.start()
	case working:
		i.work()
	case ending:
		if len(i.run.queue) > 0 {
			i.transact()
			return
		}
		i.halt()
		i.phase = joining
	}
}

// end is what the end of an assignment begins with.
func (i *instance) end() {
	i.phase = ending
	i.run.missing = nil
	i.merge(true)
	i.close()
}

// start is the way to a run.
func (i *instance) start() {
	if i.replaced() {
		return
	}
	if !i.clean {
		epoch, ok := i.coordinator.init(i.id)
		if !ok {
			return
		}
		i.epoch, i.clean = epoch, true
	}
	offsets, ok := i.group.fetch(i.assigned)
	if !ok {
		return
	}
	i.begin(offsets)
	i.phase = working
}

// replaced finds out, as a heartbeat does, that the group has gone on without this instance.
func (i *instance) replaced() bool {
	gone := !i.group.has(i) || i.group.preparing
	if !gone || i.rng.IntN(4) > 0 {
		return false
	}
	i.say("%s is called to join", i)
	i.phase = joining
	return true
}

// begin is newRun, newWindows and newMerger.
func (i *instance) begin(offsets map[place]position) {
	r := &modelRun{sources: map[int32]*Source{}, moved: map[int32]bool{}, replays: map[int32]int64{}, replayed: map[int32]bool{}, merging: map[int32]*modelMerging{}, emitted: i.now, count: int32(len(i.sources))}
	for _, at := range i.assigned {
		p := offsets[at]
		if at.topic == sourceTopic {
			s := &Source{Partition: at.number, Epoch: 7, Watermark: p.watermark, Idle: p.idle, Position: p.offset}
			r.sources[at.number], r.order = s, append(r.order, s)
			continue
		}
		if at.topic == replayTopic {
			r.replays[at.number], r.again = p.offset, append(r.again, at.number)
			continue
		}
		r.parts = append(r.parts, at.number)
		if state := i.states[at.number]; state != nil && state.Settle(p.sequence) {
			r.merging[at.number] = &modelMerging{state: state, position: p}
			i.say("%s keeps the state of %d as of merge commit %d", i, at.number, p.sequence)
			i.happened["states kept"]++
		} else {
			r.missing = append(r.missing, &modelRestore{number: at.number, position: p})
		}
	}
	i.states = map[int32]*Partition{}
	slices.Sort(r.parts)
	for range 1 + i.rng.IntN(2) {
		c, err := NewCombiner(i.definitions[i.version])
		i.must(err)
		r.combiners = append(r.combiners, c)
	}
	r.announcer = NewAnnouncer(i.definitions[i.version], r.order, int32(len(i.partials)), i.profile.interval, i.profile.timeout, i.now)
	i.run = r
}

// halt ends a run; states are kept.
func (i *instance) halt() {
	if i.run == nil {
		return
	}
	for number, m := range i.run.merging {
		i.states[number] = m.state
	}
	i.run = nil
}

// failed is what follows from an error: the epoch and all that is not committed are given up.
func (i *instance) failed(err error) {
	i.say("%s: %v", i, err)
	i.happened[err.Error()]++
	i.clean = false
	if errors.Is(err, errFenced) && slices.ContainsFunc(i.instances, func(o *instance) bool { return o != i && o.id == i.id }) {
		i.id = i.name // somebody else has that name now: it goes on under another one
	}
	i.halt()
	if i.phase != ending {
		i.phase = starting
	}
	if errors.Is(err, errRejoin) || i.phase == ending {
		i.phase = joining
	}
}

// work does one thing of a run, whichever.
func (i *instance) work() {
	if i.group.preparing && i.rng.IntN(8) == 0 || !i.group.has(i) && i.rng.IntN(20) == 0 {
		i.say("%s is called to join, and ends", i)
		i.end()
		return
	}
	switch n := i.rng.IntN(100); {
	case n < 25:
		i.process()
	case n < 35:
		i.look()
	case n < 50:
		i.poll()
	case n < 60:
		i.merge(false)
	case n < 70:
		i.restore()
	case n < 80:
		i.close()
	default:
		i.transact()
	}
}

// process reads some events of a source partition.
func (i *instance) process() {
	r := i.run
	if len(r.order)+len(r.again) == 0 || len(r.queue) > 1 {
		return
	}
	which := i.rng.IntN(len(r.order) + len(r.again))
	if which >= len(r.order) {
		i.again(r.again[which-len(r.order)])
		return
	}
	s := r.order[which]
	from, log := s.Position, i.sources[s.Partition].log
	for n := 1 + i.rng.IntN(i.profile.cut); n > 0 && s.Position < int64(len(log)); n-- {
		i.count(s, &log[s.Position])
		s.Position++
	}
	if s.Position > from {
		i.say("%s reads source %d from %d to %d", i, s.Partition, from, s.Position)
		r.moved[s.Partition] = true
		r.announcer.Read(s, i.now)
	}
}

// count is what package service does with an event.
func (i *instance) count(s *Source, e *event) {
	if e.fate == letter {
		return
	}
	order := measure.Order{Time: e.time, Partition: s.Partition, Offset: s.Position}
	combiner := i.run.combiners[int(s.Partition)%len(i.run.combiners)]
	for n, d := range i.definitions[i.version] {
		if e.fate == filtered || d.Late(e.time, s.Watermark) {
			continue
		}
		i.add(combiner, n, d, e, order)
	}
	s.Seen(e.time, e.stamp)
}

// add counts an event in one aggregate.
func (i *instance) add(combiner *Combiner, n int, d *Definition, e *event, order measure.Order) {
	inputs := make([]measure.Input, len(d.Functions()))
	for k, f := range d.Functions() {
		x := measure.Scalar{Kind: measure.Int, Bits: uint64(e.x)}
		if d.Measures[k].Function == "count" {
			x = measure.Scalar{}
		}
		i.must(f.Prepare(&inputs[k], &x, &order))
	}
	var group []byte
	if len(d.GroupBy) > 0 {
		group = []byte(e.group)
	}
	combiner.Add(n, e.time, group, inputs)
}

// look finds idle partitions.
func (i *instance) look() {
	for _, s := range i.run.order {
		if s.Position == int64(len(i.sources[s.Partition].log)) && !i.run.moved[s.Partition] {
			i.run.announcer.Quiet(s, i.now)
		} else {
			i.run.announcer.Behind(s, i.now)
		}
	}
}

// poll reads some partials.
func (i *instance) poll() {
	r := i.run
	number := i.pick(r.parts)
	m := r.merging[number]
	if m == nil {
		return
	}
	l, n := i.partials[number], 0
	most := 1 << 30
	if !i.healing && i.rng.IntN(2) == 0 {
		most = i.rng.IntN(12)
	}
	m.position.offset = l.read(m.position.offset, most, func(e *logEntry) {
		n++
		i.must(m.state.Take(e.value))
	})
	m.caughtUp = m.position.offset >= l.end
	if n > 0 {
		i.say("%s merges %d records of partials %d, up to %d", i, n, number, m.position.offset)
	}
}

// merge makes a merge commit, if there is anything to commit and none on its way.
func (i *instance) merge(last bool) {
	r := i.run
	if r.on != nil || !last && !r.more && i.now.Sub(r.emitted) < i.profile.interval {
		return
	}
	r.more, r.emitted = false, i.now
	out := &modelMerge{positions: map[place]position{}}
	for _, number := range r.parts {
		m := r.merging[number]
		if m == nil {
			continue
		}
		tick := Tick{Now: i.now, Sources: r.count, CaughtUp: m.caughtUp, Budget: i.profile.budget, MaxBytes: i.profile.bytes}
		if !m.state.Needed(tick) {
			continue
		}
		did := m.state.Commit(tick, &modelWriter{&out.written, number})
		r.more = r.more || did.More
		m.position.sequence = m.state.Next()
		out.positions[place{partialsTopic, number}] = m.position
		i.say("%s makes merge commit %d of %d: %d updates, %d finals, watermark %d", i, m.state.Next(), number, did.Updates, did.Finals, did.Watermark-epoch)
	}
	if len(out.positions) > 0 {
		r.ready, r.on = out, out
	}
}
