package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/repository/broker"
	"data-stream-engine/utils"
)

// bench is one run of the program.
type bench struct {
	options

	dir    string // for the engine
	corpus corpus
	admin  *kadm.Client
	report *report
	topics int // names of topics are counted up
}

func newBench(o options) (*bench, error) {
	if o.bootstrap == "" {
		return nil, errors.New("no broker: set KAFKA_BOOTSTRAP_SERVERS or -bootstrap; scripts/bench.sh starts one")
	}
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o750); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(o.bootstrap))
	if err != nil {
		return nil, err
	}
	return &bench{options: o, dir: dir, corpus: newCorpus(10_000, 230), admin: kadm.NewClient(client), report: newReport(o)}, nil
}

func (b *bench) close() {
	b.admin.Close()
	if err := os.RemoveAll(b.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// wants tells whether a part is to be run.
func (o options) wants(part string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), part)
}

// newTopic makes an empty topic; forget deletes it, with its files.
func (b *bench) newTopic(ctx context.Context, partitions int) (name string, forget func(), err error) {
	b.topics++
	name = fmt.Sprintf("bench-%d-%d", os.Getpid(), b.topics)
	_, err = b.admin.CreateTopic(ctx, int32(partitions), 1, map[string]*string{
		"file.delete.delay.ms": kadm.StringPtr("1000"), "retention.ms": kadm.StringPtr("-1"), // the events are old
	}, name)
	if err != nil {
		return "", nil, fmt.Errorf("create topic %s: %w", name, err)
	}
	forget = func() {
		if _, err := b.admin.DeleteTopic(context.WithoutCancel(ctx), name); err != nil {
			fmt.Fprintln(os.Stderr, "delete topic", name, err)
		}
	}
	for { // a new topic takes a moment to have leaders: kafka-go's Writer would give up
		if _, err = b.size(ctx, name); err == nil {
			return name, forget, nil
		}
		if wait(ctx, 20*time.Millisecond) != nil {
			forget()
			return "", nil, fmt.Errorf("topic %s is not ready: %w", name, err)
		}
	}
}

// size is the number of offsets in a topic that a read_committed reader gets to.
func (b *bench) size(ctx context.Context, topic string) (int64, error) {
	ends, err := b.admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	var sum int64
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum, err
}

// ours is the engine's way to a cluster, as package app composes it.
type ours struct {
	transport *kafka.Transport
	client    *broker.Client
	retry     repository.Retry
	observer  *observer
}

// connect makes connections of its own. wrap, if it is not nil, stands between the client and them.
func (b *bench) connect(wrap func(kafka.RoundTripper) kafka.RoundTripper) (*ours, error) {
	transport, err := utils.NewTransport(utils.Kafka{SecurityProtocol: "PLAINTEXT", ClientID: "bench"})
	if err != nil {
		return nil, err
	}
	var way kafka.RoundTripper = transport
	if wrap != nil {
		way = wrap(way)
	}
	o := &ours{transport: transport, client: broker.New(way, []string{b.bootstrap}, "bench"), observer: &observer{}}
	o.retry = repository.NewRetry(o.observer)
	return o, nil
}

func (o *ours) close() { o.transport.CloseIdleConnections() }

// observer counts and names what had to be repeated, besides the codes that pass at once.
type observer struct{ retries atomic.Int64 }

// Retrying implements repository.Observer.
func (o *observer) Retrying(op string, err error) {
	o.retries.Add(1)
	fmt.Fprintf(os.Stderr, "again: %s: %v\n", op, err)
}

// Recovered implements repository.Observer.
func (*observer) Recovered(string) {}

// Abandoned implements repository.Observer.
func (*observer) Abandoned(string) {}

// Lost implements repository.Observer.
func (*observer) Lost(tp model.TopicPartition, from, to int64) {
	fmt.Fprintf(os.Stderr, "lost: %s-%d, offsets %d to %d\n", tp.Topic, tp.Partition, from, to)
}
