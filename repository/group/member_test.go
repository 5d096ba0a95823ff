package group

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"data-stream-engine/model"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

func TestMembersShareATopicAndTakeOverFromOneThatLeaves(t *testing.T) { shareAndTakeOver(t, newRig(t)) }

func TestMembersShareATopicAtAnOldBroker(t *testing.T) {
	shareAndTakeOver(t, fakeRig(t, kfake.MaxVersions(kversion.V2_8_0()))) // JoinGroup v7, no SkipAssignment
}

func shareAndTakeOver(t *testing.T, r *rig) {
	topic := r.topic(4)
	a, b := r.member(r.config(topic, "", topic)), r.member(r.config(topic, "", topic))
	alone := join(t, a)
	requireAll(t, topic, 4, alone)

	first, second := joinBeside(t, a, alone, b)
	requireAll(t, topic, 4, first, second)
	if len(first.Partitions) != 2 {
		t.Fatalf("%v and %v", first, second)
	}
	for _, tp := range first.Partitions {
		if !slices.Contains(alone.Partitions, tp) {
			t.Fatalf("%v came to who had all", tp)
		}
	}
	if first.MemberID != alone.MemberID {
		t.Fatalf("member %s became %s", alone.MemberID, first.MemberID)
	}

	left := time.Now()
	if err := b.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	requireEnded(t, a, first, model.Rejoin)
	if took := time.Since(left); took > r.session {
		t.Fatalf("the group noticed the leave after %s", took)
	}
	last := join(t, a)
	requireAll(t, topic, 4, last)
	if err := a.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	requireQuiet(t)
}

func TestAMemberThatDrainsForLongStaysInTheGroup(t *testing.T) {
	r := newRig(t)
	topic := r.topic(2)
	a, b := r.member(r.config(topic, "", topic)), r.member(r.config(topic, "", topic))
	alone := join(t, a)
	done := later(t, b)
	requireEnded(t, a, alone, model.Rejoin)
	time.Sleep(r.session * 3 / 2) // a transaction that takes its time
	if err := a.Alive(within(t)); model.ClassOf(err) != model.Rejoin {
		t.Fatalf("while draining: %v", err)
	}
	if err := a.Err(); model.ClassOf(err) != model.Rejoin {
		t.Fatalf("thrown out while draining: %v", err)
	}
	next := join(t, a)
	if next.MemberID != alone.MemberID || next.Generation != alone.Generation+1 {
		t.Fatalf("%v became %v", alone, next)
	}
	requireAll(t, topic, 2, next, <-done)
}

func TestAStaticRestartTakesOverUnnoticed(t *testing.T) { takeOver(t, newRig(t)) }

func TestAStaticRestartTakesOverUnnoticedAtAnOldBroker(t *testing.T) {
	takeOver(t, fakeRig(t, kfake.MaxVersions(kversion.V2_8_0())))
}

func takeOver(t *testing.T, r *rig) {
	topic := r.topic(4)
	a, b := r.member(r.config(topic, "pod-1", topic)), r.member(r.config(topic, "pod-2", topic))
	mine, old := joinBeside(t, a, join(t, a), b)
	requireAll(t, topic, 4, mine, old)

	if err := b.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	again := r.member(r.config(topic, "pod-2", topic))
	now := join(t, again)
	if now.Generation != old.Generation || !reflect.DeepEqual(now.Partitions, old.Partitions) {
		t.Fatalf("%v became %v", old, now)
	}
	if now.MemberID == old.MemberID || now.InstanceID != "pod-2" {
		t.Fatalf("the new incarnation is %v", now)
	}
	requireOpen(t, mine, r.session)
	requireOpen(t, now, 0)
	if err := errors.Join(a.Alive(within(t)), again.Alive(within(t))); err != nil {
		t.Fatal(err)
	}
}

// counting notes whether a leader asked for partitions, which it does only to share them out.
type counting struct {
	Topics
	asked atomic.Int32
}

func (c *counting) PartitionCounts(ctx context.Context, topics []string) (map[string]int32, error) {
	c.asked.Add(1)
	return c.Topics.PartitionCounts(ctx, topics)
}

func TestAStaticLeaderThatRestartsKeepsTheAssignment(t *testing.T) {
	r := newRig(t)
	topic := r.topic(3)
	a := r.member(r.config(topic, "pod-1", topic))
	old := join(t, a)
	if err := a.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	again := r.member(r.config(topic, "pod-1", topic))
	topics := &counting{Topics: r.client}
	again.topics = topics
	now := join(t, again)
	if now.Generation != old.Generation || !reflect.DeepEqual(now.Partitions, old.Partitions) {
		t.Fatalf("%v became %v", old, now)
	}
	if topics.asked.Load() != 0 {
		t.Fatal("it shared the partitions out anew")
	}
}

func TestAStaticLeaderAmongOthersRestartsUnnoticed(t *testing.T) {
	r := newRig(t)
	if r.fake != nil { // it rebalances when owned partitions differ, real brokers do not
		return
	}
	topic := r.topic(4)
	a, b := r.member(r.config(topic, "pod-1", topic)), r.member(r.config(topic, "pod-2", topic))
	first, second := joinBeside(t, a, join(t, a), b)
	all := []model.Assignment{first, second}
	for i, m := range []*Member{a, b} { // one of them leads
		if err := m.Leave(within(t)); err != nil {
			t.Fatal(err)
		}
		again := r.member(r.config(topic, all[i].InstanceID, topic))
		now := join(t, again)
		if now.Generation != all[i].Generation || !reflect.DeepEqual(now.Partitions, all[i].Partitions) {
			t.Fatalf("%v became %v", all[i], now)
		}
		if i == 0 {
			requireOpen(t, all[1], r.session)
		}
	}
}

func TestAStaticMemberThatRestartsDuringARebalanceJoinsIt(t *testing.T) {
	r := newRig(t)
	topic := r.topic(4)
	a, b := r.member(r.config(topic, "pod-1", topic)), r.member(r.config(topic, "pod-2", topic))
	old := join(t, a)
	got := later(t, b)
	requireEnded(t, a, old, model.Rejoin)
	if err := a.Leave(within(t)); err != nil { // stopped before it could join again
		t.Fatal(err)
	}
	start := time.Now()
	again := r.member(r.config(topic, "pod-1", topic))
	requireAll(t, topic, 4, join(t, again), <-got)
	if took := time.Since(start); took > r.session {
		t.Fatalf("the group waited %s for the old incarnation", took)
	}
}

func TestTheOldIncarnationIsReplacedAndGoesOnAsADynamicMember(t *testing.T) {
	r := newRig(t)
	topic := r.topic(4)
	a := r.member(r.config(topic, "pod-1", topic))
	old := join(t, a)
	b := r.member(r.config(topic, "pod-1", topic))
	now := join(t, b)

	err := requireEnded(t, a, old, model.Replaced)
	if !strings.Contains(err.Error(), "INSTANCE_ID=pod-1") {
		t.Fatalf("%q does not name the instance", err)
	}
	if err := a.Alive(within(t)); model.ClassOf(err) != model.Replaced {
		t.Fatalf("alive says %v", err)
	}
	if _, err := a.Join(within(t)); model.ClassOf(err) != model.Replaced {
		t.Fatalf("join says %v", err)
	}
	requireOpen(t, now, 0)

	a.GoDynamic()
	kept, dynamic := joinBeside(t, b, now, a)
	requireAll(t, topic, 4, kept, dynamic)
	if !reflect.DeepEqual(kept.Partitions, now.Partitions[:2]) {
		t.Fatalf("the replaced process claims what is no longer its own: %v after %v", kept, now)
	}
	if dynamic.InstanceID != "" || kept.InstanceID != "pod-1" || len(dynamic.Partitions) != 2 {
		t.Fatalf("%v and %v", kept, dynamic)
	}
	if err := a.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	requireEnded(t, b, kept, model.Rejoin)
}

func TestASessionTimeoutOutsideTheBrokersBoundsIsRefused(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	cfg := r.config(topic, "", topic)
	cfg.SessionTimeout = 50 * time.Millisecond
	_, err := r.member(cfg).Join(within(t))
	if model.ClassOf(err) != model.Misconfigured || !strings.Contains(err.Error(), "SESSION_TIMEOUT=50ms") {
		t.Fatalf("got %v", err)
	}
}

func TestAnotherProtocolInTheGroupIsAClearError(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	join(t, r.member(r.config(topic, "", topic)))
	q := kmsg.NewPtrJoinGroupRequest()
	q.Group, q.ProtocolType, q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = topic+"-other", "connect", int32(r.session.Milliseconds()), 30_000
	q.InstanceID = kmsg.StringPtr("connect-1")
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "default", []byte("x")
	q.Protocols = append(q.Protocols, p)
	eventually(t, func() bool {
		res, err := call[*kmsg.JoinGroupResponse](within(t), r.client, q.Group, q, 30*time.Second)
		return err == nil && res.ErrorCode == 0
	})
	_, err := r.member(r.config(q.Group, "", topic)).Join(within(t))
	if model.ClassOf(err) != model.Misconfigured || !strings.Contains(err.Error(), "KAFKA_GROUP_ID") {
		t.Fatalf("got %v", err)
	}
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for range 300 {
		if ok() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("it never happened")
}

func TestPartitionsThatAreAddedAreSharedOut(t *testing.T) {
	r := newRig(t)
	topic := r.topic(2)
	cfg := r.config(topic, "", topic)
	cfg.TopicCheckInterval = 200 * time.Millisecond
	m := r.member(cfg)
	a := join(t, m)
	requireAll(t, topic, 2, a)
	requireOpen(t, a, time.Second)

	if done, err := r.admin.UpdatePartitions(within(t), 5, topic); err != nil || done.Error() != nil {
		t.Fatal(err, done)
	}
	requireEnded(t, m, a, model.Rejoin)
	requireAll(t, topic, 5, join(t, m))
}

func TestATopicThatDoesNotExistYetIsWaitedFor(t *testing.T) {
	r := newRig(t)
	there, later := r.topic(2), unique(t)+"-later"
	m := r.member(r.config(there, "", there, later))
	a := join(t, m)
	requireAll(t, there, 2, a)
	r.create(later, 3)
	requireEnded(t, m, a, model.Rejoin)
	b := join(t, m)
	requireAll(t, there, 2, b)
	requireAll(t, later, 3, b)
}

func TestEndingTheContextEndsAJoinAndLeavesNothingBehind(t *testing.T) {
	r := newRig(t)
	topic := r.topic(2)
	a, b := r.member(r.config(topic, "", topic)), r.member(r.config(topic, "", topic))
	alone := join(t, a)
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan error, 1)
	go func() {
		_, err := b.Join(ctx)
		got <- err
	}()
	requireEnded(t, a, alone, model.Rejoin) // b waits for a now
	cancel()
	select {
	case err := <-got:
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("join goes on")
	}
	if err := b.Leave(within(t)); err != nil { // the group must not wait for it
		t.Fatal(err)
	}
	start := time.Now()
	requireAll(t, topic, 2, join(t, a))
	if took := time.Since(start); took > r.session {
		t.Fatalf("the group waited %s for a member that left", took)
	}
	if err := a.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	requireQuiet(t)
}

func TestHeartbeatsOutliveTheContextOfTheJoin(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	m := r.member(r.config(topic, "", topic))
	ctx, cancel := context.WithCancel(context.Background())
	a, err := m.Join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel() // shutdown: work drains while the member stays alive
	requireOpen(t, a, r.session*3/2)
	if err := m.Alive(within(t)); err != nil {
		t.Fatal(err)
	}
}

func TestJoiningAgainWaitsForTheLastHeartbeat(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	cfg := r.config(topic, "", topic)
	cfg.HeartbeatInterval = 50 * time.Millisecond
	m := r.member(cfg)
	m.calls.(*spy).lag = 300 * time.Millisecond // so that one is under way almost always
	for range 4 {
		a := join(t, m)
		requireOpen(t, a, 150*time.Millisecond)
	}
}

func TestTheGroupsToolsCanReadTheAssignment(t *testing.T) {
	r := newRig(t)
	topic := r.topic(3)
	m := r.member(r.config(topic, "pod-1", topic))
	a := join(t, m)
	groups, err := r.admin.DescribeGroups(within(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	g := groups[topic]
	if g.Err != nil || g.ProtocolType != "consumer" || g.Protocol != protocolName || g.State != "Stable" || len(g.Members) != 1 {
		t.Fatalf("%+v", g)
	}
	wanted, _ := g.Members[0].Join.AsConsumer()
	given, ok := g.Members[0].Assigned.AsConsumer()
	if !ok || len(given.Topics) != 1 || len(given.Topics[0].Partitions) != len(a.Partitions) || !slices.Equal(wanted.Topics, []string{topic}) {
		t.Fatalf("%+v wanted %+v", given, wanted)
	}
}

func TestBeforeTheFirstJoinThereIsNothingToKeepAlive(t *testing.T) {
	m := New(Config{Group: "g", SessionTimeout: time.Second}, nil, nil, nil, zerolog.Nop())
	if err := m.Alive(within(t)); model.ClassOf(err) != model.Rejoin {
		t.Fatalf("got %v", err)
	}
	if m.Err() != nil || m.Leave(within(t)) != nil {
		t.Fatal("a member that never joined has nothing to tell or to leave")
	}
}
