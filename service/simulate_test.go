package service

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
)

const windows = `name: p
source: {topic: in, event_time: at}
filter: kind != "dropped"
output: [{topic: out, when: kind != "c"}]
aggregates:
  - {name: sides, group_by: [kind], window: {tumbling: 10s, grace: 5s}, measures: {n: count()}, late: drop}
  - {name: steps, group_by: [kind], window: {hopping: {size: 15s, every: 10s}, grace: 2s}, measures: {n: count()}}
  - {name: visits, group_by: [kind], where: kind != "b", window: {session: 4s}, measures: {n: count()}, emit: final}
  - {name: total, window: {tumbling: 1m}, measures: {n: count()}}
`

// insightLines writes insights as text, a line each.
func insightLines(list []Insight) string {
	var b strings.Builder
	for _, i := range list {
		fmt.Fprintf(&b, "%s %d-%d", i.Aggregate, i.Start.UnixMilli(), i.End.UnixMilli())
		for _, m := range append(slices.Clone(i.Group), i.Measures...) {
			fmt.Fprintf(&b, " %s=%s", m.Name, m.Value)
		}
		if i.Sentence != "" {
			b.WriteString(" " + i.Sentence)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// counts is what the pipeline above has to come to, worked out by its definition, and how often an event was late.
func counts(messages []model.Message, times []int64, kinds []string) (string, int) {
	watermarks, late := map[int32]int64{}, 0
	counts, visits := map[string]int{}, map[string][]int64{}
	key := func(name string, start, end int64, kind string) string {
		return fmt.Sprintf("%s %013d-%013d%s", name, start, end, kind)
	}
	for i, t := range times {
		w, heard := watermarks[messages[i].Partition]
		if !heard {
			w = -1 << 60
		}
		watermarks[messages[i].Partition] = max(w, t)
		kind := " kind=\"" + kinds[i] + "\""
		if kinds[i] == "dropped" {
			continue
		}
		missed := false
		if start := t / 10_000 * 10_000; start+10_000+5_000 <= w {
			missed = true
		} else {
			counts[key("0sides", start, start+10_000, kind)]++
		}
		if t/5_000*5_000+5_000+2_000 <= w {
			missed = true
		} else {
			for start := t / 10_000 * 10_000; start > t-15_000; start -= 10_000 {
				counts[key("1steps", start, start+15_000, kind)]++
			}
		}
		if kinds[i] == "b" {
		} else if t+4_000 < w {
			missed = true
		} else {
			visits[kind] = append(visits[kind], t)
		}
		if start := t / 60_000 * 60_000; start+60_000 <= w {
			missed = true
		} else {
			counts[key("3total", start, start+60_000, "")]++
		}
		if missed {
			late++
		}
	}
	for kind, all := range visits {
		slices.Sort(all)
		for from := 0; from < len(all); {
			to := from + 1
			for to < len(all) && all[to]-all[to-1] <= 4_000 {
				to++
			}
			counts[key("2visits", all[from], all[to-1], kind)] = to - from
			from = to
		}
	}
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s n=%d\n", k[1:], counts[k])
	}
	return b.String(), late
}

// However the messages are cut, and whatever merges them, the insights are those of all events that were in time.
func TestASimulationCountsWhatIsInTime(t *testing.T) {
	p := processor(t, windows)
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		var messages []model.Message
		var times []int64
		var kinds []string
		start := testNow.Add(-time.Hour).UnixMilli()
		for offset := range int64(200) {
			at, kind := start+offset*int64(random.IntN(700))+int64(random.IntN(20_000)), []string{"a", "b", "c", "d\\\"e", "dropped"}[random.IntN(5)]
			messages = append(messages, model.Message{Topic: "in", Partition: int32(random.IntN(3)) * 7, Offset: offset, Timestamp: testNow.UnixMilli(), Value: fmt.Appendf(nil, `{"at":%d,"kind":"%s"}`, at, kind)})
			times, kinds = append(times, at), append(kinds, kind)
		}
		want, late := counts(messages, times, kinds)
		if late == 0 || strings.Count(want, "visits") < 5 {
			t.Fatalf("seed %d shows little: %d late\n%s", seed, late, want)
		}
		for _, count := range []int32{1, 4, 7} {
			s := newSimulation(p, nil, count)
			var result model.Result
			for rest := messages; len(rest) > 0; {
				n := 1 + random.IntN(len(rest))
				_, part := s.Process(rest[:n], testNow)
				result.Add(part)
				rest = rest[n:]
				if random.IntN(2) == 0 {
					s.merge()
				}
			}
			all, err := s.End()
			if err != nil {
				t.Fatal(err)
			}
			if got := insightLines(all.Final); got != want || result.Late != late || len(all.Letters) > 0 {
				t.Fatalf("seed %d: %d late, got\n%s%d late, want\n%s%v", seed, result.Late, got, late, want, all.Letters)
			}
		}
	}
}

func simulate(t *testing.T, file string, values ...string) (Insights, []Written, model.Result) {
	t.Helper()
	s := NewSimulation(processor(t, file), nil)
	var messages []model.Message
	for i, v := range values {
		messages = append(messages, model.Message{Topic: "in", Offset: int64(i), Timestamp: testNow.UnixMilli(), Value: []byte(v)})
	}
	records, result := s.Process(messages, testNow)
	all, err := s.End()
	if err != nil {
		t.Fatal(err)
	}
	return all, records, result
}

// minutes are events of a group, so many in each minute.
func minutes(kind string, counts ...int) (events []string) {
	start := testNow.Add(-24 * time.Hour).Truncate(time.Minute).UnixMilli()
	for minute, n := range counts {
		for i := range n {
			events = append(events, fmt.Sprintf(`{"at":%d,"kind":%q}`, start+int64(minute)*60_000+int64(i), kind))
		}
	}
	return events
}

const detecting = `name: p
source: {topic: in, event_time: at}
filter: kind != "dropped"
output: [{topic: out}]
aggregates:
  - {name: minutes, group_by: [kind], window: {tumbling: 1m}, measures: {n: count()}, detect: {measure: n, sigma: 4, min_windows: 3}}
  - {name: hours, window: {tumbling: 1h}, measures: {n: count()}}
`

func anomalies(list []Insight) (sentences []string) {
	for _, i := range list {
		if i.Kind == KindAnomaly {
			sentences = append(sentences, i.Sentence)
		}
	}
	return sentences
}

func TestTheEndOfTheInputIsNoSilence(t *testing.T) {
	all, _, _ := simulate(t, detecting, minutes("a", 1, 4, 4, 4, 4, 4, 40)...)
	if got := anomalies(all.Final); len(got) != 1 || !strings.HasPrefix(got[0], "n of a: 40 in 03:10-03:11, usually 4 ± 2 (18 sigma)") {
		t.Errorf("got %q", got)
	}
	if all, _, _ := simulate(t, detecting, minutes("a", 1, 20, 20, 20, 20)...); len(anomalies(all.Final)) > 0 {
		t.Errorf("got %q", anomalies(all.Final))
	}
	if first := all.Final[0]; first.Kind != KindWindow || string(first.Group[0].Value) != `"a"` || string(first.Measures[0].Value) != "1" || !first.Final {
		t.Errorf("got %+v", first)
	}
}

// Silence is found as far as the input reaches, in whatever way it does.
func TestSilenceIsFoundWhereTheInputGoesOn(t *testing.T) {
	a := minutes("a", 1, 20, 20, 20, 20)
	for _, other := range []string{"b", "dropped"} {
		all, _, _ := simulate(t, detecting, append(slices.Clone(a), minutes(other, 0, 0, 0, 0, 0, 0, 1)...)...)
		if got := anomalies(all.Final); len(got) != 1 || !strings.HasPrefix(got[0], "n of a: 0 in 03:09-03:10, usually 20 ± 4.5") {
			t.Errorf("%s: got %q", other, got)
		}
	}
}

func TestOpenInsightsAreThoseOfTheMomentWhenTheInputEnds(t *testing.T) {
	all, _, _ := simulate(t, strings.Replace(detecting, "{tumbling: 1h}", "{tumbling: 1h}, emit: final", 1), minutes("a", 2, 3)...)
	open := map[string]bool{}
	for _, i := range all.Open {
		open[fmt.Sprint(i.Aggregate, string(i.Measures[0].Value))] = i.Final
	}
	if want := map[string]bool{"minutes2": true, "minutes3": false}; !maps.Equal(open, want) || len(all.Final) != 3 {
		t.Errorf("open %v, final\n%s", open, insightLines(all.Final))
	}
}

func TestLateEventsHaveTheirDeadLetter(t *testing.T) {
	events := minutes("a", 1, 0, 1)
	_, records, result := simulate(t, detecting, events[1], events[0])
	letter := records[2]
	stage, _ := letter.Header(HeaderStage)
	late, _ := letter.Header(HeaderLateFor)
	if result.Late != 1 || result.Forwarded != 2 || len(records) != 3 || letter.Message != 1 || letter.Topic != "p-dead-letter" || stage != "late" || late != "minutes" {
		t.Errorf("%+v: %+v", result, records)
	}
}

func TestWithoutAggregatesThereAreNoInsights(t *testing.T) {
	all, records, _ := simulate(t, minimal, `{}`)
	if len(all.Final)+len(all.Open)+len(all.Letters) > 0 || len(records) != 1 {
		t.Errorf("%+v %+v", all, records)
	}
	if all, err := NewSimulation(processor(t, detecting), nil).End(); err != nil || len(all.Final) > 0 {
		t.Errorf("%+v %v", all, err)
	}
}

// max_groups is that of the whole aggregate, wherever groups lie in life.
func TestMaxGroupsIsExactInASimulation(t *testing.T) {
	file := strings.Replace(detecting, "detect: {measure: n, sigma: 4, min_windows: 3}", "max_groups: 2", 1)
	all, _, _ := simulate(t, file, append(append(append(minutes("a", 1), minutes("b", 2)...), minutes("c", 3)...), minutes("d", 4)...)...)
	got := insightLines(all.Final)
	if !strings.Contains(got, `kind="a" n=1`) || !strings.Contains(got, `kind="b" n=2`) || !strings.Contains(got, `kind="(other)" n=7`) {
		t.Errorf("got\n%s", got)
	}
}
