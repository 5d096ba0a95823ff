package app_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ways are how long events took from the source to whoever reads what is committed, until n have come.
func (r *rig) ways(n int) (took []time.Duration) {
	r.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(r.fake.ListenAddrs()...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeTopics(outputTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(20*time.Millisecond))
	must(r.t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	for len(took) < n {
		fetches := c.PollFetches(ctx)
		must(r.t, fetches.Err0())
		now := time.Now()
		fetches.EachRecord(func(m *kgo.Record) { took = append(took, now.Sub(m.Timestamp)) })
	}
	return took
}

// trickle writes n events one by one, of all users in turn.
func (r *rig) trickle(n int, pause time.Duration) {
	for range n {
		r.feed(1)
		time.Sleep(pause)
	}
}

// An event that is fetched after a commit, but lay at its broker for long, must not wait for an interval more; and what
// the brokers bring at one time shares a commit. It measures time, so that no other test runs beside it.
func TestEventWaitsForOneIntervalWhereverItIsFetched(t *testing.T) {
	const interval, n = 3 * time.Second, 40
	r := newRig(t)
	e := r.start("COMMIT_INTERVAL=" + interval.String())
	r.eventually("readiness", e.ready)
	began := time.Now()
	go r.trickle(n, 197*time.Millisecond)
	took := r.ways(n)
	if most := slices.Max(took); most > interval*14/10 {
		t.Errorf("an event took %s, with commits every %s", most, interval)
	}
	intervals := int(time.Since(began)/interval) + 1
	if commits := len(asked[*kmsg.TxnOffsetCommitRequest](r)); commits > 2*intervals {
		t.Errorf("%d commits in %d intervals", commits, intervals)
	}
	r.exactlyOnce()
}

// Without transactions an output is seen when it is produced, and only the offsets wait.
func TestOutputWithoutTransactionsDoesNotWaitForTheCommit(t *testing.T) {
	const interval, n = 2 * time.Second, 20
	r := newRig(t)
	e := r.start("COMMIT_INTERVAL="+interval.String(), "DELIVERY_GUARANTEE=at_least_once")
	r.eventually("readiness", e.ready)
	began := time.Now()
	go r.trickle(n, 97*time.Millisecond)
	if most := slices.Max(r.ways(n)); most > interval*3/4 { // the rest is for a busy machine
		t.Errorf("an event took %s, with commits every %s", most, interval)
	}
	if commits := len(asked[*kmsg.OffsetCommitRequest](r)); commits > int(time.Since(began)/interval)+3 {
		t.Errorf("%d commits in %s", commits, time.Since(began))
	}
	r.exactlyOnce()
}
