package recorder

import (
	"context"
	"errors"
	"time"

	"data-stream-engine/model"
)

const (
	// maxBytes is how much text one transaction takes.
	maxBytes = 8 << 20
	// tries is how often a batch that cannot be read is fetched, and how often all is asked for in vain where something
	// should be, before it is passed over.
	tries = 3
	// lazily is how often a position is written that has moved without a row: over markers of transactions.
	lazily = 5 * time.Second
)

// part is one partition on its way into the store.
type part struct {
	model.Recorded
	next   int64 // where to read on
	stable int64 // where it ends
	bad    int64 // offset of the batch that could not be read last
	tried  int
}

// batch is what was read and is not written yet.
type batch struct {
	*Recorder
	topics   map[string]Topic
	insights string // the topic
	parts    map[model.TopicPartition]*part
	log      Log
	message  model.Message

	rows, bytes int
	since       time.Time // the first row is waiting, or the last flush
	nothing     int
}

// begin finds out where to read each partition from.
func (b *batch) begin(ctx context.Context, member *model.Assignment) error {
	var ids []model.TopicID
	var partitions []model.TopicPartition
	for name, t := range b.topics {
		ids = append(ids, model.TopicID{Name: name, ID: t.ID})
		for p := range t.Partitions {
			partitions = append(partitions, model.TopicPartition{Topic: name, Partition: p})
		}
	}
	if member != nil {
		partitions = member.Partitions
	}
	at, err := b.cfg.Store.Positions(ctx, ids)
	if err != nil {
		return err
	}
	b.log = b.cfg.NewLog()
	var fresh []model.TopicPartition
	for _, tp := range partitions {
		p := &part{Recorded: model.Recorded{Topic: model.TopicID{Name: tp.Topic, ID: b.topics[tp.Topic].ID}, Partition: tp.Partition, From: model.NothingRecorded}}
		if offset, known := at[tp]; known {
			p.From, p.To, p.next = offset, offset, offset
		} else {
			fresh = append(fresh, tp)
		}
		b.parts[tp] = p
	}
	if len(fresh) > 0 {
		begins, err := b.log.Begins(ctx, fresh)
		if err != nil {
			return fromElsewhere(err)
		}
		for _, tp := range fresh {
			b.parts[tp].next = begins[tp]
		}
	}
	b.since = time.Now()
	return nil
}

func (b *batch) close() {
	if b.log != nil {
		b.log.Close()
	}
}

// round reads once, and writes when enough is there or has waited.
func (b *batch) round(ctx context.Context) error {
	wait := b.cfg.MaxWait
	if b.rows > 0 {
		wait = min(max(wait-time.Since(b.since), 0), wait)
	}
	from := make(map[model.TopicPartition]int64, len(b.parts))
	for tp, p := range b.parts {
		from[tp] = p.next
	}
	parts, err := b.log.Read(ctx, from, wait)
	if err != nil {
		return fromElsewhere(err)
	}
	total := 0
	for i := range parts {
		total += parts[i].Bytes
	}
	b.nothing++
	if total > 0 {
		b.nothing = 0
	}
	for i := range parts {
		if err := b.take(ctx, &parts[i]); err != nil {
			return err
		}
	}
	waited := time.Since(b.since)
	if b.rows >= b.cfg.MaxRows || b.bytes >= maxBytes || b.rows > 0 && waited >= b.cfg.MaxWait || waited >= lazily {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	if b.rows == 0 {
		b.works(b.behind())
	}
	return nil
}

// take copies the rows of one answer.
func (b *batch) take(ctx context.Context, got *model.LogPart) error {
	p := b.parts[got.TopicPartition]
	if p == nil {
		return nil
	}
	p.stable = got.LastStable
	if got.Lost {
		b.cfg.Log.Warn().Str("topic", got.Topic).Int32("partition", got.Partition).Int64("offset", p.next).Int64("moved_to", got.Next).
			Msg("what was to be recorded is gone from the topic: recording what there is")
		p.next = got.Next
		return nil
	}
	if got.Bytes == 0 && b.nothing >= tries && p.stable > p.next { // compaction took all that was there
		p.next = p.stable
		return nil
	}
	records := got.Open()
	for {
		for records.Next(&b.message) {
			b.row(p, &b.message)
			p.next = b.message.Offset + 1
			if b.full() {
				if err := b.flush(ctx); err != nil {
					return err
				}
			}
		}
		bad, ok := errors.AsType[*model.BadBatch](records.Err())
		if !ok {
			p.next = max(p.next, records.NextOffset())
			return fromElsewhere(records.Err())
		}
		if b.again(p, bad) {
			return nil
		}
		records.SkipBatch()
	}
}

// again tells whether a batch that could not be read is to be fetched once more.
func (b *batch) again(p *part, bad *model.BadBatch) bool {
	if p.bad != bad.FirstOffset {
		p.bad, p.tried = bad.FirstOffset, 0
	}
	if p.tried++; p.tried < tries {
		return true
	}
	b.cfg.Log.Error().Err(bad).Msg("a batch cannot be read and is not recorded")
	return false
}

func (b *batch) full() bool {
	return b.rows >= 2*b.cfg.MaxRows || b.bytes >= maxBytes || b.careful > 0
}

// row copies one record.
func (b *batch) row(p *part, m *model.Message) {
	m.Topic, m.Partition = p.Topic.Name, p.Partition
	if b.rows == 0 {
		b.since = time.Now()
	}
	b.rows++
	if m.Topic != b.insights {
		l := letter(m)
		p.DeadLetters = append(p.DeadLetters, l)
		b.bytes += len(l.Reason) + 200
		return
	}
	in, err := insight(m)
	if err != nil {
		b.strange(m, err)
		return
	}
	p.Insights = append(p.Insights, in)
	b.bytes += len(in.Key) + len(in.Document)
}

// flush writes all that was read.
func (b *batch) flush(ctx context.Context) error {
	list := make([]model.Recorded, 0, len(b.parts))
	for _, p := range b.parts {
		if p.To = p.next; p.From != p.To {
			list = append(list, p.Recorded)
		}
	}
	if len(list) > 0 {
		err := b.cfg.Store.Write(ctx, list)
		if model.ClassOf(err) == model.Rejected && err != nil {
			err = b.refused(ctx, list, err)
		}
		if err != nil {
			return err
		}
		b.careful = max(b.careful-b.rows, 0)
	}
	for _, p := range b.parts {
		p.From, p.Insights, p.DeadLetters = p.next, p.Insights[:0], p.DeadLetters[:0]
	}
	b.rows, b.bytes, b.since = 0, 0, time.Now()
	b.works(b.behind())
	return nil
}

// refused deals with rows that the store will never take: they are written one by one, and the one that is refused alone is
// left out.
func (b *batch) refused(ctx context.Context, list []model.Recorded, err error) error {
	if b.rows > 1 {
		b.careful = b.rows
		b.cfg.Log.Warn().Err(err).Int("rows", b.rows).Msg("the storage refuses a row: writing them one by one to find it")
		return &model.Error{Class: model.Fenced, Op: "record", Err: err} // read them again
	}
	for i := range list {
		if len(list[i].Insights)+len(list[i].DeadLetters) == 0 { // only its position has moved
			continue
		}
		list[i].Insights, list[i].DeadLetters = nil, nil
		b.cfg.Log.Error().Err(err).Str("topic", list[i].Topic.Name).Int32("partition", list[i].Partition).Int64("offset", list[i].To-1).
			Msg("the storage refuses a record, which is left out")
	}
	return b.cfg.Store.Write(ctx, list)
}

// behind is how many records are not stored yet.
func (b *batch) behind() int64 {
	n := int64(0)
	for _, p := range b.parts {
		n += max(p.stable-p.next, 0)
	}
	return n + int64(b.rows)
}
