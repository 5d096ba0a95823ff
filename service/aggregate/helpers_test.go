package aggregate

import (
	"bytes"
	"math"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/measure"
)

// aggregateOf is an aggregate with tumbling windows of a minute.
func aggregateOf(measures ...model.Measure) *model.Aggregate {
	return &model.Aggregate{
		Name: "logins", GroupBy: byGroup(), Window: model.Window{Kind: model.Tumbling, Size: time.Minute},
		Measures: measures, Emit: model.EmitUpdates, Retention: time.Hour, MaxGroups: 1 << 30,
	}
}

// record is what a Writer was given.
type record struct {
	topic      topic
	key, value string
	tombstone  bool
}

// records keeps what a merge commit writes; expired partials have no key.
type records []record

func (r *records) put(t topic, key, value []byte) {
	*r = append(*r, record{t, string(key), string(value), value == nil})
}
func (r *records) Changelog(key, value []byte) { r.put(changelogTopic, key, value) }
func (r *records) Insight(key, value []byte)   { r.put(insightsTopic, key, value) }
func (r *records) Expired(document []byte)     { r.put(sourceTopic, nil, document) }

func (r *records) of(t topic) (all []record) {
	for _, x := range *r {
		if x.topic == t {
			all = append(all, x)
		}
	}
	return all
}

// nowhere takes nothing.
type nowhere struct{}

func (nowhere) Changelog(_, _ []byte) {}
func (nowhere) Insight(_, _ []byte)   {}
func (nowhere) Expired([]byte)        {}

// rig is one instance with one source partition and one partition of partials.
type rig struct {
	testing.TB
	defs      []*Definition
	combiner  *Combiner
	source    *Source
	announcer *Announcer
	part      *Partition
	now       time.Time
	tick      Tick
	log       records // all that was written and confirmed
}

func newRig(t testing.TB, aggregates ...*model.Aggregate) *rig {
	r := &rig{TB: t, source: &Source{Watermark: NoWatermark}, part: NewPartition(0, 1), now: time.UnixMilli(1_800_000_000_000)}
	r.tick = Tick{Sources: 1, CaughtUp: true, Budget: math.MaxInt, MaxBytes: math.MaxInt}
	r.deploy(aggregates...)
	return r
}

// deploy goes on with another pipeline file.
func (r *rig) deploy(aggregates ...*model.Aggregate) {
	r.Helper()
	r.defs = nil
	for _, a := range aggregates {
		r.defs = append(r.defs, NewDefinition("test", a))
	}
	var err error
	if r.combiner, err = NewCombiner(r.defs); err != nil {
		r.Fatal(err)
	}
	r.announcer = NewAnnouncer(r.defs, []*Source{r.source}, 1, 0, time.Minute, r.now)
}

// add counts an event of a group in all aggregates, if it is not late. x is the argument of all measures.
func (r *rig) add(t int64, group string, x int64) {
	r.Helper()
	inputs := make([]measure.Input, 0, 8)
	for n, d := range r.defs {
		if d.Late(t, r.source.Watermark) {
			continue
		}
		inputs = inputs[:0]
		for _, f := range d.Functions() {
			var in measure.Input
			if err := f.Prepare(&in, &measure.Scalar{Kind: measure.Int, Bits: uint64(x)}, &measure.Order{Time: t, Offset: r.source.Position}); err != nil {
				r.Fatal(err)
			}
			inputs = append(inputs, in)
		}
		r.combiner.Add(n, t, []byte(group), inputs)
	}
	r.source.Seen(t, -1)
	r.source.Position++
	r.announcer.Read(r.source, r.now)
}

// partials are the records of a transaction.
func (r *rig) partials() (all [][]byte) {
	r.announcer.Close(r.now, func(write func(int32, []byte)) { r.combiner.Flush(1, write) }, func(_ int32, b []byte) { all = append(all, bytes.Clone(b)) })
	return all
}

// merge takes the records of a transaction.
func (r *rig) merge() {
	r.Helper()
	all := r.partials()
	r.part.Expect(all)
	for _, b := range all {
		if err := r.part.Take(b); err != nil {
			r.Fatal(err)
		}
	}
}

// commit makes a merge commit without confirming it.
func (r *rig) commit() (records, Summary) {
	var out records
	r.now = r.now.Add(time.Second)
	r.tick.Now = r.now
	did := r.part.Commit(r.tick, &out)
	return out, did
}

// turn merges and commits.
func (r *rig) turn() (records, Summary) {
	r.Helper()
	r.merge()
	out, did := r.commit()
	r.part.Confirm()
	r.log = append(r.log, out...)
	return out, did
}

// pass moves the watermark with an event that nobody counts.
func (r *rig) pass(t int64) {
	r.source.Seen(t, -1)
	r.source.Position++
	r.announcer.Read(r.source, r.now)
}

// restored is the state that the changelog gives.
func (r *rig) restored() *Partition {
	r.Helper()
	p := NewPartition(0, 1)
	for _, c := range r.log.of(changelogTopic) {
		value := []byte(c.value)
		if c.tombstone {
			value = nil
		}
		if err := p.Restore([]byte(c.key), value); err != nil {
			r.Fatal(err)
		}
	}
	if err := p.Restored(); err != nil {
		r.Fatal(err)
	}
	return p
}
