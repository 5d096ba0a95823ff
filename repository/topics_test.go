package repository

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (r *rig) topics() *Topics { return NewTopics(r.client, NewRetry(r.observer)) }

func TestTopicIsCreatedAsAsked(t *testing.T) {
	r := newRig(t)
	spec := TopicSpec{Name: unique(t), Partitions: 5, Replicas: 1, Config: map[string]string{"cleanup.policy": "compact"}}
	n, _, err := r.topics().Ensure(within(t, time.Minute), spec, true)
	if err != nil || n != 5 {
		t.Fatalf("%d, %v", n, err)
	}
	configs, err := r.admin.DescribeTopicConfigs(within(t, time.Minute), spec.Name)
	must(t, err)
	found := ""
	for _, c := range configs[0].Configs {
		if c.Key == "cleanup.policy" {
			found = c.MaybeValue()
		}
	}
	if found != "compact" {
		t.Errorf("cleanup.policy is %q", found)
	}
	spec.Partitions = 9
	if n, _, err := r.topics().Ensure(within(t, time.Minute), spec, true); err != nil || n != 5 {
		t.Errorf("the second time: %d, %v", n, err)
	}
}

func TestDefaultsOfTheBrokerAreItsOwn(t *testing.T) {
	r := newRig(t)
	n, _, err := r.topics().Ensure(within(t, time.Minute), TopicSpec{Name: unique(t), Partitions: -1, Replicas: -1}, true)
	if err != nil || n < 1 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestMissingTopicIsNamedWithTheSettingThatCreatesIt(t *testing.T) {
	r := newRig(t)
	name := unique(t)
	_, _, err := r.topics().Ensure(within(t, time.Minute), TopicSpec{Name: name, Partitions: 1, Replicas: 1}, false)
	requireClass(t, err, model.Misconfigured)
	for _, want := range []string{name, "KAFKA_AUTO_CREATE_TOPICS"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if n := len(r.asked(kmsg.CreateTopics)); n != 0 {
		t.Errorf("CreateTopics was sent %d times", n)
	}
}

func TestTopicThatCannotBeCreatedSaysWhy(t *testing.T) {
	for code, want := range map[int16]string{38: "KAFKA_REPLICATION_FACTOR", 44: "the operator's policy", 37: "partitions", 17: "topic names"} {
		r := fakeRig(t)
		r.on(kmsg.CreateTopics, func(_ int, q request) (kmsg.Response, error, bool) {
			return created(q, code, "the operator's policy: no more than 3 partitions"), nil, true
		})
		_, _, err := r.topics().Ensure(within(t, time.Minute), TopicSpec{Name: "new-topic", Partitions: 4, Replicas: 1}, true)
		requireClass(t, err, model.Misconfigured)
		if s := fmt.Sprint(err); !strings.Contains(s, "new-topic") || !strings.Contains(s, want) {
			t.Errorf("%d: %s", code, s)
		}
	}
}

func created(q request, code int16, why string) *kmsg.CreateTopicsResponse {
	a := q.ResponseKind().(*kmsg.CreateTopicsResponse)
	x := kmsg.NewCreateTopicsResponseTopic()
	x.Topic, x.ErrorCode, x.ErrorMessage = q.Request.(*kmsg.CreateTopicsRequest).Topics[0].Topic, code, &why
	a.Topics = append(a.Topics, x)
	return a
}

// Brokers in ZooKeeper mode do not pass CreateTopics on.
func TestTopicsAreCreatedAtTheController(t *testing.T) {
	r := fakeRig(t)
	const controller = 2
	moving := 2 // the first times the controller is not the controller any more either
	r.on(kmsg.CreateTopics, func(_ int, q request) (kmsg.Response, error, bool) {
		if q.node == controller && moving > 0 {
			moving--
			return created(q, broker.NotController, ""), nil, true
		}
		return created(q, broker.NotController, ""), nil, q.node != controller
	})
	n, _, err := r.topics().Ensure(within(t, time.Minute), TopicSpec{Name: "new", Partitions: 2, Replicas: 1}, true)
	if err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestTopicThatAnotherInstanceCreatesIsFine(t *testing.T) {
	r := fakeRig(t)
	r.on(kmsg.CreateTopics, func(n int, q request) (kmsg.Response, error, bool) {
		if n == 1 {
			if err := r.fake.CreateTopic("new", 3, nil); err != nil {
				t.Error(err)
			}
		}
		return nil, nil, false
	})
	if n, _, err := r.topics().Ensure(within(t, time.Minute), TopicSpec{Name: "new", Partitions: 2, Replicas: 1}, true); err != nil || n != 3 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestBrokerThatIsNotThereYetIsWaitedFor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	must(t, l.Close())
	r := connect(t, []string{l.Addr().String()})
	done := make(chan error, 1)
	ctx := within(t, time.Minute)
	go func() {
		_, _, err := r.topics().Ensure(ctx, TopicSpec{Name: "new", Partitions: 1, Replicas: 1}, true)
		done <- err
	}()
	eventually(t, "word of the broker", func() bool {
		retries, _, _ := r.observer.told()
		return len(retries) > 0 && strings.Contains(retries[0], l.Addr().String())
	})
	c, err := kfake.NewCluster(kfake.Ports(port))
	must(t, err)
	t.Cleanup(c.Close)
	must(t, <-done)
	if _, recovered, _ := r.observer.told(); len(recovered) != 1 {
		t.Errorf("recovered %v", recovered)
	}
}
