package group

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rig is a cluster to join groups at: the one at TEST_KAFKA, or an in-process one.
type rig struct {
	t       *testing.T
	fake    *kfake.Cluster // nil for a real one
	client  *broker.Client
	admin   *kadm.Client  // another client's view of the cluster
	session time.Duration // the shortest that the cluster allows with some air
}

// newRig takes the real cluster when there is one.
func newRig(t *testing.T) *rig {
	t.Helper()
	if at := os.Getenv("TEST_KAFKA"); at != "" {
		return connect(t, strings.Split(at, ","), 6*time.Second)
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
	r := connect(t, c.ListenAddrs(), 1500*time.Millisecond)
	r.fake = c
	return r
}

func connect(t *testing.T, bootstrap []string, session time.Duration) *rig {
	t.Helper()
	tr := &kafka.Transport{ClientID: "group-test", DialTimeout: 5 * time.Second}
	t.Cleanup(tr.CloseIdleConnections)
	admin, err := kadm.NewOptClient(kgo.SeedBrokers(bootstrap...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	return &rig{t: t, client: broker.New(tr, bootstrap, "group-test"), admin: admin, session: session}
}

// within is a context that ends long after what it is for.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// topic creates a topic of its own for this test and waits until the cluster knows it.
func (r *rig) topic(partitions int32) string {
	r.t.Helper()
	name := unique(r.t)
	r.create(name, partitions)
	return name
}

func (r *rig) create(name string, partitions int32) {
	r.t.Helper()
	ctx := within(r.t)
	if _, err := r.admin.CreateTopic(ctx, partitions, 1, nil, name); err != nil {
		r.t.Fatal(err)
	}
	for ctx.Err() == nil {
		if n, err := r.client.PartitionCounts(ctx, []string{name}); err == nil && n[name] == partitions {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.t.Fatalf("topic %s did not appear", name)
}

func unique(t *testing.T) string {
	return fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), time.Now().UnixNano()%1e9)
}

func (r *rig) config(group, instance string, topics ...string) Config {
	return Config{Group: group, InstanceID: instance, ClientID: "group-test", Topics: topics,
		SessionTimeout: r.session, RebalanceTimeout: 30 * time.Second}
}

// member is a member whose calls are watched: no heartbeat may be under way while it joins.
func (r *rig) member(cfg Config) *Member {
	r.t.Helper()
	spy := &spy{Client: r.client}
	log := zerolog.New(zerolog.NewTestWriter(r.t)).With().Str("instance", cfg.InstanceID).Logger()
	m := New(cfg, spy, r.client, quiet{}, log)
	r.t.Cleanup(func() {
		if s := m.current(); s != nil {
			s.halt("the test is over")
		}
		if bad := spy.violations(); len(bad) > 0 {
			r.t.Error(bad)
		}
	})
	return m
}

// spy passes calls on and keeps count of them.
type spy struct {
	*broker.Client
	mu      sync.Mutex
	joining int
	beating int
	lag     time.Duration // of heartbeats on their way
	bad     []string
}

func (s *spy) Call(ctx context.Context, node int32, req kmsg.Request) (kmsg.Response, error) {
	switch req.(type) {
	case *kmsg.JoinGroupRequest, *kmsg.SyncGroupRequest:
		defer s.enter(&s.joining)()
	case *kmsg.HeartbeatRequest:
		defer s.enter(&s.beating)()
		time.Sleep(s.lag)
	}
	return s.Client.Call(ctx, node, req)
}

func (s *spy) enter(n *int) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
	if s.joining > 0 && s.beating > 0 {
		s.bad = append(s.bad, "a heartbeat was under way while joining")
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		*n--
	}
}

func (s *spy) violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bad
}

func join(t *testing.T, m *Member) model.Assignment {
	t.Helper()
	a, err := m.Join(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// later runs a join that waits for other members.
func later(t *testing.T, m *Member) <-chan model.Assignment {
	t.Helper()
	ctx, got := within(t), make(chan model.Assignment, 1)
	go func() {
		defer close(got)
		a, err := m.Join(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		got <- a
	}()
	return got
}

// joinBeside lets a newcomer into the generation of a member, which joins again when its own has ended.
func joinBeside(t *testing.T, m *Member, a model.Assignment, newcomer *Member) (first, second model.Assignment) {
	t.Helper()
	got := later(t, newcomer)
	requireEnded(t, m, a, model.Rejoin)
	first = join(t, m)
	second = <-got
	if first.Generation != second.Generation || first.Generation <= a.Generation {
		t.Fatalf("after %v: %v and %v", a, first, second)
	}
	return first, second
}

func requireEnded(t *testing.T, m *Member, a model.Assignment, want model.Class) error {
	t.Helper()
	select {
	case <-a.Ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("generation %d did not end", a.Generation)
	}
	err := m.Err()
	if err == nil || model.ClassOf(err) != want {
		t.Fatalf("ended because of %v, not %s", err, want)
	}
	return err
}

func requireOpen(t *testing.T, a model.Assignment, d time.Duration) {
	t.Helper()
	select {
	case <-a.Ended:
		t.Fatalf("generation %d ended", a.Generation)
	case <-time.After(d):
	}
}

// requireAll checks that every partition of the topic is with exactly one of the assignments.
func requireAll(t *testing.T, topic string, n int32, all ...model.Assignment) {
	t.Helper()
	var got, want []int32
	for _, a := range all {
		for _, tp := range a.Partitions {
			if tp.Topic == topic {
				got = append(got, tp.Partition)
			}
		}
	}
	for p := range n {
		want = append(want, p)
	}
	slices.Sort(got)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("partitions %v are assigned, %d exist: %v", got, n, all)
	}
}

// requireQuiet checks that no goroutine of a member is left.
func requireQuiet(t *testing.T) {
	t.Helper()
	var stacks string
	for range 100 {
		buf := make([]byte, 1<<20)
		stacks = string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(stacks, "group.(*session).") && !strings.Contains(stacks, "group.(*Member).") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("goroutines are left:\n%s", stacks)
}

// quiet hears of retries and keeps it to itself.
type quiet struct{}

func (quiet) Retrying(string, error)        {}
func (quiet) Pausing(string, time.Duration) {}
func (quiet) Recovered(string)              {}
func (quiet) Abandoned(string)              {}
