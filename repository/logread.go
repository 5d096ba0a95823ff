package repository

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/repository/recordbatch"
)

// round is one request to each leader.
type round struct {
	*Log
	from map[model.TopicPartition]int64
	wait time.Duration

	parts  []model.LogPart
	failed error // passes: some partitions have no answer
	err    error // does not
}

// asked is what one leader was asked for, and its answer.
type asked struct {
	leader  int32
	claimed []claim
	buffer  *buffer
	err     error
}

func (r *round) run(ctx context.Context) {
	all := r.claim(ctx)
	if r.err != nil {
		return
	}
	var leaders sync.WaitGroup
	for _, a := range all {
		leaders.Go(func() { a.err = r.ask(ctx, a) })
	}
	leaders.Wait()
	for _, a := range all {
		if a.err != nil {
			delete(r.buffers, a.leader) // the connection may still be writing to it
			r.fail(a.err)
			continue
		}
		for i := range a.buffer.parts {
			r.take(ctx, &a.buffer.parts[i])
		}
	}
}

// fail keeps the error that decides.
func (r *round) fail(err error) {
	if model.ClassOf(err) == model.Transient {
		r.failed = err
	} else {
		r.err = err
	}
}

// claim finds out whom to ask for what. The partitions of a leader come in another order each time, as they do out of a
// map, so that none is always the one that an answer has no room for.
func (r *round) claim(ctx context.Context) []*asked {
	byLeader := map[int32]*asked{}
	topics := map[string]broker.Topic{}
	old := time.Since(r.looked) >= metadataInterval
	for tp, offset := range r.from {
		t, known := topics[tp.Topic]
		if !known {
			var err error
			if t, err = r.look(ctx, tp.Topic, old); err != nil {
				r.fail(err)
			}
			topics[tp.Topic] = t // without leaders after an error
		}
		if int(tp.Partition) >= len(t.Leaders) || t.Leaders[tp.Partition] < 0 {
			r.failed = cmp.Or(r.failed, broker.Check("find the leader of", fmt.Sprintf("%s-%d", tp.Topic, tp.Partition), broker.LeaderNotAvailable))
			continue
		}
		leader, epoch := t.Leaders[tp.Partition], t.Epochs[tp.Partition]
		a := byLeader[leader]
		if a == nil {
			a = &asked{leader: leader, buffer: r.buffers[leader]}
			if a.buffer == nil {
				a.buffer = &buffer{}
				r.buffers[leader] = a.buffer
			}
			byLeader[leader] = a
		}
		a.claimed = append(a.claimed, claim{&part{TopicPartition: tp}, offset, epoch, 0})
	}
	if old && r.failed == nil {
		r.looked = time.Now()
	}
	all := make([]*asked, 0, len(byLeader))
	for _, a := range byLeader {
		all = append(all, a)
	}
	return all
}

func (r *round) ask(ctx context.Context, a *asked) error {
	ctx, cancel := context.WithTimeout(ctx, r.wait+answerSlack)
	defer cancel()
	b := a.buffer
	b.body = appendFetch(b.body[:0], int32(r.wait.Milliseconds()), 1, int32(r.cfg.MaxBytes), a.claimed)
	b.frame.Key, b.frame.Version = 1, 11
	b.frame.Pieces = append(b.frame.Pieces[:0], b.body)
	err := r.client.Exchange(ctx, a.leader, &b.frame)
	if err == nil {
		b.parts, err = readFetch(b.frame.Answer, b.parts[:0])
	}
	return err
}

// take deals with the answer for one partition.
func (r *round) take(ctx context.Context, got *fetched) {
	offset, ok := r.from[got.TopicPartition]
	switch {
	case !ok:
	case got.code == broker.OffsetOutOfRange:
		r.lost(ctx, got, offset)
	case got.code != 0:
		r.fail(broker.Check("read", fmt.Sprintf("%s-%d", got.Topic, got.Partition), got.code))
	default:
		if !got.whole() { // there was no room for it
			got.set = nil
		}
		next, _ := recordbatch.LastOffset(got.set, offset)
		r.parts = append(r.parts, model.LogPart{TopicPartition: got.TopicPartition, Next: next, LastStable: got.stable, HighWatermark: got.high,
			Bytes: len(got.set), Open: func() model.Records { return r.readers.open(got, offset) }})
	}
}

// lost finds the position nearest to one that is out of range.
func (r *round) lost(ctx context.Context, got *fetched, offset int64) {
	_, err := r.look(ctx, got.Topic, true) // a topic that was created again is out of range at first: its id tells
	if err != nil {
		r.fail(err)
		return
	}
	to, stable, err := intoRange(ctx, r.client, got.TopicPartition, offset)
	if err != nil {
		r.fail(err)
		return
	}
	high, err := bounds(ctx, r.client, []model.TopicPartition{got.TopicPartition}, latest, readUncommitted)
	switch {
	case err != nil:
		r.fail(err)
	case to == offset: // it is in range again
		r.failed = broker.Check("read", fmt.Sprintf("%s-%d", got.Topic, got.Partition), got.code)
	default:
		r.parts = append(r.parts, model.LogPart{TopicPartition: got.TopicPartition, Next: to, LastStable: stable, HighWatermark: high[got.TopicPartition],
			Lost: true, Open: func() model.Records { return r.readers.open(got, to) }})
	}
}
