package app_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What the engines of these tests read and write.
const (
	sourceTopic  = "in"
	outputTopic  = "out"
	groupID      = "engine"
	deadTopic    = groupID + "-dead-letter"
	controlTopic = groupID + "-control"
	replayTopic  = groupID + "-replay"
	partitions   = 4
	users        = 12

	plainPipeline = `
name: engine
source: {topic: in}
filter: kind != "noise"
output:
  - topic: out
    key: user
`
)

// event is what the source holds: of each user the numbers rise.
type event struct {
	User string `json:"user"`
	N    int    `json:"n"`
	Kind string `json:"kind,omitempty"`
	Pad  string `json:"pad,omitempty"`
}

func (e event) user() int {
	n, _ := strconv.Atoi(e.User[1:])
	return n
}

// rig is a cluster that does as it is told, the wire to it, and an independent client that says what really happened.
type rig struct {
	t        *testing.T
	fake     *kfake.Cluster
	wire     *wire
	admin    *kadm.Client
	producer *kgo.Client
	pipeline string
	terminal *os.File // that instances write to; nil: their own log

	mu   sync.Mutex
	seen []kmsg.Request
	sent int
	want map[string][]int // by user
}

func newRig(t *testing.T, opts ...kfake.Opt) *rig {
	t.Helper()
	r := &rig{t: t, wire: newWire(), pipeline: plainPipeline, want: map[string][]int{}}
	opts = append([]kfake.Opt{kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(time.Second), kfake.ListenFn(r.wire.listen)}, opts...)
	fake, err := kfake.NewCluster(opts...)
	must(t, err)
	t.Cleanup(fake.Close)
	r.fake = fake
	r.producer, err = kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(16<<20))
	must(t, err)
	t.Cleanup(r.producer.Close)
	r.admin = kadm.NewClient(r.producer)
	r.create(sourceTopic, partitions, "max.message.bytes", "16777216")
	r.create(outputTopic, 3)
	r.create(deadTopic, 2)
	r.create(controlTopic, 1, "cleanup.policy", "compact")
	r.create(replayTopic, partitions)
	fake.Control(r.look)
	return r
}

func (r *rig) create(topic string, n int32, config ...string) {
	r.t.Helper()
	configs := map[string]*string{}
	for i := 0; i+1 < len(config); i += 2 {
		configs[config[i]] = &config[i+1]
	}
	_, err := r.admin.CreateTopic(r.t.Context(), n, 1, configs, topic)
	must(r.t, err)
}

// look remembers what the engines ask of the brokers, fetches and heartbeats aside.
func (r *rig) look(q kmsg.Request) (kmsg.Response, error, bool) {
	if p, ok := q.(*kmsg.ProduceRequest); ok && len(p.Topics) == 1 && p.Topics[0].Topic == controlTopic {
		return nil, nil, false // what instances tell of themselves
	}
	switch kmsg.Key(q.Key()) {
	case kmsg.Produce, kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.OffsetCommit, kmsg.JoinGroup, kmsg.LeaveGroup:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seen = append(r.seen, q)
	}
	return nil, nil, false
}

// asked are the requests of one kind that came since the start or the last forget.
func asked[T kmsg.Request](r *rig) []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []T
	for _, q := range r.seen {
		if q, ok := q.(T); ok {
			found = append(found, q)
		}
	}
	return found
}

func (r *rig) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = nil
}

// next makes n events, of all users in turn.
func (r *rig) next(n int, change ...func(*event)) []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var events []event
	for range n {
		e := event{User: "u" + strconv.Itoa(r.sent%users), N: r.sent}
		for _, f := range change {
			f(&e)
		}
		if e.Kind == "" {
			r.want[e.User] = append(r.want[e.User], e.N)
		}
		r.sent++
		events = append(events, e)
	}
	return events
}

func record(e event) *kgo.Record {
	value, _ := json.Marshal(e) // strings and numbers
	return &kgo.Record{Topic: sourceTopic, Partition: int32(e.user() % partitions), Value: value}
}

// feed writes events to the source, in batches of a few.
func (r *rig) feed(n int, change ...func(*event)) {
	r.t.Helper()
	for rest := r.next(n, change...); len(rest) > 0; {
		some := rest[:min(len(rest), 5*users)]
		rest = rest[len(some):]
		var records []*kgo.Record
		for _, e := range some {
			records = append(records, record(e))
		}
		r.write(records...)
	}
}

func (r *rig) write(records ...*kgo.Record) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	must(r.t, r.producer.ProduceSync(ctx, records...).FirstErr())
}

// caughtUp waits until the group has committed everything that is in the source.
func (r *rig) caughtUp() {
	r.t.Helper()
	var last string
	r.eventually("the group at the end of the source", func() bool {
		ends, err := r.admin.ListCommittedOffsets(r.t.Context(), sourceTopic)
		if err != nil {
			return false
		}
		done, err := r.admin.FetchOffsets(r.t.Context(), groupID)
		if err != nil {
			return false
		}
		last = ""
		ends.Each(func(end kadm.ListedOffset) {
			if at, ok := done.Lookup(end.Topic, end.Partition); !ok || at.At != end.Offset {
				last += fmt.Sprintf("%d: %d of %d; ", end.Partition, at.At, end.Offset)
			}
		})
		return last == ""
	}, &last)
}

// eventually waits for something that other goroutines bring about.
func (r *rig) eventually(what string, is func() bool, why ...*string) {
	r.t.Helper()
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	for _, w := range why {
		what += ": " + *w
	}
	r.t.Fatalf("waited in vain for %s", what)
}

// committed reads what a read_committed reader sees of a topic, up to its end.
func (r *rig) committed(topic string) []*kgo.Record {
	r.t.Helper()
	ends, err := r.admin.ListCommittedOffsets(r.t.Context(), topic)
	must(r.t, err)
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			from[o.Partition], left[o.Partition] = kgo.NewOffset().AtStart(), o.Offset
		}
	})
	if len(left) == 0 {
		return nil
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(r.fake.ListenAddrs()...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.FetchMaxWait(50*time.Millisecond))
	must(r.t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	var all []*kgo.Record
	for len(left) > 0 {
		fetches := c.PollFetches(ctx)
		must(r.t, fetches.Err0())
		fetches.EachRecord(func(m *kgo.Record) {
			if !m.Attrs.IsControl() {
				all = append(all, m)
			}
			if m.Offset >= left[m.Partition]-1 {
				delete(left, m.Partition)
			}
		})
	}
	return all
}

// output is what the output topic holds, by user.
func (r *rig) output() map[string][]int {
	r.t.Helper()
	got := map[string][]int{}
	for _, m := range r.committed(outputTopic) {
		var e event
		must(r.t, json.Unmarshal(m.Value, &e))
		if string(m.Key) != e.User {
			r.t.Errorf("key %q of %s", m.Key, m.Value)
		}
		got[e.User] = append(got[e.User], e.N)
	}
	return got
}

// exactlyOnce waits for the group and holds the output against what was fed: each event once, those of a user in order.
func (r *rig) exactlyOnce() {
	r.t.Helper()
	r.caughtUp()
	got := r.output()
	for user, want := range r.want {
		if !slices.Equal(got[user], want) {
			r.t.Errorf("%s: %s", user, difference(got[user], want))
		}
	}
}

// difference says in a few words how two lists of numbers differ.
func difference(got, want []int) string {
	times := map[int]int{}
	for _, n := range got {
		times[n]++
	}
	var lost, doubled []int
	for _, n := range want {
		switch times[n] {
		case 0:
			lost = append(lost, n)
		case 1:
		default:
			doubled = append(doubled, n)
		}
	}
	return fmt.Sprintf("%d of %d; lost %.10v, more than once %.10v, in order: %v", len(got), len(want), lost, doubled, slices.IsSorted(got))
}

// TestMain lets more tests run at a time than there are processors: they wait most of the time, for clocks of brokers.
func TestMain(m *testing.M) {
	flag.Parse()
	if n := flag.Lookup("test.parallel"); n.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// alter sets the configuration of a topic.
func (r *rig) alter(topic, name, value string) {
	r.t.Helper()
	_, err := r.admin.AlterTopicConfigs(r.t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, topic)
	must(r.t, err)
}
