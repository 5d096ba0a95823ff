package aggregate

import (
	"slices"
	"time"
)

// Source is what is known of one source partition while its owner reads it. One worker at a time uses it.
type Source struct {
	Partition int32
	Epoch     uint32 // of the topic
	Watermark int64  // the highest event time so far, but none ahead of its record's timestamp
	Idle      bool
	Position  int64 // behind what the transaction has processed so far

	from  int64     // where the transaction began
	heard time.Time // when the last event came, or reading began
	told  Progress  // what all partitions of the partials topic have been told last
}

// Seen moves the watermark for an event at t whose record has the given timestamp, negative when it has none.
func (s *Source) Seen(t, timestamp int64) {
	if timestamp >= 0 {
		t = min(t, timestamp)
	}
	s.Watermark = max(s.Watermark, t)
}

// Announcer closes the partials of a transaction: definitions before them, the progress of the source partitions behind
// them, so that whoever merges knows what it has and how far it reaches. It is for one assignment: when that, or a
// transaction of it, ends otherwise than by a commit, a new one begins.
type Announcer struct {
	definitions [][]byte
	sources     []*Source
	partitions  int32
	interval    time.Duration // between two words to all partitions
	timeout     time.Duration // without an event, until a source partition is idle

	defined []bool // by partition: it has the definitions
	told    time.Time
	urgent  bool // the first transaction, or a partition that is not idle any more
}

// NewAnnouncer is for an assignment's source partitions, at their committed positions.
func NewAnnouncer(defs []*Definition, sources []*Source, partitions int32, interval, timeout time.Duration, now time.Time) *Announcer {
	a := &Announcer{sources: sources, partitions: partitions, interval: interval, timeout: timeout, defined: make([]bool, partitions), urgent: true}
	for _, d := range defs {
		a.definitions = append(a.definitions, d.record(nil))
	}
	for _, s := range sources {
		s.from, s.heard = s.Position, now
		s.told = Progress{From: -1}
	}
	return a
}

// Read says that events of a source partition came, up to its Position.
func (a *Announcer) Read(s *Source, now time.Time) {
	s.heard = now
	if s.Idle {
		s.Idle, a.urgent = false, true
	}
}

// Quiet says that a source partition was polled and has nothing more; it is idle when that has been so for the timeout.
func (a *Announcer) Quiet(s *Source, now time.Time) {
	if now.Sub(s.heard) >= a.timeout {
		s.Idle = true
	}
}

// Behind says that a source partition cannot be read, or not to its end: nobody knows what it holds, so it is not idle.
func (a *Announcer) Behind(s *Source, now time.Time) { s.heard = now }

func (s *Source) progress() Progress {
	return Progress{Partition: s.Partition, Epoch: s.Epoch, From: s.from, To: s.Position, Watermark: s.Watermark, Idle: s.Idle}
}

// news tells whether a source partition has something that not all have heard.
func (s *Source) news() bool {
	now, before := s.progress(), s.told
	return now.To != before.To || now.Watermark != before.Watermark || now.Idle != before.Idle || before.From < 0
}

// Due tells whether there is something to say to all partitions now, though no event may have come.
func (a *Announcer) Due(now time.Time) bool {
	return len(a.sources) > 0 && (a.urgent || now.Sub(a.told) >= a.interval) && slices.ContainsFunc(a.sources, (*Source).news)
}

// Close writes the partials that flush hands out, each partition's between its definitions and its progress. It returns
// whether all partitions were told, so that all source partitions belong to the transaction.
func (a *Announcer) Close(now time.Time, flush func(write func(partition int32, record []byte)), write func(partition int32, record []byte)) (all bool) {
	all = a.Due(now)
	touched := make([]bool, a.partitions)
	begin := func(p int32) {
		touched[p] = true
		if !a.defined[p] {
			a.defined[p] = true
			for _, d := range a.definitions {
				write(p, d)
			}
		}
	}
	flush(func(p int32, record []byte) {
		if !touched[p] {
			begin(p)
		}
		write(p, record)
	})
	record := []byte{format, kindProgress}
	for _, s := range a.sources {
		p := s.progress()
		record = p.append(record)
	}
	for p := range a.partitions {
		if all && !touched[p] {
			begin(p)
		}
		if touched[p] {
			write(p, record)
		}
	}
	for _, s := range a.sources {
		s.from = s.Position
		if all {
			s.told = s.progress()
		}
	}
	if all {
		a.told, a.urgent = now, false
	}
	return all || slices.Contains(touched, true)
}
