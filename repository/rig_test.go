package repository

import (
	"context"
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
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rig is a cluster, the one at TEST_KAFKA or one in the process, our client of it, and an independent one that says
// what really happened.
type rig struct {
	t         testing.TB
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
func newRig(t testing.TB) *rig {
	t.Helper()
	if at := os.Getenv("TEST_KAFKA"); at != "" {
		return connect(t, strings.Split(at, ","))
	}
	return fakeRig(t)
}

// fakeRig is for what only a cluster that does as it is told can show.
func fakeRig(t testing.TB, opts ...kfake.Opt) *rig {
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

func connect(t testing.TB, bootstrap []string) *rig {
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

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for something that another goroutine does.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come: %s", what)
		}
	}
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

func (o *observer) Pausing(string, time.Duration) {}

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
func must(t testing.TB, err error) {
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
