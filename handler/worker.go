package handler

import (
	"sync"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
	"data-stream-engine/service/aggregate"
)

// worker runs messages through a pipeline of its own into an outbox of its own. Several work at a time, each on
// partitions of its own; the run adds up what they have done when all of them have ended.
//
// A worker keeps the order of its partitions' messages in every output partition, because it handles a partition's
// messages one after the other and its outbox keeps the order of writing. Two outboxes know no order between them. So
// from one hand-over of all outboxes to the next, the messages of a partition go through one worker: see run.owners.
// A hand-over takes everything that was collected, and the committer produces what is handed over in that order.
type worker struct {
	processor *service.Processor
	outbox    Outbox
	parts     []*reading // of what was fetched, not read to the end yet
	did       deed       // in the last round
	links     bool       // notes the traces of messages
}

// reading is a fetched partition of which a part may have been read.
type reading struct {
	*model.FetchedPartition
	source  *aggregate.Source // nil: the pipeline has no aggregates, or it is a partition of the replay topic
	again   bool              // it is one: its timestamps say nothing of how long an event took
	records model.Records     // nil before it has begun
	events  bool              // there were some
	read    int               // of them in this round
	ended   bool
}

// deed is what a worker did in one round.
type deed struct {
	result  model.Result
	bytes   int
	oldest  int64 // timestamp of the oldest message, milliseconds
	spans   []span
	touched []*reading
	links   []string // traceparent of sampled messages
	err     error    // of begin
}

// share is what a worker may take in one round. It stops at the message with which one of the limits is reached, or,
// for output, within a chunk of that.
type share struct {
	records int
	bytes   int // of the source
	output  int // bytes in its outbox
}

// chunk is how many messages are processed between two looks at the outbox.
const chunk = 2000

// round lets each worker go on with its partitions until its share is used up. begin is called by the caller's
// goroutine, which does the first worker's work.
func round(workers []*worker, s share, begin func() error) {
	var others sync.WaitGroup
	for _, w := range workers[1:] {
		others.Go(func() { w.work(s, func() error { return nil }) })
	}
	workers[0].work(s, begin)
	others.Wait()
}

func (w *worker) work(s share, begin func() error) {
	w.did = deed{touched: w.did.touched[:0], spans: w.did.spans[:0]}
	for len(w.parts) > 0 && w.did.err == nil && !w.full(s) {
		p := w.parts[0]
		if p.records == nil {
			p.records = w.opened(p)
		}
		w.did.touched = append(w.did.touched, p)
		for !p.ended && w.did.err == nil && !w.full(s) {
			w.chunk(p, &s, begin)
		}
		if p.ended {
			w.parts = w.parts[1:]
		}
	}
}

func (w *worker) opened(p *reading) model.Records {
	if w.links {
		return linking{p.Open(), w}
	}
	return p.Open()
}

func (w *worker) full(s share) bool {
	return s.records <= 0 || s.bytes <= 0 || w.outbox.Bytes() >= s.output || w.processor.Full()
}

// chunk processes the next messages of a partition and takes them off the share.
func (w *worker) chunk(p *reading, s *share, begin func() error) {
	next := bounded{Records: p.records, left: min(chunk, s.records), room: s.bytes, begin: begin}
	w.processor.From(p.source)
	result := w.processor.Process(&next, w.outbox, time.Now())
	w.did.result.Add(result)
	if result.Consumed > 0 {
		p.events, p.read = true, p.read+result.Consumed
	}
	w.did.bytes += s.bytes - next.room
	if result.Consumed > 0 && !p.again {
		w.did.oldest = older(w.did.oldest, next.oldest)
		w.did.spans = append(w.did.spans, span{next.oldest, max(next.last, next.oldest), result.Consumed})
	}
	w.did.err = next.err
	s.records, s.bytes = s.records-result.Consumed, next.room
	p.ended = !next.full()
}

// older is the earlier of two timestamps; 0 is none.
func older(a, b int64) int64 {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// bounded yields a limited number of messages and bytes, and begins with the first one: what holds nothing for us, such
// as the markers of other people's transactions, opens none of ours.
type bounded struct {
	model.Records
	left   int   // messages
	room   int   // bytes; the last message may go beyond
	oldest int64 // timestamp
	last   int64 // timestamp of the last message
	begin  func() error
	err    error // of begin
}

// Next implements service.Messages.
func (b *bounded) Next(m *model.Message) bool {
	if b.full() || b.err != nil || !b.Records.Next(m) {
		return false
	}
	if b.err = b.begin(); b.err != nil {
		return false
	}
	b.left--
	b.room -= len(m.Key) + len(m.Value)
	if b.oldest == 0 || m.Timestamp < b.oldest {
		b.oldest = m.Timestamp
	}
	b.last = m.Timestamp
	return true
}

// full tells that the limit ended the messages, not the fetched bytes.
func (b *bounded) full() bool { return b.left <= 0 || b.room <= 0 }
