package service

import (
	"bytes"
	"math"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

// Simulation is one instance and its Kafka, in memory: it makes of messages what the engine would, with all that
// aggregates need - the watermarks of source partitions, partials, merge commits. Its clock is what its caller says.
// It is for one goroutine.
type Simulation struct {
	processor *Processor
	out       collector // its records are those of the latest Process
	now       time.Time
	sources   map[int32]*aggregate.Source
	order     []*aggregate.Source
	announcer *aggregate.Announcer
	parts     []*aggregate.Partition
	latest    map[string][]byte // insights by their keys, as a compacted topic has them
	err       error
}

// NewSimulation starts afresh: no window has an event. It leaves p alone. partitions gives the partition count of a topic;
// nil: one each. One partition merges all groups: several would share max_groups, and each would begin with a window of
// its own that nothing is compared with, so that what comes out would depend on the hash of a group.
func NewSimulation(p *Processor, partitions func(topic string) int32) *Simulation {
	return newSimulation(p, partitions, 1)
}

func newSimulation(p *Processor, partitions func(topic string) int32, count int32) *Simulation {
	s := &Simulation{processor: p.Clone(), sources: map[int32]*aggregate.Source{}, latest: map[string][]byte{}}
	s.out = collector{topics: p.Topics(), partitions: partitions}
	if len(p.Definitions()) == 0 {
		return s
	}
	for number := range count {
		s.parts = append(s.parts, aggregate.NewPartition(number, count))
	}
	return s
}

// Source is what is known of a source partition, for Explainer.From. It is only to be read.
func (s *Simulation) Source(partition int32) *aggregate.Source {
	s.know([]model.Message{{Partition: partition}})
	return s.sources[partition]
}

// Process runs messages through the pipeline, and returns what the engine would produce and a count of fates. Those of one
// partition are in the order of their offsets. now is the time of the whole batch, not before that of the last one.
func (s *Simulation) Process(messages []model.Message, now time.Time) ([]Written, model.Result) {
	s.now = now
	s.know(messages)
	s.out.messages, s.out.next, s.out.end, s.out.records = messages, 0, 0, nil
	var all model.Result
	for s.out.next < len(messages) {
		source := s.sources[messages[s.out.next].Partition]
		for s.out.end < len(messages) && s.sources[messages[s.out.end].Partition] == source {
			s.out.end++
		}
		s.processor.From(source)
		all.Add(s.processor.Process(&s.out, &s.out, now))
		source.Position = max(source.Position, messages[s.out.end-1].Offset+1)
		s.announcer.Read(source, now)
		if s.processor.Full() {
			s.merge()
		}
	}
	return s.out.records, all
}

// know assigns the source partitions of messages. As with every assignment, what was open is committed before.
func (s *Simulation) know(messages []model.Message) {
	before := len(s.order)
	for i := range messages {
		q := messages[i].Partition
		if s.sources[q] == nil {
			// The partitions that nothing comes from are idle in life: here they are not there, so the others move up.
			s.sources[q] = &aggregate.Source{Partition: int32(len(s.order)), Watermark: aggregate.NoWatermark}
			s.order = append(s.order, s.sources[q])
		}
	}
	if len(s.order) == before {
		return
	}
	s.merge()
	s.announcer = aggregate.NewAnnouncer(s.processor.Definitions(), s.order, int32(len(s.parts)), 0, 0, s.now)
}

// merge commits what was collected, and makes a merge commit of all partitions.
func (s *Simulation) merge() {
	if s.announcer == nil || len(s.parts) == 0 {
		return
	}
	partitions := int32(len(s.parts))
	flush := func(partial func(int32, []byte)) { s.processor.Collected().Flush(partitions, partial) }
	s.announcer.Close(s.now, flush, func(partition int32, record []byte) {
		if err := s.parts[partition].Take(record); err != nil {
			s.err = err
		}
	})
	tick := aggregate.Tick{Now: s.now, Sources: int32(len(s.order)), CaughtUp: true, Budget: math.MaxInt, MaxBytes: math.MaxInt}
	for number, p := range s.parts {
		if p.Needed(tick) {
			p.Commit(tick, &simulated{s, int32(number)})
			p.Confirm()
		}
	}
}

// simulated takes the merge commits of a partition.
type simulated struct {
	*Simulation
	partition int32
}

// Changelog implements aggregate.Writer: nothing is ever restored.
func (s *simulated) Changelog([]byte, []byte) {}

// Insight implements aggregate.Writer.
func (s *simulated) Insight(key, value []byte) {
	if value == nil {
		delete(s.latest, string(key))
		return
	}
	s.latest[string(key)] = bytes.Clone(value)
}

// Expired implements aggregate.Writer.
func (s *simulated) Expired(document []byte) {
	s.processor.DeadPartial(&s.out, s.partition, document, s.now)
}

// Insights is what a Simulation ends with.
type Insights struct {
	// Open are the insights as they were when the input ended: of windows that had closed by then, and of those that had
	// not.
	Open []Insight
	// Final are the insights of all windows and what was found in them.
	Final []Insight
	// Letters are dead letters of partials that came too late.
	Letters []Written
}

// End lets time pass until every window that the messages reached has closed: all partitions are idle. The error says that
// the engine could not have gone on either. Nothing may be processed afterwards.
func (s *Simulation) End() (Insights, error) {
	var all Insights
	if len(s.parts) == 0 || len(s.order) == 0 {
		return all, nil
	}
	s.out.records, s.out.next = nil, 0
	s.merge()
	open := s.insights()
	for _, source := range s.order {
		s.announcer.Quiet(source, s.now)
	}
	s.merge()
	s.now = s.now.Add(s.longest())
	s.merge()
	all.Open, all.Final, all.Letters = open, s.reached(s.insights()), s.out.records
	return all, s.err
}

// longest is the time from the highest watermark after which no window can be open: an event may be ahead of the watermark,
// and the end of its window ahead of the event.
func (s *Simulation) longest() time.Duration {
	var most int64
	for _, d := range s.processor.Definitions() {
		most = max(most, d.Window.Size+d.Window.Gap+d.Grace)
	}
	return s.processor.plan.spec.Source.MaxFuture + time.Duration(most)*time.Millisecond + time.Second
}
