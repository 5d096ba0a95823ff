package handler

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"data-stream-engine/model"
)

// login is an event whose user decides about its output partition.
func login(offset int64) []byte { return fmt.Appendf(nil, `{"user":"u%d"}`, offset*7%41) }

// history is a number of fetches, large and small by turns and without a pattern, of random partitions.
func history(s *script, seed uint64) (messages int) {
	r := rand.New(rand.NewPCG(seed, 1))
	next := map[int32]int64{0: 0, 1: 0, 2: 0, 3: 0, 4: 0}
	for range 14 {
		counts := map[int32]int{}
		for p := range int32(len(next)) {
			if r.IntN(3) > 0 {
				counts[p] = 1 + r.IntN(600)
				messages += counts[p]
			}
		}
		s.add([]int{1000, parallelBytes - 1, parallelBytes, 4 << 20}[r.IntN(4)], counts, next, login)
	}
	return messages
}

// The order of each source partition's events in each output partition is that of their offsets, whatever is done at a
// time: the same as with one worker.
func TestEventsOfASourcePartitionKeepTheirOrderWithAnyNumberOfWorkers(t *testing.T) {
	for seed := range uint64(3) {
		for _, limit := range []int{70, 9_000, 1 << 30} {
			for _, weight := range []int{10, 1000} { // outboxes that are handed over rarely, and within each fetch
				var alone map[string][]int64
				for _, workers := range []int{1, 2, 5} {
					s := &script{t: t, weight: weight}
					want := history(s, seed)
					s.play(Config{Workers: workers, CommitMaxRecords: limit, CommitMaxBytes: 64 << 20})
					got := s.perSource()
					if workers == 1 {
						alone = got
					}
					name := fmt.Sprintf("%d workers, %d records a commit, seed %d, weight %d", workers, limit, seed, weight)
					for where, offsets := range got {
						if !slices.IsSorted(offsets) {
							t.Fatalf("%s: topic-partition %s: out of order", name, where)
						}
					}
					if !maps.EqualFunc(got, alone, slices.Equal) {
						t.Fatalf("%s: not what one worker gives", name)
					}
					if n := total(s.moved()); n != want {
						t.Fatalf("%s: %d of %d messages committed", name, n, want)
					}
				}
			}
		}
	}
}

func TestWorkersTogetherKeepToTheRecordsOfACommit(t *testing.T) {
	for _, limit := range []int{1, 70, 3_999, 4_000, 9_001} {
		s := &script{t: t, weight: 10}
		want := history(s, 1)
		if limit == 1 {
			s.fetches = s.fetches[:3]
		}
		s.play(Config{Workers: 3, CommitMaxRecords: limit, CommitMaxBytes: 64 << 20})
		steps := s.moved()
		for i, n := range whole(steps) {
			if n != limit {
				t.Errorf("commit %d of %d holds %d records, not %d", i, len(steps), n, limit)
			}
		}
		if limit > 1 && (total(steps) != want || steps[len(steps)-1] > limit) {
			t.Errorf("%d of %d messages committed, %d with the last of %d", total(steps), want, steps[len(steps)-1], limit)
		}
	}
}

func TestWorkersTogetherKeepToTheBytesOfACommit(t *testing.T) {
	const size, most = 16 << 10, 6 << 20
	pad := strings.Repeat("x", size-len(`{"user":"u","pad":""}`))
	value := []byte(`{"user":"u","pad":"` + pad + `"}`)
	s := &script{t: t, weight: 100}
	next := map[int32]int64{0: 0, 1: 0, 2: 0}
	for range 20 {
		s.add(4<<20, map[int32]int{0: 100, 1: 60, 2: 96}, next, func(int64) []byte { return value })
	}
	s.play(Config{Workers: 3, CommitMaxRecords: 1 << 30, CommitMaxBytes: most})
	steps := s.moved()
	for i, n := range whole(steps) {
		if n != most/size {
			t.Errorf("commit %d holds %d messages of %d bytes, not %d", i, n, size, most/size)
		}
	}
	if s.most < 2 {
		t.Error("one partition at a time was read")
	}
}

// A transaction's output is produced on the way, before it takes much memory.
func TestWorkersHandOverBeforeTheyHaveCollectedMuch(t *testing.T) {
	const weight = 400
	s := &script{t: t, weight: weight}
	next := map[int32]int64{0: 0, 1: 0, 2: 0, 3: 0, 4: 0}
	messages := 0
	for range 10 {
		s.add(4<<20, map[int32]int{0: 8000, 1: 8000, 2: 8000, 3: 8000, 4: 100}, next, login)
		messages += 4*8000 + 100
	}
	s.play(Config{Workers: 2, CommitMaxRecords: 1 << 30, CommitMaxBytes: 64 << 20})
	if least := messages * weight / (2 * (flushBytes + chunk*weight)); s.parcels < least || len(s.commits) != 1 {
		t.Errorf("%d parcels for %d MB of output in %d commits", s.parcels, messages*weight>>20, len(s.commits))
	}
}

// One partition's batch that cannot be read delays and hides nothing of the others.
func TestBadBatchBesideGoodOnesIsOneDeadLetter(t *testing.T) {
	for _, workers := range []int{1, 2, 5} {
		s := &script{t: t, weight: 10}
		next := map[int32]int64{0: 0, 1: 0, 2: 0, 3: 0, 4: 0}
		counts := map[int32]int{0: 3000, 1: 10, 2: 500, 3: 2500, 4: 1}
		f := s.add(4<<20, counts, next, login)
		bad := &scripted{s: s, tp: f.Parts[2].TopicPartition, at: 0, end: 200, value: login,
			bad: &model.BadBatch{TopicPartition: f.Parts[2].TopicPartition, FirstOffset: 200, LastOffset: 299, Code: "old_magic", Err: errors.New("too old")}}
		f.Parts[2].Open = bad.open
		s.fetches = s.fetches[:1]
		s.add(4<<20, counts, next, login)
		s.play(Config{Workers: workers, CommitMaxRecords: 1 << 30, CommitMaxBytes: 64 << 20})
		letters := slices.Concat(s.logs["0-0"], s.logs["0-1"], s.logs["0-2"])
		if want := (model.Origin{TopicPartition: bad.tp, Offset: 200}); len(letters) != 1 || letters[0] != want {
			t.Errorf("%d workers: dead letters for %v", workers, letters)
		}
		outputs := map[int32]int{}
		for to, log := range s.logs {
			for _, o := range log {
				if to[0] == '1' {
					outputs[o.Partition]++
				}
			}
		}
		for p, n := range counts {
			want := 2 * n
			if p == 2 {
				want = 200 + n
			}
			if outputs[p] != want {
				t.Errorf("%d workers: %d outputs of partition %d, not %d", workers, outputs[p], p, want)
			}
		}
		for p, offset := range next {
			if at := s.commits[len(s.commits)-1][model.TopicPartition{Topic: "in", Partition: p}]; at.Offset != offset {
				t.Errorf("%d workers: partition %d committed up to %d of %d", workers, p, at.Offset, offset)
			}
		}
	}
}

// A replayed event is as old as its dead letter, which says nothing of how long events take now.
func TestReplayedEventsAreInNoLatency(t *testing.T) {
	for _, c := range []struct {
		topic string
		want  float64
	}{{"in", 10}, {processorOf(t, rigPipeline).ReplayTopic(), 0}} {
		s := &script{t: t, weight: 10}
		f := s.add(1000, map[int32]int{0: 10}, map[int32]int64{0: 0}, login)
		f.Parts[0].Topic = c.topic
		s.play(Config{Workers: 1, CommitMaxRecords: 1 << 30, CommitMaxBytes: 1 << 20})
		events := 0.0
		for _, l := range s.watch.Observed().Latency {
			events += l.Events
		}
		if events != c.want || len(s.commits) != 1 {
			t.Errorf("%s: %v events, not %v, in %d commits", c.topic, events, c.want, len(s.commits))
		}
	}
}

func TestFetchWithoutMessagesForUsOpensNoTransaction(t *testing.T) {
	s := &script{t: t, weight: 10}
	next := map[int32]int64{0: 0, 1: 0}
	f := s.add(4<<20, map[int32]int{0: 1, 1: 1}, next, login)
	for i := range f.Parts {
		f.Parts[i].Open = (&scripted{s: s, tp: f.Parts[i].TopicPartition, at: 1, end: 1}).open
	}
	s.play(Config{Workers: 2, CommitMaxRecords: 10, CommitMaxBytes: 1 << 20})
	if len(s.commits) > 0 || s.parcels > 0 {
		t.Errorf("%d commits, %d parcels", len(s.commits), s.parcels)
	}
}
