package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
)

// Letters reads single records by their offsets, wherever they lie: dead letters, and events of the source. It sees what is
// committed. It is safe for concurrent use.
type Letters struct {
	client   *broker.Client
	observer Observer
	cfg      SourceConfig
}

// NewLetters returns a reader of single records.
func NewLetters(client *broker.Client, observer Observer, cfg SourceConfig) *Letters {
	return &Letters{client: client, observer: quiet{observer}, cfg: cfg}
}

// quiet is an observer that hears nothing of offsets which are gone: whoever asks for one is told, and nothing is lost.
type quiet struct{ Observer }

func (quiet) Lost(model.TopicPartition, int64, int64) {}

// lettersWait is how long a broker may look for more, which is only asked for when there should be some.
const lettersWait = 100 * time.Millisecond

// Read shows see the records at the given offsets, those of a partition in their order. Offsets at which there is no record,
// or none that can be read, are left out. A message is valid until see returns; its error ends the reading.
func (l *Letters) Read(ctx context.Context, offsets map[model.TopicPartition][]int64, see func(*model.Message) error) error {
	log := NewLog(l.client, l.observer, "read dead letters", l.cfg)
	defer log.Close()
	wanted, err := l.there(ctx, offsets)
	if err != nil {
		return err
	}
	for nothing := 0; len(wanted) > 0; {
		from := make(map[model.TopicPartition]int64, len(wanted))
		for tp, list := range wanted {
			from[tp] = list[0]
		}
		parts, err := log.Read(ctx, from, lettersWait)
		if err != nil {
			return err
		}
		if nothing++; slices.ContainsFunc(parts, func(p model.LogPart) bool { return p.Bytes > 0 }) {
			nothing = 0
		}
		for i := range parts {
			p := &parts[i]
			if p.Bytes == 0 && !p.Lost && nothing >= hollowTries { // compaction took all that was there
				p.Next = p.LastStable
			}
			left, err := pick(p, wanted[p.TopicPartition], see)
			if err != nil {
				return err
			}
			if wanted[p.TopicPartition] = left; len(left) == 0 {
				delete(wanted, p.TopicPartition)
			}
		}
	}
	return nil
}

// there are the offsets in partitions that exist, each once and in order.
func (l *Letters) there(ctx context.Context, offsets map[model.TopicPartition][]int64) (map[model.TopicPartition][]int64, error) {
	wanted := map[model.TopicPartition][]int64{}
	for tp, list := range offsets {
		there, err := l.exists(ctx, tp)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		list = slices.Clone(list)
		slices.Sort(list)
		if list = slices.Compact(list); len(list) > 0 {
			wanted[tp] = list
		}
	}
	return wanted, nil
}

// exists tells whether a topic has a partition: nobody would ever answer for one that it does not have.
func (l *Letters) exists(ctx context.Context, tp model.TopicPartition) (bool, error) {
	counts, err := l.client.PartitionCounts(ctx, []string{tp.Topic})
	if err != nil {
		return false, err
	}
	if tp.Partition < counts[tp.Topic] {
		return true, nil
	}
	topics, err := l.client.RefreshTopics(ctx, tp.Topic) // it may have got more
	if err != nil {
		return false, err
	}
	return int(tp.Partition) < len(topics[tp.Topic].Leaders), nil
}

// pick shows what is wanted of one answer, and returns the offsets that are still to be found.
func pick(p *model.LogPart, wanted []int64, see func(*model.Message) error) ([]int64, error) {
	first, next := wanted[0], p.Next
	switch {
	case p.Lost && next <= first: // behind the end of the log
		return nil, nil
	case p.Lost:
		return after(wanted, next), nil
	case next <= first && first < p.LastStable: // there was no room in the answer
		return wanted, nil
	case next <= first:
		return nil, nil
	}
	records := p.Open()
	var m model.Message
	for records.Next(&m) {
		if wanted = after(wanted, m.Offset); len(wanted) == 0 {
			return nil, nil
		}
		if wanted[0] == m.Offset {
			m.Topic, m.Partition = p.Topic, p.Partition
			if err := see(&m); err != nil {
				return nil, err
			}
			wanted = wanted[1:]
		}
	}
	if bad, ok := errors.AsType[*model.BadBatch](records.Err()); ok {
		next = bad.LastOffset + 1
	}
	return after(wanted, next), nil
}

// after are the offsets of a sorted list from one on.
func after(list []int64, from int64) []int64 {
	i, _ := slices.BinarySearch(list, from)
	return list[i:]
}

// Find is one record of a topic, in memory of its own. Without one the error says why: of class NotFound when the partition
// does not exist or the offset is not written yet, Deleted when there is nothing at it any more.
func (l *Letters) Find(ctx context.Context, at model.Origin) (*model.Message, error) {
	const op = "read"
	subject := fmt.Sprintf("%s, partition %d, offset %d", at.Topic, at.Partition, at.Offset)
	fail := func(class model.Class, format string, args ...any) error {
		return &model.Error{Class: class, Op: op, Subject: subject, Err: fmt.Errorf(format, args...)}
	}
	topics, err := l.client.RefreshTopics(ctx, at.Topic)
	if broker.Code(err) == broker.UnknownTopicOrPartition {
		return nil, fail(model.NotFound, "there is no topic %s", at.Topic)
	}
	if err != nil {
		return nil, err
	}
	if n := len(topics[at.Topic].Leaders); at.Partition < 0 || int(at.Partition) >= n {
		return nil, fail(model.NotFound, "the topic has %d partitions, from 0 on", n)
	}
	one := []model.TopicPartition{at.TopicPartition}
	first, err := bounds(ctx, l.client, one, earliest, readCommitted)
	if err != nil {
		return nil, err
	}
	if begins := first[at.TopicPartition]; at.Offset < begins {
		return nil, fail(model.Deleted, "the broker has deleted it: the partition begins at offset %d", begins)
	}
	var found *model.Message
	err = l.Read(ctx, map[model.TopicPartition][]int64{at.TopicPartition: {at.Offset}}, func(m *model.Message) error {
		found = m.Clone()
		return nil
	})
	if err != nil || found != nil {
		return found, err
	}
	last, err := bounds(ctx, l.client, one, latest, readCommitted)
	if err != nil {
		return nil, err
	}
	if ends := last[at.TopicPartition]; at.Offset >= ends {
		return nil, fail(model.NotFound, "it is not written yet, or not committed: the partition ends at offset %d", ends)
	}
	return nil, fail(model.Deleted, "there is no record at this offset: it was compacted away or never committed, or marks the end of a transaction")
}
