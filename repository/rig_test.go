package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/repository/recordbatch"
	"data-stream-engine/utils"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rig is a cluster, the one at TEST_KAFKA or one in the process, our client of it, and an independent one that says
// what really happened.
type rig struct {
	t         *testing.T
	fake      *kfake.Cluster // nil for a real cluster
	bootstrap []string
	client    *broker.Client
	admin     *kadm.Client
	observer  *observer

	mu      sync.Mutex
	seen    []request
	scripts map[kmsg.Key]script
}

// request is one that reached a broker of the process.
type request struct {
	kmsg.Request
	node int32
	at   time.Time
}

// script answers the n-th request of an API, counted from 1. handled false leaves it to the broker; an error closes the
// connection.
type script func(n int, r request) (answer kmsg.Response, err error, handled bool)

// newRig takes the real cluster when there is one.
func newRig(t *testing.T) *rig {
	t.Helper()
	if at := os.Getenv("TEST_KAFKA"); at != "" {
		return connect(t, strings.Split(at, ","))
	}
	return fakeRig(t)
}

// fakeRig is for what only a cluster that does as it is told can show.
func fakeRig(t *testing.T, opts ...kfake.Opt) *rig {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(time.Second)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r := connect(t, c.ListenAddrs())
	r.fake = c
	c.Control(r.control)
	return r
}

func connect(t *testing.T, bootstrap []string) *rig {
	t.Helper()
	r := &rig{t: t, bootstrap: bootstrap, observer: &observer{}, scripts: map[kmsg.Key]script{}}
	r.client = r.another()
	admin, err := kadm.NewOptClient(kgo.SeedBrokers(bootstrap...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	r.admin = admin
	return r
}

// another is one more client of ours, with connections of its own.
func (r *rig) another() *broker.Client {
	r.t.Helper()
	tr, err := utils.NewTransport(utils.Kafka{SecurityProtocol: "PLAINTEXT", ClientID: "repository-test"})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(tr.CloseIdleConnections)
	return broker.New(tr, r.bootstrap, "repository-test")
}

func (r *rig) control(q kmsg.Request) (kmsg.Response, error, bool) {
	r.fake.KeepControl()
	at := request{q, r.fake.CurrentNode(), time.Now()}
	r.mu.Lock()
	r.seen = append(r.seen, at)
	n, f := 0, r.scripts[kmsg.Key(q.Key())]
	for _, s := range r.seen {
		if s.Key() == q.Key() {
			n++
		}
	}
	r.mu.Unlock()
	if f == nil {
		return nil, nil, false
	}
	return f(n, at)
}

// on sets the script for an API, and counts its requests from here on.
func (r *rig) on(key kmsg.Key, f script) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.scripts[key] = f
	r.seen = slices.DeleteFunc(r.seen, func(s request) bool { return s.Key() == key.Int16() })
}

// asked is what reached the brokers of some APIs, in order.
func (r *rig) asked(keys ...kmsg.Key) []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []request
	for _, s := range r.seen {
		if slices.Contains(keys, kmsg.Key(s.Key())) {
			found = append(found, s)
		}
	}
	return found
}

func (r *rig) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = nil
}

// lost lets the broker do what a request asks for and closes the connection instead of answering.
func (r *rig) lost(q request) (kmsg.Response, error, bool) {
	r.fake.SleepControl(func() {
		client := r.another()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := client.Refresh(ctx); err != nil {
			r.t.Error(err)
		}
		if _, err := client.Call(ctx, q.node, q.Request); err != nil {
			r.t.Error(err)
		}
	})
	return nil, io.EOF, true
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for something that another goroutine does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come: %s", what)
		}
	}
}

func unique(t *testing.T) string {
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

// observer keeps what it was told.
type observer struct {
	mu        sync.Mutex
	retries   []string // op: error
	recovered []string
	lost      []string
}

func (o *observer) Retrying(op string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retries = append(o.retries, fmt.Sprintf("%s: %v", op, err))
}

func (o *observer) Recovered(op string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.recovered = append(o.recovered, op)
}

func (o *observer) Abandoned(string) {}

func (o *observer) Lost(tp model.TopicPartition, from, to int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost = append(o.lost, fmt.Sprintf("%d: %d to %d", tp.Partition, from, to))
}

func (o *observer) told() (retries, recovered, lost []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.retries), slices.Clone(o.recovered), slices.Clone(o.lost)
}

// producer is a producer of ours with a pool of its own. An empty id: without transactions.
func (r *rig) producer(id string) *Producer {
	r.t.Helper()
	return NewProducer(r.client, NewRetry(r.observer), NewPool(64<<10), ProducerConfig{TransactionalID: id, TransactionTimeout: 10 * time.Second})
}

// initialised is a producer that has an epoch.
func (r *rig) initialised(id string) *Producer {
	r.t.Helper()
	p := r.producer(id)
	if err := p.Init(within(r.t, time.Minute)); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// source is where all events of these tests come from.
var source = model.TopicPartition{Topic: "source", Partition: 7}

// batch is one batch for a partition; the offsets of the events count from 100.
func (p *Producer) batch(topic string, partition int32, values ...string) Outgoing {
	b := recordbatch.NewBuilder(0)
	for i, v := range values {
		b.Append(1_700_000_000_000+int64(i), recordbatch.Origin{Source: 0, Offset: int64(100 + i)}, nil, []byte(v), nil)
	}
	return Outgoing{TopicPartition: model.TopicPartition{Topic: topic, Partition: partition}, Batch: b, sources: []model.TopicPartition{source}}
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write produces batches that nobody should refuse.
func write(t *testing.T, p *Producer, batches ...Outgoing) {
	t.Helper()
	refused, err := p.Produce(within(t, time.Minute), batches)
	if err != nil || len(refused) > 0 {
		t.Fatalf("refused %v, %v", refused, err)
	}
}

func requireClass(t *testing.T, err error, want model.Class) {
	t.Helper()
	if err == nil || model.ClassOf(err) != want {
		t.Errorf("%v is %s, want %s", err, model.ClassOf(err), want)
	}
}

// failing answers a request with an error code wherever the answer has one.
func failing(q kmsg.Request, code int16) kmsg.Response {
	switch q := q.(type) {
	case *kmsg.InitProducerIDRequest:
		a := q.ResponseKind().(*kmsg.InitProducerIDResponse)
		a.ErrorCode, a.ProducerID, a.ProducerEpoch = code, -1, -1
		return a
	case *kmsg.AddOffsetsToTxnRequest:
		a := q.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
		a.ErrorCode = code
		return a
	case *kmsg.EndTxnRequest:
		a := q.ResponseKind().(*kmsg.EndTxnResponse)
		a.ErrorCode = code
		return a
	case *kmsg.AddPartitionsToTxnRequest:
		a := q.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
		for _, t := range q.Topics {
			x := kmsg.NewAddPartitionsToTxnResponseTopic()
			x.Topic = t.Topic
			for _, n := range t.Partitions {
				y := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
				y.Partition, y.ErrorCode = n, code
				x.Partitions = append(x.Partitions, y)
			}
			a.Topics = append(a.Topics, x)
		}
		return a
	case *kmsg.TxnOffsetCommitRequest:
		a := q.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		for _, t := range q.Topics {
			x := kmsg.NewTxnOffsetCommitResponseTopic()
			x.Topic = t.Topic
			for _, p := range t.Partitions {
				y := kmsg.NewTxnOffsetCommitResponseTopicPartition()
				y.Partition, y.ErrorCode = p.Partition, code
				x.Partitions = append(x.Partitions, y)
			}
			a.Topics = append(a.Topics, x)
		}
		return a
	case *kmsg.ProduceRequest:
		a := q.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range q.Topics {
			x := kmsg.NewProduceResponseTopic()
			x.Topic = t.Topic
			for _, p := range t.Partitions {
				y := kmsg.NewProduceResponseTopicPartition()
				y.Partition, y.ErrorCode = p.Partition, code
				x.Partitions = append(x.Partitions, y)
			}
			a.Topics = append(a.Topics, x)
		}
		return a
	}
	return nil
}

// first answers the first requests with one code each and leaves the others to the broker.
func first(codes ...int16) script {
	return func(n int, q request) (kmsg.Response, error, bool) {
		if n > len(codes) {
			return nil, nil, false
		}
		return failing(q.Request, codes[n-1]), nil, true
	}
}
