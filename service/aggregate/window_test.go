package aggregate

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
)

// insightText is what these tests look at of an insight.
func insightText(t *testing.T, r record) string {
	t.Helper()
	if r.tombstone {
		return "tombstone"
	}
	var i struct {
		Window   struct{ Start, End time.Time }
		Group    map[string]any
		Measures map[string]any
		Final    bool
		Revision int
	}
	if err := json.Unmarshal([]byte(r.value), &i); err != nil {
		t.Fatalf("%v: %s", err, r.value)
	}
	return fmt.Sprintf("%d-%d %v %v final=%v revision=%d", i.Window.Start.UnixMilli()-epoch, i.Window.End.UnixMilli()-epoch, i.Group["g"], i.Measures["n"], i.Final, i.Revision)
}

func (r *rig) insights(out records) (all []string) {
	r.Helper()
	t, _ := r.TB.(*testing.T)
	for _, x := range out.of(insightsTopic) {
		all = append(all, insightText(t, x))
	}
	return all
}

const minute = 60_000 // epoch is not at a whole one: windows of a minute begin 40 s after it, and 20 s before

func TestWindowIsUpdatedThenFinal(t *testing.T) {
	r := newRig(t, aggregateOf(measureOf("n", "count", "")))
	r.add(epoch, `"a"`, 0)
	out, did := r.turn()
	want := `[-20000-40000 a 1 final=false revision=1]`
	if got := fmt.Sprint(r.insights(out)); got != want || did.Updates != 1 || did.Finals != 0 {
		t.Errorf("%s, %+v", got, did)
	}
	r.add(epoch+1, `"a"`, 0)
	r.pass(epoch + 40_000)
	out, did = r.turn()
	if got := fmt.Sprint(r.insights(out)); got != `[-20000-40000 a 2 final=true revision=2]` || did.Finals != 1 || did.Watermark != epoch+40_000 {
		t.Errorf("%s, %+v", got, did)
	}
	if out, _ = r.turn(); len(out.of(insightsTopic)) > 0 {
		t.Errorf("written again: %v", out)
	}
}

func TestEmitFinalWritesFinalsAlone(t *testing.T) {
	for kind, w := range map[string]model.Window{"tumbling": {Kind: model.Tumbling, Size: time.Minute}, "hopping": {Kind: model.Hopping, Size: time.Minute, Every: time.Minute / 2}} {
		r := newRig(t, with(func(a *model.Aggregate) { a.Emit, a.Window = model.EmitFinal, w }))
		r.add(epoch, `"a"`, 0)
		if out, _ := r.turn(); len(out.of(insightsTopic)) > 0 {
			t.Errorf("%s: %v", kind, out)
		}
		r.part = r.restored()
		r.pass(epoch + 40_000)
		if out, _ := r.turn(); !strings.Contains(fmt.Sprint(r.insights(out)), `-20000-40000 a 1 final=true revision=1`) {
			t.Errorf("%s: %v", kind, out)
		}
	}
}

// TestWindowThatOpensAgainIsClosedAgain: a pipeline file with a greater grace lets events in that would have come too late.
func TestWindowThatOpensAgainIsClosedAgain(t *testing.T) {
	for kind, w := range map[string]model.Window{"tumbling": {Kind: model.Tumbling, Size: time.Minute}, "hopping": {Kind: model.Hopping, Size: time.Minute, Every: time.Minute / 2}} {
		for _, emit := range []model.Emit{model.EmitUpdates, model.EmitFinal} {
			aggregate := func(grace time.Duration) *model.Aggregate {
				return with(func(a *model.Aggregate) { a.Emit, a.Window, a.Window.Grace = emit, w, grace })
			}
			r := newRig(t, aggregate(0))
			r.add(epoch, `"a"`, 0)
			r.pass(epoch + 45_000)
			r.turn()
			r.deploy(aggregate(time.Minute))
			r.add(epoch, `"a"`, 0)
			out, _ := r.turn()
			if got := fmt.Sprint(r.insights(out)); strings.Contains(got, "final=true") || strings.Contains(got, "a 2") != (emit == model.EmitUpdates) {
				t.Errorf("%s, %s: %s", kind, emit, got)
			}
			r.pass(epoch + 200_000)
			out, did := r.turn()
			if got := fmt.Sprint(r.insights(out)); !strings.Contains(got, "-20000-40000 a 2 final=true") || did.Revised == 0 {
				t.Errorf("%s, %s: closed as %s, %+v", kind, emit, got, did)
			}
		}
	}
}

// TestHoppingWindowIsTheUnionOfItsPanes for sizes that hops do not divide, too.
func TestHoppingWindowIsTheUnionOfItsPanes(t *testing.T) {
	for _, c := range [][2]time.Duration{{60, 60}, {60, 20}, {60, 40}, {50, 20}, {7, 3}, {60, 59}} {
		size, every := c[0]*time.Second, c[1]*time.Second
		r := newRig(t, with(func(a *model.Aggregate) {
			a.Window = model.Window{Kind: model.Hopping, Size: size, Every: every, Grace: time.Hour}
		}))
		rng := rand.New(rand.NewPCG(1, 7))
		want := map[string]int{}
		for range 40 {
			at, group := epoch+int64(rng.IntN(120_000)), fmt.Sprintf("%d", rng.IntN(3))
			r.add(at, `"`+group+`"`, 0)
			for start := floor(at, every.Milliseconds()); start > at-size.Milliseconds(); start -= every.Milliseconds() {
				want[fmt.Sprintf("%d-%d %s", start-epoch, start+size.Milliseconds()-epoch, group)]++
			}
			if rng.IntN(5) == 0 {
				r.turn()
			}
		}
		r.pass(epoch + 10*3_600_000)
		r.turn()
		finals := map[string]int{}
		for _, x := range r.log.of(insightsTopic) {
			text := insightText(t, x)
			if !strings.Contains(text, "final=true") {
				continue
			}
			fields := strings.Fields(text)
			if _, twice := finals[fields[0]+" "+fields[1]]; twice {
				t.Errorf("%v: final twice: %s", c, text)
			}
			var n int
			_, _ = fmt.Sscan(fields[2], &n)
			finals[fields[0]+" "+fields[1]] = n
		}
		if fmt.Sprint(finals) != fmt.Sprint(want) {
			t.Errorf("%v:\n%v\nwant\n%v", c, finals, want)
		}
		if r.part.Groups() != 0 || len(r.part.order[0].panes.ordered) > 0 && r.part.order[0].panes.ordered[0].len() > 0 {
			t.Errorf("%v: something is left behind its retention", c)
		}
	}
}

// TestWindowsThatCloseAndExpireInOneStepAreWritten: when an old log is read fast, one merge commit has hours of it.
func TestWindowsThatCloseAndExpireInOneStepAreWritten(t *testing.T) {
	for kind, w := range map[string]model.Window{"tumbling": {Kind: model.Tumbling, Size: time.Minute}, "hopping": {Kind: model.Hopping, Size: 2 * time.Minute, Every: time.Minute}, "session": {Kind: model.Session, Gap: time.Second}} {
		r := newRig(t, with(func(a *model.Aggregate) { a.Window, a.Retention = w, time.Minute }))
		for n := range int64(60) {
			r.add(epoch+n*minute, `"a"`, 0)
		}
		r.pass(epoch + 100*minute)
		want := 60
		if kind == "hopping" {
			want = 61
		}
		if _, did := r.turn(); did.Finals != want || r.part.Groups() != 0 {
			t.Errorf("%s: %+v, %d groups are kept", kind, did, r.part.Groups())
		}
	}
}

// TestWhatDoesNotFitIsClosedByTheNextMergeCommits, without any news.
func TestWhatDoesNotFitIsClosedByTheNextMergeCommits(t *testing.T) {
	for kind, w := range map[string]model.Window{"tumbling": {Kind: model.Tumbling, Size: time.Minute}, "hopping": {Kind: model.Hopping, Size: 2 * time.Minute, Every: time.Minute}, "session": {Kind: model.Session, Gap: time.Second}} {
		r := newRig(t, with(func(a *model.Aggregate) { a.Window, a.Emit = w, model.EmitFinal }))
		for n := range 50 {
			r.add(epoch, fmt.Sprint(n), 0)
		}
		r.turn()
		r.tick.Budget = 7
		r.pass(epoch + 300_000)
		finals, turns := 0, 0
		r.merge()
		for r.part.Needed(r.tick) {
			_, did := r.commit()
			r.part.Confirm()
			if did.Finals > 7 {
				t.Errorf("%s: %d finals at a time", kind, did.Finals)
			}
			if did.More != r.part.Needed(r.tick) {
				t.Errorf("%s: more: %v, needed: %v", kind, did.More, !did.More)
			}
			finals += did.Finals
			if turns++; turns > 100 {
				t.Fatalf("%s: there is always something to do", kind)
			}
		}
		if want := map[string]int{"tumbling": 50, "hopping": 100, "session": 50}[kind]; finals != want {
			t.Errorf("%s: %d finals, want %d", kind, finals, want)
		}
		r.pass(epoch + 10*3_600_000) // and now for the retention
		for r.merge(); r.part.Needed(r.tick); turns++ {
			_, did := r.commit()
			r.part.Confirm()
			if did.More != r.part.Needed(r.tick) || turns > 100 {
				t.Fatalf("%s: more: %v, needed: %v, after %d merge commits", kind, did.More, !did.More, turns)
			}
		}
		if s := r.part.order[0]; r.part.Groups() != 0 || len(s.panes.ordered) > 0 && s.panes.ordered[0].len() > 0 || s.index.len() > 0 {
			t.Errorf("%s: something is left", kind)
		}
	}
}

// TestWindowsCloseUnderLoad: however much every merge commit has to write of what has changed, it closes something.
func TestWindowsCloseUnderLoad(t *testing.T) {
	r := newRig(t, aggregateOf(measureOf("n", "count", "")))
	r.tick.MaxBytes = 100
	for n := range 20 {
		r.add(epoch, fmt.Sprint(n), 0)
	}
	r.turn()
	r.pass(epoch + 2*minute)
	finals := 0
	for range 30 {
		for n := range 20 {
			r.add(epoch+3*minute, fmt.Sprint(n), 0)
		}
		_, did := r.turn()
		finals += did.Finals
	}
	if finals != 20 {
		t.Errorf("%d of 20 windows were closed", finals)
	}
}

// idle makes the one source partition idle, so that time goes on by the clock from here on.
func (r *rig) idle() {
	r.Helper()
	r.announcer.Quiet(r.source, r.now.Add(time.Hour))
	r.turn()
}

// TestMergeCommitIsNeededWhenTheClockClosesSomething, neither before nor once that is done.
func TestMergeCommitIsNeededWhenTheClockClosesSomething(t *testing.T) {
	for kind, w := range map[string]model.Window{"tumbling": {Kind: model.Tumbling, Size: time.Minute}, "hopping": {Kind: model.Hopping, Size: time.Minute, Every: time.Minute}, "session": {Kind: model.Session, Gap: 40*time.Second - time.Millisecond}} {
		r := newRig(t, with(func(a *model.Aggregate) { a.Window, a.Retention = w, 10*time.Second }))
		r.add(epoch, `"a"`, 0)
		r.idle() // the watermark stands at epoch, the window ends 40 s later
		needed := func(at time.Duration) bool {
			r.tick.Now = r.now.Add(at)
			return r.part.Needed(r.tick)
		}
		start := r.now
		for _, c := range []struct {
			at     time.Duration
			needed bool
		}{{0, false}, {39_999 * time.Millisecond, false}, {40_000 * time.Millisecond, true}} {
			if got := needed(c.at); got != c.needed {
				t.Errorf("%s: after %s: needed %v", kind, c.at, got)
			}
		}
		r.now = start.Add(39 * time.Second)
		if _, did := r.turn(); did.Finals != 1 || did.Records != 3 { // an insight, the group, the partition
			t.Errorf("%s: %+v", kind, did)
		}
		if needed(0) || needed(9_999*time.Millisecond) {
			t.Errorf("%s: needed, though nothing has changed", kind)
		}
		before := r.part
		if r.part = r.restored(); needed(0) {
			t.Errorf("%s: needed right after a restore", kind)
		}
		if r.part = before; !before.Settle(before.Sequence()) || needed(0) {
			t.Errorf("%s: needed right after an assignment", kind)
		}
		if !needed(10 * time.Second) {
			t.Errorf("%s: not needed, though the retention is over", kind)
		}
		r.now = r.now.Add(9 * time.Second)
		if r.turn(); r.part.Groups() != 0 || needed(time.Hour) {
			t.Errorf("%s: %d groups are kept; still needed: %v", kind, r.part.Groups(), needed(time.Hour))
		}
		r.add(epoch+minute*9, `"a"`, 0)
		r.turn()
		if s := r.part.order[0]; len(s.windows.ordered) > 1 || len(s.panes.ordered) > 1 || len(s.windows.starts) > 1 {
			t.Errorf("%s: what is gone has left its place behind", kind)
		}
	}
}

// TestClosingKeepsToItsBytes, about: an insight has some 300, what is dropped some 20.
func TestClosingKeepsToItsBytes(t *testing.T) {
	r := newRig(t, with(func(a *model.Aggregate) { a.Retention = time.Minute }))
	for n := range 1000 {
		r.add(epoch, fmt.Sprintf(`"%03d"`, n), 0)
	}
	r.turn()
	r.tick.MaxBytes = 3000
	for _, step := range []struct {
		until       int64
		least, most int // records of a merge commit
	}{{epoch + minute, 10, 30}, {epoch + 3*minute, 100, 300}} { // closed, then dropped
		r.pass(step.until)
		for r.merge(); r.part.Needed(r.tick); {
			_, did := r.commit()
			r.part.Confirm()
			if did.More && did.Records < step.least || did.Records > step.most {
				t.Errorf("%d records at a time, want %d to %d", did.Records, step.least, step.most)
			}
		}
	}
	if n := r.part.Groups(); n != 0 {
		t.Errorf("%d groups are left", n)
	}
}
