package repository

import (
	"context"
	"slices"
	"sync"

	"data-stream-engine/model"
	"data-stream-engine/repository/recordbatch"
)

// Outgoing is one record batch on its way to a partition.
type Outgoing struct {
	model.TopicPartition
	Batch   *recordbatch.Builder
	sources []model.TopicPartition // what the Source of an origin counts
	packed  chan error             // says that the batch is compressed; nil: nobody was asked to
}

// record is record i of the batch with the place of the event that it came from.
func (o Outgoing) record(i int) model.Message {
	var m model.Message
	o.Batch.Record(i, &m)
	at := o.Batch.OriginAt(i)
	m.Offset = at.Offset
	if at.Source != nowhere {
		m.Topic, m.Partition = o.sources[at.Source].Topic, o.sources[at.Source].Partition
	}
	return m
}

// nowhere is the Source of a record that came from no event.
const nowhere int32 = -1

// Pool keeps builders whose batches were sent, for the next ones. It is safe for concurrent use. A builder whose request
// ended without an answer must not come back: the connection may still be reading it.
type Pool struct {
	size int
	mu   sync.Mutex
	free []*recordbatch.Builder
}

// poolKeeps bounds how many idle builders a pool holds on to.
const poolKeeps = 64

// NewPool returns a pool of builders for batches of about size bytes.
func NewPool(size int) *Pool { return &Pool{size: size} }

func (p *Pool) get() *recordbatch.Builder {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return recordbatch.NewBuilder(0) // grows as it is needed: most partitions of a short commit get a few records
}

func (p *Pool) put(b *recordbatch.Builder) {
	if b.Len() > 4*p.size { // one huge event should not be paid for ever
		return
	}
	b.Reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < poolKeeps {
		p.free = append(p.free, b)
	}
}

// Outbox collects output records in one batch builder for each partition. It is what the service layer writes to; full
// batches line up behind each other, so that the order within a partition is the order of writing. One goroutine uses it.
type Outbox struct {
	producer *Producer
	pool     *Pool
	topics   []outTopic
	limit    int

	sources []model.TopicPartition // all that messages may come from
	source  int32                  // index of the one that the last message came from
	open    *slot

	full  []Outgoing
	bytes int // in full batches and in those being built
	count int
}

type outTopic struct {
	name  string
	slots []slot
}

type slot struct {
	batch     *recordbatch.Builder
	partition model.TopicPartition
}

// Outbox returns an outbox of this producer for topics with the given partition counts, whose batches are closed at the
// pool's size. Every message written to it comes from one of the sources, or has no topic, if it comes from no event.
func (p *Producer) Outbox(topics []string, counts []int32, sources []model.TopicPartition) *Outbox {
	o := &Outbox{producer: p, pool: p.pool, limit: p.pool.size, sources: sources}
	for i, name := range topics {
		t := outTopic{name: name, slots: make([]slot, counts[i])}
		for p := range t.slots {
			t.slots[p].partition = model.TopicPartition{Topic: name, Partition: int32(p)}
		}
		o.topics = append(o.topics, t)
	}
	return o
}

// Partitions is the partition count of a topic, by its index.
func (o *Outbox) Partitions(topic int) int32 { return int32(len(o.topics[topic].slots)) }

// Open starts a record: see service.Sink.
func (o *Outbox) Open(topic int, partition int32, m *model.Message, key []byte, bound int) []byte {
	s := &o.topics[topic].slots[partition]
	if s.batch == nil {
		s.batch = o.pool.get()
	} else if s.batch.Len()+len(key)+bound > o.limit && !s.batch.Empty() {
		o.full = append(o.full, Outgoing{TopicPartition: s.partition, Batch: s.batch, sources: o.sources})
		s.batch = o.pool.get()
	}
	o.open = s
	return s.batch.Open(m.Timestamp, recordbatch.Origin{Source: o.sourceOf(m), Offset: m.Offset}, key, bound)
}

// Close ends the record: see service.Sink.
func (o *Outbox) Close(value []byte, headers []model.Header) {
	if o.open == nil {
		return
	}
	b := o.open.batch
	before, count := b.Len(), b.Count()
	b.Close(value, headers)
	o.bytes += b.Len() - before
	o.count += b.Count() - count
	o.open = nil
}

// sourceOf is the number of the message's source partition; the messages of one come in runs.
func (o *Outbox) sourceOf(m *model.Message) int32 {
	if m.Topic == "" {
		return nowhere
	}
	if s := o.sources[o.source]; s.Partition == m.Partition && s.Topic == m.Topic {
		return o.source
	}
	i := slices.Index(o.sources, model.TopicPartition{Topic: m.Topic, Partition: m.Partition})
	o.source = int32(max(i, 0))
	return o.source
}

// Bytes is the size of all records since the last Take.
func (o *Outbox) Bytes() int { return o.bytes }

// Count is the number of records since the last Take.
func (o *Outbox) Count() int { return o.count }

// Parcel is what an outbox collected, addressed by a producer.
type Parcel struct {
	producer *Producer
	batches  []Outgoing
}

// Produce implements model.Parcel.
func (p Parcel) Produce(ctx context.Context) ([]model.Refused, error) {
	return p.producer.Produce(ctx, p.batches)
}

// Take hands over what was collected, each partition's batches in order.
func (o *Outbox) Take() model.Parcel { return o.AppendTo(nil) }

// AppendTo is Take behind what the parcel of another outbox of the same producer holds; nil is an empty one.
func (o *Outbox) AppendTo(p model.Parcel) model.Parcel {
	if first, ok := p.(Parcel); ok {
		return Parcel{o.producer, append(first.batches, o.take()...)}
	}
	return Parcel{o.producer, o.take()}
}

func (o *Outbox) take() []Outgoing {
	out := o.full
	for i := range o.topics {
		for j := range o.topics[i].slots {
			s := &o.topics[i].slots[j]
			if s.batch != nil && !s.batch.Empty() {
				out = append(out, Outgoing{TopicPartition: s.partition, Batch: s.batch, sources: o.sources})
				s.batch = nil
			}
		}
	}
	o.full, o.bytes, o.count, o.open = nil, 0, 0, nil
	return out
}
