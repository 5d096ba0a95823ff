package aggregate

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
)

// minutes plays windows of a minute: in each, so many events of group a, and of group b one, so that time goes on.
func (r *rig) minutes(from int, counts ...int) (anomalies []string) {
	r.Helper()
	for i, n := range counts {
		at := int64(epoch) + 20_000 + int64(from+i)*minute + minute/3
		for range n {
			r.add(at, `"a"`, 0)
		}
		r.add(at, `"b"`, 0)
		_, did := r.turn()
		anomalies = append(anomalies, did.Anomalies...)
	}
	return anomalies
}

func watching(d model.Detect) *model.Aggregate {
	d.Measure = "n"
	return with(func(a *model.Aggregate) { a.Detect = &d })
}

func TestWindowFarFromWhatIsUsualIsAnAnomaly(t *testing.T) {
	r := newRig(t, watching(model.Detect{Sigma: 4, MinWindows: 10}))
	usual := []int{3, 90, 110, 100, 95, 105, 100, 98, 102, 100, 100, 101} // the first window began in its middle
	if got := r.minutes(0, usual...); len(got) > 0 {
		t.Fatalf("%v", got)
	}
	got := r.minutes(len(usual), 431, 100, 99)
	if len(got) != 1 || got[0] != "n of a: 431 in 22:26-22:27, usually 100 ± 10.0 (33.1 sigma)" {
		t.Fatalf("%v", got)
	}
	written := 0
	for _, i := range r.log.of(insightsTopic) {
		if strings.Contains(i.value, `"kind":"anomaly"`) {
			written++
			key := `["logins","6faa2d9ef898d0a3","2023-11-14T22:26:00Z","2023-11-14T22:27:00Z","a","anomaly"]`
			begin := `{"pipeline":"test","aggregate":"logins","kind":"anomaly","window":{"start":"2023-11-14T22:26:00Z","end":"2023-11-14T22:27:00Z"},"group":{"g":"a"},"anomaly":{"measure":"n","value":431,"usual":100.`
			end := `,"sentence":"n of a: 431 in 22:26-22:27, usually 100 ± 10.0 (33.1 sigma)"},"final":true,"revision":1,"updated_at":"2027-01-15T08:00:14Z"}`
			if i.key != key || !strings.HasPrefix(i.value, begin) || !strings.HasSuffix(i.value, end) {
				t.Errorf("%s\n%s\nwant\n%s\n%s ... %s", i.key, i.value, key, begin, end)
			}
			var all struct {
				Anomaly struct{ Usual, Deviation, Sigma float64 }
			}
			if err := json.Unmarshal([]byte(i.value), &all); err != nil || fmt.Sprintf("%.6f", all.Anomaly) != "{100.090909 10.004544 33.075878}" {
				t.Errorf("%v: %s", err, i.value)
			}
		}
	}
	if written != 1 {
		t.Errorf("%d are written", written)
	}
}

func TestNothingIsComparedBeforeThereIsEnoughToCompareWith(t *testing.T) {
	r := newRig(t, watching(model.Detect{Sigma: 3, MinWindows: 3}))
	if got := r.minutes(0, 10, 10, 900, 10, 10); len(got) > 0 { // the third is the second that is known
		t.Errorf("%v", got)
	}
	again := newRig(t, watching(model.Detect{Sigma: 3, MinWindows: 3}))
	if got := again.minutes(0, 10, 10, 10, 10, 900, 10); len(got) != 1 { // the fifth, after three that are known
		t.Errorf("%v", got)
	}
}

// TestSilenceIsFoundThenForgotten: a group without a window counts as 0, for as many windows as its history needed.
func TestSilenceIsFoundThenForgotten(t *testing.T) {
	r := newRig(t, watching(model.Detect{Sigma: 3, MinWindows: 4}))
	if got := r.minutes(0, 1, 100, 100, 100, 100, 100); len(got) > 0 {
		t.Fatalf("%v", got)
	}
	got := r.minutes(6, 0, 0, 0, 0, 0, 0, 0, 0)
	want := []string{"n of a: 0 in 22:20-22:21, usually 100 ± 10 (10 sigma)", "n of a: 0 in 22:21-22:22, usually 83.3 ± 37.3 (2.2 sigma)"}
	if len(got) != 1 || got[0] != want[0] { // the deviation grows with it: for the second it is no more than usual
		t.Errorf("%v", got)
	}
	s := r.part.order[0]
	if e, _ := s.history.find([]byte(`"a"`)); e != nil || s.history.len() != 2 {
		t.Errorf("%d histories, a is there: %v", s.history.len(), e != nil)
	}
	if content(r.restored()) != content(r.part) {
		t.Error("the changelog has not forgotten")
	}
}

// TestSilenceIsNoValueOfAMean: nobody knows what the mean of nothing would have been.
func TestSilenceIsNoValueOfAMean(t *testing.T) {
	below := 50.0
	a := watching(model.Detect{Sigma: 3, MinWindows: 3, Below: &below})
	a.Measures = []model.Measure{measureOf("n", "max", "x")}
	r := newRig(t, a)
	for n := range int64(12) {
		if n < 6 {
			r.add(epoch+20_000+n*minute, `"a"`, 100)
		}
		r.pass(epoch + 20_000 + n*minute)
		if _, did := r.turn(); len(did.Anomalies) > 0 {
			t.Errorf("window %d: %v", n, did.Anomalies)
		}
	}
	if n := r.part.order[0].history.len(); n != 1 {
		t.Errorf("%d histories: the group was silent for longer than min_windows", n)
	}
}

// TestSilenceOfTheOnlyGroupIsFound, below a fixed limit as well, and it is learned.
func TestSilenceOfTheOnlyGroupIsFound(t *testing.T) {
	below := 5.0
	r := newRig(t, watching(model.Detect{Sigma: 100, MinWindows: 2, Below: &below}))
	for n := range int64(6) {
		if n < 3 {
			for range 10 {
				r.add(epoch+20_000+n*minute, `"a"`, 0)
			}
		}
		r.pass(epoch + 20_000 + n*minute)
		_, did := r.turn()
		if silent := n == 4 || n == 5; len(did.Anomalies) > 0 != silent || silent && !strings.HasSuffix(did.Anomalies[0], ", below the limit of 5") {
			t.Errorf("window %d: %v", n-1, did.Anomalies)
		}
		if n == 4 {
			if h := readPast(r.part.order[0].history.get([]byte(`"a"`))); h.windows != 3 || h.silent != 1 || math.Abs(h.mean-20.0/3) > 1e-9 {
				t.Errorf("%+v", h)
			}
		}
	}
}

// TestLookingForSilenceKeepsToTheBudget: a window that nobody had an event in may have a million groups that did not.
func TestLookingForSilenceKeepsToTheBudget(t *testing.T) {
	r := newRig(t, watching(model.Detect{Sigma: 3, MinWindows: 5}))
	for n := range int64(2) {
		for group := range 20 {
			r.add(epoch+20_000+n*minute, fmt.Sprint(group), 0)
		}
	}
	r.pass(epoch + 20_000 + 2*minute)
	r.turn()
	r.tick.Budget = 6
	r.pass(epoch + 20_000 + 3*minute)
	commits := 0
	for r.merge(); r.part.Needed(r.tick); commits++ {
		out, did := r.commit()
		r.part.Confirm()
		if n := len(out.of(changelogTopic)); n > 8 { // the groups, the window, the partition
			t.Errorf("%d records", n)
		}
		if commits > 10 {
			t.Fatal("it does not end")
		}
		if did.More != (commits < 3) {
			t.Errorf("commit %d: more %v", commits, did.More)
		}
	}
	if commits != 4 {
		t.Errorf("%d merge commits", commits)
	}
}

// TestGroupIsLearnedOnceAWindow, though an event comes while the budget interrupts the closing of its window.
func TestGroupIsLearnedOnceAWindow(t *testing.T) {
	r := newRig(t, watching(model.Detect{Sigma: 3, MinWindows: 5}))
	r.add(epoch, `"a"`, 0)
	for n := range int64(2) {
		for group := range 5 {
			r.add(epoch+20_000+minute*(1+n), fmt.Sprintf(`"%d"`, group), 0)
		}
	}
	r.turn()
	r.tick.Budget = 3
	r.pass(epoch + 40_000 + 2*minute)
	r.turn() // the first groups of the second window are final
	r.late(epoch+20_000+minute, `"0"`)
	for r.merge(); r.part.Needed(r.tick); r.merge() {
		r.commit()
		r.part.Confirm()
	}
	if h := readPast(r.part.order[0].history.get([]byte(`"0"`))); h.windows != 2 || h.mean != 1 {
		t.Errorf("%+v", h)
	}
}

// TestSilenceOfAllIsFound: the windows are not there at all, and time goes on by the clock.
func TestSilenceOfAllIsFound(t *testing.T) {
	r := newRig(t, watching(model.Detect{Sigma: 3, MinWindows: 3}))
	r.minutes(0, 1, 100, 100, 100, 100)
	r.now = r.now.Add(time.Hour)
	r.announcer.Quiet(r.source, r.now)
	var all []string
	r.merge()
	for range 20 {
		r.now = r.now.Add(30 * time.Second)
		if r.tick.Now = r.now; r.part.Needed(r.tick) {
			_, did := r.commit()
			r.part.Confirm()
			all = append(all, did.Anomalies...)
		}
	}
	if len(all) == 0 || !strings.HasPrefix(all[0], "n of a: 0 in 22:19-22:20") {
		t.Errorf("%v", all)
	}
	if r.tick.Now = r.now.Add(1000 * time.Hour); r.part.Needed(r.tick) && r.part.order[0].history.len() > 1 {
		t.Errorf("%d histories are kept for ever", r.part.order[0].history.len())
	}
}

func TestRevisionsDoNotTrainTwice(t *testing.T) {
	r := newRig(t, watching(model.Detect{Sigma: 3, MinWindows: 3}))
	r.minutes(0, 1, 100, 100, 100, 100)
	before := contentOf(r.part.order[0].history, "")
	r.late(epoch+20_000+2*minute, `"a"`)
	r.late(epoch+20_000+2*minute, `"new"`)
	out, did := r.turn()
	if after := contentOf(r.part.order[0].history, ""); fmt.Sprint(after) != fmt.Sprint(before) || len(did.Anomalies) > 0 || did.Finals != 2 {
		t.Errorf("%v\nwant %v\n%v", after, before, out)
	}
}

func TestLimitsAreHeldAgainstEachWindow(t *testing.T) {
	above, below := 50.0, 5.0
	r := newRig(t, watching(model.Detect{Above: &above, Below: &below}))
	got := r.minutes(0, 100, 10, 50, 51, 5, 4, 20, 20)
	got = slicesWithout(got, "n of b")
	if fmt.Sprint(got) != "[n of a: 51 in 22:17-22:18, above the limit of 50 n of a: 4 in 22:19-22:20, below the limit of 5]" {
		t.Errorf("%v", got)
	}
	text := fmt.Sprint(r.log.of(insightsTopic))
	for _, want := range []string{`"anomaly":{"measure":"n","value":51,"above":50,"sentence"`, `"anomaly":{"measure":"n","value":4,"below":5,"sentence"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no insight has %s", want)
		}
	}
}

func slicesWithout(all []string, prefix string) (rest []string) {
	for _, s := range all {
		if !strings.HasPrefix(s, prefix) {
			rest = append(rest, s)
		}
	}
	return rest
}

func TestLimitsAreHeldAgainstEachSession(t *testing.T) {
	above := 2.0
	a := sessionsOf(time.Second, 0)
	a.Detect = &model.Detect{Measure: "n", Above: &above}
	r := newRig(t, a)
	for n := range int64(3) {
		r.add(epoch+n, `"a"`, 0)
	}
	r.add(epoch, `"b"`, 0)
	r.pass(epoch + minute)
	_, did := r.turn()
	if fmt.Sprint(did.Anomalies) != "[n of a: 3 in 22:13:20-22:13:20, above the limit of 2]" {
		t.Errorf("%v", did.Anomalies)
	}
	r.late(epoch+500, `"a"`)
	out, _ := r.turn()
	gone := 0
	for _, i := range out.of(insightsTopic) {
		if i.tombstone {
			gone++
		}
	}
	if gone != 2 {
		t.Errorf("the old session and its anomaly are taken back: %v", out.of(insightsTopic))
	}
}

// TestHistoryIsOfOneMeasure: what is usual of one says nothing about another.
func TestHistoryIsOfOneMeasure(t *testing.T) {
	sum := func(a *model.Aggregate) { a.Measures = append(a.Measures, measureOf("sum", "sum", "x")) }
	a := watching(model.Detect{Sigma: 3, MinWindows: 3})
	sum(a)
	r := newRig(t, a)
	r.minutes(0, 1, 100, 100, 100, 100)
	b := watching(model.Detect{Sigma: 3, MinWindows: 3})
	sum(b)
	b.Detect.Measure = "sum"
	r.deploy(b)
	if got := r.minutes(5, 100, 100, 100, 100, 100, 100); len(got) > 0 {
		t.Errorf("%v", got)
	}
	r.deploy(with(sum)) // looks for nothing
	r.minutes(11, 100, 100)
	if n := r.part.order[0].history.len(); n > 0 {
		t.Errorf("%d histories are left", n)
	}
}

// TestWhatIsFoundDoesNotDependOnTheBudget: neither what is said, nor what is learned.
func TestWhatIsFoundDoesNotDependOnTheBudget(t *testing.T) {
	want, state := "", ""
	for _, budget := range []int{math.MaxInt, 1, 3} {
		r := newRig(t, watching(model.Detect{Sigma: 2, MinWindows: 2}))
		r.tick.Budget = budget
		var all []string
		for n, counts := range [][]int{{1, 1, 1}, {10, 20, 30}, {10, 20, 30}, {10, 90, 30}, {10, 20, 0}, {0, 0, 30}, {10, 20, 30}, {0, 0, 0}, {0, 0, 0}, {1, 0, 0}} {
			for group, count := range counts {
				for range count {
					r.add(epoch+20_000+int64(n)*minute, fmt.Sprintf(`"%d"`, group), 0)
				}
			}
			r.pass(epoch + 20_000 + int64(n)*minute)
			r.merge()
			for r.part.Needed(r.tick) {
				_, did := r.commit()
				r.part.Confirm()
				all = append(all, did.Anomalies...)
			}
		}
		got, has := strings.Join(all, "\n"), strings.Join(contentOf(r.part.order[0].history, ""), "\n")
		if want == "" {
			want, state = got, has
		}
		if got != want || has != state || got == "" {
			t.Errorf("budget %d:\n%s\n%s\nwant\n%s\n%s", budget, got, has, want, state)
		}
	}
}

// TestMeanAndDeviationAreThoseOfTheFormula while there are few windows: the plain ones.
func TestMeanAndDeviationAreThoseOfTheFormula(t *testing.T) {
	var h past
	values := []float64{3, 5, 8, 13, 21}
	for _, x := range values {
		h.learn(x)
	}
	mean, squares := 0.0, 0.0
	for _, x := range values {
		mean += x / 5
	}
	for _, x := range values {
		squares += (x - mean) * (x - mean) / 5
	}
	if math.Abs(h.mean-mean) > 1e-9 || math.Abs(h.deviation(false)-math.Sqrt(squares)) > 1e-9 {
		t.Errorf("%v ± %v, want %v ± %v", h.mean, h.deviation(false), mean, math.Sqrt(squares))
	}
	for range 1000 {
		h.learn(100)
	}
	if math.Abs(h.mean-100) > 1e-9 || math.Abs(h.deviation(true)-10) > 1e-9 || math.Abs(h.deviation(false)-1) > 1e-9 {
		t.Errorf("%v ± %v, as a count ± %v", h.mean, h.deviation(false), h.deviation(true))
	}
	if got := readPast(h.append(nil)); got != h {
		t.Errorf("%+v is read as %+v", h, got)
	}
}
