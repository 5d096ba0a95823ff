package aggregate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
)

// late adds an event for a window that may have closed, as a source partition that was idle does.
func (r *rig) late(t int64, group string) {
	r.Helper()
	at := r.source.Watermark
	r.source.Watermark = NoWatermark
	r.add(t, group, 0)
	r.source.Watermark = at
}

func TestClosedWindowIsCorrectedWithinItsRetention(t *testing.T) {
	r := newRig(t, with(func(a *model.Aggregate) { a.Retention = time.Minute }))
	r.add(epoch, `"a"`, 0)
	r.pass(epoch + 99_999) // one millisecond before nothing is kept any more
	r.turn()
	r.late(epoch+1, `"a"`)
	r.late(epoch+1, `"b"`)
	out, did := r.turn()
	if got := fmt.Sprint(r.insights(out)); got != "[-20000-40000 a 2 final=true revision=2 -20000-40000 b 1 final=true revision=1]" || did.Revised != 1 || did.Finals != 2 {
		t.Errorf("%s, %+v", got, did)
	}
}

func TestPartialBeyondRetentionIsALetter(t *testing.T) {
	r := newRig(t, with(func(a *model.Aggregate) {
		a.Retention, a.Measures = time.Minute, append(a.Measures, measureOf("sum", "sum", "x"))
	}))
	r.add(epoch, `"a"`, 0)
	r.pass(epoch + 100_000)
	r.turn()
	r.late(epoch+1, `"a"`)
	out, did := r.turn()
	want := `{"pipeline":"test","aggregate":"logins","definition":"6faa2d9ef898d0a3","window":{"start":"2023-11-14T22:13:00Z","end":"2023-11-14T22:14:00Z"},"group":{"g":"a"},"measures":{"n":1,"sum":0}}`
	if got := out.of(sourceTopic); len(got) != 1 || got[0].value != want || did.Expired != 1 || r.part.Counts().Expired != 1 {
		t.Errorf("%v\nwant %s\n%+v", got, want, did)
	}
	if got := r.insights(out); len(got) > 0 {
		t.Errorf("insights %v", got)
	}
}

// TestPartialIsALetterThoughItsWindowNeverWas: what is kept is a question of time alone.
func TestPartialIsALetterThoughItsWindowNeverWas(t *testing.T) {
	for kind, c := range map[string]struct {
		w        model.Window
		last, is int64 // the last event that comes too late, the first that does not
	}{
		"tumbling": {model.Window{Kind: model.Tumbling, Size: time.Minute, Grace: time.Second}, epoch + 40_000 - 1, epoch + 40_000},
		"hopping":  {model.Window{Kind: model.Hopping, Size: time.Minute, Every: time.Minute, Grace: time.Second}, epoch + 40_000 - 1, epoch + 40_000},
		"session":  {model.Window{Kind: model.Session, Gap: 20 * time.Second, Grace: time.Second}, epoch + 20_000 - 1, epoch + 20_000},
	} {
		r := newRig(t, with(func(a *model.Aggregate) { a.Window, a.Retention = c.w, 2*time.Minute }))
		r.pass(epoch + 40_000 + 1_000 + 2*minute)
		r.turn()
		r.late(c.last, `"a"`)
		r.late(c.is, `"b"`)
		out, _ := r.turn()
		letters, insights := out.of(sourceTopic), out.of(insightsTopic)
		if len(letters) != 1 || !strings.Contains(letters[0].value, `{"g":"a"}`) || len(insights) != 1 || !strings.Contains(insights[0].value, `{"g":"b"}`) {
			t.Errorf("%s: letters %v, insights %v", kind, letters, insights)
		}
	}
}

// TestPaneOfWindowsThatAreGoneCountsInTheOthers: the letter says which windows have missed it.
func TestPaneOfWindowsThatAreGoneCountsInTheOthers(t *testing.T) {
	r := newRig(t, with(func(a *model.Aggregate) {
		a.Retention, a.Window = 0, model.Window{Kind: model.Hopping, Size: 3 * time.Minute, Every: time.Minute}
	}))
	r.add(epoch, `"a"`, 0)
	r.pass(epoch + 40_000 + minute) // two of its windows are gone, one is open
	r.turn()
	r.late(epoch+1, `"a"`)
	out, _ := r.turn()
	letters, insights := out.of(sourceTopic), r.insights(out)
	if len(letters) != 1 || !strings.Contains(letters[0].value, `"window":{"start":"2023-11-14T22:11:00Z","end":"2023-11-14T22:15:00Z"}`) {
		t.Errorf("letters %v", letters)
	}
	if fmt.Sprint(insights) != "[-20000-160000 a 2 final=false revision=2]" {
		t.Errorf("insights %v", insights)
	}
}

// TestWhatIsGoneDoesNotComeBack with a pipeline file that would have kept it longer: a part would be written over the whole.
func TestWhatIsGoneDoesNotComeBack(t *testing.T) {
	for kind, w := range map[string]model.Window{"tumbling": {Kind: model.Tumbling, Size: time.Minute}, "hopping": {Kind: model.Hopping, Size: time.Minute, Every: time.Minute / 2}, "session": {Kind: model.Session, Gap: time.Second}} {
		aggregate := func(retention time.Duration) *model.Aggregate {
			return with(func(a *model.Aggregate) { a.Window, a.Retention = w, retention })
		}
		r := newRig(t, aggregate(0))
		r.add(epoch, `"a"`, 0)
		r.pass(epoch + 2*minute)
		r.turn()
		r.turn()
		r.part = r.restored()
		r.deploy(aggregate(time.Hour))
		r.late(epoch, `"a"`)
		out, _ := r.turn()
		if len(out.of(insightsTopic)) > 0 || len(out.of(sourceTopic)) != 1 {
			t.Errorf("%s: insights %v, letters %v", kind, out.of(insightsTopic), out.of(sourceTopic))
		}
	}
}

// TestSessionThatIsGoneDoesNotComeBack while the budget keeps others for a moment.
func TestSessionThatIsGoneDoesNotComeBack(t *testing.T) {
	r := newRig(t, with(func(a *model.Aggregate) {
		a.Window, a.Retention = model.Window{Kind: model.Session, Gap: time.Second}, 0
	}))
	r.add(epoch, `"a"`, 0)
	r.add(epoch, `"b"`, 0)
	r.pass(epoch + minute)
	r.tick.Budget = 1
	if _, did := r.turn(); !did.More || r.part.Groups() != 1 {
		t.Fatalf("%+v, %d groups are kept", did, r.part.Groups())
	}
	r.late(epoch, `"a"`)
	out, _ := r.turn()
	if letters := out.of(sourceTopic); len(letters) != 1 {
		t.Errorf("%v", out)
	}
}

// TestGroupsBeyondMaxGroupsCountTogether: nothing is lost, and who was there before goes on by himself.
func TestGroupsBeyondMaxGroupsCountTogether(t *testing.T) {
	for kind, w := range map[string]model.Window{"tumbling": {Kind: model.Tumbling, Size: time.Minute}, "hopping": {Kind: model.Hopping, Size: time.Minute, Every: time.Minute / 2}, "session": {Kind: model.Session, Gap: time.Hour, Grace: time.Hour}} {
		r := newRig(t, with(func(a *model.Aggregate) { a.Window, a.MaxGroups, a.Emit = w, 5, model.EmitFinal }))
		rng := rand.New(rand.NewPCG(1, 8))
		own := 0
		for n := range 200 {
			group := fmt.Sprintf(`"%d"`, n%5)
			if n >= 5 && rng.IntN(2) == 0 {
				group = fmt.Sprintf(`"%d"`, 5+rng.IntN(50))
			} else {
				own++
			}
			r.add(epoch, group, 0)
			r.turn()
		}
		r.pass(epoch + 10*3_600_000)
		out, _ := r.turn()
		all := strings.Join(r.insights(out), "\n")
		n, total := 0, 0
		for _, i := range out.of(insightsTopic) {
			var count int
			_, _ = fmt.Sscanf(i.value[strings.Index(i.value, `"measures"`):], `"measures":{"n":%d`, &count)
			if total += count; strings.Contains(i.value, `"overflow":true,"partition":0`) {
				if n++; count != 200-own || !strings.HasSuffix(i.key, `,{"other":0}]`) {
					t.Errorf("%s: %s %s, want %d", kind, i.key, i.value, 200-own)
				}
			}
		}
		windows := map[string]int{"tumbling": 1, "hopping": 2, "session": 1}[kind]
		if n != windows || total != windows*200 || r.part.Counts().Overflowed != 200-own {
			t.Errorf("%s: %d overflows, %d events; want %d, %d\n%s", kind, n, total, windows, windows*200, all)
		}
	}
}

// TestMeasureThatIsTakenOutIsKept for the state that has it, and for instances that still send it.
func TestMeasureThatIsTakenOutIsKept(t *testing.T) {
	n, sum := measureOf("n", "count", ""), measureOf("sum", "sum", "x")
	r := newRig(t, aggregateOf(n, sum))
	r.add(epoch, `"a"`, 5)
	r.turn()
	old := r.combiner
	r.deploy(aggregateOf(n, measureOf("most", "max", "x")))
	r.add(epoch, `"a"`, 7)
	r.add(epoch, `"b"`, 7)
	out, _ := r.turn()
	for k, want := range []string{`{"n":2,"most":7,"sum":5}`, `{"n":1,"most":7}`} {
		if got := out.of(insightsTopic)[k].value; !strings.Contains(got, `"measures":`+want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	r.part = r.restored()
	r.combiner, r.defs = old, []*Definition{NewDefinition("test", aggregateOf(n, sum))} // an instance that sent its definition long ago
	r.add(epoch, `"a"`, 1)
	out, _ = r.turn()
	if got := out.of(insightsTopic)[0].value; !strings.Contains(got, `"measures":{"n":3,"most":7,"sum":6}`) {
		t.Error(got)
	}
	if content(r.restored()) != content(r.part) {
		t.Error("the changelog says something else")
	}
}

// TestOffsetsThatWereMovedBackAreNoticed: events count twice, and that is never forgotten.
func TestOffsetsThatWereMovedBackAreNoticed(t *testing.T) {
	r := newRig(t, aggregateOf(measureOf("n", "count", "")))
	r.add(epoch, `"a"`, 0)
	r.add(epoch, `"a"`, 0)
	r.turn()
	if !r.part.Exact() {
		t.Error("inexact from the beginning")
	}
	r.source.Position = 1
	r.deploy(aggregateOf(measureOf("n", "count", "")))
	r.add(epoch, `"a"`, 0)
	r.turn()
	if r.part.Exact() || r.part.Counts().Overlaps != 1 || r.restored().Exact() {
		t.Errorf("exact: %v, restored: %v, %+v", r.part.Exact(), r.restored().Exact(), r.part.Counts())
	}
	again := newRig(t, aggregateOf(measureOf("n", "count", "")))
	again.add(epoch, `"a"`, 0)
	again.turn()
	again.source.Position, again.source.Epoch = 0, 9 // another topic of the same name
	again.deploy(aggregateOf(measureOf("n", "count", "")))
	again.add(epoch, `"a"`, 0)
	if again.turn(); !again.part.Exact() {
		t.Error("a topic that was deleted and created again is no overlap")
	}
}
