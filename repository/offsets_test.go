package repository

import (
	"context"
	"fmt"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

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

// offsets are those of a group that has the name of its source.
func (r *rig) offsets(source string, fromLatest bool) *Offsets {
	var fromEnd []string
	if fromLatest {
		fromEnd = append(fromEnd, source)
	}
	return NewOffsets(r.client, NewRetry(r.observer), source, fromEnd...)
}

func at(topic string, partition int32, offset int64) map[model.TopicPartition]model.Position {
	return map[model.TopicPartition]model.Position{{Topic: topic, Partition: partition}: {Offset: offset, LeaderEpoch: -1, Note: model.Note{Watermark: model.NoWatermark}}}
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
	pos := map[model.TopicPartition]model.Position{{Topic: topic}: {Offset: 4, LeaderEpoch: 0, Note: model.Note{TopicID: "ab", Watermark: 5}}}
	must(t, p.CommitOffsets(ctx, topic, m, pos))
	found, err := r.offsets(topic, false).Stable(ctx, of(m, topic, 0).Partitions)
	if got := found[model.TopicPartition{Topic: topic}]; err != nil || got != pos[model.TopicPartition{Topic: topic}] {
		t.Errorf("%+v, %v", got, err)
	}
}
