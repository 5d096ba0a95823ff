package app_test

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// steps are how many messages each commit moved the group on, by the offsets that it holds.
func (r *rig) steps() []int64 { return r.stepsFrom(0) }

// stepsFrom is steps for partitions that all stood at the same offset before.
func (r *rig) stepsFrom(start int64) []int64 {
	at := map[int32]int64{}
	for p := range int32(partitions) {
		at[p] = start
	}
	var moved []int64
	for _, q := range asked[*kmsg.TxnOffsetCommitRequest](r) {
		var n int64
		for _, topic := range q.Topics {
			for _, p := range topic.Partitions {
				n += p.Offset - at[p.Partition]
				at[p.Partition] = p.Offset
			}
		}
		moved = append(moved, n)
	}
	return moved
}

func total(steps []int64) (sum int64) {
	for _, n := range steps {
		sum += n
	}
	return sum
}

func padded(bytes int) func(*event) {
	pad := strings.Repeat("x", bytes)
	return func(e *event) { e.Pad = pad }
}

func TestTransactionHoldsNoMoreRecordsThanAllowed(t *testing.T) {
	t.Parallel()
	const most = 70
	r := newRig(t)
	r.feed(1000)
	r.start("COMMIT_MAX_RECORDS="+strconv.Itoa(most), "COMMIT_INTERVAL=2s")
	r.exactlyOnce()
	steps := r.steps()
	if total(steps) != 1000 || slices.Max(steps) != most || len(steps) > 1000/most+2 {
		t.Errorf("commits of %v records", steps)
	}
}

func TestTransactionHoldsNoMoreBytesThanAllowed(t *testing.T) {
	t.Parallel()
	const most, size = 64 << 10, 8 << 10
	r := newRig(t)
	r.feed(300, padded(size))
	r.start("COMMIT_MAX_BYTES="+strconv.Itoa(most), "COMMIT_INTERVAL=2s")
	r.exactlyOnce()
	if steps := r.steps(); total(steps) != 300 || slices.Max(steps) > most/size+1 {
		t.Errorf("commits of %v records of %d bytes", steps, size)
	}
}

// An event that comes after a quiet time does not wait for the interval; those behind it share a commit.
func TestCommitComesAtOnceAfterAQuietTimeAndThenByTheInterval(t *testing.T) {
	t.Parallel()
	const interval = 5 * time.Second
	r := newRig(t)
	e := r.start("COMMIT_INTERVAL=" + interval.String())
	r.eventually("readiness", e.ready)
	time.Sleep(interval/2 + 200*time.Millisecond)
	began := time.Now()
	r.feed(1)
	r.caughtUp()
	if took := time.Since(began); took > interval/2 {
		t.Errorf("the first event was committed after %s", took)
	}
	for range 4 {
		r.feed(5)
		time.Sleep(100 * time.Millisecond)
	}
	if steps := r.steps(); len(steps) != 1 {
		t.Errorf("commits of %v records right after the first one", steps)
	}
	r.exactlyOnce()
	if steps := r.steps(); len(steps) > 3 {
		t.Errorf("commits of %v records", steps)
	}
}

// Aborted records and markers are no events: reading past them opens no transaction, or two pipelines in a row would
// keep each other busy for ever.
func TestNothingConsumedIsNoTransaction(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start()
	r.eventually("readiness", e.ready)
	other, err := kgo.NewClient(kgo.SeedBrokers(r.fake.ListenAddrs()...), kgo.TransactionalID("somebody"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(t, err)
	defer other.Close()
	for range 3 {
		must(t, other.BeginTransaction())
		must(t, other.ProduceSync(t.Context(), record(event{User: "u0", N: -1}), record(event{User: "u1", N: -1})).FirstErr())
		must(t, other.EndTransaction(t.Context(), kgo.TryAbort))
	}
	time.Sleep(300 * time.Millisecond)
	mine := func(id string) bool { return strings.HasPrefix(id, groupID) }
	for _, q := range asked[*kmsg.AddOffsetsToTxnRequest](r) {
		t.Errorf("a transaction of nothing: %+v", q)
	}
	for _, q := range asked[*kmsg.EndTxnRequest](r) {
		if mine(q.TransactionalID) {
			t.Errorf("a transaction of nothing: %+v", q)
		}
	}
	r.feed(users)
	r.exactlyOnce()
	if n := e.metric(`stream_engine_events_total{outcome="forwarded"}`); n != users {
		t.Errorf("%v events were forwarded", n)
	}
}

// What fences a zombie: member and generation in each commit, for the partitions whose events are in it and no other.
func TestCommitNamesMemberGenerationAndItsPartitionsOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start("INSTANCE_ID=one")
	r.feed(5*users, func(e *event) { e.User = "u" + strconv.Itoa(4*(e.N%3)) }) // users of partition 0
	r.want = map[string][]int{}
	r.caughtUpAt(0)
	commits := asked[*kmsg.TxnOffsetCommitRequest](r)
	for _, q := range commits {
		if q.Group != groupID || q.TransactionalID != groupID+"-one" || q.Generation < 1 || q.MemberID == "" || q.InstanceID == nil || *q.InstanceID != "one" {
			t.Errorf("%+v", q)
		}
		if len(q.Topics) != 1 || q.Topics[0].Topic != sourceTopic || len(q.Topics[0].Partitions) != 1 || q.Topics[0].Partitions[0].Partition != 0 {
			t.Errorf("offsets of %+v", q.Topics)
		}
	}
	if len(commits) == 0 {
		t.Error("no commit")
	}
}

// caughtUpAt is caughtUp for one partition.
func (r *rig) caughtUpAt(partition int32) {
	r.t.Helper()
	r.eventually("the group at the end of the partition", func() bool {
		ends, err := r.admin.ListCommittedOffsets(r.t.Context(), sourceTopic)
		if err != nil {
			return false
		}
		done, err := r.admin.FetchOffsets(r.t.Context(), groupID)
		if err != nil { // the group is not there yet
			return false
		}
		end, _ := ends.Lookup(sourceTopic, partition)
		at, ok := done.Lookup(sourceTopic, partition)
		return ok && at.At == end.Offset
	})
}

// While a commit is under way the next batch is fetched and processed.
func TestNextBatchIsProcessedWhileATransactionCommits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("COMMIT_MAX_RECORDS=5")
	r.feed(users)
	r.exactlyOnce()
	r.wire.on(kmsg.EndTxn, first(1, deed{late: 2 * time.Second}))
	only := func(e *event) { e.User = "u0" }
	r.want["u0"] = append(r.want["u0"], r.numbers(16, only)...)
	lag := `kafka_consumergroup_lag{consumergroup="engine",partition="0",topic="in"}`
	r.eventually("five records that are processed while five commit", func() bool { return e.metric(lag) == 6 })
	// They may be processed before the commit of the first five gets as far as its last request.
	r.eventually("the end of the first transaction", func() bool { return r.wire.asked(kmsg.EndTxn) == 1 })
	time.Sleep(300 * time.Millisecond)
	if n := r.wire.asked(kmsg.EndTxn); n != 1 {
		t.Errorf("%d transactions were ended while the first one was", n)
	}
	if n := e.metric(lag); n != 6 {
		t.Errorf("%v messages behind: more than one batch is processed ahead", n)
	}
	r.exactlyOnce()
}

// numbers feeds events that exactlyOnce does not know of by itself, in one batch.
func (r *rig) numbers(n int, change func(*event)) (numbers []int) {
	r.t.Helper()
	var records []*kgo.Record
	for range n {
		r.mu.Lock()
		e := event{N: r.sent}
		r.sent++
		r.mu.Unlock()
		change(&e)
		numbers, records = append(numbers, e.N), append(records, record(e))
	}
	r.write(records...)
	return numbers
}

// A broker that takes nothing must not make the engine collect what it reads.
func TestStalledOutputStopsTheReading(t *testing.T) {
	t.Parallel()
	const fetchBytes, commitBytes, backlog = 256 << 10, 1 << 20, 24 << 20
	r := newRig(t)
	var fetched atomic.Int64
	r.wire.on(kmsg.Fetch, func(int) deed { return deed{rewrite: func(p []byte) { fetched.Add(int64(len(p))) }} })
	for range backlog / (120 * 10_000) {
		r.feed(120, padded(10_000))
	}
	r.wire.on(kmsg.Produce, func(n int) deed { return deed{late: 3 * time.Second} })
	r.start("KAFKA_FETCH_MAX_BYTES="+strconv.Itoa(fetchBytes), "COMMIT_MAX_BYTES="+strconv.Itoa(commitBytes), "TRANSACTION_TIMEOUT=1m")
	r.eventually("a request to the output", func() bool { return len(asked[*kmsg.ProduceRequest](r)) > 0 })
	time.Sleep(time.Second)
	before := fetched.Load()
	time.Sleep(500 * time.Millisecond)
	after := fetched.Load()
	const otherBytes = 10_000 // what the group is asked is read on
	// Three parts of a transaction (being produced, waiting, being filled), three brokers with two answers each.
	if limit := int64(3*(commitBytes+fetchBytes) + 3*2*fetchBytes); after > before+otherBytes || after > limit {
		t.Errorf("%d bytes were fetched, then %d; at most %d were expected", before, after, limit)
	}
	r.wire.on(kmsg.Produce, nil)
	r.exactlyOnce()
}
