package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

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
			if got, _ := seen.Lookup(topic, 0); got.At != want[0] || got.Metadata != *noteText(s.Positions[m.Partitions[0]].Note) || !strings.HasSuffix(got.Metadata, ";n=2") {
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
		if tp.Topic != topic || pos.Note.TopicID == "" || pos.Note.Partitions == 0 || pos.Note.Watermark != model.NoWatermark {
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

// What a group derives for itself is read from its first record on, whatever KAFKA_AUTO_OFFSET_RESET says.
func TestOnlyTheSourceBeginsAtItsEnd(t *testing.T) {
	r := newRig(t)
	source, partials, ctx := r.topic(2), r.topic(1), within(t, time.Minute)
	for _, topic := range []string{source, partials} {
		r.fill(topic, 0, "a", "b")
	}
	m := r.member(source, "me")
	m.Partitions = append(of(m, source, 0, 1).Partitions, of(m, partials, 0).Partitions...)
	s, err := r.offsets(source, true).Start(ctx, m)
	must(t, err)
	if len(s.New) != 3 || len(s.Positions) != 3 {
		t.Errorf("%+v", s)
	}
	for tp, want := range map[model.TopicPartition]int64{{Topic: source}: 2, {Topic: source, Partition: 1}: 0, {Topic: partials}: 0} {
		if got := s.Positions[tp]; got.Offset != want || got.Note.Sequence != 0 || got.Note.Idle {
			t.Errorf("%v: %+v", tp, got)
		}
	}
}

// What an owner noted beside its offset is the next owner's, and the topic's own part of it is of today.
func TestNotesOutliveTheirOwner(t *testing.T) {
	r := newRig(t)
	topic, ctx := r.topic(3), within(t, time.Minute)
	m, o, p := of(r.member(topic, "me"), topic, 0, 1, 2), r.offsets(topic, false), r.initialised(unique(t))
	s, err := o.Start(ctx, m)
	must(t, err)
	id := s.Positions[m.Partitions[0]].Note.TopicID
	want := map[model.TopicPartition]model.Position{}
	for i, n := range []model.Note{{Watermark: 1_700_000_000_123, Idle: true}, {Watermark: model.NoWatermark, Sequence: 7}, {Watermark: 0}} {
		n.TopicID, n.Partitions = id, 2
		want[m.Partitions[i]] = model.Position{Offset: int64(10 + i), LeaderEpoch: -1, Note: n}
	}
	must(t, p.CommitOffsets(ctx, topic, m, want))
	must(t, p.End(ctx, true))
	s, err = o.Start(ctx, m)
	must(t, err)
	if len(s.New) != 0 {
		t.Errorf("%+v", s)
	}
	for tp, pos := range want {
		pos.Note.Partitions = 3
		if s.Positions[tp] != pos {
			t.Errorf("%v: %+v, want %+v", tp, s.Positions[tp], pos)
		}
	}
}
