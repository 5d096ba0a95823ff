package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker that creates topics on demand would bring a deleted topic back, with the wrong number of partitions.
func TestAskingForATopicNeverCreatesIt(t *testing.T) {
	r := newRig(t, kfake.AllowAutoTopicCreation())
	_, err := r.client.RefreshTopics(within(t, time.Minute), "nobody-made-it")
	if Code(err) != UnknownTopicOrPartition || !strings.Contains(err.Error(), "nobody-made-it") {
		t.Errorf("%v", err)
	}
	if _, err := r.client.PartitionCounts(within(t, time.Minute), []string{"nobody-made-it"}); Code(err) != UnknownTopicOrPartition {
		t.Errorf("%v", err)
	}
	if r.fake.TopicInfo("nobody-made-it") != nil {
		t.Error("it was created")
	}
}

// Asking for no topic must not mean asking for all of them: a cluster may have a hundred thousand.
func TestOnlyNamedTopicsAreAskedFor(t *testing.T) {
	r := newRig(t, kfake.SeedTopics(1, "a", "b", "c"))
	ctx := within(t, time.Minute)
	if err := r.client.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client.Topics(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client.Topics(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	var asked [][]string
	for _, q := range r.asked(kmsg.Metadata) {
		names := []string{}
		m := q.Request.(*kmsg.MetadataRequest)
		if m.Topics == nil {
			t.Error("all topics were asked for")
		}
		for _, topic := range m.Topics {
			names = append(names, *topic.Topic)
		}
		asked = append(asked, names)
	}
	if got := fmt.Sprint(asked); got != "[[] [a]]" {
		t.Errorf("asked for %s: the second time the cache should have answered", got)
	}
}

func TestTopicThatWasMadeAnewHasAnotherID(t *testing.T) {
	r := newRig(t, kfake.SeedTopics(2, "t"))
	ctx := within(t, time.Minute)
	first, err := r.client.Topics(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.fake.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client.RefreshTopics(ctx, "t"); Code(err) != UnknownTopicOrPartition {
		t.Fatalf("%v", err)
	}
	if _, err := r.client.Topics(ctx, "t"); Code(err) != UnknownTopicOrPartition {
		t.Fatalf("the cache still has it: %v", err)
	}
	if err := r.fake.CreateTopic("t", 3, nil); err != nil {
		t.Fatal(err)
	}
	second, err := r.client.Topics(ctx, "t")
	if err != nil || len(second["t"].Leaders) != 3 || second["t"].ID == first["t"].ID {
		t.Errorf("%v, then %v, %v", first, second, err)
	}
}

func TestRefreshNoticesNewLeadersThoughAnotherTopicIsGone(t *testing.T) {
	r := newRig(t, kfake.SeedTopics(1, "a", "b"))
	ctx := within(t, time.Minute)
	if _, err := r.client.Topics(ctx, "a", "b"); err != nil {
		t.Fatal(err)
	}
	if err := r.fake.DeleteTopic("a"); err != nil {
		t.Fatal(err)
	}
	to := (r.fake.LeaderFor("b", 0) + 1) % 3
	if err := r.fake.MoveTopicPartition("b", 0, to); err != nil {
		t.Fatal(err)
	}
	if err := r.client.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if b, err := r.client.Topics(ctx, "b"); err != nil || b["b"].Leaders[0] != to {
		t.Errorf("the leader of b is %d, the cache says %v, %v", to, b, err)
	}
}

func TestPartitionsWithoutALeader(t *testing.T) {
	q := func(partition int32, leader int32, code int16) kmsg.MetadataResponseTopicPartition {
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Partition, p.Leader, p.LeaderEpoch, p.ErrorCode = partition, leader, 7, code
		return p
	}
	answer := kmsg.NewMetadataResponseTopic()
	answer.Partitions = []kmsg.MetadataResponseTopicPartition{q(1, 4, LeaderNotAvailable), q(0, 3, 0), q(2, 5, 9)} // 9: a replica is away
	topic, err := readTopic("t", answer)
	if err != nil || !slices.Equal(topic.Leaders, []int32{3, -1, 5}) || !slices.Equal(topic.Epochs, []int32{7, 7, 7}) {
		t.Errorf("%v, %v", topic, err)
	}
	for _, number := range []int32{-1, 3, 1 << 30} {
		answer.Partitions[0] = q(number, 4, 0)
		if _, err := readTopic("t", answer); err == nil || model.ClassOf(err) != model.Transient {
			t.Errorf("partition %d of 3: %v", number, err)
		}
	}
}

func TestControllerIsAskedForAfresh(t *testing.T) {
	r := newRig(t)
	for n := range 2 {
		if node, err := r.client.Controller(within(t, time.Minute)); err != nil || node != 2 { // the last one of this cluster
			t.Errorf("%d, %v", node, err)
		}
		if asked := len(r.asked(kmsg.Metadata)); asked != n+1 {
			t.Errorf("asked %d times", asked)
		}
	}
}

func TestCoordinatorsAreRememberedUntilTheyAreForgotten(t *testing.T) {
	r := newRig(t)
	ctx := within(t, time.Minute)
	for _, find := range []struct {
		kind   int8
		ask    func() (int32, error)
		forget func()
	}{
		{groupCoordinator, func() (int32, error) { return r.client.GroupCoordinator(ctx, "name") }, func() { r.client.ForgetGroupCoordinator("name") }},
		{transactionCoordinator, func() (int32, error) { return r.client.TransactionCoordinator(ctx, "name") }, func() { r.client.ForgetTransactionCoordinator("name") }},
	} {
		before := len(r.asked(kmsg.FindCoordinator))
		for range 3 {
			if node, err := find.ask(); err != nil || node != r.fake.CoordinatorFor("name") {
				t.Errorf("%d, %v", node, err)
			}
		}
		for moved := r.fake.CoordinatorFor("name"); r.fake.CoordinatorFor("name") == moved; {
			r.fake.RehashCoordinators()
		}
		find.forget()
		if node, err := find.ask(); err != nil || node != r.fake.CoordinatorFor("name") {
			t.Errorf("moved to %d: %d, %v", r.fake.CoordinatorFor("name"), node, err)
		}
		asked := r.asked(kmsg.FindCoordinator)[before:]
		if len(asked) != 2 {
			t.Errorf("asked %d times", len(asked))
		}
		for _, q := range asked {
			if q.Request.(*kmsg.FindCoordinatorRequest).CoordinatorType != find.kind {
				t.Errorf("%v", q.Request)
			}
		}
	}
}

func TestCoordinatorThatIsNotThereYet(t *testing.T) {
	r := newRig(t)
	r.on(kmsg.FindCoordinator, func(n int, q request) (kmsg.Response, error, bool) {
		a := q.ResponseKind().(*kmsg.FindCoordinatorResponse)
		a.ErrorCode, a.NodeID = CoordinatorNotAvailable, -1
		return a, nil, n == 1
	})
	if _, err := r.client.GroupCoordinator(within(t, time.Minute), "g"); Code(err) != CoordinatorNotAvailable || model.ClassOf(err) != model.Transient {
		t.Errorf("%v", err)
	}
	if node, err := r.client.GroupCoordinator(within(t, time.Minute), "g"); err != nil || node < 0 {
		t.Errorf("%d, %v: the first answer was remembered", node, err)
	}
}
