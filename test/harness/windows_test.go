package harness

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const ms = time.Millisecond

// base is a whole minute; the times of the tests are milliseconds from there.
const base = 1_700_000_040_000

// log makes records of a source topic, partition by partition in the order they were added.
type log struct{ records []*kgo.Record }

// add appends a login with a time, a timestamp, and more fields, such as `"locale":"RU"`.
func (l *log) add(partition int32, at, timestamp int64, fields ...string) *kgo.Record {
	return l.raw(partition, timestamp, login(at, len(l.records), fields...))
}

func login(at int64, seq int, fields ...string) string {
	return fmt.Sprintf(`{"user_id":"u","seq":%d,"device_type":"iOS","ip":"1.2.3.4","device_id":"d","timestamp":%d%s}`,
		seq, base+at, strings.Join(append([]string{""}, fields...), ","))
}

func (l *log) raw(partition int32, timestamp int64, value string) *kgo.Record {
	r := &kgo.Record{Topic: "in", Partition: partition, Timestamp: time.UnixMilli(base + timestamp), Value: []byte(value)}
	for _, other := range l.records {
		if other.Partition == partition {
			r.Offset++
		}
	}
	l.records = append(l.records, r)
	return r
}

// replay lists the windows as "start-end group: offsets", in order.
func (l *log) replay(judge Judge, aggregates ...Aggregate) (*Replay, []string) {
	slices.SortStableFunc(l.records, func(a, b *kgo.Record) int { return int(a.Partition - b.Partition) })
	replay := Replayed(l.records, judge, aggregates)
	var lines []string
	for _, t := range replay.totals {
		line := fmt.Sprintf("%d-%d", t.start-base, t.end-base)
		for _, v := range t.group {
			line += " " + canonical(v)
		}
		line += ":"
		for _, e := range t.events {
			line += fmt.Sprintf(" %d@%d", e.Partition, e.Offset)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return replay, lines
}

func check(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func tumbling(size, grace time.Duration, groupBy ...string) Aggregate {
	return Aggregate{Name: "a", Window: Window{Size: size, Grace: grace}, GroupBy: groupBy}
}

func session(gap, grace time.Duration) Aggregate {
	return Aggregate{Name: "a", Window: Window{Gap: gap, Grace: grace}}
}

func TestEventIsLateWhenItsWindowAndGraceAreBehindTheWatermarkOfItsPartition(t *testing.T) {
	var l log
	l.add(0, 500, 9000)  // 0: the first one is never late
	l.add(0, 1499, 9000) // 1: the watermark is 1499
	l.add(0, 999, 9000)  // 2: the end of its window and the grace are 1500
	l.add(0, 1500, 9000) // 3: now they are reached
	l.add(0, 999, 9000)  // 4: late
	l.add(0, 1000, 9000) // 5: of the window that is open
	l.add(1, 400, 9000)  // of another partition: it has a watermark of its own
	replay, windows := l.replay(Judge{}, tumbling(1000*ms, 500*ms))
	check(t, windows, "0-1000: 1@0 0@0 0@2", "1000-2000: 0@5 0@1 0@3")
	if want := map[string]Missed{"in-0@4": {Must: []string{"a"}}}; fmt.Sprint(replay.Missed) != fmt.Sprint(want) || replay.Late != 1 {
		t.Errorf("late: %v", replay.Missed)
	}
}

func TestEventIsComparedWithTheWatermarkBeforeIt(t *testing.T) {
	var l log
	l.add(0, 100, 9000)
	l.add(0, 5000, 9000)
	_, windows := l.replay(Judge{}, tumbling(1000*ms, 0))
	check(t, windows, "0-1000: 0@0", "5000-6000: 0@1")
}

func TestWatermarkIsBoundedByTheTimestampOfTheRecord(t *testing.T) {
	var l log
	l.add(0, 5000, 800) // ahead of its record
	l.add(0, 900, 900)  // which makes nobody late
	l.add(0, 2000, 2000)
	l.add(0, 901, 2000)
	replay, windows := l.replay(Judge{}, tumbling(1000*ms, 0))
	check(t, windows, "0-1000: 0@1", "2000-3000: 0@2", "5000-6000: 0@0")
	if replay.Late != 1 {
		t.Errorf("%d late", replay.Late)
	}
}

func TestFilteredEventsMoveTheWatermarkAndDeadLettersDoNot(t *testing.T) {
	free := Judge{Refuse: RefusedByTraffic}
	for name, c := range map[string]struct {
		value string
		late  int
	}{
		"filtered":                      {strings.Replace(login(3000, 9), "iOS", "web", 1), 1},
		"filtered, refused otherwise":   {strings.Replace(login(3000, 9, `"price":"free"`), "iOS", "web", 1), 1},
		"filtered, unreadable time":     {`{"user_id":"","timestamp":"yesterday"}`, 0},
		"filtered, too far ahead":       {strings.Replace(login(20*60000, 9), "iOS", "web", 1), 0},
		"not JSON":                      {login(3000, 9)[1:], 0},
		"a transform that fails":        {strings.Replace(login(3000, 9), "1.2.3.4", "x", 1), 0},
		"too far ahead of its record":   {login(3000+600001, 9), 0},
		"just not too far ahead of it":  {login(3000+600000, 9), 1},
		"refused by a measure":          {login(3000, 9, `"price":"free"`), 0},
		"an event like any other":       {login(3000, 9), 1},
		"an event behind the watermark": {login(-3000, 9), 0},
	} {
		t.Run(name, func(t *testing.T) {
			var l log
			l.add(0, 500, 3000)
			l.raw(0, 3000, c.value)
			l.add(0, 600, 3000)
			replay, _ := l.replay(free, tumbling(1000*ms, 0))
			delete(replay.Missed, "in-0@1")
			if len(replay.Missed) != c.late {
				t.Errorf("late: %v", replay.Missed)
			}
		})
	}
}

func TestFarFutureAndRefusedEventsAreDeadLetters(t *testing.T) {
	judge := Judge{MaxFuture: time.Second, Refuse: RefusedByTraffic}
	at := func(fields ...string) Judged {
		return judge.Of((&log{}).raw(0, 1000, login(2001, 1, fields...)))
	}
	if j := at(); j.Fate != Bury || j.Stage != "decode" || j.Code != "future_event_time" || j.Timed {
		t.Errorf("%+v", j)
	}
	judge.MaxFuture = 0
	if j := at(); j.Fate != Forward || !j.Timed || j.At != base+2001 {
		t.Errorf("%+v", j)
	}
	if j := at(`"price":"free"`); j.Fate != Bury || j.Stage != "aggregate" || j.Timed {
		t.Errorf("%+v", j)
	}
}

func TestHoppingWindowsOverlap(t *testing.T) {
	var l log
	l.add(0, 0, 9000)
	l.add(0, 1999, 9000)
	l.add(0, 2000, 9000)
	a := Aggregate{Name: "a", Window: Window{Size: 2000 * ms, Every: 1000 * ms}}
	_, windows := l.replay(Judge{}, a)
	check(t, windows, "-1000-1000: 0@0", "0-2000: 0@0 0@1", "1000-3000: 0@1 0@2", "2000-4000: 0@2")
}

// The size is no multiple of the hop: 4 s and 1.5 s, panes of 500 ms. Windows begin at multiples of the hop.
func TestHoppingWindowsNeedNotFit(t *testing.T) {
	var l log
	l.add(0, 4100, 90000)  // base is a multiple of 1500
	l.add(0, 5000, 90000)  // the watermark
	l.add(0, 4499, 90000)  // its pane ends at 4500, with the grace at 5000: late for all windows, closed or not
	l.add(0, 4500, 90000)  // not late
	l.add(0, 90000, 90000) // of other windows
	a := Aggregate{Name: "a", Window: Window{Size: 4000 * ms, Every: 1500 * ms, Grace: 500 * ms}}
	replay, windows := l.replay(Judge{}, a)
	check(t, windows, "1500-5500: 0@0 0@3 0@1", "3000-7000: 0@0 0@3 0@1", "4500-8500: 0@3 0@1",
		"87000-91000: 0@4", "88500-92500: 0@4", "90000-94000: 0@4")
	if replay.Late != 1 || a.Window.pane() != 500 {
		t.Errorf("%d late, panes of %d", replay.Late, a.Window.pane())
	}
}

func TestTimesBefore1970AreFloored(t *testing.T) {
	for _, c := range []struct{ x, step, want int64 }{{-1, 1000, -1000}, {-1000, 1000, -1000}, {-1001, 1000, -2000}, {0, 1000, 0}, {999, 1000, 0}} {
		if got := floor(c.x, c.step); got != c.want {
			t.Errorf("floor(%d, %d) = %d", c.x, c.step, got)
		}
	}
}

func TestSessionsMergeOverPartitionsAndInAnyOrder(t *testing.T) {
	var l log
	l.add(0, 0, 9000)
	l.add(0, 3001, 9000) // 2001 behind: another session
	l.add(1, 7000, 9000)
	l.add(1, 5001, 9000) // joins them: 2000 from both
	l.add(1, 9001, 9000) // alone
	_, sessions := l.replay(Judge{}, session(2000*ms, 3000*ms))
	check(t, sessions, "0-0: 0@0", "3001-7000: 0@1 1@1 1@0", "9001-9001: 1@2")
}

func TestSessionsTakeLateEventsByTheirTimeAndGrace(t *testing.T) {
	var l log
	l.add(0, 5000, 9000)
	l.add(0, 4000, 9000) // time + grace is the watermark: in time
	l.add(0, 3999, 9000) // late, though it would belong to the session
	replay, sessions := l.replay(Judge{}, session(2000*ms, 1000*ms))
	check(t, sessions, "4000-5000: 0@1 0@0")
	if len(replay.Missed) != 1 {
		t.Errorf("late: %v", replay.Missed)
	}
}

func TestGroupsAreToldApartByTypeAndEveryCharacter(t *testing.T) {
	var l log
	for _, locale := range []string{`"RU"`, `null`, `"null"`, `""`, `"a\"b"`, `"a b"`, `"a\u0000b"`, `1`, `"1"`, `1.0`, `true`, `"true"`, `"RU"`} {
		l.add(0, 0, 0, `"locale":`+locale)
	}
	l.add(0, 0, 0) // without locale: as null
	l.add(0, 0, 0, `"locale":"a","device_type":"android b"`, `"device_type":"android"`)
	_, windows := l.replay(Judge{}, tumbling(1000*ms, 0, "locale", "device_type"))
	check(t, windows, `0-1000 "RU" "ios": 0@0 0@12`, `0-1000 null "ios": 0@1 0@13`, `0-1000 "null" "ios": 0@2`, `0-1000 "" "ios": 0@3`,
		`0-1000 "a\"b" "ios": 0@4`, `0-1000 "a b" "ios": 0@5`, `0-1000 "a\u0000b" "ios": 0@6`, `0-1000 1 "ios": 0@7 0@9`, `0-1000 "1" "ios": 0@8`,
		`0-1000 true "ios": 0@10`, `0-1000 "true" "ios": 0@11`, `0-1000 "a" "android": 0@14`)
}

func TestSourceAggregatesSeeTheEventAsItCame(t *testing.T) {
	var l log
	l.add(0, 0, 0)
	a := tumbling(1000*ms, 0, "device_type", "timestamp")
	_, windows := l.replay(Judge{}, a)
	check(t, windows, `0-1000 "ios" null: 0@0`)
	a.OfSource = true
	_, windows = l.replay(Judge{}, a)
	check(t, windows, fmt.Sprintf(`0-1000 "iOS" %d: 0@0`, base))
}

func TestLateEventsMissWhatWantsThemAlone(t *testing.T) {
	var l log
	l.add(0, 5000, 9000)
	l.add(0, 500, 9000, `"locale":"RU"`)
	dropping, picky, wide, added := tumbling(1000*ms, 0), tumbling(1000*ms, 0), tumbling(10000*ms, 0), tumbling(1000*ms, 0)
	dropping.Name, dropping.Drops = "dropping", true
	picky.Name, picky.Where = "picky", func(e Event) bool { return e["locale"] == "DE" }
	added.Name, added.Since = "added", Offsets{0: 2}
	replay, _ := l.replay(Judge{}, tumbling(1000*ms, 0), dropping, picky, wide, added)
	if got := replay.Missed["in-0@1"]; !slices.Equal(got.Must, []string{"a"}) || !slices.Equal(got.May, []string{"added"}) || replay.Late != 1 {
		t.Errorf("%+v", replay.Missed)
	}
}

func TestEventsOfOneTimeAreInTheOrderOfPartitionAndOffset(t *testing.T) {
	var l log
	for q := int32(2); q >= 0; q-- {
		l.add(q, 7, 7)
		l.add(q, 7, 7)
	}
	_, windows := l.replay(Judge{}, tumbling(1000*ms, 0))
	check(t, windows, "0-1000: 0@0 0@1 1@0 1@1 2@0 2@1")
}

// What the tests say of calm events has to hold for every seed: they are late for nothing.
func TestTrafficIsWhatTheChecksCountOn(t *testing.T) {
	for seed := range uint64(2) {
		now := time.UnixMilli(base)
		traffic := NewTraffic(seed, 6, func() time.Time { now = now.Add(2 * ms); return now })
		var records []*kgo.Record
		offsets := map[int32]int64{}
		for i := range 8000 {
			if i == 4000 {
				traffic.Spread(8)
			}
			r := traffic.Next()
			r.Topic, r.Offset = "in", offsets[r.Partition]
			offsets[r.Partition]++
			records = append(records, r)
		}
		slices.SortStableFunc(records, func(a, b *kgo.Record) int { return int(a.Partition - b.Partition) })
		judge := Judge{Refuse: RefusedByTraffic}
		replay := Replayed(records, judge, TrafficAggregates())
		changed := Replayed(records, judge, ChangedTrafficAggregates(nil))
		for key, total := range replay.totals {
			if other := changed.totals[key]; other == nil || len(other.events) != len(total.events) {
				t.Fatalf("seed %d: %s is not the same with the changed pipeline", seed, total.name())
			}
		}
		byStage := map[string]int{}
		for _, r := range records {
			byStage[judge.Of(r).Stage]++
		}
		late := map[string]int{}
		for _, m := range replay.Missed {
			for _, name := range m.Must {
				late[name]++
			}
		}
		if seed == 0 {
			t.Log(traffic.Kinds(), len(replay.totals), replay.Sessions, replay.Late, late, byStage)
		}
		if late["calm"] > 0 || late["by_device"] < 100 || late["all"] < 100 || replay.Late < 400 || replay.Sessions < 100 || byStage["aggregate"] == 0 || len(offsets) != 8 {
			t.Errorf("seed %d: %v late, %d sessions, %v", seed, late, replay.Sessions, slices.Sorted(maps.Keys(byStage)))
		}
	}
}
