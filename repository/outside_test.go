package repository

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func unique(t testing.TB) string {
	return fmt.Sprintf("%s-%d", strings.NewReplacer("/", "-", "#", "-").Replace(t.Name()), time.Now().UnixNano()%1e9)
}

// topic creates a topic for this test and waits until it has leaders.
func (r *rig) topic(partitions int32, config ...string) string {
	r.t.Helper()
	name := unique(r.t)
	r.create(name, partitions, config...)
	return name
}

func (r *rig) create(name string, partitions int32, config ...string) {
	r.t.Helper()
	ctx := within(r.t, time.Minute)
	configs := map[string]*string{}
	for i := 0; i+1 < len(config); i += 2 {
		configs[config[i]] = &config[i+1]
	}
	eventually(r.t, "the end of an earlier "+name, func() bool { // in ZooKeeper mode a deleted topic exists for a while
		_, err := r.admin.CreateTopic(ctx, partitions, 1, configs, name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			r.t.Fatal(err)
		}
		return err == nil
	})
	client := r.another() // ours should meet a topic that it has not heard of
	eventually(r.t, "topic "+name, func() bool {
		t, err := client.RefreshTopics(ctx, name)
		return err == nil && len(t[name].Leaders) == int(partitions) && !slices.Contains(t[name].Leaders, -1)
	})
}

// fill writes records with the independent client: one batch of the given values.
func (r *rig) fill(topic string, partition int32, values ...string) {
	r.t.Helper()
	r.produce(topic, partition, values, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(4<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
}

func (r *rig) produce(topic string, partition int32, values []string, opts ...kgo.Opt) {
	r.t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(r.bootstrap...))...)
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(within(r.t, time.Minute), kgoRecords(topic, partition, values)...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

func kgoRecords(topic string, partition int32, values []string) []*kgo.Record {
	var rs []*kgo.Record
	for _, v := range values {
		rs = append(rs, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v)})
	}
	return rs
}

// transaction writes a transaction with the independent client.
func (r *rig) transaction(commit bool, topic string, partition int32, values ...string) {
	r.t.Helper()
	end := r.leaveOpen(topic, partition, values...)
	end(commit)
}

// leaveOpen writes a transaction up to its end.
func (r *rig) leaveOpen(topic string, partition int32, values ...string) (end func(commit bool)) {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.bootstrap...), kgo.TransactionalID(unique(r.t)), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		r.t.Fatal(err)
	}
	ctx := within(r.t, time.Minute)
	if err := cl.BeginTransaction(); err != nil {
		r.t.Fatal(err)
	}
	if err := cl.ProduceSync(ctx, kgoRecords(topic, partition, values)...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
	return func(commit bool) {
		r.t.Helper()
		if err := cl.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
			r.t.Fatal(err)
		}
		cl.Close()
	}
}

// committed reads a topic with the independent client in read_committed mode, to its end.
func (r *rig) committed(topic string) map[int32][]string {
	r.t.Helper()
	ctx := within(r.t, time.Minute)
	ends, err := r.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		r.t.Fatal(err)
	}
	eventually(r.t, "the end of all transactions in "+topic, func() bool {
		stable, err := r.admin.ListCommittedOffsets(ctx, topic)
		same := err == nil
		ends.Each(func(o kadm.ListedOffset) {
			s, ok := stable.Lookup(topic, o.Partition)
			same = same && ok && s.Offset >= o.Offset
		})
		return same
	})
	from := map[int32]kgo.Offset{}
	left := 0
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			from[o.Partition] = kgo.NewOffset().AtStart()
			left++
		}
	})
	got := map[int32][]string{}
	if left == 0 {
		return got
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.bootstrap...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	for left > 0 {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			r.t.Fatal(err)
		}
		fs.EachRecord(func(m *kgo.Record) {
			if !m.Attrs.IsControl() {
				got[m.Partition] = append(got[m.Partition], string(m.Value))
			}
			if end, _ := ends.Lookup(topic, m.Partition); m.Offset == end.Offset-1 {
				left--
			}
		})
	}
	return got
}

func (r *rig) requireCommitted(topic string, want map[int32][]string) {
	r.t.Helper()
	if got := r.committed(topic); fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("committed in %s:\n got %v\nwant %v", topic, brief(fmt.Sprint(got)), brief(fmt.Sprint(want)))
	}
}

func brief(s string) string {
	if len(s) > 2000 {
		return s[:2000] + "..."
	}
	return s
}
