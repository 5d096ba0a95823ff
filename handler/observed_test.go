package handler

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

func TestTroubleIsObservedWhenItLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		began := time.Now()
		w.Retrying("produce", passing)
		if got := w.Observed().Troubles; len(got) != 0 {
			t.Errorf("%v: that may be over in a moment", got)
		}
		time.Sleep(patience)
		w.Retrying("produce", passing)
		w.Pausing("produce", 3*time.Second)
		w.Retrying("fetch", aclError)
		w.Pausing("nothing", time.Second)
		got := w.Observed().Troubles
		want := []Trouble{{"produce", passing, began, 2, time.Now().Add(3 * time.Second)}, {"fetch", aclError, time.Now(), 1, time.Time{}}}
		if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("got %v\nwant %v", got, want)
		}
		w.Recovered("produce")
		w.Abandoned("fetch")
		if got := w.Observed().Troubles; len(got) != 0 {
			t.Errorf("left: %v", got)
		}
	})
}

func TestRestoreIsObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.Merging([]int32{0, 1, 2})
		w.Restoring(1, 2)
		w.Windows(map[int32]*aggregate.Partition{0: aggregate.NewPartition(0, 3)})
		w.RestoreProgress(1)(30, 40)
		got := w.Observed()
		if r := got.Restore; r.Partitions != 2 || r.Done != 0.375 {
			t.Errorf("%+v", r)
		}
		restored := func() (list []float64) {
			for _, m := range w.Observed().Merging {
				list = append(list, m.Restored)
			}
			return list
		}
		if r := restored(); len(r) != 3 || r[0] != 1 || r[1] != 0.75 || r[2] != 0 {
			t.Errorf("%v", r)
		}
		w.RestoreFailed(1, errors.New("gone"))
		if got := w.Observed().Restore.Err; got != "gone" {
			t.Errorf("why: %q", got)
		}
		w.Restored(1)
		w.Restored(2)
		if r := w.Observed().Restore; r != (RestoreState{}) {
			t.Errorf("%+v", r)
		}
		w.Merging([]int32{0}) // the others went to another instance
		if r := restored(); len(r) != 1 || r[0] != 1 {
			t.Errorf("%v", r)
		}
		w.Windows(map[int32]*aggregate.Partition{2: aggregate.NewPartition(2, 3)})
		if r := restored(); len(r) != 1 {
			t.Errorf("a partition of another instance is shown: %v", r)
		}
	})
}

// What a run reads is counted, told, and committed with its ways.
func TestARunTellsHowFarItIs(t *testing.T) {
	s := &script{t: t}
	s.add(1<<10, map[int32]int{0: 30, 1: 20}, map[int32]int64{0: 0, 1: 0}, func(int64) []byte { return []byte(`{"user":"u"}`) })
	s.play(Config{Workers: 2, CommitMaxRecords: 1 << 20, CommitMaxBytes: 1 << 30, IdleTimeout: time.Hour})
	got := s.watch.Observed()
	if n := got.Totals.Consumed; n != 50 || len(got.Totals.Tally.Outputs) != 1 || got.Totals.Tally.Outputs[0] != (model.Count{Name: "out", N: 50}) {
		t.Errorf("%d events, ways %+v", n, got.Totals.Tally)
	}
	if len(got.Source) != 5 || got.Source[0].Position != 0 || got.LastCommit.IsZero() {
		t.Errorf("%+v", got.Source)
	}
}

func TestReadingIsCountedByPartition(t *testing.T) {
	s := newSurvey()
	tp, now := model.TopicPartition{Topic: "in", Partition: 1}, time.Unix(5, 0)
	s.read(tp, 3, now)
	s.read(tp, 0, now.Add(time.Second))
	s.read(tp, 4, now)
	if s.events[tp] != 7 || !s.heard[tp].Equal(now) {
		t.Errorf("%+v", s)
	}
}
