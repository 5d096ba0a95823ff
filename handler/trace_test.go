package handler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"data-stream-engine/model"
)

// told is a tracer that remembers.
type told struct {
	mu      sync.Mutex
	batches []*BatchTrace
	open    bool // somebody could have changed a batch that was told
}

func (o *told) Trace(b *BatchTrace) {
	if b.mu.TryLock() {
		o.open = true
		b.mu.Unlock()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.batches = append(o.batches, b)
}

// parent is the traceparent of message i.
func parent(i int64, flags string) string { return fmt.Sprintf("00-%032x-%016x-%s", i+1, i+1, flags) }

func header(key, value string) model.Header {
	return model.Header{Key: []byte(key), Value: []byte(value)}
}

func user(int64) []byte { return []byte(`{"user":"u"}`) }

func TestEachBatchIsTracedWithItsPartsAndTheSampledMessages(t *testing.T) {
	tracer := &told{}
	s := &script{t: t, weight: 1, tracer: tracer}
	s.headers = func(offset int64) []model.Header {
		switch offset {
		case 0:
			return []model.Header{header("other", "x"), header(traceParent, parent(offset, "01"))}
		case 1:
			return []model.Header{header(traceParent, parent(offset, "00"))} // nobody records that one
		}
		return nil
	}
	next := map[int32]int64{0: 0}
	s.add(1000, map[int32]int{0: 10}, next, user)
	s.add(1000, map[int32]int{0: 10}, next, user)
	s.play(Config{Workers: 1, CommitMaxRecords: 10, CommitMaxBytes: 1 << 30})
	if len(tracer.batches) != 2 {
		t.Fatalf("%d traces", len(tracer.batches))
	}
	b := tracer.batches[0]
	if want := []string{parent(0, "01")}; !slices.Equal(b.Links, want) {
		t.Errorf("linked with %v", b.Links)
	}
	if len(tracer.batches[1].Links) != 0 {
		t.Errorf("the second one is linked with %v", tracer.batches[1].Links)
	}
	if b.Outcome != BatchCommitted || b.Err != nil || b.Result.Consumed != 10 || b.Result.Forwarded != 10 || b.Bytes != 10*len(user(0)) {
		t.Errorf("%s, %v, %+v, %d bytes", b.Outcome, b.Err, b.Result, b.Bytes)
	}
	if want := []model.TopicPartition{{Topic: "in"}}; !slices.Equal(b.Partitions, want) {
		t.Errorf("partitions %v", b.Partitions)
	}
	var parts []string
	for _, p := range b.Parts {
		parts = append(parts, p.Name)
		if p.Began.Before(b.Began) || p.Ended.Before(p.Began) || b.Ended.Before(p.Ended) {
			t.Errorf("%s from %s to %s in %s to %s", p.Name, p.Began, p.Ended, b.Began, b.Ended)
		}
	}
	if got := strings.Join(parts, " "); got != "send commit" {
		t.Errorf("parts %q", got)
	}
}

func TestLinksOfABatchAreBounded(t *testing.T) {
	tracer := &told{}
	s := &script{t: t, weight: 1, tracer: tracer}
	s.headers = func(offset int64) []model.Header { return []model.Header{header(traceParent, parent(offset, "01"))} }
	next := map[int32]int64{0: 0, 1: 0, 2: 0, 3: 0, 4: 0}
	s.add(parallelBytes, map[int32]int{0: 5000, 1: 5000, 2: 5000, 3: 5000, 4: 5000}, next, user)
	s.play(Config{Workers: 3, CommitMaxRecords: 1 << 30, CommitMaxBytes: 1 << 30})
	if len(tracer.batches) != 1 || len(tracer.batches[0].Links) != mostLinks {
		t.Errorf("%d batches, the first with %d links", len(tracer.batches), len(tracer.batches[0].Links))
	}
}

func TestFailedAndAbandonedBatchesAreTraced(t *testing.T) {
	tracer := &told{}
	refused := &model.Error{Class: model.Fenced, Op: "commit"}
	s := &script{t: t, weight: 1, tracer: tracer, refused: refused}
	next := map[int32]int64{0: 0}
	for range 5 {
		s.add(1000, map[int32]int{0: 10}, next, user)
	}
	if err := s.run(Config{Workers: 1, CommitMaxRecords: 10, CommitMaxBytes: 1 << 30}); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if len(tracer.batches) == 0 {
		t.Fatal("no trace")
	}
	for i, b := range tracer.batches { // one fails; the run may have begun others by then
		outcome := BatchAbandoned
		if i == 0 {
			outcome = BatchFailed
		}
		if b.Outcome != outcome || !errors.Is(b.Err, refused) {
			t.Errorf("%d: %s, %v", i, b.Outcome, b.Err)
		}
	}
	if len(s.commits) != 1 {
		t.Errorf("%d commits", len(s.commits))
	}
	if tracer.open {
		t.Error("the run can change a batch while the tracer reads it")
	}
}

func TestRetriesBelongToTheOldestBatch(t *testing.T) {
	tracer := &told{}
	all := &traces{tracer: tracer}
	all.retried("fetch", errors.New("nobody waits")) // no batch is under way
	first, second := all.begin(time.Now()), all.begin(time.Now())
	for range mostRetries + 1 {
		all.retried("produce", errors.New("away"))
	}
	all.end(first, BatchCommitted, nil)
	all.retried("commit", errors.New("away"))
	all.end(second, BatchCommitted, nil)
	all.end(second, BatchFailed, nil) // a second time is none
	if len(tracer.batches) != 2 || len(first.Retries) != mostRetries || len(second.Retries) != 1 || second.Retries[0].Op != "commit" || second.Outcome != BatchCommitted {
		t.Errorf("%d batches, %d and %d retries, %s", len(tracer.batches), len(first.Retries), len(second.Retries), second.Outcome)
	}
}

func TestTraceHeadersOfAnybodyDoNoHarm(t *testing.T) {
	good := parent(0, "01")
	for name, c := range map[string]struct {
		headers []model.Header
		want    string
	}{
		"none":               {nil, ""},
		"another":            {[]model.Header{header("tracestate", "a=b")}, ""},
		"empty":              {[]model.Header{header(traceParent, "")}, ""},
		"no value":           {[]model.Header{{Key: []byte(traceParent)}}, ""},
		"short":              {[]model.Header{header(traceParent, good[:54])}, ""},
		"huge":               {[]model.Header{header(traceParent, good+strings.Repeat("x", 1<<20))}, ""},
		"not sampled":        {[]model.Header{header(traceParent, parent(0, "02"))}, ""},
		"sampled and random": {[]model.Header{header("tracestate", "a=b"), header(traceParent, parent(0, "03"))}, parent(0, "03")},
		"a later version":    {[]model.Header{header(traceParent, "01"+good[2:]+"-more")}, "01" + good[2:] + "-more"},
	} {
		if got, ok := sampled(c.headers); ok != (c.want != "") || got != c.want {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
}
