package repository

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// follower follows a control topic and keeps what it is shown.
type follower struct {
	mu      sync.Mutex
	seen    []string
	reached int // how many it had seen by then; -1: not yet
	ended   chan error
}

func (f *follower) list() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.seen, " ")
}

func (f *follower) whole() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reached
}

// follow starts to follow the control topic of group g, which has to exist.
func (r *rig) follow(t *testing.T, c *ControlLog) *follower {
	t.Helper()
	f := &follower{reached: -1, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		f.ended <- c.Follow(ctx, func(m *model.Message) {
			f.mu.Lock()
			defer f.mu.Unlock()
			value := string(m.Value)
			if m.Value == nil {
				value = "-"
			}
			f.seen = append(f.seen, fmt.Sprintf("%d:%s=%s", m.Offset, m.Key, value))
		}, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.reached = len(f.seen)
		})
	}()
	return f
}

// controlLog is the control topic of a group of its own, which is created.
func (r *rig) controlLog(t *testing.T) *ControlLog {
	t.Helper()
	group := fmt.Sprintf("control-%d", time.Now().UnixNano())
	topics := NewTopics(r.client, NewRetry(r.observer))
	n, created, err := topics.Ensure(within(t, time.Minute), ControlTopic(group, -1), true)
	if err != nil || n != 1 || !created {
		t.Fatalf("%d partitions, %v", n, err)
	}
	return NewControlLog(r.client, r.observer, group, SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 8 << 20})
}

func tell(t *testing.T, c *ControlLog, key, value string) int64 {
	t.Helper()
	var bytes []byte
	if value != "-" {
		bytes = []byte(value)
	}
	offset, err := c.Put(within(t, time.Minute), key, bytes)
	must(t, err)
	return offset
}

func TestControlTopicIsReadFromItsBeginningAndThenOn(t *testing.T) {
	r := newRig(t)
	c := r.controlLog(t)
	empty := r.follow(t, c)
	eventually(t, "the end of an empty topic", func() bool { return empty.whole() == 0 })
	for i, record := range [][2]string{{"pause", "{}"}, {"instance/a", ""}, {"pause", "-"}} {
		if at := tell(t, c, record[0], record[1]); at != int64(i) {
			t.Errorf("record %d has offset %d", i, at)
		}
	}
	later := r.follow(t, c)
	for _, f := range []*follower{empty, later} {
		eventually(t, "three records", func() bool { return f.list() == "0:pause={} 1:instance/a= 2:pause=-" })
	}
	eventually(t, "the end of three records", func() bool { return later.whole() == 3 })
	began := time.Now()
	tell(t, c, "pause", "again")
	eventually(t, "what is new", func() bool {
		return strings.HasSuffix(empty.list(), "3:pause=again") && strings.HasSuffix(later.list(), "3:pause=again")
	})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s to come through", took)
	}
	if retries, _, lost := r.observer.told(); len(lost) > 0 {
		t.Errorf("lost %v, retries %v", lost, retries)
	}
}

func TestControlTopicThatIsCreatedAgainEndsTheReading(t *testing.T) {
	r := fakeRig(t)
	c := r.controlLog(t)
	tell(t, c, "a", "1")
	f := r.follow(t, c)
	eventually(t, "the record", func() bool { return f.whole() == 1 })
	_, err := r.admin.DeleteTopics(t.Context(), c.at.Topic)
	must(t, err)
	_, err = r.admin.CreateTopic(t.Context(), 1, -1, nil, c.at.Topic)
	must(t, err)
	select {
	case err := <-f.ended:
		if class := model.ClassOf(err); class != model.Recreated && class != model.DataLost {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
}

func TestControlTopicSurvivesBrokersThatAreAway(t *testing.T) {
	r := fakeRig(t)
	c := r.controlLog(t)
	tell(t, c, "a", "1")
	f := r.follow(t, c)
	eventually(t, "the record", func() bool { return f.whole() == 1 })
	away := func(int, request) (kmsg.Response, error, bool) { return nil, fmt.Errorf("away"), true }
	for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.Produce} {
		r.on(key, away)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.Put(ctx, "a", []byte("2")); err == nil || model.ClassOf(err) != model.Transient || !strings.Contains(err.Error(), c.at.Topic) || strings.HasSuffix(err.Error(), "deadline exceeded") {
		t.Errorf("the error does not say why: %v", err)
	}
	for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.Produce} {
		r.on(key, nil)
	}
	tell(t, c, "a", "3")
	eventually(t, "what came afterwards", func() bool { return strings.HasSuffix(f.list(), ":a=3") })
}

func TestRecordGoesToWhoeverLeadsTheControlTopicNow(t *testing.T) {
	r := fakeRig(t)
	c := r.controlLog(t)
	tell(t, c, "a", "1")
	must(t, r.fake.MoveTopicPartition(c.at.Topic, 0, 2))
	tell(t, c, "a", "2")
	must(t, r.fake.MoveTopicPartition(c.at.Topic, 0, 0))
	tell(t, c, "a", "3")
	f := r.follow(t, c)
	eventually(t, "all", func() bool { return f.list() == "0:a=1 1:a=2 2:a=3" })
}

func TestRecordThatTheBrokerRefusesIsToldAtOnce(t *testing.T) {
	r := fakeRig(t)
	c := r.controlLog(t)
	r.on(kmsg.Produce, func(_ int, q request) (kmsg.Response, error, bool) {
		answer := q.ResponseKind().(*kmsg.ProduceResponse)
		topic, part := kmsg.NewProduceResponseTopic(), kmsg.NewProduceResponseTopicPartition()
		part.ErrorCode = kerr.TopicAuthorizationFailed.Code
		topic.Topic, topic.Partitions = c.at.Topic, append(topic.Partitions, part)
		answer.Topics = append(answer.Topics, topic)
		return answer, nil, true
	})
	_, err := c.Put(within(t, time.Minute), "a", []byte("1"))
	requireClass(t, err, model.Unauthorized)
}

// A batch that is damaged must not keep the group from being operated.
func TestDamagedBatchOfTheControlTopicIsPassed(t *testing.T) {
	r := fakeRig(t)
	c := r.controlLog(t)
	for _, value := range []string{"1", "2", "3"} {
		tell(t, c, "a", value)
	}
	bad := batch("value")
	bad[len(bad)-3]++
	r.on(kmsg.Fetch, func(_ int, q request) (kmsg.Response, error, bool) {
		at := q.Request.(*kmsg.FetchRequest).Topics[0].Partitions[0].FetchOffset
		return logged(q, c.at.Topic, 3, 3, bad), nil, at == 0
	})
	f := r.follow(t, c)
	eventually(t, "the others", func() bool { return f.list() == "1:a=2 2:a=3" && f.whole() == 2 })
	if retries, recovered, _ := r.observer.told(); len(retries) == 0 || len(recovered) == 0 {
		t.Error("nobody was told")
	}
}

// What was read of a log that was cut off by an unclean election may be what others do not know: it is begun anew.
func TestControlTopicThatWasCutOffIsBegunAnew(t *testing.T) {
	r := fakeRig(t)
	c := r.controlLog(t)
	tell(t, c, "a", "1")
	f := r.follow(t, c)
	eventually(t, "the record", func() bool { return f.whole() == 1 })
	r.on(kmsg.ListOffsets, func(_ int, q request) (kmsg.Response, error, bool) {
		a := q.ResponseKind().(*kmsg.ListOffsetsResponse)
		x, y := kmsg.NewListOffsetsResponseTopic(), kmsg.NewListOffsetsResponseTopicPartition()
		x.Topic, y.Offset = c.at.Topic, 0
		x.Partitions = append(x.Partitions, y)
		a.Topics = append(a.Topics, x)
		return a, nil, true
	})
	r.on(kmsg.Fetch, func(_ int, q request) (kmsg.Response, error, bool) {
		a := logged(q, c.at.Topic, 0, 0, nil)
		a.Topics[0].Partitions[0].ErrorCode = kerr.OffsetOutOfRange.Code
		return a, nil, true
	})
	select {
	case err := <-f.ended:
		requireClass(t, err, model.DataLost)
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
}
