package repository

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/repository/recordbatch"
)

// ProducerConfig says what kind of producer it is.
type ProducerConfig struct {
	// TransactionalID makes the producer transactional. Empty: an idempotent producer without transactions.
	TransactionalID string
	// TransactionTimeout is how long the broker keeps a transaction open whose producer is gone.
	TransactionTimeout time.Duration
	Compressor         *recordbatch.Compressor
}

// Producer writes record batches, each exactly once, in transactions when it has a transactional id. It speaks the
// transaction protocol of Kafka 2.8 (TV1): partitions are added to the transaction by the client, ahead of the first
// Produce. One goroutine uses it at a time.
type Producer struct {
	client *broker.Client
	retry  Retry
	cfg    ProducerConfig
	pool   *Pool // takes the builders of acknowledged batches back

	id        int64
	epoch     int16
	sequences map[model.TopicPartition]int32
	added     map[model.TopicPartition]bool // to the open transaction
	written   map[model.TopicPartition]bool // in the open transaction
	last      []model.TopicPartition        // what the transaction before wrote to
	open      bool                          // the coordinator knows of a transaction
	group     string                        // whose offsets were added to it
	unsettled atomic.Bool                   // a Produce of it has no answer
	forgotten bool                          // a broker does not know what was written before; without transactions
}

// NewProducer returns a producer. It has no producer id before Init.
func NewProducer(client *broker.Client, retry Retry, pool *Pool, cfg ProducerConfig) *Producer {
	return &Producer{client: client, retry: retry, pool: pool, cfg: cfg, id: -1}
}

// Transactional tells whether there are transactions.
func (p *Producer) Transactional() bool { return p.cfg.TransactionalID != "" }

// Init gets a producer id and a new epoch. It aborts what an earlier producer with this transactional id left open, and
// fences that producer.
func (p *Producer) Init(ctx context.Context) error {
	p.reset()
	q := kmsg.NewPtrInitProducerIDRequest()
	q.TransactionalID, q.ProducerID, q.ProducerEpoch = optional(p.cfg.TransactionalID), -1, -1
	q.TransactionTimeoutMillis = int32(p.cfg.TransactionTimeout.Milliseconds())
	return p.retry.Do(ctx, "initialise producer", func(ctx context.Context) error {
		// Without a transactional id any broker hands out a producer id.
		answer, err := p.callCoordinator(ctx, q)
		if err != nil {
			return err
		}
		r, ok := answer.(*kmsg.InitProducerIDResponse)
		if !ok {
			return fmt.Errorf("unexpected answer %T to InitProducerID", answer)
		}
		if err := p.check("initialise producer", r.ErrorCode); err != nil {
			return err
		}
		p.id, p.epoch = r.ProducerID, r.ProducerEpoch
		return nil
	})
}

func (p *Producer) reset() {
	p.sequences = map[model.TopicPartition]int32{}
	p.added = map[model.TopicPartition]bool{}
	p.written = map[model.TopicPartition]bool{}
	p.open, p.group = false, ""
	p.unsettled.Store(false)
	p.forgotten = false
}

// Begin opens a transaction ahead of its first Produce: the group's offsets and the partitions that the transaction
// before wrote to are added while the first events are still being processed. The answer to the first of these calls
// is often that the transaction before is still writing its markers (51); here nobody waits for it.
func (p *Producer) Begin(ctx context.Context, group string) error {
	if !p.Transactional() {
		return nil
	}
	if err := p.addOffsets(ctx, group); err != nil {
		return err
	}
	last := p.last
	p.last = nil
	return p.retry.Do(ctx, adding, func(ctx context.Context) error {
		err := p.addOnce(ctx, last)
		if broker.Code(err) == broker.UnknownTopicOrPartition {
			return nil // a topic is gone, which nobody may write to any more: who writes adds the others
		}
		return err
	})
}

func (p *Producer) addOffsets(ctx context.Context, group string) error {
	if p.group == group {
		return nil
	}
	q := kmsg.NewPtrAddOffsetsToTxnRequest()
	q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Group = p.cfg.TransactionalID, p.id, p.epoch, group
	err := p.retry.Do(ctx, "add offsets to transaction", func(ctx context.Context) error {
		answer, err := p.callCoordinator(ctx, q)
		if err != nil {
			return err
		}
		r, ok := answer.(*kmsg.AddOffsetsToTxnResponse)
		if !ok {
			return fmt.Errorf("unexpected answer %T to AddOffsetsToTxn", answer)
		}
		return p.check("add offsets to transaction", r.ErrorCode)
	})
	if err != nil {
		return err
	}
	p.open, p.group = true, group
	return nil
}

const adding = "add partitions to transaction"

// add makes partitions part of the transaction.
func (p *Producer) add(ctx context.Context, partitions []model.TopicPartition) error {
	return p.retry.Do(ctx, adding, func(ctx context.Context) error { return p.addOnce(ctx, partitions) })
}

func (p *Producer) addOnce(ctx context.Context, partitions []model.TopicPartition) error {
	var missing []model.TopicPartition
	for _, tp := range partitions {
		if !p.added[tp] {
			missing = append(missing, tp)
		}
	}
	if len(missing) == 0 || !p.Transactional() {
		return nil
	}
	q := kmsg.NewPtrAddPartitionsToTxnRequest()
	q.TransactionalID, q.ProducerID, q.ProducerEpoch = p.cfg.TransactionalID, p.id, p.epoch
	for topic, numbers := range byTopic(missing) {
		t := kmsg.NewAddPartitionsToTxnRequestTopic()
		t.Topic, t.Partitions = topic, numbers
		q.Topics = append(q.Topics, t)
	}
	answer, err := p.callCoordinator(ctx, q)
	if err != nil {
		return err
	}
	r, ok := answer.(*kmsg.AddPartitionsToTxnResponse)
	if !ok {
		return fmt.Errorf("unexpected answer %T to AddPartitionsToTxn", answer)
	}
	if err := p.checkAdded(r); err != nil {
		return err
	}
	p.open = true
	for _, tp := range missing {
		p.added[tp] = true
	}
	return nil
}

// checkAdded reports the error that says most: a partition that was not attempted (55) only says that another failed.
func (p *Producer) checkAdded(r *kmsg.AddPartitionsToTxnResponse) error {
	const notAttempted = 55
	var worst error
	for _, t := range r.Topics {
		for _, x := range t.Partitions {
			switch err := p.checkPartition(t.Topic, x.Partition, x.ErrorCode); {
			case err == nil, worst != nil && x.ErrorCode == notAttempted:
			case worst == nil, broker.Code(worst) == notAttempted, model.ClassOf(worst) == model.Transient:
				worst = err
			}
		}
	}
	return worst
}

// checkPartition names the partition: permissions are given by topic.
func (p *Producer) checkPartition(topic string, partition int32, code int16) error {
	if movedCoordinator(code) {
		p.client.ForgetTransactionCoordinator(p.cfg.TransactionalID)
	}
	return broker.Check("add to transaction "+p.cfg.TransactionalID+" partition", fmt.Sprintf("%s-%d", topic, partition), code)
}

// CommitOffsets makes positions part of the transaction, fenced by the member's generation: this is what keeps a
// member that lost its partitions from committing. Every Produce of the transaction must have been answered before.
//
// Without transactions it commits them at once, after everything was produced: at least once.
func (p *Producer) CommitOffsets(ctx context.Context, group string, member model.Assignment, positions map[model.TopicPartition]model.Position) error {
	if !p.Transactional() {
		return NewOffsets(p.client, p.retry, group).Commit(ctx, member, positions)
	}
	if err := p.addOffsets(ctx, group); err != nil {
		return err
	}
	q := kmsg.NewPtrTxnOffsetCommitRequest()
	q.TransactionalID, q.ProducerID, q.ProducerEpoch = p.cfg.TransactionalID, p.id, p.epoch
	q.Group, q.Generation, q.MemberID, q.InstanceID = group, member.Generation, member.MemberID, optional(member.InstanceID)
	for topic, ps := range positionsByTopic(positions) {
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = topic
		for _, x := range ps {
			y := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			y.Partition, y.Offset, y.LeaderEpoch, y.Metadata = x.partition, x.Offset, x.LeaderEpoch, noteText(x.Note)
			t.Partitions = append(t.Partitions, y)
		}
		q.Topics = append(q.Topics, t)
	}
	offsets := NewOffsets(p.client, p.retry, group)
	return p.retry.Do(ctx, "commit offsets in transaction", func(ctx context.Context) error {
		answer, err := offsets.callCoordinator(ctx, q)
		if err != nil {
			return err
		}
		r, ok := answer.(*kmsg.TxnOffsetCommitResponse)
		if !ok {
			return fmt.Errorf("unexpected answer %T to TxnOffsetCommit", answer)
		}
		for _, t := range r.Topics {
			for _, x := range t.Partitions {
				if err := offsets.checkPartition("commit in a transaction the offset of", t.Topic, x.Partition, x.ErrorCode); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// End commits or aborts the transaction, if there is one. A lost answer is asked for again until it is definite: the
// broker answers a repeated EndTxn as the first. A transaction with a Produce that has no answer is not ended: the
// request may still be on its way, and would begin a transaction that nobody ends. Init aborts it and fences the request.
func (p *Producer) End(ctx context.Context, commit bool) error {
	if !p.open {
		return nil
	}
	op := "abort transaction"
	if commit {
		op = "commit transaction"
	}
	if p.unsettled.Load() {
		return &model.Error{Class: model.Fenced, Op: op, Subject: p.cfg.TransactionalID, Err: errors.New("a Produce of it has no answer")}
	}
	q := kmsg.NewPtrEndTxnRequest()
	q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Commit = p.cfg.TransactionalID, p.id, p.epoch, commit
	err := p.retry.Do(ctx, op, func(ctx context.Context) error {
		answer, err := p.callCoordinator(ctx, q)
		if err != nil {
			return err
		}
		r, ok := answer.(*kmsg.EndTxnResponse)
		if !ok {
			return fmt.Errorf("unexpected answer %T to EndTxn", answer)
		}
		return p.check(op, r.ErrorCode)
	})
	if err != nil {
		return err
	}
	p.last = p.last[:0]
	for tp := range p.written {
		p.last = append(p.last, tp)
	}
	clear(p.added)
	clear(p.written)
	p.open, p.group = false, ""
	return nil
}

// callCoordinator asks the transaction coordinator, or any broker when there are no transactions.
// A coordinator that hangs gets no more time than any broker: there may be another one by then.
func (p *Producer) callCoordinator(ctx context.Context, q kmsg.Request) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, broker.DefaultTimeout)
	defer cancel()
	if !p.Transactional() {
		return p.client.Call(ctx, broker.AnyNode, q)
	}
	node, err := p.client.TransactionCoordinator(ctx, p.cfg.TransactionalID)
	if err != nil {
		return nil, err
	}
	answer, err := p.client.Call(ctx, node, q)
	if err != nil {
		p.client.ForgetTransactionCoordinator(p.cfg.TransactionalID)
	}
	return answer, err
}

func (p *Producer) check(op string, code int16) error {
	if movedCoordinator(code) {
		p.client.ForgetTransactionCoordinator(p.cfg.TransactionalID)
	}
	return broker.Check(op, p.cfg.TransactionalID, code)
}
