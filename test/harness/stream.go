package harness

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Stream is one test's pipeline: topics and a group that no other test uses.
type Stream struct {
	Suite                              *Suite
	Client                             *Client
	Group, Source, Output, DeadLetters string
	Partitions, OutputPartitions       int32
	Logins                             *Logins
	Buried                             map[string]string // see Records

	t      testing.TB
	Env    Env
	last   map[int32]int64 // of what was sent: the last offset of each partition
	manual *Client         // see sender
}

// Shape changes a Stream before its topics are made.
type Shape func(*shape)

type shape struct {
	partitions, output int32
	outputConfigs      []string
	sourceConfigs      []string
	noTopics           bool
	apart              bool
	client             []kgo.Opt
}

// Partitions says how many the source and the output have: 4 and 3 otherwise, so that they differ.
func Partitions(source, output int32) Shape {
	return func(s *shape) { s.partitions, s.output = source, output }
}

// OutputConfigs are NAME=VALUE settings of the output topic.
func OutputConfigs(configs ...string) Shape { return func(s *shape) { s.outputConfigs = configs } }

// NoTopics leaves the topics to the test.
func NoTopics() Shape { return func(s *shape) { s.noTopics = true } }

// Apart gives the source and the output names of which none begins with the group's.
func Apart() Shape { return func(s *shape) { s.apart = true } }

// Through gives the witness other connections.
func Through(options ...kgo.Opt) Shape { return func(s *shape) { s.client = options } }

// NewStream makes the topics and the settings of engines that work on them.
func (s *Suite) NewStream(t testing.TB, shapes ...Shape) *Stream {
	t.Helper()
	made := shape{partitions: 4, output: 3}
	for _, change := range shapes {
		change(&made)
	}
	name := Unique(t)
	st := &Stream{
		Suite: s, Client: s.Cluster.Client(t, made.client...), Group: name, Source: name + "-in", Output: name + "-out", DeadLetters: name + "-dead-letter",
		Partitions: made.partitions, OutputPartitions: made.output, Logins: NewLogins(uint64(time.Now().UnixNano())), Buried: map[string]string{},
		t: t, last: map[int32]int64{},
	}
	if made.apart {
		st.Source, st.Output = "in-"+name, "out-"+name
	}
	if !made.noTopics {
		st.Client.CreateTopic(t, st.Source, made.partitions, made.sourceConfigs...)
		st.Client.CreateTopic(t, st.Output, made.output, made.outputConfigs...)
		st.Client.CreateTopic(t, st.DeadLetters, 2)
		st.Client.CreateTopic(t, st.Group+"-replay", made.partitions)
	}
	st.Env = Env{
		"KAFKA_BOOTSTRAP_SERVERS": s.Cluster.Bootstrap[0], "KAFKA_GROUP_ID": st.Group,
		"KAFKA_SOURCE_TOPIC": st.Source, "KAFKA_OUTPUT_TOPIC": st.Output,
		"PIPELINE_FILE": filepath.Join(s.Root, "pipeline.yaml"), "HASH_KEY": HashKey,
		"HTTP_ADDR": "127.0.0.1:0", "LOG_FORMAT": "json", "SESSION_TIMEOUT": "6s",
	}
	if !made.noTopics {
		st.Env["KAFKA_AUTO_CREATE_TOPICS"] = "true" // those of aggregates; the others are there
	}
	return st
}

// Start starts an engine on the stream. A name makes a static member; an empty one a dynamic member.
func (st *Stream) Start(instance string, more Env) *Instance {
	st.t.Helper()
	name := instance
	if name == "" {
		name = "dynamic"
	}
	return st.Suite.Start(st.t, name, st.Env.With(Env{"INSTANCE_ID": instance}).With(more))
}

// Feed sends that many logins.
func (st *Stream) Feed(count int) {
	st.t.Helper()
	records := make([]*kgo.Record, count)
	for i := range records {
		records[i] = st.Logins.Next()
	}
	st.Send(records...)
}

// Send sends records and remembers them as work.
func (st *Stream) Send(records ...*kgo.Record) {
	st.t.Helper()
	st.sendBy(st.Client, records)
}

func (st *Stream) sendBy(client *Client, records []*kgo.Record) {
	st.t.Helper()
	ctx, cancel := context.WithTimeout(st.t.Context(), time.Minute)
	defer cancel()
	if err := client.Send(ctx, st.Source, records...); err != nil {
		st.t.Fatal("send to the source topic: ", err)
	}
	for _, r := range records {
		st.last[r.Partition] = max(st.last[r.Partition], r.Offset)
	}
}

// FeedFor sends logins at a rate until stop is called, which returns when all are there.
func (st *Stream) FeedFor(perSecond int) (stop func() int) {
	return st.feed(st.Client, perSecond, st.Logins.Next)
}

func (st *Stream) feed(client *Client, perSecond int, next func() *kgo.Record) (stop func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	var failed atomic.Pointer[error]
	st.t.Cleanup(cancel) // when the test ends before it calls stop
	go func() {
		sent := 0
		defer func() { done <- sent }()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for begin := time.Now(); ; {
			due := int(time.Since(begin).Seconds() * float64(perSecond))
			for ; sent < due; sent++ {
				r := next()
				r.Topic = st.Source
				client.Produce(context.Background(), r, func(_ *kgo.Record, err error) {
					if err != nil {
						failed.Store(&err)
					}
				})
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() int {
		st.t.Helper()
		cancel()
		sent := <-done
		flush, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := client.Flush(flush); err != nil {
			st.t.Fatal("the test could not send: ", err)
		}
		if err := failed.Load(); err != nil {
			st.t.Fatal("the test could not send: ", *err)
		}
		ends, _, err := st.Client.ends(flush, st.Source)
		if err != nil {
			st.t.Fatal(err)
		}
		for p, end := range ends {
			if end > 0 {
				st.last[p] = max(st.last[p], end-1)
			}
		}
		return sent
	}
}

// Last is the offset of the last event that was sent to each partition.
func (st *Stream) Last() map[int32]int64 { return st.last }

// AwaitDone waits until the group has committed everything that was sent.
func (st *Stream) AwaitDone(timeout time.Duration) {
	st.t.Helper()
	Until(st.t, timeout, "everything is processed and committed", func(ctx context.Context) error {
		committed, err := st.Client.Committed(ctx, st.Group, st.Source)
		if err != nil {
			return err
		}
		for p, last := range st.last {
			if committed[p] <= last {
				return fmt.Errorf("partition %d: committed %d, the last event is %d (%v)", p, committed[p], last, committed)
			}
		}
		return nil
	})
}

// Check reads everything and compares it. It is called when the work is done.
func (st *Stream) Check() *Report {
	st.t.Helper()
	report, err := st.Compare(st.t.Context())
	if err != nil {
		st.t.Fatal(err)
	}
	if err := report.Err(); err != nil {
		st.t.Error(err)
	} else {
		st.t.Log(report)
	}
	return report
}

// Compare is Check for those who judge themselves.
func (st *Stream) Compare(ctx context.Context) (*Report, error) { return st.compare(ctx, Records{}) }

func (st *Stream) compare(ctx context.Context, records Records) (*Report, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	records.Partitions, records.Buried = st.OutputPartitions, st.Buried
	var err error
	for _, topic := range []struct {
		name string
		into *[]*kgo.Record
	}{{st.Source, &records.Input}, {st.Output, &records.Output}, {st.DeadLetters, &records.DeadLetters}} {
		if *topic.into, err = st.Client.ReadAll(ctx, topic.name); err != nil {
			return nil, err
		}
	}
	return Compare(records), nil
}

// Finish waits for the end of the work and checks it.
func (st *Stream) Finish(timeout time.Duration) *Report {
	st.t.Helper()
	st.AwaitDone(timeout)
	return st.Check()
}

// Events is the value of the counter of events with an outcome.
func (i *Instance) Events(t testing.TB, outcome string) float64 {
	t.Helper()
	return i.Metric(t, "stream_engine_events_total{outcome="+strconv.Quote(outcome)+"}")
}
