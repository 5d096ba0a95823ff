package harness

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// hearing is a small run of two aggregates, and an engine that got everything right.
type hearing struct {
	log
	Trial
	aggregates []Aggregate
	offset     int64
}

// session and window are those of user "u" and locale "RU".
func newHearing() *hearing {
	h := &hearing{aggregates: []Aggregate{
		{Name: "windows", GroupBy: []string{"locale", "device_type"}, Window: Window{Size: time.Second, Grace: time.Second},
			Measures: []Measure{{Name: "n", Function: "count"}, {Name: "spent", Function: "sum", Of: "price"}}},
		{Name: "visits", GroupBy: []string{"locale"}, Window: Window{Gap: 1500 * ms, Grace: time.Second}, Measures: []Measure{{Name: "n", Function: "count"}}},
	}}
	for q := range int32(2) {
		for i := range int64(6) {
			h.add(q, i*700, i*700, fmt.Sprintf(`"locale":%s,"price":%d.25`, []string{`"RU"`, `null`}[i%2], i))
		}
		h.add(q, 60000, 60000, `"device_type":"web"`)
	}
	return h
}

// write appends an insight, as an engine would.
func (h *hearing) write(t *total, final bool, revision int, edit ...string) *kgo.Record {
	group := map[string]any{}
	for i, field := range t.GroupBy {
		group[field] = t.group[i]
	}
	measures := map[string]any{"n": len(t.events)}
	if t.Window.Gap == 0 {
		measures["spent"] = json.Number(decimal(sum(values(t, "price"))))
	}
	form := func(at int64) string { return time.UnixMilli(at).UTC().Format(time.RFC3339Nano) }
	text, err := json.Marshal(map[string]any{
		"pipeline": "user-login", "aggregate": t.Name, "kind": t.Window.kind(), "window": map[string]string{"start": form(t.start), "end": form(t.end)},
		"group": group, "measures": measures, "final": final, "revision": revision, "updated_at": time.Now().UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		panic(err)
	}
	key, err := json.Marshal(append([]any{t.Name, "d-" + t.Name, form(t.start), form(t.end)}, t.group...))
	if err != nil {
		panic(err)
	}
	r := &kgo.Record{Topic: "insights", Key: key, Value: text, Offset: h.offset}
	for i := 0; i < len(edit); i += 2 {
		was := string(r.Key) + string(r.Value)
		r.Key = []byte(strings.ReplaceAll(string(r.Key), edit[i], edit[i+1]))
		r.Value = []byte(strings.ReplaceAll(string(r.Value), edit[i], edit[i+1]))
		if string(r.Key)+string(r.Value) == was {
			panic("the test edits nothing: " + was)
		}
	}
	h.offset++
	h.Insights = append(h.Insights, r)
	return r
}

func values(t *total, field string) (list []any) {
	for _, e := range t.events {
		list = append(list, e.event[field])
	}
	return list
}

func (h *hearing) tombstone(r *kgo.Record) {
	h.Insights = append(h.Insights, &kgo.Record{Topic: "insights", Key: r.Key, Offset: h.offset})
	h.offset++
}

// totals are the windows in order: first those of sessions.
func (h *hearing) totals() []*total {
	h.Replay, _ = h.replay(Judge{}, h.aggregates...)
	var list []*total
	for _, t := range h.Replay.totals {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *total) int { return strings.Compare(a.key(), b.key()) })
	return list
}

func (h *hearing) perfect() {
	for _, t := range h.totals() {
		h.write(t, false, 1, `"n":`, `"n":1`) // what was known then
		h.write(t, true, 2)
	}
}

func TestTrialOfAPerfectRun(t *testing.T) {
	h := newHearing()
	h.perfect()
	v := Try(h.Trial)
	if err := v.Err(); err != nil || v.Windows != 6 || v.Sessions != 2 || v.Right != 8 || v.Records != 16 || v.Pending() {
		t.Fatalf("%s: %v", v, err)
	}
}

// Each of these faults is put into a perfect run, and must be found, alone and under its name.
func TestTrialFinds(t *testing.T) {
	for _, c := range []struct {
		fault string
		put   func(h *hearing, session, window *total)
		want  string
	}{
		{"a missing window", func(h *hearing, _, _ *total) { h.Insights = h.Insights[:len(h.Insights)-2] }, "1 missing"},
		{"a tombstone", func(h *hearing, _, window *total) { h.tombstone(h.write(window, true, 3)) }, "1 missing, 0 not final, 0 wrong, 0 extra, 1 finals that changed"},
		{"a window that stays open", func(h *hearing, _, _ *total) { h.Insights = h.Insights[:len(h.Insights)-1] }, "1 not final"},
		{"a final that opens again", func(h *hearing, _, window *total) { h.write(window, false, 3) }, "1 not final, 0 wrong, 0 extra, 0 finals that changed, 1 odd"},
		{"a wrong count", func(h *hearing, _, _ *total) { edit(last(h), `"n":`, `"n":1`) }, "1 wrong"},
		{"a wrong sum", func(h *hearing, _, _ *total) { edit(last(h), `"spent":`, `"spent":1`) }, "1 wrong"},
		{"a measure too many", func(h *hearing, _, _ *total) { edit(last(h), `"n":`, `"m":1,"n":`) }, "1 wrong"},
		{"a measure that is missing", func(h *hearing, _, _ *total) { edit(last(h), `"n":`, `"m":`) }, "1 wrong"},
		{"a window that must not be", func(h *hearing, _, window *total) { h.write(window, true, 1, `null`, `"XX"`) }, "1 extra"},
		{"a window of another time", func(h *hearing, _, window *total) { h.write(window, true, 1, `T22:14`, `T22:15`) }, "1 extra"},
		{"a part of a session", func(h *hearing, session, _ *total) {
			part := *session
			part.events, part.end = part.events[:1], sessionEnd(part.events[0].at)
			h.write(&part, false, 1)
		}, "1 extra"},
		{"a final that changed", func(h *hearing, _, window *total) { h.write(window, true, 3, `"n":`, `"n":1`) }, "1 wrong, 0 extra, 1 finals that changed"},
		{"a session that grew after it was final", func(h *hearing, session, _ *total) {
			part := *session
			part.events, part.end = part.events[:1], sessionEnd(part.events[0].at)
			h.tombstone(h.write(&part, true, 1))
		}, "1 finals that changed"},
		{"a revision that does not count up", func(h *hearing, _, window *total) { h.write(window, true, 2) }, "1 odd"},
		{"another definition", func(h *hearing, _, window *total) { h.write(window, true, 3, "d-windows", "e-windows") }, "1 odd"},
		{"another partition", func(h *hearing, _, window *total) { h.write(window, true, 3).Partition = 1 }, "1 odd"},
		{"an unknown aggregate", func(h *hearing, _, window *total) { h.write(window, true, 3, `windows`, `doors`) }, "1 odd"},
		{"another kind", func(h *hearing, _, window *total) { h.write(window, true, 3, `"kind":"window"`, `"kind":"session"`) }, "1 odd"},
		{"an unknown kind", func(h *hearing, _, window *total) { h.write(window, true, 3, `"kind":"window"`, `"kind":"door"`) }, "1 odd"},
		{"a value of another group than its key", func(h *hearing, _, window *total) { h.write(window, true, 3, `"locale":null`, `"locale":""`) }, "1 odd"},
		{"a value of another time than its key", func(h *hearing, _, window *total) { h.write(window, true, 3, `"start":"2023`, `"start":"2022`) }, "1 odd"},
		{"a value without final", func(h *hearing, _, window *total) { h.write(window, true, 3, `"final":true,`, ``) }, "1 odd"},
		{"an overflow", func(h *hearing, _, window *total) {
			h.write(window, true, 3, `"final":true,`, `"final":true,"overflow":true,`)
		}, "1 odd"},
		{"a key that is no JSON", func(h *hearing, _, window *total) { h.write(window, true, 3).Key = []byte("x") }, "1 odd"},
		{"a time that is not UTC", func(h *hearing, _, window *total) { h.write(window, true, 3, `Z"`, `+00:00"`) }, "1 odd"},
		{"nothing when a late event was not counted", func(h *hearing, _, _ *total) { h.add(0, 0, 60000, `"price":1`) }, ""},
	} {
		t.Run(c.fault, func(t *testing.T) {
			h := newHearing()
			h.perfect()
			totals := h.totals()
			// The session of RU holds several events; the window is the last one of null.
			session := totals[slices.IndexFunc(totals, func(t *total) bool { return t.Name == "visits" })]
			window := totals[len(totals)-1]
			c.put(h, session, window)
			h.totals()
			v := Try(h.Trial)
			if err := v.Err(); c.want != "" && (err == nil || !strings.Contains(v.String(), c.want)) || c.want == "" && err != nil {
				t.Fatalf("want %s: %s: %v", c.want, v, err)
			}
			if n := faults(v); c.want != "" && n != len(strings.Split(c.want, "1 "))-1 {
				t.Fatalf("%d kinds of faults were found: %v", n, v.Err())
			}
		})
	}
}

func faults(v *Verdict) (sum int) {
	for _, kind := range v.kinds() {
		sum += kind.Count
	}
	return sum
}

func edit(r *kgo.Record, old, to string) {
	r.Value = []byte(strings.Replace(string(r.Value), old, to, 1))
}

func last(h *hearing) *kgo.Record { return h.Insights[len(h.Insights)-1] }

func TestTrialCountsAnomaliesApart(t *testing.T) {
	h := newHearing()
	h.perfect()
	last := last(h)
	h.Insights = append(h.Insights, &kgo.Record{Key: []byte(strings.TrimSuffix(string(last.Key), "]") + `,"anomaly"]`), Value: []byte(`{"kind":"anomaly"}`)})
	if v := Try(h.Trial); v.Err() != nil || v.Anomalies != 1 {
		t.Fatalf("%s: %v", v, v.Err())
	}
}

func TestFinalsMayChangeForPartitionsThatAreNew(t *testing.T) {
	h := newHearing()
	h.add(7, 100, 100, `"locale":"new"`)
	h.perfect()
	totals := h.totals()
	of := func(locale, name string) *total {
		return totals[slices.IndexFunc(totals, func(t *total) bool { return t.Name == name && t.group[0] == locale })]
	}
	h.Young = []int32{7}
	h.write(of("new", "windows"), true, 3, `"n":`, `"n":1`)
	h.write(of("new", "windows"), true, 4)
	h.write(of("new", "windows"), true, 5)
	if v := Try(h.Trial); v.Err() != nil || v.Revised != 2 || v.Repeated != 1 {
		t.Fatalf("%s: %v", v, v.Err())
	}
	h.write(of("RU", "windows"), true, 3, `"n":`, `"n":1`)
	h.write(of("RU", "windows"), true, 4)
	if v := Try(h.Trial); v.Changed.Count != 2 {
		t.Fatalf("%s: %v", v, v.Err())
	}
}

func TestWindowsThatNotEverybodyCountedAreUnsure(t *testing.T) {
	h := newHearing()
	h.perfect()
	// From offset 3 on, at 2100 ms: the windows of 0 and 1 s are unsure, and that of 2 s is not.
	h.aggregates[0].Since = Offsets{0: 3, 1: 3}
	h.totals()
	sure := h.Insights
	h.Insights = slices.DeleteFunc(slices.Clone(sure), func(r *kgo.Record) bool {
		return strings.Contains(string(r.Key), "T22:14:00Z") && strings.Contains(string(r.Key), "windows")
	})
	if v := Try(h.Trial); v.Err() != nil || v.Unsure == 0 || v.Right >= 8 {
		t.Fatalf("%s: %v", v, v.Err())
	}
	h.Insights = slices.DeleteFunc(slices.Clone(sure), func(r *kgo.Record) bool {
		return strings.Contains(string(r.Key), "T22:14:03Z") && strings.Contains(string(r.Key), "windows")
	})
	if v := Try(h.Trial); v.Missing.Count == 0 {
		t.Fatalf("%s", v)
	}
	h.aggregates[0].Since = nil
	h.aggregates[0].Measures[1].Since = Offsets{0: 99, 1: 99}
	h.totals()
	h.Insights = nil
	for _, r := range sure {
		r.Value = []byte(strings.Replace(string(r.Value), `"spent":`, `"spent":7`, 1))
		h.Insights = append(h.Insights, r)
	}
	if v := Try(h.Trial); v.Err() != nil {
		t.Fatalf("%s: %v", v, v.Err())
	}
}
