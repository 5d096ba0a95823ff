package handler

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

// settled lets the merger's goroutines come to rest.
func (r *mergeRig) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// committed does what the run and the committer do with a merge commit that is ready, and tells whether there was one.
func (r *mergeRig) commits() (*merged, bool) {
	d := r.m.take()
	if d == nil {
		return nil, false
	}
	d.committed()
	synctest.Wait()
	return d, true
}

func TestMergeCommitIsMadeOncePerIntervalAndOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newMergeRig(t, Config{ExactlyOnce: true})
		r.say(1_700_000_000_000, "a", "b")
		r.open(model.Position{})
		woken := 0
		r.m.start(t.Context())
		r.m.onReady(func() { woken++ })
		r.after(1100 * time.Millisecond)
		if woken != 1 || !r.m.isReady() {
			t.Fatalf("woken %d times", woken)
		}
		r.say(1_700_000_000_000, "c")
		r.after(3 * time.Second)
		if _, insights, _ := r.sink.take(); woken != 1 || insights != 2 {
			t.Errorf("woken %d times, %d insights: a second one while the first is on its way", woken, insights)
		}
		again := 0
		r.m.onReady(func() { again++ })
		if again != 1 {
			t.Error("who asks when one is ready is not told")
		}
		d, _ := r.commits()
		at := d.positions[model.TopicPartition{Topic: partialsOfRig}]
		if at.Offset != 4 || at.Note.Sequence == 0 {
			t.Errorf("position %+v", at)
		}
		r.after(1100 * time.Millisecond)
		if d, ok := r.commits(); !ok || d.positions[model.TopicPartition{Topic: partialsOfRig}].Note.Sequence <= at.Note.Sequence {
			t.Error("no second one")
		}
		r.m.halt()
		if n := r.parts[0].Groups(); n != 3 {
			t.Errorf("%d groups are kept", n)
		}
	})
}

// The run may end while a merge commit is ready, or with the committer. Whether it has happened is for the next run to find
// out, by the group's offset.
func TestRunMayEndWhileAMergeCommitIsOnItsWay(t *testing.T) {
	for name, c := range map[string]struct {
		taken, happens, told bool // told: before the end
	}{
		"nobody has taken it": {}, "the committer fails with it": {taken: true}, "it happens afterwards": {taken: true, happens: true},
		"it has happened, and the merger does not know": {taken: true, happens: true, told: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newMergeRig(t, Config{ExactlyOnce: true})
				r.say(1_700_000_000_000, "a", "b")
				r.open(model.Position{})
				r.m.start(t.Context())
				r.after(1100 * time.Millisecond)
				var d *merged
				if c.taken {
					d = r.m.take()
				}
				r.say(1_700_000_000_000, "a")
				r.after(time.Second)
				if c.told {
					r.m.stop() // nobody listens any more
					synctest.Wait()
					d.committed()
				}
				r.m.halt()
				r.m.last()
				if c.happens && !c.told {
					d.committed() // does not wait for anybody
				}
				at := model.Position{}
				if c.happens {
					at = d.positions[model.TopicPartition{Topic: partialsOfRig}]
				}
				next := r.m.isReady() // what last has made
				if next != (!c.taken || c.told) {
					t.Errorf("a merge commit at the end: %v", next)
				}
				r.open(at)
				r.m.start(t.Context())
				r.m.halt()
				if !c.happens && r.parts[0].Groups() != 0 || c.happens && r.parts[0].Groups() != 2 {
					t.Errorf("%d groups after going back to %+v", r.parts[0].Groups(), at)
				}
				r.open(at)
				r.m.start(t.Context())
				r.after(1100 * time.Millisecond)
				_, ok := r.commits()
				r.m.halt()
				if !ok || r.parts[0].Groups() != 2 {
					t.Errorf("%d groups in the end", r.parts[0].Groups())
				}
			})
		})
	}
}

// State of windows is kept from one generation to the next, unless another instance has them. One that froze in the middle
// of a merge commit may find that somebody else has made the same step.
func TestStateIsKeptForAsLongAsItIsWhatIsCommitted(t *testing.T) {
	tp := model.TopicPartition{Topic: partialsOfRig}
	for name, c := range map[string]struct {
		partitions []model.TopicPartition
		happened   bool // our merge commit
		others     bool // another instance has made one
		kept       bool
	}{
		"our merge commit happened":                 {partitions: []model.TopicPartition{tp}, happened: true, kept: true},
		"it did not":                                {partitions: []model.TopicPartition{tp}, kept: true},
		"it did not, and another's did":             {partitions: []model.TopicPartition{tp}, others: true},
		"the partition is another instance's":       {partitions: []model.TopicPartition{{Topic: "in"}}, happened: true},
		"a partition of the same number, not ours":  {partitions: []model.TopicPartition{{Topic: "in"}, {Topic: partialsOfRig, Partition: 1}}},
		"the instance stands by without partitions": {},
	} {
		synctest.Test(t, func(t *testing.T) {
			step := func(r *mergeRig) model.Position {
				r.say(1_700_000_000_000, "a")
				r.open(model.Position{})
				r.m.start(t.Context())
				r.after(1100 * time.Millisecond)
				r.m.halt()
				return r.m.take().positions[tp]
			}
			r, at := newMergeRig(t, Config{ExactlyOnce: true}), model.Position{}
			r.joined(model.Assignment{Partitions: []model.TopicPartition{tp}})
			if mine := step(r); c.happened {
				at = mine
			}
			if c.others {
				at = step(newMergeRig(t, Config{ExactlyOnce: true}))
			}
			before := r.parts[0]
			r.joined(model.Assignment{Partitions: c.partitions})
			if r.parts[0] != nil {
				r.open(at)
				r.m.start(t.Context())
				r.m.halt()
			}
			if kept := r.parts[0] == before; kept != c.kept {
				t.Errorf("%s: kept %v", name, kept)
			}
		})
	}
}

// What changes in one merge commit is bounded, however much lies in the partials.
func TestMergeCommitHoldsNoMoreThanATransactionMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newMergeRig(t, Config{ExactlyOnce: true, CommitMaxRecords: 10})
		r.say(1_700_000_000_000, names(95)...)
		r.open(model.Position{})
		r.m.start(t.Context())
		r.after(1100 * time.Millisecond)
		commits := 0
		for ; ; commits++ {
			if n, _, _ := r.sink.take(); n > 2*10+2 { // an insight and a record of each group, the definition, the watermarks
				t.Errorf("%d records", n)
			}
			if _, ok := r.commits(); !ok {
				break
			}
		}
		if commits < 10 {
			t.Errorf("%d commits without a pause", commits)
		}
		// After a transaction that took too long there is less in one.
		r.limit.hold(10)
		r.limit.shrink()
		r.say(1_700_000_000_000, names(20)...)
		r.after(1100 * time.Millisecond)
		if _, n, _ := r.sink.take(); n > 5 {
			t.Errorf("%d insights", n)
		}
		r.m.halt()
		if n := r.parts[0].Groups(); n != 95 {
			t.Errorf("%d groups", n)
		}
	})
}

// Partials that come too late for everything are bounded as well.
func TestMergeCommitHoldsNoMoreDeadLettersThanATransactionMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const old, late = 1_700_000_000_000, 1_700_009_000_000
		r := newMergeRig(t, Config{ExactlyOnce: true, CommitMaxRecords: 10})
		r.say(old, "a")
		r.say(late, "b")
		r.open(model.Position{})
		r.m.start(t.Context())
		for range 3 {
			r.after(1100 * time.Millisecond)
			r.commits()
		}
		r.say(old, names(95)...)
		r.after(1100 * time.Millisecond)
		letters, commits := 0, 0
		for d, ok := r.commits(); ok; d, ok = r.commits() {
			n := d.summaries[0].Expired
			if letters, commits = letters+n, commits+1; n > 10 {
				t.Errorf("%d dead letters in one", n)
			}
		}
		if letters != 95 || commits < 10 {
			t.Errorf("%d dead letters in %d commits", letters, commits)
		}
		r.m.halt()
	})
}

// The clock closes windows only while there is nothing left to merge.
func TestPartitionThatCannotBeReadClosesNoWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newMergeRig(t, Config{ExactlyOnce: true})
		r.say(1_700_000_000_000, "a")
		idle := aggregate.Source{Watermark: 1_700_000_000_000, Idle: true}
		a := aggregate.NewAnnouncer(nil, []*aggregate.Source{&idle}, 1, 0, 0, time.Now())
		a.Close(time.Now(), func(func(int32, []byte)) {}, func(_ int32, record []byte) { r.partials = append(r.partials, append([]byte{}, record...)) })
		r.open(model.Position{})
		r.m.start(t.Context())
		r.after(1100 * time.Millisecond)
		r.commits()
		if n := r.sink.finals(); n != 0 {
			t.Fatalf("%d finals at once", n)
		}
		set := func(silent bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.silent = silent
		}
		set(true)
		r.after(3 * time.Minute)
		if r.commits(); r.sink.finals() != 0 {
			t.Error("a window was closed while its partials could not be read")
		}
		set(false)
		r.after(70 * time.Second)
		if r.commits(); r.sink.finals() != 1 {
			t.Error("the window is not closed")
		}
		r.m.halt()
	})
}

// Reading that fails makes the instance not ready, until it works; that it ends with the assignment is no failure.
func TestPartialsThatCannotBeReadAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newMergeRig(t, Config{ExactlyOnce: true})
		r.watched.Working(1)
		r.open(model.Position{})
		r.m.start(t.Context())
		r.after(time.Second)
		r.watched.requireReady(true)
		fail := func(err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.failing = err
		}
		fail(aclError)
		r.after(3 * time.Second)
		r.watched.requireReady(false)
		fail(nil)
		r.after(2 * time.Second)
		r.watched.requireReady(true)
		fail(context.Canceled)
		r.m.halt()
		if len(r.watched.troubles) != 0 {
			t.Errorf("troubles %v", r.watched.troubles)
		}
	})
}

func TestWindowsOfOnePartitionWaitForARecord(t *testing.T) {
	w := newWatched(t)
	w.Working(2)
	other := errors.New("other")
	w.Held(1, 7, other)
	w.Held(1, 7, other)
	w.Held(2, 9, other)
	w.requireReady(false)
	if n := w.lines(`"level":"error"`); n != 2 {
		t.Errorf("%d errors in the log", n)
	}
	w.Held(1, 8, other) // the next one
	if n := w.lines(`"offset":8`); n != 1 {
		t.Errorf("%d lines about the second record", n)
	}
	w.Held(1, 9, nil)
	w.requireReady(false)
	w.DropWindows(2) // another instance's now
	w.requireReady(true)
}

func TestLogHearsOfSomeAnomalies(t *testing.T) {
	w := newWatched(t)
	var all []string
	for range mostAnomalies + 5 {
		all = append(all, "odd")
	}
	w.Merged(map[int32]aggregate.Summary{0: {Anomalies: all}})
	if n := w.lines(`"anomaly":"odd"`); n != mostAnomalies {
		t.Errorf("%d lines", n)
	}
	w.Merged(map[int32]aggregate.Summary{0: {Anomalies: all}})
	if n := w.lines(`"more":5`); n != 1 {
		t.Error("nobody hears of the rest")
	}
}
