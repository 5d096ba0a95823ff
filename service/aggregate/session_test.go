package aggregate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
)

func sessionsOf(gap, grace time.Duration) *model.Aggregate {
	a := aggregateOf(measureOf("n", "count", ""), measureOf("sum", "sum", "x"))
	a.Window = model.Window{Kind: model.Session, Gap: gap, Grace: grace}
	return a
}

type occurrence struct {
	time  int64
	group string
	x     int64
}

// TestSessionsAreThoseOfAllEvents: in whatever order the events come, and however they are cut into transactions and among
// workers, the state is the same to the last byte, and has the sessions that all events have.
func TestSessionsAreThoseOfAllEvents(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 6))
		var events []occurrence
		for range 1 + rng.IntN(60) {
			events = append(events, occurrence{epoch + int64(rng.IntN(20))*1000 + int64(rng.IntN(20))*60_000*int64(rng.IntN(2)), fmt.Sprintf(`"%d"`, rng.IntN(2)), int64(rng.IntN(100))})
		}
		want := sessionsByHand(events, 2000)
		first := ""
		for range 8 {
			rng.Shuffle(len(events), func(a, b int) { events[a], events[b] = events[b], events[a] })
			r := newRig(t, sessionsOf(2*time.Second, time.Hour))
			for _, e := range events {
				r.source.Watermark = NoWatermark // nothing is late
				r.add(e.time, e.group, e.x)
				if rng.IntN(4) == 0 {
					r.merge()
				}
			}
			r.merge()
			s := r.part.order[0]
			lines := append(contentOf(s.sessions, ""), contentOf(s.index, "")...)
			slices.Sort(lines)
			got := strings.Join(lines, "\n")
			if first == "" {
				first = got
			}
			if got != first {
				t.Fatalf("seed %d: in another order the state is\n%s\ninstead of\n%s", seed, got, first)
			}
			if sessions := sessionsIn(s); fmt.Sprint(sessions) != fmt.Sprint(want) {
				t.Fatalf("seed %d: %v\nwant %v", seed, sessions, want)
			}
		}
	}
}

// sessionsByHand sorts and cuts.
func sessionsByHand(events []occurrence, gap int64) (all []string) {
	for _, group := range []string{`"0"`, `"1"`} {
		of := slices.DeleteFunc(slices.Clone(events), func(e occurrence) bool { return e.group != group })
		slices.SortFunc(of, func(a, b occurrence) int { return int(a.time - b.time) })
		for from := 0; from < len(of); {
			to, sum := from, int64(0)
			for ; to < len(of) && (to == from || of[to].time-of[to-1].time <= gap); to++ {
				sum += of[to].x
			}
			all = append(all, fmt.Sprintf("%s %d-%d n=%d sum=%d", group, of[from].time-epoch, of[to-1].time-epoch, to-from, sum))
			from = to
		}
	}
	slices.Sort(all)
	return all
}

func sessionsIn(s *series) (all []string) {
	for n := range s.sessions.order {
		e := s.sessions.numbered(n)
		if e == nil {
			continue
		}
		v := known(e.value())
		first, group := splitSessionKey(e.key())
		text := string(s.measures(nil, v.measures))
		all = append(all, fmt.Sprintf("%s %d-%d %s", group, first-epoch, first+v.length-epoch, strings.NewReplacer(`"`, "", ":", "=", ",", " ").Replace(text)))
	}
	slices.Sort(all)
	return all
}

// TestSessionThatGrowsTakesItsOldInsightBack: the key has the end of a session.
func TestSessionThatGrowsTakesItsOldInsightBack(t *testing.T) {
	r := newRig(t, sessionsOf(2*time.Second, time.Hour))
	r.add(epoch, `"a"`, 1)
	r.add(epoch+5000, `"a"`, 1)
	r.turn()
	r.add(epoch+2500, `"a"`, 1) // near neither end, so it is a third one
	out, _ := r.turn()
	if got := out.of(insightsTopic); len(got) != 1 || got[0].tombstone {
		t.Errorf("a session that stands for itself: %v", got)
	}
	r.add(epoch+1000, `"a"`, 1) // joins the first and the third
	out, _ = r.turn()
	var gone, there []string
	for _, i := range out.of(insightsTopic) {
		if i.tombstone {
			gone = append(gone, i.key)
		} else {
			there = append(there, i.value)
		}
	}
	if len(gone) != 2 || len(there) != 1 || !strings.Contains(there[0], `"n":3`) || !strings.Contains(there[0], `"revision":2`) {
		t.Errorf("taken back: %v; written: %v", gone, there)
	}
	if n := r.part.order[0].sessions.len(); n != 2 {
		t.Errorf("%d sessions", n)
	}
}

// TestSessionThatStaysAsLongIsWrittenOver, and is open up to the last millisecond.
func TestSessionThatStaysAsLongIsWrittenOver(t *testing.T) {
	r := newRig(t, sessionsOf(2*time.Second, time.Second))
	r.add(epoch, `"a"`, 1)
	r.turn()
	r.add(epoch, `"a"`, 1)
	r.pass(epoch + 3000)
	out, did := r.turn()
	if got := out.of(insightsTopic); len(got) != 1 || !strings.Contains(got[0].value, `"n":2`) || did.Updates != 1 {
		t.Errorf("%v", got)
	}
	r.pass(epoch + 3001)
	if _, did = r.turn(); did.Finals != 1 {
		t.Errorf("%+v", did)
	}
}

// TestSessionThatOpensAgainIsClosedAgain, with emit: final as well, which writes nothing in between.
func TestSessionThatOpensAgainIsClosedAgain(t *testing.T) {
	for _, emit := range []model.Emit{model.EmitUpdates, model.EmitFinal} {
		a := sessionsOf(2*time.Second, 0)
		a.Emit = emit
		r := newRig(t, a)
		r.add(epoch, `"a"`, 1)
		r.pass(epoch + 60_000)
		if _, did := r.turn(); did.Finals != 1 {
			t.Fatalf("%s: %+v", emit, did)
		}
		r.source.Watermark = epoch // as another partition, that was idle
		r.add(epoch+1000, `"a"`, 1)
		out, did := r.turn()
		got := out.of(insightsTopic)
		if len(got) != 2 || !got[0].tombstone || !strings.Contains(got[1].value, `"n":2`) || !strings.Contains(got[1].value, `"final":true`) || did.Revised != 1 {
			t.Errorf("%s: %v, %+v", emit, got, did)
		}
		r.part = r.restored()
		r.pass(epoch + 10*3_600_000)
		if out, _ := r.turn(); len(out.of(insightsTopic)) != 0 || r.part.Groups() != 0 {
			t.Errorf("%s: %d sessions are left behind their retention, and written: %v", emit, r.part.Groups(), out.of(insightsTopic))
		}
	}
}

func TestMiniSessionsOfATransactionAreAsFewAsTheirOrderAllows(t *testing.T) {
	r := newRig(t, sessionsOf(2*time.Second, time.Hour))
	for _, at := range []int64{0, 1000, 3000, 2000, 20_000, 21_000, 1500} { // back to the first one at the end
		r.source.Watermark = NoWatermark
		r.add(epoch+at, `"a"`, 1)
	}
	partials := 0
	for _, b := range r.partials() {
		if b[1] == kindSession {
			partials++
		}
		if err := r.part.Take(b); err != nil {
			t.Fatal(err)
		}
	}
	if partials != 3 || fmt.Sprint(sessionsIn(r.part.order[0])) != `["a" 0-3000 n=5 sum=5 "a" 20000-21000 n=2 sum=2]` {
		t.Errorf("%d partials make %v", partials, sessionsIn(r.part.order[0]))
	}
}
