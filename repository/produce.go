package repository

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/utils"
)

// produceTimeout is how long the leader waits for its followers, in milliseconds.
const produceTimeout = 10_000

// Produce sends batches, those of one partition in the order given, and returns when all have been acknowledged by
// every in-sync replica. A batch that is refused is split until the records at fault stand alone: they are returned,
// everything else was written.
//
// All partitions of a broker travel in one request and each broker has one request in flight: several at once break
// each other's verification at the transaction coordinator.
//
// Without transactions a broker that has lost track of the producer (45, 59: after an unclean election, or a long quiet
// time) gets the batch again from a new producer id.
//
// In a transaction a request without an answer ends in an error of class Fenced: whether the batch was written can only
// be settled by a new epoch, which aborts the transaction. Without transactions the same bytes are sent again; the
// broker knows them by their sequence.
func (p *Producer) Produce(ctx context.Context, batches []Outgoing) ([]model.Refused, error) {
	var partitions []model.TopicPartition
	for _, b := range batches {
		partitions = append(partitions, b.TopicPartition)
	}
	if err := p.add(ctx, partitions); err != nil {
		return nil, err
	}
	for _, tp := range partitions {
		p.written[tp] = true
	}
	var refused []model.Refused
	forgotten := utils.Backoff{Min: 20 * time.Millisecond, Max: 3 * time.Second}
	for len(batches) > 0 {
		p.compress(batches)
		var round, rest []Outgoing
		inRound := map[model.TopicPartition]bool{}
		for _, b := range batches {
			if inRound[b.TopicPartition] {
				rest = append(rest, b)
				continue
			}
			inRound[b.TopicPartition] = true
			round = append(round, b)
		}
		for i := range round {
			if err := round[i].ready(); err != nil {
				return nil, err
			}
		}
		again, bad, err := p.round(ctx, round)
		if err != nil {
			return nil, err
		}
		refused = append(refused, bad...)
		batches = append(again, rest...) // the halves of a batch go before the batches behind it
		if p.forgotten {
			if err := p.renew(ctx, &forgotten); err != nil {
				return nil, err
			}
		}
	}
	return refused, nil
}

// stamped is a batch with its sequence, as it goes into a request, however often it is sent.
type stamped struct {
	Outgoing
	frame      []byte
	unanswered bool // at least once
}

// advance is the sequence behind count records: 31 bits, then it goes on with 0.
func advance(sequence int32, count int) int32 {
	return int32((int64(sequence) + int64(count)) & math.MaxInt32)
}

// round sends at most one batch for each partition. It returns the halves of the batches that were refused, and the
// records that cannot be split further.
func (p *Producer) round(ctx context.Context, batches []Outgoing) (again []Outgoing, refused []model.Refused, err error) {
	waiting := make([]stamped, len(batches))
	for i, b := range batches {
		b.Batch.Stamp(p.id, p.epoch, p.sequences[b.TopicPartition], p.Transactional())
		waiting[i] = stamped{Outgoing: b, frame: b.Batch.Framed(b.Partition)}
	}
	err = p.retry.Do(ctx, "produce", func(ctx context.Context) error {
		answers, err := p.send(ctx, waiting)
		var left []stamped
		var failed error
		for i, b := range waiting {
			switch e := answers[i]; {
			case e == nil:
				p.sequences[b.TopicPartition] = advance(p.sequences[b.TopicPartition], b.Batch.Count())
				if !b.unanswered { // a connection may still be reading it
					p.pool.put(b.Batch)
				}
			case model.ClassOf(e) == model.Rejected:
				halves, bad := split(b.Outgoing, e)
				again, refused = append(again, halves...), append(refused, bad...)
			case !p.Transactional() && unknownProducer(e):
				p.forgotten = true
				p.retry.observer.Retrying(renewing, e)
				again = append(again, b.fresh())
			default:
				b.unanswered = b.unanswered || errors.Is(e, errPending)
				left = append(left, b)
				failed = worse(failed, e)
			}
		}
		waiting = left
		if err != nil {
			return err
		}
		return failed
	})
	return again, refused, err
}

// split halves a refused batch, or names its only record.
func split(b Outgoing, why error) ([]Outgoing, []model.Refused) {
	if b.Batch.Count() <= 1 {
		return nil, []model.Refused{{Topic: b.Topic, Partition: b.Partition, Record: b.record(0), Err: why}}
	}
	first, second := b.Batch.Split()
	return []Outgoing{{TopicPartition: b.TopicPartition, Batch: first, sources: b.sources}, {TopicPartition: b.TopicPartition, Batch: second, sources: b.sources}}, nil
}

// renewing is the operation of renew, for an Observer.
const renewing = "get a new producer id"

// unknownProducer are the answers of a broker that does not know what the producer wrote before. The batch was not
// written.
func unknownProducer(err error) bool {
	const unknownProducerID = 59
	code := broker.Code(err)
	return code == broker.OutOfOrderSequence || code == unknownProducerID
}

// renew gets a new producer id, whose sequences begin anew.
func (p *Producer) renew(ctx context.Context, pause *utils.Backoff) error {
	if err := pause.Wait(ctx); err != nil {
		return err
	}
	if err := p.Init(ctx); err != nil {
		return err
	}
	p.retry.observer.Recovered(renewing)
	return nil
}

// fresh is the batch for another producer id, in other memory if a connection may still be reading it.
func (b *stamped) fresh() Outgoing {
	o := Outgoing{TopicPartition: b.TopicPartition, Batch: b.Batch, sources: b.sources}
	if b.unanswered {
		o.Batch = b.Batch.Slice(0, b.Batch.Count())
	}
	return o
}

// worse keeps the error that decides: one that is not retried outweighs one that is.
func worse(a, b error) error {
	if a == nil || model.ClassOf(a) == model.Transient {
		return b
	}
	return a
}

// errPending marks a batch that has no answer yet.
var errPending = errors.New("no answer")

// send makes one request for each leader, at once, and returns the answer for each batch.
func (p *Producer) send(ctx context.Context, batches []stamped) ([]error, error) {
	answers := make([]error, len(batches))
	for i := range answers {
		answers[i] = errPending // before anything can return: no answer is not a good one
	}
	byLeader := map[int32][]int{}
	for i, b := range batches {
		leader, _, err := leaderOf(ctx, p.client, b.TopicPartition)
		if err != nil {
			return answers, err
		}
		byLeader[leader] = append(byLeader[leader], i)
	}
	var group errgroup.Group
	for leader, indexes := range byLeader {
		group.Go(func() error { return p.sendTo(ctx, leader, batches, indexes, answers) })
	}
	return answers, group.Wait()
}

func (p *Producer) sendTo(ctx context.Context, leader int32, batches []stamped, indexes []int, answers []error) error {
	f := &broker.Frame{Key: 0, Version: 8, Pieces: p.produceBody(batches, indexes)}
	if err := p.exchange(ctx, leader, f); err != nil {
		return p.unknown(ctx, leader, err)
	}
	byPartition := make(map[model.TopicPartition]int, len(indexes))
	for _, i := range indexes {
		byPartition[batches[i].TopicPartition] = i
	}
	return p.readProduce(ctx, f.Answer, byPartition, answers)
}

// exchange has a deadline besides the end of ctx: a connection goes on with a request that was cancelled, up to that.
func (p *Producer) exchange(ctx context.Context, leader int32, f *broker.Frame) error {
	ctx, cancel := context.WithTimeout(ctx, broker.DefaultTimeout)
	defer cancel()
	return p.client.Exchange(ctx, leader, f)
}

// unknown is what a Produce without an answer means: see Produce.
func (p *Producer) unknown(ctx context.Context, leader int32, err error) error {
	p.unsettled.Store(p.Transactional())
	// Perhaps somebody else leads now. If that cannot be asked either, the next lookup of a leader says so.
	_ = p.client.Refresh(ctx)
	if model.ClassOf(err) != model.Transient || !p.Transactional() {
		return err
	}
	return &model.Error{Class: model.Fenced, Op: "produce to broker", Subject: fmt.Sprint(leader), Err: err,
		Hint: "no answer came, so the transaction is aborted and its events are processed again"}
}

// produceBody encodes a Produce v8 request around the batches, which are sent from where they lie.
func (p *Producer) produceBody(batches []stamped, indexes []int) [][]byte {
	byTopic := map[string][]int{}
	var names []string
	for _, i := range indexes {
		name := batches[i].Topic
		if byTopic[name] == nil {
			names = append(names, name)
		}
		byTopic[name] = append(byTopic[name], i)
	}
	head := appendNullable(nil, p.cfg.TransactionalID)
	head = binary.BigEndian.AppendUint16(head, 0xffff) // acks: all in-sync replicas
	head = binary.BigEndian.AppendUint32(head, produceTimeout)
	head = binary.BigEndian.AppendUint32(head, uint32(len(names)))
	var pieces [][]byte
	for _, name := range names {
		head = appendString(head, name)
		head = binary.BigEndian.AppendUint32(head, uint32(len(byTopic[name])))
		pieces = append(pieces, head)
		for _, i := range byTopic[name] {
			pieces = append(pieces, batches[i].frame)
		}
		head = nil
	}
	return pieces
}

// readProduce reads a Produce v8 answer into the answers of the batches.
func (p *Producer) readProduce(ctx context.Context, body []byte, byPartition map[model.TopicPartition]int, answers []error) error {
	r, moved := reader{rest: body}, false
	for topics := r.int32(); topics > 0 && !r.short; topics-- {
		name := r.string()
		for parts := r.int32(); parts > 0 && !r.short; parts-- {
			tp := model.TopicPartition{Topic: name, Partition: r.int32()}
			code := r.int16()
			r.int64() // base offset
			r.int64() // log append time
			r.int64() // log start offset
			for errs := r.int32(); errs > 0 && !r.short; errs-- {
				r.int32() // index of a record at fault
				r.string()
			}
			message := r.string()
			i, ok := byPartition[tp]
			if !ok || r.short {
				continue
			}
			answers[i] = p.produced(tp, code, message)
			moved = moved || leaderless(code)
		}
	}
	if r.short {
		return &model.Error{Class: model.Fenced, Op: "read the answer to Produce", Err: errors.New("it is cut short")}
	}
	if moved {
		return p.client.Refresh(ctx)
	}
	return nil
}

// leaderless are the answers of a broker that does not lead the partition, or not yet.
func leaderless(code int16) bool {
	switch code {
	case broker.UnknownTopicOrPartition, broker.LeaderNotAvailable, broker.NotLeader, broker.StorageFailed, broker.FencedLeaderEpoch, broker.UnknownLeaderEpoch, broker.UnknownTopicID:
		return true
	}
	return false
}

func (p *Producer) produced(tp model.TopicPartition, code int16, message string) error {
	if code == broker.DuplicateSequence { // the batch is there already
		return nil
	}
	err := broker.Check("produce to", fmt.Sprintf("%s-%d", tp.Topic, tp.Partition), code)
	var e *model.Error
	if message != "" && errors.As(err, &e) {
		e.Err = fmt.Errorf("%w: %s", e.Err, message)
	}
	return err
}
