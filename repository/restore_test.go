package repository

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/recordbatch"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// restored is what a restore showed: `offset:value`, and how far it told to be.
type restored struct {
	records  []string
	progress []string
}

func (r *rig) restore(topic string) (got restored, err error) {
	r.t.Helper()
	log := r.log()
	defer log.Close()
	err = log.Restore(within(r.t, time.Minute), model.TopicPartition{Topic: topic}, func(m *model.Message) error {
		got.records = append(got.records, fmt.Sprintf("%d:%s", m.Offset, m.Value))
		return nil
	}, func(done, end int64) { got.progress = append(got.progress, fmt.Sprintf("%d/%d", done, end)) })
	return got, err
}

func (g restored) require(t *testing.T, err error, want ...string) {
	t.Helper()
	must(t, err)
	if !slices.Equal(g.records, want) {
		t.Errorf("restored %s, want %s", brief(fmt.Sprint(g.records)), brief(fmt.Sprint(want)))
	}
}

func TestRestoreShowsWhatIsCommitted(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	got, err := r.restore(topic)
	got.require(t, err)
	if len(got.progress) > 0 {
		t.Errorf("told %q of nothing", got.progress)
	}
	r.fill(topic, 0, "a", "b")
	r.transaction(true, topic, 0, "c")
	r.transaction(false, topic, 0, "aborted")
	got, err = r.restore(topic)
	got.require(t, err, "0:a", "1:b", "2:c")
	r.committed(topic) // the last marker is there
	got, err = r.restore(topic)
	got.require(t, err, "0:a", "1:b", "2:c")
	if last := got.progress[len(got.progress)-1]; last != "6/6" {
		t.Errorf("told %q", got.progress)
	}
	r.deleteUpTo(topic, 1)
	got, err = r.restore(topic)
	got.require(t, err, "1:b", "2:c")
	if last := got.progress[len(got.progress)-1]; last != "5/5" {
		t.Errorf("told %q", got.progress)
	}
	if _, _, lost := r.observer.told(); len(lost) > 0 {
		t.Errorf("lost %q", lost)
	}
}

// The offsets of a transaction may be seen before its records are: the markers of partitions are written one by one
// (KAFKA-10167). A restore that stopped at the last stable offset would begin without them.
func TestRestoreWaitsForOpenTransactions(t *testing.T) {
	for _, commit := range []bool{true, false} {
		r := newRig(t)
		topic := r.topic(1)
		r.fill(topic, 0, "a")
		end := r.leaveOpen(topic, 0, "late")
		r.fill(topic, 0, "behind")
		type outcome struct {
			restored
			err error
		}
		done := make(chan outcome, 1)
		go func() {
			got, err := r.restore(topic)
			done <- outcome{got, err}
		}()
		select {
		case o := <-done:
			t.Fatalf("it did not wait: %v, %v", o.records, o.err)
		case <-time.After(1200 * time.Millisecond):
		}
		end(commit)
		ended := time.Now()
		o := <-done
		if took := time.Since(ended); took > 5*time.Second {
			t.Errorf("it went on %s after the end of the transaction", took)
		}
		want := []string{"0:a", "1:late", "2:behind"}
		if !commit {
			want = []string{"0:a", "2:behind"}
		}
		o.require(t, o.err, want...)
		if len(o.progress) < 3 || o.progress[0] != "1/3" || o.progress[len(o.progress)-1] != "3/3" {
			t.Errorf("told %q", o.progress)
		}
	}
}

// Of a compacted log there are records here and there, and nothing at its beginning.
func TestRestoreOfACompactedLog(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1, "cleanup.policy", "compact", "delete.retention.ms", "0")
	write := func(values ...string) {
		for _, v := range values {
			cl, err := kgo.NewClient(kgo.SeedBrokers(r.bootstrap...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			must(t, err)
			rec := &kgo.Record{Topic: topic, Key: []byte(v[:1]), Value: []byte(v)}
			if v[1:] == "" {
				rec.Value = nil
			}
			must(t, cl.ProduceSync(within(t, time.Minute), rec).FirstErr())
			cl.Close()
		}
	}
	write("a1", "b1", "a2", "c1", "b2", "a3", "c", "d1")
	time.Sleep(10 * time.Millisecond)
	r.fake.Compact()
	got, err := r.restore(topic)
	got.require(t, err, "4:b2", "5:a3", "7:d1")
}

func TestRestoreGoesOnThroughTroubles(t *testing.T) {
	const records = 3000
	r := fakeRig(t)
	topic := r.topic(1)
	var want []string
	for i := range records / 100 {
		r.fill(topic, 0, numbered(fmt.Sprint(i, "-", strings.Repeat("x", 200), "-"), 100)...)
		for j := range 100 {
			want = append(want, fmt.Sprintf("%d:%d-%s-%d", i*100+j, i, strings.Repeat("x", 200), j))
		}
	}
	var asked atomic.Int32
	r.on(kmsg.Fetch, func(n int, _ request) (kmsg.Response, error, bool) {
		asked.Add(1)
		if n%3 == 1 {
			return nil, io.EOF, true
		}
		if n%3 == 2 {
			r.fake.SleepControl(func() {
				if err := r.fake.MoveTopicPartition(topic, 0, (r.fake.LeaderFor(topic, 0)+1)%3); err != nil {
					t.Error(err)
				}
			})
		}
		return nil, nil, false
	})
	log := NewLog(r.client, r.observer, "restore", SourceConfig{MaxBytes: 100 << 10, MaxBatchBytes: 1 << 20})
	var got restored
	err := log.Restore(within(t, time.Minute), model.TopicPartition{Topic: topic}, func(m *model.Message) error {
		got.records = append(got.records, fmt.Sprintf("%d:%s", m.Offset, m.Value))
		return nil
	}, nil)
	got.require(t, err, want...)
	if asked.Load() < 8 {
		t.Errorf("%d requests for 690 kB, 100 kB each: the limit is not kept", asked.Load())
	}
}

func TestRestoreEndsWithTheErrorOfWhoeverSees(t *testing.T) {
	r := newRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b")
	enough := errors.New("a newer format")
	seen := 0
	err := r.log().Restore(within(t, time.Minute), model.TopicPartition{Topic: topic}, func(*model.Message) error { seen++; return enough }, nil)
	if !errors.Is(err, enough) || seen != 1 {
		t.Errorf("%v after %d messages", err, seen)
	}
}

// logged answers a Fetch for partition 0 of a topic.
func logged(q request, topic string, stable, high int64, set []byte) *kmsg.FetchResponse {
	a := q.ResponseKind().(*kmsg.FetchResponse)
	x, y := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
	x.Topic = topic
	y.LastStableOffset, y.HighWatermark, y.RecordBatches = stable, high, set
	x.Partitions = append(x.Partitions, y)
	a.Topics = append(a.Topics, x)
	return a
}

// batch is one as it lies in a log, from offset 0 on.
func batch(values ...string) []byte {
	b := recordbatch.NewBuilder(0)
	for i, v := range values {
		b.Append(int64(i), recordbatch.Origin{}, []byte("key-of-a-group"), []byte(v), nil)
	}
	b.Stamp(-1, -1, -1, false)
	return slices.Clone(b.Framed(0)[8:])
}

// Compaction may leave nothing between a position and the end: no position ever gets there by reading.
func TestRestorePassesAHoleThatReachesToTheEnd(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b", "c", "d")
	r.on(kmsg.Fetch, func(n int, q request) (kmsg.Response, error, bool) {
		if n == 1 {
			return logged(q, topic, 4, 4, batch("a", "b")), nil, true
		}
		return logged(q, topic, 4, 4, nil), nil, true
	})
	got, err := r.restore(topic)
	got.require(t, err, "0:a", "1:b")
	if n := len(r.asked(kmsg.Fetch)); n != 1+restoreTries {
		t.Errorf("%d requests", n)
	}
}

// An unclean election cut the log off: what it was to end with will not come.
func TestRestoreOfALogThatWasCutOffIsAnError(t *testing.T) {
	const outOfRange = 1
	for name, c := range map[string]struct {
		code int16
		ends []int64 // as ListOffsets tells them: the end, the beginning, and what is asked for after the answer to Fetch
	}{
		"behind what was read":  {0, []int64{4, 0, 2}},
		"before what was read":  {outOfRange, []int64{4, 3, 0, 2, 2, 2}},
		"and has other records": {outOfRange, []int64{4, 3, 0, 2, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			r := fakeRig(t)
			topic := r.topic(1)
			r.on(kmsg.Fetch, func(_ int, q request) (kmsg.Response, error, bool) {
				a := logged(q, topic, 2, 2, nil)
				a.Topics[0].Partitions[0].ErrorCode = c.code
				return a, nil, true
			})
			r.on(kmsg.ListOffsets, func(n int, q request) (kmsg.Response, error, bool) {
				a := q.ResponseKind().(*kmsg.ListOffsetsResponse)
				x, y := kmsg.NewListOffsetsResponseTopic(), kmsg.NewListOffsetsResponseTopicPartition()
				x.Topic, y.Offset = topic, c.ends[min(n, len(c.ends))-1]
				x.Partitions = append(x.Partitions, y)
				a.Topics = append(a.Topics, x)
				return a, nil, true
			})
			_, err := r.restore(topic)
			requireClass(t, err, model.DataLost)
			for _, want := range []string{topic, "offset 4", fmt.Sprint("ends at ", c.ends[len(c.ends)-1]), "KAFKA_GROUP_ID"} {
				if !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("%v does not say %s", err, want)
				}
			}
		})
	}
}

// A leader that has just been elected may name an end that is too low, and knows better when it is asked for it.
func TestRestoreBelievesNoHighWatermarkThatIsTooLow(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	r.fill(topic, 0, "a", "b")
	r.on(kmsg.Fetch, func(n int, q request) (kmsg.Response, error, bool) { return logged(q, topic, 0, 0, nil), nil, n <= 2 })
	got, err := r.restore(topic)
	got.require(t, err, "0:a", "1:b")
}

func TestRestoreReadsABadBatchAgainBeforeItGivesUp(t *testing.T) {
	good, bad := batch("value"), batch("value")
	bad[len(bad)-3]++
	for times, want := range map[int]string{restoreTries - 1: "0:value", restoreTries: ""} {
		r := fakeRig(t)
		topic := r.topic(1)
		r.fill(topic, 0, "value")
		r.on(kmsg.Fetch, func(n int, q request) (kmsg.Response, error, bool) {
			if n <= times {
				return logged(q, topic, 1, 1, bad), nil, true
			}
			return logged(q, topic, 1, 1, good), nil, true
		})
		got, err := r.restore(topic)
		if want != "" {
			got.require(t, err, want)
			continue
		}
		requireClass(t, err, model.DataLost)
		var batch *model.BadBatch
		if !errors.As(err, &batch) || batch.Code != recordbatch.CodeCRC || len(got.records) > 0 {
			t.Errorf("%v, %v", err, got.records)
		}
	}
}

// What a record costs when it is there, at most: nothing is done for it but this.
func BenchmarkLogRecords(b *testing.B) {
	tp := model.TopicPartition{Topic: "t"}
	r := round{Log: NewLog(nil, nil, "read", SourceConfig{MaxBatchBytes: 4 << 20}), from: map[model.TopicPartition]int64{tp: 0}}
	set := batch(slices.Repeat([]string{strings.Repeat("x", 100)}, 8000)...)
	records := 0
	var m model.Message
	b.ReportAllocs()
	for b.Loop() {
		r.parts = r.parts[:0]
		r.take(b.Context(), &fetched{TopicPartition: tp, stable: 1 << 40, high: 1 << 40, set: set})
		for rs := r.parts[0].Open(); rs.Next(&m); {
			records++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(records), "ns/record")
}

// A restore of a million records over the network, the process of the embedded broker included; with TEST_KAFKA it is
// that of a real one.
func BenchmarkRestore(b *testing.B) {
	const records = 1_000_000
	r := newRig(b)
	topic := r.topic(1)
	values := slices.Repeat([]string{strings.Repeat("x", 100)}, 8000)
	for range records / len(values) {
		r.fill(topic, 0, values...)
	}
	b.ResetTimer()
	for b.Loop() {
		n := 0
		must(b, r.log().Restore(b.Context(), model.TopicPartition{Topic: topic}, func(*model.Message) error { n++; return nil }, nil))
		if n != records {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
}
