package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// bench is one run of the program.
type bench struct {
	options

	dir    string // for the binaries of the pipeline's contestants, and the engine's data
	corpus corpus
	admin  *kadm.Client
	report *report
	topics int // names of topics are counted up

	collector *collector // of the traces of contestants
}

func newBench(o options) (*bench, error) {
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
	return &bench{options: o, dir: dir, corpus: newCorpus(10_000, 230), admin: kadm.NewClient(client), report: &report{header: newHeader(o)}}, nil
}

func (b *bench) close() {
	b.admin.Close()
	if err := os.RemoveAll(b.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// newTopic makes an empty topic; forget deletes it, with its files.
func (b *bench) newTopic(ctx context.Context, partitions int) (name string, forget func(), err error) {
	b.topics++
	name = fmt.Sprintf("bench-%d-%d", os.Getpid(), b.topics)
	forget, err = b.create(ctx, name, partitions)
	return name, forget, err
}

// create makes a topic of a given name.
func (b *bench) create(ctx context.Context, name string, partitions int) (forget func(), err error) {
	_, err = b.admin.CreateTopic(ctx, int32(partitions), 1, map[string]*string{
		"file.delete.delay.ms": kadm.StringPtr("1000"), "retention.ms": kadm.StringPtr("-1"), // the events are old
	}, name)
	if err != nil {
		return nil, fmt.Errorf("create topic %s: %w", name, err)
	}
	forget = func() {
		if _, err := b.admin.DeleteTopic(context.WithoutCancel(ctx), name); err != nil {
			fmt.Fprintln(os.Stderr, "delete topic", name, err)
		}
	}
	for { // a new topic takes a moment to have leaders: kafka-go's Writer would give up
		if _, err = b.size(ctx, name); err == nil {
			return forget, nil
		}
		if wait(ctx, 20*time.Millisecond) != nil {
			forget()
			return nil, fmt.Errorf("topic %s is not ready: %w", name, err)
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
