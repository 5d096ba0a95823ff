package repository

import (
	"context"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/repository/recordbatch"
)

// replayID is behind the group's name in the transactional id of replays. It is one for all instances of a group, so that
// what a crashed one has left is ended by the next replay, wherever that is made, and two never run at a time. No INSTANCE_ID
// has a '/', so that no engine has this id.
const replayID = "-/replay"

// replayChunk is how many bytes of messages are collected before they are sent: one request holds all partitions of a broker.
const replayChunk = 4 << 20

// Replays writes messages to the replay topic of a group, those of one request in one transaction. What requests say of
// themselves is committed with them: as the text beside an offset of a group of its own, <group>-replay, which has no
// members. One goroutine uses it at a time.
type Replays struct {
	producer *Producer
	offsets  *Offsets
	topic    string
	group    string
	from     model.TopicPartition // what the letters are counted by, in origins
}

// NewReplays returns the replays of a group. Nothing is asked yet. The transactions end within timeout.
func NewReplays(client *broker.Client, observer Observer, pool *Pool, compressor *recordbatch.Compressor, group string, timeout time.Duration) *Replays {
	retry := NewRetry(observer)
	r := &Replays{topic: group + replaySuffix, group: group + replaySuffix, from: model.TopicPartition{Topic: "letters"}}
	r.producer = NewProducer(client, retry, pool, ProducerConfig{TransactionalID: group + replayID, TransactionTimeout: timeout, Compressor: compressor})
	r.offsets = NewOffsets(client, retry, r.group)
	return r
}

// Begin ends whatever another replay of the group has left undone, and returns what the last ones have said of themselves.
func (r *Replays) Begin(ctx context.Context) (notes string, err error) {
	if err := r.producer.Init(ctx); err != nil {
		return "", err
	}
	at := r.place()
	found, err := r.offsets.Stable(ctx, []model.TopicPartition{at})
	return found[at].Note.Replays, err
}

// place is where notes are kept.
func (r *Replays) place() model.TopicPartition { return model.TopicPartition{Topic: r.topic} }

// Send writes messages, each to its partition of the replay topic, which has so many. Those that the brokers take in no form
// are returned by their number with the reason; all others are part of the transaction.
func (r *Replays) Send(ctx context.Context, messages []model.Message, partitions int32) (refused map[int]error, err error) {
	refused = map[int]error{}
	out := r.producer.Outbox([]string{r.topic}, []int32{partitions}, []model.TopicPartition{r.from})
	flush := func() error {
		list, err := out.Take().Produce(ctx)
		for i := range list {
			refused[int(list[i].Record.Offset)] = list[i].Err
		}
		return err
	}
	for i := range messages {
		m := &messages[i]
		origin := model.Message{Topic: r.from.Topic, Offset: int64(i), Timestamp: m.Timestamp}
		value := out.Open(0, m.Partition, &origin, m.Key, len(m.Value))
		if m.Value == nil {
			value = nil
		}
		out.Close(append(value, m.Value...), m.Headers)
		if out.Bytes() >= replayChunk {
			if err := flush(); err != nil {
				return refused, err
			}
		}
	}
	return refused, flush()
}

// Commit makes everything that was sent visible at once, with what is to be known of the request; empty: nothing new. An error
// of class Transient says that nobody knows whether it did.
func (r *Replays) Commit(ctx context.Context, notes string) error {
	if notes != "" {
		note := model.Note{Watermark: model.NoWatermark, Replays: notes}
		positions := map[model.TopicPartition]model.Position{r.place(): {LeaderEpoch: -1, Note: note}}
		if err := r.producer.CommitOffsets(ctx, r.group, model.Assignment{Generation: -1}, positions); err != nil {
			return err
		}
	}
	err := r.producer.End(ctx, true)
	if err != nil && model.ClassOf(err) == model.Fenced { // perhaps only since it was done, and the answer to that was lost
		return &model.Error{Class: model.Transient, Op: "commit replay of", Subject: r.group, Err: err}
	}
	return err
}

// Abort gives up what was sent since Begin. After an error the next Begin of any instance does.
func (r *Replays) Abort(ctx context.Context) error {
	err := r.producer.End(ctx, false)
	if err != nil && model.ClassOf(err) == model.Fenced {
		return nil // whoever has fenced us has aborted it
	}
	return err
}
