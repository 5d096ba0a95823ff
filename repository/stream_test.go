package repository

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// reading is what came out of a stream.
type reading struct {
	t       *testing.T
	s       *Stream
	values  map[int32][]string
	next    map[int32]int64 // position behind what was read
	fetches int
}

// open starts a stream at the given offsets of a topic's partitions.
func (r *rig) open(topic string, maxBytes int, from map[int32]int64) *reading {
	r.t.Helper()
	positions := map[model.TopicPartition]model.Position{}
	for n, offset := range from {
		positions[model.TopicPartition{Topic: topic, Partition: n}] = model.Position{Offset: offset, LeaderEpoch: -1}
	}
	source := NewSource(r.client, r.observer, SourceConfig{MaxBytes: maxBytes, MaxBatchBytes: 8 << 20, Wait: 50 * time.Millisecond})
	s, err := source.Open(context.Background(), positions)
	must(r.t, err)
	r.t.Cleanup(s.Close)
	return &reading{t: r.t, s: s, values: map[int32][]string{}, next: maps.Clone(from)}
}

// fetch takes one answer and reads it to the end.
func (g *reading) fetch() error {
	g.t.Helper()
	f, err := g.s.Next(within(g.t, 30*time.Second))
	if err != nil {
		return err
	}
	g.fetches++
	for i := range f.Parts {
		p := &f.Parts[i]
		records := p.Open()
		var m model.Message
		for records.Next(&m) {
			if m.Partition != p.Partition || m.Topic != p.Topic || m.Offset < g.next[p.Partition] {
				g.t.Fatalf("%s-%d offset %d came after %d", m.Topic, m.Partition, m.Offset, g.next[p.Partition]-1)
			}
			g.values[m.Partition] = append(g.values[m.Partition], string(m.Value))
			g.next[m.Partition] = m.Offset + 1
		}
		must(g.t, records.Err())
		g.next[p.Partition] = records.NextOffset()
	}
	f.Release()
	return nil
}

// until reads on until it has as many records as it should get, and a little longer for what it should not.
func (g *reading) until(want map[int32][]string) {
	g.t.Helper()
	count := func(m map[int32][]string) (n int) {
		for _, v := range m {
			n += len(v)
		}
		return n
	}
	for count(g.values) < count(want) {
		must(g.t, g.fetch())
	}
	if fmt.Sprint(g.values) != fmt.Sprint(want) {
		g.t.Fatalf("got  %s\nwant %s", brief(fmt.Sprint(g.values)), brief(fmt.Sprint(want)))
	}
}

func numbered(prefix string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(prefix, i))
	}
	return all
}

func TestAllPartitionsOfABrokerComeInOneAnswer(t *testing.T) {
	const partitions = 20
	r := fakeRig(t, kfake.NumBrokers(1))
	topic := r.topic(partitions)
	from, want := map[int32]int64{}, map[int32][]string{}
	for n := range int32(partitions) {
		from[n], want[n] = 0, numbered(fmt.Sprint(n, "-"), 5)
		r.fill(topic, n, want[n]...)
	}
	g := r.open(topic, 1<<20, from)
	g.until(want)
	if g.fetches != 1 {
		t.Errorf("%d answers", g.fetches)
	}
	q := r.asked(kmsg.Fetch)[0].Request.(*kmsg.FetchRequest)
	if len(q.Topics) != 1 || len(q.Topics[0].Partitions) != partitions || q.IsolationLevel != 1 {
		t.Errorf("%+v", q)
	}
}

// A client that hands out what was aborted counts it; one that does not step over a trailing marker stands still for ever.
func TestOnlyCommittedRecordsAreSeenAndMarkersArePassed(t *testing.T) {
	r := newRig(t)
	topic := r.topic(2)
	r.fill(topic, 0, "plain")
	r.transaction(false, topic, 0, "aborted", "aborted too")
	r.transaction(true, topic, 0, "committed")
	r.transaction(false, topic, 0, "aborted last")
	r.transaction(false, topic, 1, "nothing else")
	g := r.open(topic, 1<<20, map[int32]int64{0: 0, 1: 0})
	g.until(map[int32][]string{0: {"plain", "committed"}})
	ends, err := r.admin.ListEndOffsets(within(t, time.Minute), topic)
	must(t, err)
	for tries := 0; g.next[0] < 8 || g.next[1] < 2; tries++ {
		if tries == 20 {
			t.Fatalf("positions %v, the ends are %v", g.next, ends)
		}
		must(t, g.fetch())
	}
	end := r.leaveOpen(topic, 0, "still open")
	r.fill(topic, 1, "beside")
	g.until(map[int32][]string{0: {"plain", "committed"}, 1: {"beside"}})
	end(true)
	r.fill(topic, 0, "behind")
	g.until(map[int32][]string{0: {"plain", "committed", "still open", "behind"}, 1: {"beside"}})
}

// At 20,000 events a second asking for each byte costs four times as much; asking an idle broker again and again costs
// both sides for nothing.
func TestBrokersMayCollectBeforeTheyAnswer(t *testing.T) {
	r := fakeRig(t, kfake.NumBrokers(1))
	topic := r.topic(1)
	g := r.open(topic, 4<<20, map[int32]int64{0: 0})
	time.Sleep(1200 * time.Millisecond)
	idle := r.asked(kmsg.Fetch)
	if len(idle) > 4 {
		t.Errorf("%d requests in 1.2 s of silence", len(idle))
	}
	for _, q := range idle {
		if f := q.Request.(*kmsg.FetchRequest); f.MinBytes != 1 || f.MaxWaitMillis != 500 {
			t.Errorf("idle: at least %d bytes, %d ms", f.MinBytes, f.MaxWaitMillis)
		}
	}
	r.forget()
	r.fill(topic, 0, "a")
	started := time.Now()
	g.until(map[int32][]string{0: {"a"}})
	if took := time.Since(started); took > 300*time.Millisecond {
		t.Errorf("the first event after silence took %s", took)
	}
	eventually(t, "the request after that", func() bool { return len(r.asked(kmsg.Fetch)) > 0 })
	if f := r.asked(kmsg.Fetch)[0].Request.(*kmsg.FetchRequest); f.MinBytes != fetchEnough || f.MaxWaitMillis != 50 || f.MaxBytes != 4<<20 {
		t.Errorf("flowing: at least %d of %d bytes, %d ms", f.MinBytes, f.MaxBytes, f.MaxWaitMillis)
	}
}

func TestNothingIsLostOrDoubledWhileLeadersMoveAndConnectionsBreak(t *testing.T) {
	const partitions, rounds = 3, 40
	r := fakeRig(t)
	topic := r.topic(partitions)
	r.on(kmsg.Fetch, func(n int, _ request) (kmsg.Response, error, bool) { return nil, io.EOF, n%7 == 3 })
	g := r.open(topic, 1<<20, map[int32]int64{0: 0, 1: 0, 2: 0})
	want := map[int32][]string{}
	for i := range rounds {
		for n := range int32(partitions) {
			want[n] = append(want[n], numbered(fmt.Sprintf("%d-%d-", n, i), 3)...)
		}
	}
	var writers sync.WaitGroup
	writers.Go(func() {
		cl, err := kgo.NewClient(kgo.SeedBrokers(r.bootstrap...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Error(err)
			return
		}
		defer cl.Close()
		for i := range rounds {
			for n := range int32(partitions) {
				if err := cl.ProduceSync(context.Background(), kgoRecords(topic, n, want[n][3*i:3*i+3])...).FirstErr(); err != nil {
					t.Error(err)
				}
			}
			if i%4 == 0 {
				if err := r.fake.MoveTopicPartition(topic, rand.Int32N(partitions), rand.Int32N(3)); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	defer writers.Wait()
	g.until(want)
}

func TestErrorsOfAPartitionPass(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID,
		kerr.KafkaStorageError, kerr.TopicAuthorizationFailed, kerr.UnknownServerError, kerr.CorruptMessage} {
		r := fakeRig(t)
		topic := r.topic(2)
		r.fill(topic, 0, "a", "b")
		r.fill(topic, 1, "c")
		hits := r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Partitions: []int32{0}, Err: e, Count: 3})
		g := r.open(topic, 1<<20, map[int32]int64{0: 0, 1: 0})
		g.until(map[int32][]string{0: {"a", "b"}, 1: {"c"}})
		retries, _, lost := r.observer.told()
		if hits.Hits() != 3 || len(retries) == 0 || len(lost) != 0 || !strings.Contains(fmt.Sprint(retries), fmt.Sprintf("code %d", e.Code)) {
			t.Errorf("%s: %d answers, told of %q, lost %v", e.Message, hits.Hits(), retries, lost)
		}
		eventually(t, "that it recovered", func() bool { _, recovered, _ := r.observer.told(); return slices.Contains(recovered, "fetch") })
		g.s.Close()
	}
}

func TestPositionsOutOfRangeMoveToTheNearestMessage(t *testing.T) {
	for name, c := range map[string]struct {
		from, to int64
		want     []string
	}{
		"retention was faster": {1, 3, []string{"d", "e", "new"}},
		"the log was cut off":  {100, 5, []string{"new"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			topic := r.topic(1)
			r.fill(topic, 0, "a", "b", "c", "d", "e")
			if c.from < 5 {
				r.deleteUpTo(topic, 3)
			}
			g := r.open(topic, 1<<20, map[int32]int64{0: c.from})
			g.next[0] = c.to
			eventually(t, "word of the loss", func() bool { _, _, lost := r.observer.told(); return len(lost) > 0 })
			r.fill(topic, 0, "new")
			g.until(map[int32][]string{0: c.want})
			if _, _, lost := r.observer.told(); !slices.Equal(lost, []string{fmt.Sprintf("0: %d to %d", c.from, c.to)}) {
				t.Errorf("told of %q", lost)
			}
		})
	}
}

func (r *rig) deleteUpTo(topic string, offset int64) {
	r.t.Helper()
	o, err := r.admin.ListStartOffsets(within(r.t, time.Minute), topic)
	must(r.t, err)
	offsets := o.Offsets()
	x := offsets[topic][0]
	x.At = offset
	offsets[topic][0] = x
	_, err = r.admin.DeleteRecords(within(r.t, time.Minute), offsets)
	must(r.t, err)
}

// Whoever seeks knows better than a correction that was computed before.
func TestSeekOutlastsACorrectionOnItsWay(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b", "c", "d")
	r.deleteUpTo(topic, 1)
	opened := make(chan *Stream, 1)
	r.on(kmsg.ListOffsets, func(n int, _ request) (kmsg.Response, error, bool) {
		if n == 2 { // both ends were asked for
			s := <-opened
			s.Seek(model.TopicPartition{Topic: topic}, 3)
		}
		return nil, nil, false
	})
	g := r.open(topic, 1<<20, map[int32]int64{0: 0})
	opened <- g.s
	g.until(map[int32][]string{0: {"d"}})
}

func TestSeekDropsWhatWasFetchedBefore(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, numbered("", 10)...)
	g := r.open(topic, 1<<20, map[int32]int64{0: 0})
	tp := model.TopicPartition{Topic: topic}
	for range 20 {
		if rand.N(2) == 0 {
			time.Sleep(rand.N(20 * time.Millisecond)) // an answer waits to be taken
		}
		from := rand.Int64N(10)
		g.s.Seek(tp, from)
		g.values, g.next[0] = map[int32][]string{}, from
		g.until(map[int32][]string{0: numbered("", 10)[from:]})
	}
	g.s.Seek(model.TopicPartition{Topic: "not mine"}, 3)
}

func TestDeletedTopicIsWaitedForAndItsSuccessorIsAnotherOne(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b")
	g := r.open(topic, 1<<20, map[int32]int64{0: 0})
	g.until(map[int32][]string{0: {"a", "b"}})
	_, err := r.admin.DeleteTopic(within(t, time.Minute), topic)
	must(t, err)
	eventually(t, "word of the deleted topic", func() bool {
		retries, _, _ := r.observer.told()
		return slices.ContainsFunc(retries, func(s string) bool { return strings.Contains(s, topic) && strings.Contains(s, "code 3") })
	})
	r.create(topic, 1)
	r.fill(topic, 0, "of the successor", "too", "three")
	err = g.fetch()
	requireClass(t, err, model.Recreated)
	if !strings.Contains(fmt.Sprint(err), topic) {
		t.Errorf("%v", err)
	}
	if _, _, lost := r.observer.told(); len(lost) != 0 {
		t.Errorf("lost %v: nothing of this topic was", lost)
	}
}

// Not parallel: it counts the goroutines of the process.
func TestCloseLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("streams", func(t *testing.T) {
		r := fakeRig(t)
		topic := r.topic(6)
		from := map[int32]int64{}
		for n := range int32(6) {
			r.fill(topic, n, "a")
			from[n] = 0
		}
		for i := range 5 {
			g := r.open(topic, 1<<20, from)
			if i%2 == 0 {
				must(t, g.fetch())
			}
			g.s.Close()
			if _, err := g.s.Next(within(t, 50*time.Millisecond)); err == nil {
				t.Error("a closed stream had something")
			}
		}
	})
	for tries := 0; runtime.NumGoroutine() > before; tries++ {
		if tries == 1000 {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// However long the backlog is: one answer that is being worked on and one that waits, for each broker.
func TestReaderThatDoesNotKeepUpHoldsTwoAnswersOfABroker(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(6)
	from, leaders := map[int32]int64{}, map[int32]bool{}
	for n := range int32(6) {
		from[n] = 0
		leaders[r.fake.LeaderFor(topic, n)] = true
		for range 4 {
			r.fill(topic, n, strings.Repeat("x", 100<<10))
		}
	}
	perBroker := func() (most int) {
		counts := map[int32]int{}
		for _, q := range r.asked(kmsg.Fetch) {
			counts[q.node]++
			most = max(most, counts[q.node])
		}
		return most
	}
	g := r.open(topic, 150<<10, from)
	var held []*model.Fetch
	for range len(leaders) {
		f, err := g.s.Next(within(t, 30*time.Second))
		must(t, err)
		held = append(held, f)
	}
	time.Sleep(500 * time.Millisecond)
	if n := perBroker(); n > buffersPerLeader {
		t.Errorf("%d answers of one broker are in memory", n)
	}
	for _, f := range held {
		f.Release()
	}
	for len(g.values[0])+len(g.values[5]) == 0 {
		must(t, g.fetch())
	}
}

// Brokers fill an answer from the first partition on: one with a backlog must not keep the others from their turn.
func TestPartitionBehindHugeOnesIsServed(t *testing.T) {
	r := newRig(t)
	topic := r.topic(4)
	big := strings.Repeat("x", 200<<10)
	from := map[int32]int64{0: 0, 1: 0, 2: 0, 3: 0}
	for n := range int32(3) {
		for range 15 {
			r.fill(topic, n, big)
		}
	}
	r.fill(topic, 3, "small")
	g := r.open(topic, 256<<10, from)
	for len(g.values[3]) == 0 {
		must(t, g.fetch())
		if g.fetches > 20 {
			t.Fatalf("after %d answers it still waits; others got %d, %d, %d", g.fetches, len(g.values[0]), len(g.values[1]), len(g.values[2]))
		}
	}
	g.until(map[int32][]string{0: slices.Repeat([]string{big}, 15), 1: slices.Repeat([]string{big}, 15), 2: slices.Repeat([]string{big}, 15), 3: {"small"}})
	if g.fetches < 10 {
		t.Errorf("%d answers for 9 MB: the limit of a request is not kept", g.fetches)
	}
}

func TestBatchLargerThanItsShareArrives(t *testing.T) {
	r := newRig(t)
	topic := r.topic(8)
	from, want := map[int32]int64{}, map[int32][]string{}
	for n := range int32(8) {
		from[n] = 0
		want[n] = []string{strings.Repeat(fmt.Sprint(n), 900<<10)}
		r.fill(topic, n, want[n]...)
	}
	r.open(topic, 64<<10, from).until(want)
}

func TestOneMessageIsFoundAgain(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b", "c")
	r.transaction(false, topic, 0, "aborted")
	source := NewSource(r.client, r.observer, SourceConfig{MaxBytes: 1 << 20, MaxBatchBytes: 1 << 20})
	look := func(offset int64) (found string, err error) {
		at := model.Origin{TopicPartition: model.TopicPartition{Topic: topic}, Offset: offset}
		err = source.Lookup(within(t, 30*time.Second), at, func(m *model.Message) error {
			if m.Topic != topic || m.Offset != offset {
				t.Errorf("%+v", m)
			}
			found = string(m.Value)
			return nil
		})
		return found, err
	}
	for offset, want := range []string{"a", "b", "c"} {
		if got, err := look(int64(offset)); err != nil || got != want {
			t.Errorf("%d: %q, %v", offset, got, err)
		}
	}
	for _, offset := range []int64{3, 5, 99} {
		_, err := look(offset)
		requireClass(t, err, model.DataLost)
	}
	if r.fake != nil {
		must(t, r.fake.MoveTopicPartition(topic, 0, (r.fake.LeaderFor(topic, 0)+1)%3))
		if got, err := look(1); err != nil || got != "b" {
			t.Errorf("after the leader moved: %q, %v", got, err)
		}
	}
}

func FuzzReadFetch(f *testing.F) {
	a := kmsg.NewPtrFetchResponse()
	a.Version = 11
	x := kmsg.NewFetchResponseTopic()
	x.Topic = "t"
	for n := range int32(3) {
		y := kmsg.NewFetchResponseTopicPartition()
		y.Partition, y.ErrorCode, y.RecordBatches = n, int16(n), []byte("0123456789abcdef")
		y.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 1, FirstOffset: 2}}
		x.Partitions = append(x.Partitions, y)
	}
	a.Topics = append(a.Topics, x)
	f.Add(a.AppendTo(nil))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, err := readFetch(b, nil)
		if len(b) < 14 && err == nil {
			t.Error("nothing was taken for an answer")
		}
		total := 0
		for i := range parts {
			total += len(parts[i].set) + 16*len(parts[i].aborted)
			parts[i].whole()
		}
		if total > len(b) {
			t.Errorf("%d bytes were made of %d", total, len(b))
		}
		_ = broker.Code(err)
	})
}
