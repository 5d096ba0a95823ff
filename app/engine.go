package app

import (
	"context"
	"runtime"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"data-stream-engine/handler"
	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/repository/broker"
	"data-stream-engine/repository/group"
	"data-stream-engine/repository/recordbatch"
	"data-stream-engine/service"
	"data-stream-engine/utils"
)

const (
	// batchBytes is where an output batch is closed: below max.message.bytes of a topic (1 MiB by default) even when
	// compression gains nothing.
	batchBytes = 512 << 10
	// promptWait is how long a broker may wait for more messages when what they become is seen as soon as it is produced.
	promptWait = 15 * time.Millisecond
	// rebalanceSlack is what a member may take, beyond the commit under way, to give its partitions up.
	rebalanceSlack = 5 * time.Second
)

// cluster is the way to one Kafka cluster, shared by everything that talks to it.
type cluster struct {
	client *broker.Client
	retry  repository.Retry
	topics *repository.Topics
}

func newCluster(transport *kafka.Transport, s *utils.Settings, bootstrap []string, observer repository.Observer) cluster {
	client := broker.New(transport, bootstrap, s.Kafka.ClientID)
	retry := repository.NewRetry(observer)
	return cluster{client: client, retry: retry, topics: repository.NewTopics(client, retry)}
}

// newEngine composes the engine: the pipeline's processor between a source and a writer of one consumer group.
func newEngine(s *utils.Settings, c cluster, spec *model.Pipeline, processor *service.Processor, groupID string, watch *handler.Watch, log zerolog.Logger) (*handler.Engine, *group.Member, error) {
	codec, err := recordbatch.ParseCodec(s.Kafka.Compression)
	if err != nil {
		return nil, nil, err
	}
	compressor, err := recordbatch.NewCompressor(codec)
	if err != nil {
		return nil, nil, err
	}
	member := group.New(group.Config{
		Group: groupID, InstanceID: s.Engine.InstanceID, ClientID: s.Kafka.ClientID, Topics: subscription(spec, processor),
		SessionTimeout:   s.Engine.SessionTimeout,
		RebalanceTimeout: s.Engine.TransactionTimeout + rebalanceSlack,
	}, c.client, c.client, watch, log)
	wait := s.Engine.CommitInterval
	if !s.Engine.ExactlyOnce() {
		wait = min(wait, promptWait)
	}
	fetching := repository.SourceConfig{MaxBytes: int(s.Kafka.FetchMaxBytes), MaxBatchBytes: int(s.Engine.MaxBatchBytes), Wait: wait}
	own := fetching // what we have written ourselves is read whatever MAX_BATCH_BYTES says
	own.MaxBatchBytes = max(own.MaxBatchBytes, repository.MostDerived)
	source := repository.NewSource(c.client, watch, fetching)
	writers := writers{cluster: c, pool: repository.NewPool(batchBytes), compressor: compressor, group: groupID,
		exactlyOnce: s.Engine.ExactlyOnce(), timeout: s.Engine.TransactionTimeout}
	ports := handler.Ports{
		Membership: member, Heartbeat: member, Source: opener{source}, NewWriter: writers.writer,
		Offsets: repository.NewOffsets(c.client, c.retry, groupID, fromEnd(s, spec)...),
		NewLog:  func(op string) handler.Log { return repository.NewLog(c.client, watch, op, own) },
		Partitions: func(ctx context.Context) (int32, error) {
			counts, err := c.client.PartitionCounts(ctx, []string{spec.Source.Topic})
			return counts[spec.Source.Topic], err
		},
		Ends: func(ctx context.Context, partitions []model.TopicPartition) (map[model.TopicPartition]int64, error) {
			return repository.NewLog(c.client, watch, "look how much waits", own).Stable(ctx, partitions)
		},
		Subscribe: member.Subscribe,
	}
	return handler.NewEngine(handler.Config{
		Group: groupID, InstanceID: s.Engine.InstanceID, ExactlyOnce: s.Engine.ExactlyOnce(),
		CommitInterval: s.Engine.CommitInterval, CommitMaxRecords: s.Engine.CommitMaxRecords, CommitMaxBytes: int(s.Engine.CommitMaxBytes),
		TransactionTimeout: s.Engine.TransactionTimeout, ShutdownTimeout: s.Engine.ShutdownTimeout, Workers: runtime.GOMAXPROCS(0),
		EmitInterval: s.Engine.EmitInterval, IdleTimeout: s.Engine.IdleTimeout,
	}, ports, processor, watch, log), member, nil
}

// subscription are the topics whose partitions the group shares out.
func subscription(spec *model.Pipeline, processor *service.Processor) []string {
	topics := []string{spec.Source.Topic, processor.ReplayTopic()}
	if derived, ok := processor.Derived(); ok {
		topics = append(topics, derived.Partials)
	}
	return topics
}

// fromEnd are the topics that a group without committed offsets begins at the end of.
func fromEnd(s *utils.Settings, spec *model.Pipeline) []string {
	if s.Kafka.AutoOffsetReset == "latest" {
		return []string{spec.Source.Topic}
	}
	return nil
}

// opener is the repository's source as the handler knows it.
type opener struct{ *repository.Source }

func (o opener) Open(ctx context.Context, from map[model.TopicPartition]model.Position) (handler.Stream, error) {
	stream, err := o.Source.Open(ctx, from)
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// writers makes the producer of an identity.
type writers struct {
	cluster
	pool        *repository.Pool
	compressor  *recordbatch.Compressor
	group       string
	exactlyOnce bool
	timeout     time.Duration
}

func (w writers) writer(identity string) handler.Writer {
	config := repository.ProducerConfig{Compressor: w.compressor}
	if w.exactlyOnce {
		config.TransactionalID, config.TransactionTimeout = w.group+"-"+identity, w.timeout
	}
	producer := repository.NewProducer(w.client, w.retry, w.pool, config)
	return handler.Writer{Producer: producer, NewOutbox: func(ctx context.Context, topics []string, sources []model.TopicPartition) (handler.Outbox, error) {
		counts, err := w.client.PartitionCounts(ctx, topics)
		if err != nil {
			return nil, err
		}
		list := make([]int32, len(topics))
		for i, t := range topics {
			list[i] = counts[t]
		}
		return producer.Outbox(topics, list, sources), nil
	}}
}
