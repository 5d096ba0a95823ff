package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// member joins a group as a static member, the only one, that never beats: its session is long enough for a test.
func (r *rig) member(group, instance string) model.Assignment {
	r.t.Helper()
	ctx := within(r.t, time.Minute)
	var node int32
	q := kmsg.NewPtrJoinGroupRequest()
	q.Group, q.InstanceID, q.ProtocolType = group, &instance, "consumer"
	q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = 30_000, 10_000
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = "x", []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	q.Protocols = append(q.Protocols, protocol)
	var joined *kmsg.JoinGroupResponse
	must(r.t, NewRetry(r.observer).Do(ctx, "join", func(ctx context.Context) error {
		var err error
		if node, err = r.client.GroupCoordinator(ctx, group); err != nil {
			return err
		}
		answer, err := r.client.Call(ctx, node, q)
		if err == nil {
			joined = answer.(*kmsg.JoinGroupResponse)
			err = broker.Check("join", group, joined.ErrorCode)
		}
		return err
	}))
	s := kmsg.NewPtrSyncGroupRequest()
	s.Group, s.Generation, s.MemberID, s.InstanceID = group, joined.Generation, joined.MemberID, &instance
	s.ProtocolType, s.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("x")
	answer, err := r.client.Call(ctx, node, s)
	must(r.t, err)
	must(r.t, broker.Check("sync", group, answer.(*kmsg.SyncGroupResponse).ErrorCode))
	return model.Assignment{Generation: joined.Generation, MemberID: joined.MemberID, InstanceID: instance}
}

// of is the member with partitions of a topic.
func of(m model.Assignment, topic string, partitions ...int32) model.Assignment {
	m.Partitions = nil
	for _, n := range partitions {
		m.Partitions = append(m.Partitions, model.TopicPartition{Topic: topic, Partition: n})
	}
	return m
}

func (r *rig) offsets(group string, fromLatest bool) *Offsets {
	return NewOffsets(r.client, NewRetry(r.observer), group, fromLatest)
}

func at(topic string, partition int32, offset int64) map[model.TopicPartition]model.Position {
	return map[model.TopicPartition]model.Position{{Topic: topic, Partition: partition}: {Offset: offset, LeaderEpoch: -1}}
}

// An offset of an open transaction may still change: whoever starts from the one before reads events a second time.
func TestOffsetsAreReadOnlyWhenNoTransactionCanChangeThem(t *testing.T) {
	for _, commit := range []bool{true, false} {
		t.Run(fmt.Sprint(commit), func(t *testing.T) {
			r := newRig(t)
			topic, ctx := r.topic(1), within(t, time.Minute)
			m, o, p := r.member(topic, "me"), r.offsets(topic, false), r.initialised(unique(t))
			must(t, o.Commit(ctx, m, at(topic, 0, 3)))
			must(t, p.CommitOffsets(ctx, topic, m, at(topic, 0, 8)))
			type answer struct {
				found map[model.TopicPartition]model.Position
				err   error
			}
			got := make(chan answer, 1)
			go func() {
				found, err := o.Stable(ctx, of(m, topic, 0).Partitions)
				got <- answer{found, err}
			}()
			select {
			case a := <-got:
				t.Fatalf("while a transaction was open: %v", a)
			case <-time.After(300 * time.Millisecond):
			}
			must(t, p.End(ctx, commit))
			a := <-got
			must(t, a.err)
			want := int64(3)
			if commit {
				want = 8
			}
			if pos := a.found[model.TopicPartition{Topic: topic}]; pos.Offset != want {
				t.Errorf("%+v, want %d", pos, want)
			}
		})
	}
}

// EndTxn is answered before the markers are written.
func TestOffsetsOfACommitAreThereAtOnce(t *testing.T) {
	r := newRig(t)
	topic, ctx := r.topic(1), within(t, time.Minute)
	m, o, p := r.member(topic, "me"), r.offsets(topic, false), r.initialised(unique(t))
	for i := range int64(20) {
		must(t, p.Begin(ctx, topic))
		write(t, p, p.batch(topic, 0, "x"))
		must(t, p.CommitOffsets(ctx, topic, m, at(topic, 0, i)))
		must(t, p.End(ctx, true))
		found, err := o.Stable(ctx, of(m, topic, 0).Partitions)
		if pos := found[model.TopicPartition{Topic: topic}]; err != nil || pos.Offset != i {
			t.Fatalf("%+v after the commit of %d, %v", pos, i, err)
		}
	}
}

func TestUnstableOffsetsAreAskedForAgainAtOnce(t *testing.T) {
	r := fakeRig(t)
	topic, ctx := r.topic(1), within(t, time.Minute)
	r.member(topic, "me")
	r.forget()
	r.on(kmsg.OffsetFetch, func(n int, q request) (kmsg.Response, error, bool) {
		if !q.Request.(*kmsg.OffsetFetchRequest).RequireStable {
			t.Error("stable offsets were not asked for")
		}
		switch {
		case n == 1:
			return offsetsFailing(q, 0, broker.NotCoordinator), nil, true
		case n < 20:
			return offsetsFailing(q, broker.UnstableOffsetCommit, 0), nil, true
		}
		return nil, nil, false
	})
	started := time.Now()
	found, err := r.offsets(topic, false).Stable(ctx, of(model.Assignment{}, topic, 0).Partitions)
	if err != nil || len(found) != 0 || time.Since(started) > 5*time.Second {
		t.Errorf("%v, %v after %s", found, err, time.Since(started))
	}
	if retries, _, _ := r.observer.told(); len(retries) != 1 {
		t.Errorf("told of %q", retries)
	}
	if n := len(r.asked(kmsg.FindCoordinator)); n != 1 {
		t.Errorf("the coordinator was looked for %d times", n)
	}
}

// offsetsFailing answers an OffsetFetch with errors of its partitions or of the whole.
func offsetsFailing(q request, partition, top int16) *kmsg.OffsetFetchResponse {
	a := q.ResponseKind().(*kmsg.OffsetFetchResponse)
	a.ErrorCode = top
	for _, t := range q.Request.(*kmsg.OffsetFetchRequest).Topics {
		x := kmsg.NewOffsetFetchResponseTopic()
		x.Topic = t.Topic
		for _, n := range t.Partitions {
			y := kmsg.NewOffsetFetchResponseTopicPartition()
			y.Partition, y.Offset, y.ErrorCode = n, -1, partition
			x.Partitions = append(x.Partitions, y)
		}
		a.Topics = append(a.Topics, x)
	}
	return a
}

// What fences a zombie: the group knows it by member id, generation and instance id.
func TestOffsetsCarryWhoCommitsThem(t *testing.T) {
	r := newRig(t)
	topic, ctx := r.topic(1), within(t, time.Minute)
	m, p, o := r.member(topic, "me"), r.initialised(unique(t)), r.offsets(topic, false)
	for name, c := range map[string]struct {
		change func(*model.Assignment)
		class  model.Class
	}{
		"older generation":   {func(m *model.Assignment) { m.Generation-- }, model.Rejoin},
		"unknown member":     {func(m *model.Assignment) { m.MemberID, m.InstanceID = "nobody", "" }, model.Rejoin},
		"instance id taken":  {func(m *model.Assignment) { m.MemberID = "me-1111" }, model.Replaced},
		"instance id absent": {func(m *model.Assignment) { m.MemberID, m.InstanceID = "me-1111", "" }, model.Rejoin},
	} {
		stranger := m
		c.change(&stranger)
		for _, commit := range []func() error{
			func() error { return p.CommitOffsets(ctx, topic, stranger, at(topic, 0, 5)) },
			func() error { return o.Commit(ctx, stranger, at(topic, 0, 5)) },
		} {
			if err := commit(); model.ClassOf(err) != c.class || err == nil {
				t.Errorf("%s: %s, %v", name, model.ClassOf(err), err)
			}
		}
	}
	must(t, p.End(ctx, false))
	if r.fake != nil {
		r.forget()
	}
	must(t, p.CommitOffsets(ctx, topic, m, at(topic, 0, 6)))
	must(t, p.End(ctx, true))
	for _, q := range r.asked(kmsg.TxnOffsetCommit) {
		q := q.Request.(*kmsg.TxnOffsetCommitRequest)
		if q.Group != topic || q.MemberID != m.MemberID || q.Generation != m.Generation || *q.InstanceID != "me" || q.Topics[0].Partitions[0].LeaderEpoch != -1 {
			t.Errorf("%+v", q)
		}
	}
	found, err := o.Stable(ctx, of(m, topic, 0).Partitions)
	if pos := found[model.TopicPartition{Topic: topic}]; err != nil || pos.Offset != 6 || pos.LeaderEpoch != -1 {
		t.Errorf("%+v, %v: a leader epoch that is not known must not become 0", pos, err)
	}
}

func TestWithoutTransactionsOffsetsAreCommittedAtOnce(t *testing.T) {
	r := newRig(t)
	topic, ctx := r.topic(1), within(t, time.Minute)
	m, p := r.member(topic, "me"), r.initialised("")
	pos := map[model.TopicPartition]model.Position{{Topic: topic}: {Offset: 4, LeaderEpoch: 0, Metadata: "text"}}
	must(t, p.CommitOffsets(ctx, topic, m, pos))
	found, err := r.offsets(topic, false).Stable(ctx, of(m, topic, 0).Partitions)
	if got := found[model.TopicPartition{Topic: topic}]; err != nil || got != pos[model.TopicPartition{Topic: topic}] {
		t.Errorf("%+v, %v", got, err)
	}
}

// The start position holds even if the first event comes after the next restart.
func TestStartIsCommittedAtOnce(t *testing.T) {
	for _, fromLatest := range []bool{false, true} {
		t.Run(fmt.Sprint(fromLatest), func(t *testing.T) {
			r := newRig(t)
			topic, ctx := r.topic(2), within(t, time.Minute)
			r.fill(topic, 0, "a", "b", "c")
			m, o := of(r.member(topic, "me"), topic, 0, 1), r.offsets(topic, fromLatest)
			s, err := o.Start(ctx, m)
			must(t, err)
			want := map[int32]int64{0: 0, 1: 0}
			if fromLatest {
				want[0] = 3
			}
			requirePositions(t, s, topic, want)
			if len(s.New) != 2 || len(s.Recreated) != 0 {
				t.Errorf("%+v", s)
			}
			r.fill(topic, 0, "d")
			r.fill(topic, 1, "e")
			s, err = r.offsets(topic, fromLatest).Start(ctx, m)
			must(t, err)
			requirePositions(t, s, topic, want)
			if len(s.New) != 0 || len(s.Recreated) != 0 {
				t.Errorf("the second time: %+v", s)
			}
			seen, err := r.admin.FetchOffsets(ctx, topic)
			must(t, err)
			if got, _ := seen.Lookup(topic, 0); got.At != want[0] || got.Metadata != s.Positions[m.Partitions[0]].Metadata || got.Metadata == "" {
				t.Errorf("others see %+v", got)
			}
		})
	}
}

func requirePositions(t *testing.T, s model.Start, topic string, want map[int32]int64) {
	t.Helper()
	got := map[int32]int64{}
	for tp, pos := range s.Positions {
		got[tp.Partition] = pos.Offset
		if tp.Topic != topic || pos.Metadata == "" {
			t.Errorf("%v: %+v", tp, pos)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("positions %v, want %v", got, want)
	}
}

// A reader that begins at the end would lose what came to the partition before it was noticed.
func TestNewPartitionsAreReadFromTheirBeginning(t *testing.T) {
	r := newRig(t)
	topic, ctx := r.topic(1), within(t, time.Minute)
	r.fill(topic, 0, "a", "b")
	m, o := r.member(topic, "me"), r.offsets(topic, true)
	s, err := o.Start(ctx, of(m, topic, 0))
	must(t, err)
	requirePositions(t, s, topic, map[int32]int64{0: 2})
	_, err = r.admin.CreatePartitions(ctx, 2, topic)
	must(t, err)
	eventually(t, "the new partitions", func() bool {
		topics, err := r.client.RefreshTopics(ctx, topic)
		return err == nil && len(topics[topic].Leaders) == 3 && !slices.Contains(topics[topic].Leaders, -1)
	})
	r.fill(topic, 2, "early", "bird")
	s, err = o.Start(ctx, of(m, topic, 1, 2)) // another member has partition 0
	must(t, err)
	requirePositions(t, s, topic, map[int32]int64{1: 0, 2: 0})
	if len(s.New) != 2 {
		t.Errorf("%+v", s)
	}
}

func TestOffsetsOfADeletedTopicAreNotThoseOfItsSuccessor(t *testing.T) {
	for _, fromLatest := range []bool{false, true} {
		r := fakeRig(t) // a real one forgets a topic's offsets when it is deleted, if all goes well
		topic, ctx := r.topic(2), within(t, time.Minute)
		r.fill(topic, 0, "a", "b", "c")
		m, o := of(r.member(topic, "me"), topic, 0, 1), r.offsets(topic, fromLatest)
		s, err := o.Start(ctx, m)
		must(t, err)
		pos := s.Positions[m.Partitions[0]]
		pos.Offset = 3
		must(t, o.Commit(ctx, m, map[model.TopicPartition]model.Position{m.Partitions[0]: pos}))
		must(t, r.fake.DeleteTopic(topic))
		must(t, r.fake.CreateTopic(topic, 2, nil))
		r.fill(topic, 0, "new a", "new b", "new c", "new d")
		must(t, o.Commit(ctx, m, map[model.TopicPartition]model.Position{m.Partitions[0]: pos})) // whether or not the cluster forgot it
		s, err = o.Start(ctx, m)
		must(t, err)
		if !slices.Equal(s.Recreated, []string{topic}) || len(s.New) != 2 {
			t.Errorf("%+v", s)
		}
		requirePositions(t, s, topic, map[int32]int64{0: 0, 1: 0})
		s, err = o.Start(ctx, m)
		must(t, err)
		if len(s.Recreated) != 0 || len(s.New) != 0 {
			t.Errorf("the second time: %+v", s)
		}
	}
}

// Kafka's own tools reset offsets without any text.
func TestOffsetsThatOtherToolsSetAreHonoured(t *testing.T) {
	r := newRig(t)
	topic, ctx := r.topic(2), within(t, time.Minute)
	r.fill(topic, 0, "a", "b", "c")
	var set kadm.Offsets
	set.Add(kadm.Offset{Topic: topic, Partition: 0, At: 1, LeaderEpoch: -1})
	set.Add(kadm.Offset{Topic: topic, Partition: 1, At: 0, LeaderEpoch: -1, Metadata: "v1;t=;n=2;later=9"})
	must(t, r.admin.CommitAllOffsets(ctx, topic, set))
	m := of(r.member(topic, "me"), topic, 0, 1)
	s, err := r.offsets(topic, true).Start(ctx, m)
	must(t, err)
	requirePositions(t, s, topic, map[int32]int64{0: 1, 1: 0})
	if len(s.New) != 0 || len(s.Recreated) != 0 {
		t.Errorf("%+v", s)
	}
}

// Another member's partitions may be in an open transaction at any time, for as long as a crashed one's is open.
func TestStartWaitsForNobodyElsesTransaction(t *testing.T) {
	r := newRig(t)
	topic, ctx := r.topic(2), within(t, time.Minute)
	m, o, p := r.member(topic, "me"), r.offsets(topic, false), r.initialised(unique(t))
	must(t, o.Commit(ctx, m, at(topic, 0, 0)))
	if r.fake == nil {
		must(t, p.CommitOffsets(ctx, topic, m, at(topic, 1, 8)))
	} else { // that cluster holds back all offsets of a group at once
		r.on(kmsg.OffsetFetch, func(_ int, q request) (kmsg.Response, error, bool) {
			f := q.Request.(*kmsg.OffsetFetchRequest)
			if f.RequireStable && slices.Contains(f.Topics[0].Partitions, 1) {
				return offsetsFailing(q, broker.UnstableOffsetCommit, 0), nil, true
			}
			return nil, nil, false
		})
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	s, err := o.Start(ctx, of(m, topic, 0))
	must(t, err)
	requirePositions(t, s, topic, map[int32]int64{0: 0})
}

func TestStartOfAMemberWithoutPartitions(t *testing.T) {
	r := newRig(t)
	topic, ctx := r.topic(1), within(t, time.Minute)
	m, o := r.member(topic, "me"), r.offsets(topic, false)
	must(t, o.Commit(ctx, m, at(topic, 0, 3)))
	s, err := o.Start(ctx, m)
	if err != nil || len(s.Positions)+len(s.New)+len(s.Recreated) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if n := len(r.asked(kmsg.OffsetFetch)); n != 0 {
		t.Errorf("offsets were asked for %d times: a request without topics asks for those of all", n)
	}
}

func TestStartFindsLeadersAgain(t *testing.T) {
	r := fakeRig(t)
	topic, ctx := r.topic(4), within(t, time.Minute)
	for n := range int32(4) {
		r.fill(topic, n, "a")
	}
	if _, err := r.client.Topics(ctx, topic); err != nil {
		t.Fatal(err)
	}
	r.on(kmsg.ListOffsets, func(n int, _ request) (kmsg.Response, error, bool) {
		if n <= 2 {
			return nil, errors.New("hang up"), true
		}
		return nil, nil, false
	})
	m := of(r.member(topic, "me"), topic, 0, 1, 2, 3)
	moved := r.fake.LeaderFor(topic, 0)
	must(t, r.fake.MoveTopicPartition(topic, 0, (moved+1)%3))
	s, err := r.offsets(topic, true).Start(ctx, m)
	must(t, err)
	requirePositions(t, s, topic, map[int32]int64{0: 1, 1: 1, 2: 1, 3: 1})
}

func TestCommitText(t *testing.T) {
	for text, want := range map[string]struct {
		commitText
		ok bool
	}{
		"":                           {commitText{}, false},
		"v2;t=ab;n=3":                {commitText{}, false},
		"somebody else's":            {commitText{}, false},
		"v1":                         {commitText{}, true},
		"v1;t=ab;n=3":                {commitText{"ab", 3}, true},
		"v1;n=3;t=ab;new=thing;;x=y": {commitText{"ab", 3}, true},
		"v1;t=ab;n=many":             {commitText{"ab", 0}, true},
	} {
		if got, ok := parseCommitText(text); got != want.commitText || ok != want.ok {
			t.Errorf("%q: %+v, %v", text, got, ok)
		}
	}
	if got, ok := parseCommitText(commitText{"ab", 3}.String()); !ok || got != (commitText{"ab", 3}) {
		t.Errorf("%+v, %v", got, ok)
	}
}
