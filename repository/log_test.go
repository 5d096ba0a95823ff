package repository

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// scroll is a log of one topic, and what came out of it.
type scroll struct {
	t      *testing.T
	log    *Log
	topic  string
	at     map[model.TopicPartition]int64
	values map[int32][]string
}

func (r *rig) log() *Log {
	return NewLog(r.client, r.observer, "read log", SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 8 << 20})
}

// scroll is a log at the beginning of some partitions.
func (r *rig) scroll(t *testing.T, topic string, partitions ...int32) *scroll {
	s := &scroll{t: t, log: r.log(), topic: topic, at: map[model.TopicPartition]int64{}, values: map[int32][]string{}}
	t.Cleanup(s.log.Close)
	for _, n := range partitions {
		s.at[model.TopicPartition{Topic: topic, Partition: n}] = 0
	}
	return s
}

// read reads once and moves on.
func (s *scroll) read(wait time.Duration) map[int32]model.LogPart {
	s.t.Helper()
	parts, err := s.log.Read(within(s.t, 30*time.Second), maps.Clone(s.at), wait)
	must(s.t, err)
	return s.take(parts)
}

func (s *scroll) take(parts []model.LogPart) map[int32]model.LogPart {
	s.t.Helper()
	byNumber := map[int32]model.LogPart{}
	for _, p := range parts {
		byNumber[p.Partition] = p
		records := p.Open()
		var m model.Message
		for records.Next(&m) {
			if m.Topic != s.topic || m.Partition != p.Partition || m.Offset < s.at[p.TopicPartition] || m.Offset >= p.Next {
				s.t.Fatalf("%s-%d offset %d, read from %d to %d", m.Topic, m.Partition, m.Offset, s.at[p.TopicPartition], p.Next)
			}
			s.values[p.Partition] = append(s.values[p.Partition], string(m.Value))
		}
		must(s.t, records.Err())
		if !p.Lost && records.NextOffset() != p.Next {
			s.t.Fatalf("partition %d: %d behind what was read, %d said", p.Partition, records.NextOffset(), p.Next)
		}
		s.at[p.TopicPartition] = p.Next
	}
	return byNumber
}

// until reads on until it has what it should get.
func (s *scroll) until(want map[int32][]string) {
	s.t.Helper()
	count := func(m map[int32][]string) (n int) {
		for _, v := range m {
			n += len(v)
		}
		return n
	}
	for deadline := time.Now().Add(30 * time.Second); count(s.values) < count(want) && time.Now().Before(deadline); {
		s.read(50 * time.Millisecond)
	}
	if fmt.Sprint(s.values) != fmt.Sprint(want) {
		s.t.Fatalf("got  %s\nwant %s", brief(fmt.Sprint(s.values)), brief(fmt.Sprint(want)))
	}
}

func TestALogShowsWhatIsCommittedAndPassesMarkers(t *testing.T) {
	r := newRig(t)
	topic := r.topic(3)
	r.fill(topic, 0, "plain")
	r.transaction(false, topic, 0, "aborted", "aborted too")
	r.transaction(true, topic, 0, "committed")
	r.transaction(false, topic, 0, "aborted last")
	r.transaction(false, topic, 1, "nothing else")
	end := r.leaveOpen(topic, 1, "still open")
	s := r.scroll(t, topic, 0, 1, 2)
	want := map[int32][]string{0: {"plain", "committed"}}
	s.until(want)
	eventually(t, "the ends", func() bool {
		s.read(0)
		return s.at[model.TopicPartition{Topic: topic}] == 8 && s.at[model.TopicPartition{Topic: topic, Partition: 1}] == 2
	})
	parts := s.read(0)
	for n, want := range map[int32][3]int64{0: {8, 8, 8}, 1: {2, 2, 3}, 2: {0, 0, 0}} {
		if p := parts[n]; p.Next != want[0] || p.LastStable != want[1] || p.HighWatermark != want[2] || p.Bytes != 0 || p.Lost {
			t.Errorf("partition %d: %+v, want next, last stable offset and high watermark %v", n, p, want)
		}
	}
	ends, err := s.log.Ends(within(t, time.Minute), slices.Collect(maps.Keys(s.at)))
	must(t, err)
	for tp, end := range ends {
		if end != parts[tp.Partition].HighWatermark {
			t.Errorf("%v ends at %d", tp, end)
		}
	}
	end(true)
	r.fill(topic, 2, "beside")
	s.until(map[int32][]string{0: {"plain", "committed"}, 1: {"still open"}, 2: {"beside"}})
	if retries, _, lost := r.observer.told(); r.fake != nil && len(retries)+len(lost) > 0 {
		t.Errorf("told of %q and %q", retries, lost)
	}
}

func TestALogAsksEachLeaderOnceAndAllAtATime(t *testing.T) {
	const partitions = 12
	r := fakeRig(t)
	topic := r.topic(partitions)
	leaders, numbers := map[int32]bool{}, []int32{}
	for n := range int32(partitions) {
		leaders[r.fake.LeaderFor(topic, n)] = true
		numbers = append(numbers, n)
	}
	s := r.scroll(t, topic, numbers...)
	s.read(0)
	if took := elapsed(func() { s.read(0) }); took > 200*time.Millisecond {
		t.Errorf("it waited %s for nothing", took)
	}
	r.forget()
	if took := elapsed(func() { s.read(400 * time.Millisecond) }); took < 350*time.Millisecond || took > 700*time.Millisecond {
		t.Errorf("%d leaders that wait for 400 ms took %s", len(leaders), took)
	}
	asked := r.asked(kmsg.Fetch)
	if len(asked) != len(leaders) || len(leaders) < 2 {
		t.Errorf("%d requests to %d leaders", len(asked), len(leaders))
	}
	for _, q := range asked {
		f := q.Request.(*kmsg.FetchRequest)
		if f.MaxBytes != 1<<20 || f.MinBytes != 1 || f.MaxWaitMillis != 400 || f.IsolationLevel != 1 {
			t.Errorf("%+v", f)
		}
	}
}

func elapsed(f func()) time.Duration {
	started := time.Now()
	f()
	return time.Since(started)
}

func TestALogOutlastsLeadersThatMoveAndConnectionsThatBreak(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(3)
	r.on(kmsg.Fetch, func(n int, _ request) (kmsg.Response, error, bool) { return nil, io.EOF, n%5 == 2 })
	s := r.scroll(t, topic, 0, 1, 2)
	want := map[int32][]string{}
	for i := range 30 {
		n := int32(i % 3)
		values := numbered(fmt.Sprint(i, "-"), 3)
		r.fill(topic, n, values...)
		want[n] = append(want[n], values...)
		if i%4 == 0 {
			must(t, r.fake.MoveTopicPartition(topic, n, (r.fake.LeaderFor(topic, n)+1)%3))
		}
		s.read(0)
	}
	s.until(want)
	s.read(0)
	retries, recovered, lost := r.observer.told()
	if len(retries) == 0 || !slices.Contains(recovered, "read log") || len(lost) > 0 {
		t.Errorf("told of %q, %q, %q", retries, recovered, lost)
	}
}

// Partials of one partition must not wait for another one's broker.
func TestALeaderInTroubleDoesNotHoldTheOthersUp(t *testing.T) {
	for name, trouble := range map[string]func(r *rig, sick int32) script{
		"errors": func(_ *rig, sick int32) script {
			return func(_ int, q request) (kmsg.Response, error, bool) { return nil, io.EOF, q.node == sick }
		},
		"no answer": func(r *rig, sick int32) script {
			return func(_ int, q request) (kmsg.Response, error, bool) {
				if q.node == sick {
					r.fake.SleepControl(func() { time.Sleep(3 * time.Second) })
				}
				return nil, nil, false
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := fakeRig(t)
			topic := r.topic(2)
			must(t, r.fake.MoveTopicPartition(topic, 0, 0))
			must(t, r.fake.MoveTopicPartition(topic, 1, 1))
			r.fill(topic, 0, "a")
			r.fill(topic, 1, "b")
			s := r.scroll(t, topic, 0, 1)
			r.on(kmsg.Fetch, trouble(r, 0))
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			parts, err := s.log.Read(ctx, s.at, 0)
			must(t, err)
			if got := s.take(parts); len(got) != 1 || fmt.Sprint(s.values) != "map[1:[b]]" {
				t.Errorf("%+v, %v", got, s.values)
			}
			r.on(kmsg.Fetch, nil)
			s.until(map[int32][]string{0: {"a"}, 1: {"b"}})
		})
	}
}

func TestALogThatIsAnsweredByNobodyEndsWithItsContext(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	s := r.scroll(t, topic, 0)
	r.on(kmsg.Fetch, func(int, request) (kmsg.Response, error, bool) { return nil, io.EOF, true })
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	parts, err := s.log.Read(ctx, s.at, 0)
	if err == nil || len(parts) > 0 || ctx.Err() == nil {
		t.Errorf("%+v, %v", parts, err)
	}
	if retries, _, _ := r.observer.told(); len(retries) < 2 || !strings.HasPrefix(retries[0], "read log: ") {
		t.Errorf("told of %q", retries)
	}
}

func TestErrorsOfALogPassOrAreReturned(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownLeaderEpoch, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError, kerr.TopicAuthorizationFailed} {
		r := fakeRig(t)
		topic := r.topic(2)
		r.fill(topic, 0, "a")
		r.fill(topic, 1, "b")
		r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Partitions: []int32{0}, Err: e, Count: 2})
		s := r.scroll(t, topic, 0, 1)
		if e == kerr.TopicAuthorizationFailed {
			_, err := s.log.Read(within(t, time.Minute), s.at, 0)
			requireClass(t, err, model.Unauthorized)
			continue
		}
		s.until(map[int32][]string{0: {"a"}, 1: {"b"}})
		if retries, _, _ := r.observer.told(); !strings.Contains(fmt.Sprint(retries), fmt.Sprintf("code %d", e.Code)) {
			t.Errorf("%s: told of %q", e.Message, retries)
		}
	}
}

// Partials that retention took are a loss that somebody has to hear of.
func TestAPositionThatIsGoneMovesToTheNearestOne(t *testing.T) {
	for name, c := range map[string]struct{ from, to int64 }{"retention was faster": {1, 3}, "the log was cut off": {100, 5}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			topic := r.topic(2)
			r.fill(topic, 0, "a", "b", "c", "d", "e")
			r.fill(topic, 1, "beside")
			r.deleteUpTo(topic, 3)
			s := r.scroll(t, topic, 0, 1)
			s.at[model.TopicPartition{Topic: topic}] = c.from
			var p model.LogPart
			eventually(t, "the loss", func() bool { p = s.read(0)[0]; return p.Lost })
			if p.Next != c.to || p.HighWatermark != 5 || p.LastStable != 5 || p.Bytes != 0 {
				t.Errorf("%+v", p)
			}
			if _, _, lost := r.observer.told(); !slices.Equal(lost, []string{fmt.Sprintf("0: %d to %d", c.from, c.to)}) {
				t.Errorf("told of %q", lost)
			}
			r.fill(topic, 0, "new")
			s.until(map[int32][]string{0: append([]string{"d", "e"}[:5-c.to], "new"), 1: {"beside"}})
		})
	}
}

func TestALogOfADeletedTopicIsNotThatOfItsSuccessor(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b")
	s := r.scroll(t, topic, 0)
	s.until(map[int32][]string{0: {"a", "b"}})
	_, err := r.admin.DeleteTopic(within(t, time.Minute), topic)
	must(t, err)
	r.create(topic, 1)
	r.fill(topic, 0, "of the successor")
	eventually(t, "that it is another topic", func() bool {
		_, err = s.log.Read(within(t, 30*time.Second), s.at, 0)
		return err != nil
	})
	requireClass(t, err, model.Recreated)
	if _, _, lost := r.observer.told(); len(lost) != 0 {
		t.Errorf("lost %v: nothing of this topic was", lost)
	}
	_, err = s.log.Ends(within(t, time.Minute), []model.TopicPartition{{Topic: topic}})
	requireClass(t, err, model.Recreated)
}

// A broker that slept through an election believes that it leads, and that the log ends where it ended then.
func TestEndsAreNotThoseOfALeaderThatWas(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a")
	log, one := r.log(), []model.TopicPartition{{Topic: topic}}
	if ends, err := log.Ends(within(t, time.Minute), one); err != nil || ends[one[0]] != 1 {
		t.Fatal(ends, err)
	}
	must(t, r.fake.MoveTopicPartition(topic, 0, (r.fake.LeaderFor(topic, 0)+1)%3))
	r.fill(topic, 0, "b")
	r.on(kmsg.ListOffsets, nil)
	if ends, err := log.Ends(within(t, time.Minute), one); err != nil || ends[one[0]] != 2 {
		t.Error(ends, err)
	}
	for _, q := range r.asked(kmsg.ListOffsets) {
		p := q.Request.(*kmsg.ListOffsetsRequest).Topics[0].Partitions[0]
		if q.node != r.fake.LeaderFor(topic, 0) || p.CurrentLeaderEpoch < 1 {
			t.Errorf("broker %d was asked with epoch %d", q.node, p.CurrentLeaderEpoch)
		}
	}
	// A new leader does not know at first (KIP-207).
	r.on(kmsg.ListOffsets, func(n int, q request) (kmsg.Response, error, bool) {
		if n > 2 {
			return nil, nil, false
		}
		a := q.ResponseKind().(*kmsg.ListOffsetsResponse)
		x, y := kmsg.NewListOffsetsResponseTopic(), kmsg.NewListOffsetsResponseTopicPartition()
		x.Topic, y.ErrorCode = topic, kerr.OffsetNotAvailable.Code
		x.Partitions = append(x.Partitions, y)
		a.Topics = append(a.Topics, x)
		return a, nil, true
	})
	if ends, err := log.Ends(within(t, time.Minute), one); err != nil || ends[one[0]] != 2 {
		t.Error(ends, err)
	}
	if len(r.asked(kmsg.ListOffsets)) != 3 {
		t.Errorf("%d requests", len(r.asked(kmsg.ListOffsets)))
	}
}
