package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// idOf is the id of a letter: partition-offset in the dead-letter topic.
func idOf(at model.TopicOffset) string { return fmt.Sprintf("%d-%d", at.Partition, at.Offset) }

func placeOf(id, topic string) (at model.TopicOffset, ok bool) {
	partition, offset, found := strings.Cut(id, "-")
	p, err := strconv.ParseUint(partition, 10, 31)
	o, wrong := strconv.ParseUint(offset, 10, 63)
	if !found || err != nil || wrong != nil {
		return at, false
	}
	return model.TopicOffset{TopicPartition: model.TopicPartition{Topic: topic, Partition: int32(p)}, Offset: int64(o)}, true
}

func refuse(format string, args ...any) error {
	return &model.Error{Class: model.Rejected, Op: op, Err: fmt.Errorf(format, args...)}
}

// choose is where the letters lie that a request selects.
func (r *Replayer) choose(ctx context.Context, request model.ReplayRequest, topic string) ([]model.TopicOffset, error) {
	if len(request.IDs) == 0 {
		return r.query(ctx, request.Query)
	}
	if request.Query != (model.DeadLetterQuery{}) && request.Query != (model.DeadLetterQuery{Limit: request.Query.Limit}) {
		return nil, refuse("ids and a filter go not together")
	}
	if len(request.IDs) > mostLetters {
		return nil, refuse("%d letters are more than %d, the most of one request", len(request.IDs), mostLetters)
	}
	list := make([]model.TopicOffset, 0, len(request.IDs))
	for _, id := range request.IDs {
		at, ok := placeOf(id, topic)
		if !ok {
			return nil, refuse("%q is not the id of a dead letter: partition-offset, as in 0-17", id)
		}
		list = append(list, at)
	}
	return list, nil
}

// query asks the store, page by page. What it cannot take as a whole is refused rather than done in part: the next request
// would select the same letters again.
func (r *Replayer) query(ctx context.Context, q model.DeadLetterQuery) (list []model.TopicOffset, err error) {
	if r.cfg.Store == nil {
		return nil, &model.Error{Class: model.Rejected, Op: op, Err: errors.New("nothing lists the dead letters"), Hint: "name them by their ids, or set STORAGE_URL"}
	}
	limit := q.Limit
	if limit < 0 || limit > mostLetters {
		return nil, refuse("a limit of %d is not from 1 to %d", limit, mostLetters)
	}
	for q.Cursor = ""; ; {
		q.Limit = pageSize
		if limit > 0 {
			q.Limit = min(pageSize, limit-len(list))
		}
		page, err := r.cfg.Store.DeadLetters(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			list = append(list, page.Items[i].At)
		}
		switch {
		case limit > 0 && len(list) >= limit:
			return list[:limit], nil
		case len(list) > mostLetters, len(list) == mostLetters && page.Next != "":
			return nil, &model.Error{Class: model.Rejected, Op: op, Err: fmt.Errorf("more than %d letters match, the most of one request", mostLetters),
				Hint: "narrow it with from and to, or set a limit: it takes the latest"}
		case page.Next == "":
			return list, nil
		}
		q.Cursor = page.Next
	}
}

// pageSize is how many letters the store is asked for at a time.
const pageSize = 1000

// batch is what a request sends.
type batch struct {
	messages []model.Message
	ids      []string // of messages
	refused  []model.Refusal
	bytes    int
}

// collect reads letters and makes messages of them. They go in the order in which they failed, partition by partition.
func (r *Replayer) collect(ctx context.Context, chosen []model.TopicOffset, processor *service.Processor, partitions int32) (*batch, error) {
	b := &batch{}
	offsets, missing := map[model.TopicPartition][]int64{}, map[model.TopicOffset]bool{}
	for _, at := range chosen {
		if !missing[at] {
			offsets[at.TopicPartition] = append(offsets[at.TopicPartition], at.Offset)
			missing[at] = true
		}
	}
	err := r.cfg.Letters.Read(ctx, offsets, func(m *model.Message) error {
		at := model.TopicOffset{TopicPartition: model.TopicPartition{Topic: m.Topic, Partition: m.Partition}, Offset: m.Offset}
		delete(missing, at)
		return b.add(idOf(at), m, processor, partitions)
	})
	if err != nil {
		return &batch{}, err
	}
	for _, at := range chosen {
		if missing[at] {
			delete(missing, at)
			b.refused = append(b.refused, model.Refusal{ID: idOf(at), Why: "there is no such letter: it was deleted by the topic's retention, or never written"})
		}
	}
	return b, nil
}

func (b *batch) add(id string, letter *model.Message, processor *service.Processor, partitions int32) error {
	m, why := processor.ReplayOf(letter)
	if why == "" && m.Partition >= partitions {
		why = fmt.Sprintf("it came from partition %d of %s, and %s has %d partitions", m.Partition, model.ParseDeadLetter(letter).Source.Topic, m.Topic, partitions)
	}
	if why != "" {
		b.refused = append(b.refused, model.Refusal{ID: id, Why: why})
		return nil
	}
	b.bytes += len(m.Key) + len(m.Value)
	for _, h := range m.Headers {
		b.bytes += len(h.Key) + len(h.Value)
	}
	if b.bytes > mostBytes {
		return &model.Error{Class: model.Rejected, Op: op, Err: fmt.Errorf("the letters have more than %d MiB, the most of one transaction", mostBytes>>20), Hint: "select fewer of them"}
	}
	b.messages, b.ids = append(b.messages, *m.Clone()), append(b.ids, id)
	return nil
}

// leave names what the brokers have refused.
func (b *batch) leave(refused map[int]error) {
	for i, id := range b.ids {
		if why := refused[i]; why != nil {
			b.refused = append(b.refused, model.Refusal{ID: id, Why: "the broker refuses it: " + why.Error()})
		}
	}
	slices.SortFunc(b.refused, func(x, y model.Refusal) int { return strings.Compare(x.ID, y.ID) })
}
