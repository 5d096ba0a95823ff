package aggregate

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"data-stream-engine/model"
)

// mixture is one aggregate of each kind of window, with a detection and few groups.
func mixture() []*model.Aggregate {
	above := 3.0
	n, sum := measureOf("n", "count", ""), measureOf("sum", "sum", "x")
	tumbling, hopping, sessions := aggregateOf(n, sum), aggregateOf(n, sum), aggregateOf(n, sum)
	tumbling.Detect = &model.Detect{Measure: "n", Sigma: 1, MinWindows: 2, Above: &above}
	tumbling.MaxGroups, tumbling.Retention = 4, 3*time.Minute
	hopping.Name, hopping.Window = "hopping", model.Window{Kind: model.Hopping, Size: 3 * time.Minute, Every: 2 * time.Minute, Grace: 10 * time.Second}
	hopping.Emit, hopping.Retention = model.EmitFinal, 2*time.Minute
	sessions.Name, sessions.Window = "sessions", model.Window{Kind: model.Session, Gap: 20 * time.Second, Grace: 20 * time.Second}
	sessions.Detect, sessions.Retention = &model.Detect{Measure: "n", Above: &above}, time.Minute
	return []*model.Aggregate{tumbling, hopping, sessions}
}

// some adds events of a stretch of time, with disorder.
func (r *rig) some(rng *rand.Rand, from int64) {
	for range rng.IntN(30) {
		r.add(from+int64(rng.IntN(90_000)), fmt.Sprintf(`"%d"`, rng.IntN(7)), int64(rng.IntN(1000)))
	}
}

func TestWhatIsNotCommittedIsUndoneToTheLastByte(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		r := newRig(t, mixture()...)
		r.tick.Budget = 1 + rng.IntN(20)
		at := int64(epoch)
		for range 30 {
			at += int64(rng.IntN(60_000))
			r.some(rng, at)
			r.turn()
			before, sequence := content(r.part), r.part.Sequence()

			r.some(rng, at+20_000)
			r.merge()
			sealed, after := int64(-1), ""
			if rng.IntN(2) == 0 {
				r.commit()
				sealed, after = r.part.Next(), content(r.part)
				r.some(rng, at+40_000)
				r.merge()
			}
			if sealed >= 0 && rng.IntN(2) == 0 { // it had happened
				before, sequence = after, sealed
			}
			if !r.part.Settle(sequence) {
				t.Fatalf("seed %d: merge commit %d is not known", seed, sequence)
			}
			if got := content(r.part); got != before {
				t.Fatalf("seed %d: the state is\n%s\ninstead of\n%s", seed, got, before)
			}
			r.recount(seed)
		}
	}
}

// recount checks what is counted along the way.
func (r *rig) recount(seed uint64) {
	r.Helper()
	for _, s := range r.part.order {
		for _, at := range s.shelves() {
			waiting := 0
			for n := range at.order {
				if e := at.numbered(n); e != nil {
					waiting += at.waits(e.value())
				}
			}
			if at.waiting != waiting {
				r.Fatalf("seed %d: %c %d waits for %d, and not for %d", seed, at.kind, at.start, waiting, at.waiting)
			}
		}
	}
}

func TestRestoreGivesTheStateThatWasCommitted(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 4))
		r := newRig(t, mixture()...)
		r.tick.Budget = 1 + rng.IntN(20)
		at := int64(epoch)
		for range 25 {
			at += int64(rng.IntN(60_000))
			r.some(rng, at)
			r.turn()
		}
		got := r.restored()
		if have, want := content(got), content(r.part); have != want {
			t.Fatalf("seed %d: the changelog gives\n%s\ninstead of\n%s", seed, have, want)
		}
		if got.Sequence() != r.part.Sequence() || got.Watermark() != r.part.Watermark() || got.Groups() != r.part.Groups() || got.Open() != r.part.Open() {
			t.Errorf("seed %d: merge commit %d, watermark %d, %d groups in %d windows; want %d, %d, %d, %d", seed,
				got.Sequence(), got.Watermark(), got.Groups(), got.Open(), r.part.Sequence(), r.part.Watermark(), r.part.Groups(), r.part.Open())
		}
		r.part = got
		r.recount(seed)
		r.some(rng, at) // and it goes on: what was restored can be changed, and undone
		before := content(got)
		r.merge()
		r.commit()
		if got.Settle(r.restored().Sequence()); content(got) != before {
			t.Errorf("seed %d: what came after a restore is not undone", seed)
		}
	}
}

// TestChangesRightAfterARestoreAreWritten: entries that a restore has put in place were never touched.
func TestChangesRightAfterARestoreAreWritten(t *testing.T) {
	r := newRig(t, aggregateOf(measureOf("n", "count", "")))
	r.add(epoch, `"a"`, 0)
	r.turn()
	r.part = r.restored()
	r.add(epoch+1, `"a"`, 0)
	out, _ := r.turn()
	if len(out.of(insightsTopic)) != 1 || content(r.restored()) != content(r.part) {
		t.Errorf("written: %v", out)
	}
}

// TestMergeCommitOfAnotherIsNotTakenForOurs: both are the next one behind the same, and not the same.
func TestMergeCommitOfAnotherIsNotTakenForOurs(t *testing.T) {
	r := newRig(t, aggregateOf(measureOf("n", "count", "")))
	r.add(epoch, `"a"`, 0)
	r.turn()
	other := r.restored()
	r.add(epoch+1, `"a"`, 0)
	r.merge()
	r.commit() // of which nobody knows what became
	other.Commit(r.tick, nowhere{})
	other.Confirm()
	if other.Sequence()>>authorBits != r.part.Next()>>authorBits {
		t.Fatal("this is not about the same number")
	}
	if r.part.Settle(other.Sequence()) {
		t.Error("the merge commit of another instance was taken for our own")
	}
}

// TestDefinitionIsWrittenWhenItChanges, though every instance sends it at every assignment.
func TestDefinitionIsWrittenWhenItChanges(t *testing.T) {
	written := func(out records) (n int) {
		for _, c := range out.of(changelogTopic) {
			if c.key[1] == keyDefinition {
				n++
			}
		}
		return n
	}
	a := aggregateOf(measureOf("n", "count", ""))
	r := newRig(t, a)
	r.add(epoch, `"a"`, 0)
	first, _ := r.turn()
	r.deploy(a)
	r.add(epoch, `"a"`, 0)
	again, _ := r.turn()
	a.Window.Grace = time.Second
	r.deploy(a)
	r.add(epoch, `"a"`, 0)
	changed, _ := r.turn()
	if written(first) != 1 || written(again) != 0 || written(changed) != 1 {
		t.Errorf("written %d, %d and %d times", written(first), written(again), written(changed))
	}
	if content(r.restored()) != content(r.part) {
		t.Error("the changelog says something else")
	}
}

func TestSettleKnowsTheLastTwoMergeCommits(t *testing.T) {
	r := newRig(t, aggregateOf(measureOf("n", "count", "")))
	var all []int64
	for n := range int64(4) {
		r.add(epoch+n, `"a"`, 0)
		r.turn()
		all = append(all, r.part.Sequence())
	}
	if r.part.Settle(all[2]) || r.part.Settle(0) || r.part.Settle(all[3]+1<<authorBits) {
		t.Error("a merge commit is known whose state is gone, or that never was")
	}
	if !r.part.Settle(all[3]) {
		t.Error("the last one is not known")
	}
}
