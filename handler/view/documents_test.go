package view

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
)

func TestPartitionsOfTheGroup(t *testing.T) {
	r := newRig(t)
	r.observed.Source[1].IdleSince, r.observed.Source[1].Watermark = began, model.NoWatermark
	r.behindBy(7)
	r.instances = r.instances[:1]
	r.pass(3, 100)
	parts := r.Partitions()
	if len(parts.Source) != 6 || len(parts.State) != 6 {
		t.Fatalf("%d and %d partitions", len(parts.Source), len(parts.State))
	}
	if p := parts.Source[0]; *p.Owner != "engine-1" || p.State != stateActive || *p.Lag != 7 || *p.End != 1007 || *p.Position != 1000 || !p.Watermark.Equal(began) {
		t.Errorf("%+v", p)
	}
	if p := parts.Source[1]; p.State != stateIdle || !p.IdleSince.Equal(began) || p.Watermark != nil {
		t.Errorf("%+v", p)
	}
	if p := parts.Source[2]; *p.Owner != "engine-2" || *p.Position != 1000 {
		t.Errorf("%+v", p)
	}
	if p := parts.Source[4]; p.Owner != nil || p.State != stateUnassigned || p.Position != nil || p.Lag != nil || p.End != nil {
		t.Errorf("%+v", p)
	}
	if p := parts.State[1]; *p.Owner != "engine-1" || p.WindowsOpen != 5 || p.Groups != 7 || p.Restored != 1 {
		t.Errorf("%+v", p)
	}
	if p := parts.State[5]; p.Owner != nil || p.Watermark != nil {
		t.Errorf("%+v", p)
	}
	if lag := r.Rates().Lag; *lag != 7 {
		t.Errorf("lag %d", *lag)
	}
	var raw map[string][]map[string]any
	text, _ := json.Marshal(parts)
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	if p := raw["source"][4]; p["owner"] != nil || p["position"] != nil || p["state"] != "unassigned" {
		t.Errorf("unknown is not null: %v", p)
	}
}

// A partition that changes hands is the new owner's as soon as one of the two says so.
func TestPartitionThatChangesHands(t *testing.T) {
	r := newRig(t)
	r.pass(3, 100)
	r.observed.Phase = handler.StateStarting // joining again
	r.pass(1, 0)
	if p := r.Partitions().Source[0]; *p.Owner != "engine-1" {
		t.Errorf("%+v", p)
	}
	r.instances[0].Partitions = append(r.instances[0].Partitions, model.PartitionStatus{Partition: 0, State: stateActive, Position: 1200})
	r.pass(1, 0)
	if p := r.Partitions().Source[0]; *p.Owner != "engine-2" || *p.Position != 1200 {
		t.Errorf("%+v", p)
	}
	if p := r.Partitions().Source[1]; p.Owner != nil && r.now.Sub(began.Add(time.Hour)) > 10*time.Second {
		t.Errorf("%+v", p)
	}
}

// Without the control topic this instance shows itself, and nothing is said of what it cannot know.
func TestWithoutAGroup(t *testing.T) {
	r := newRig(t)
	r.src.Group, r.src.Recorder = nil, nil
	r.pass(30, 100)
	s := r.Status()
	if s.Level != model.LevelOK || s.Replicas != 1 || len(r.Partitions().Source) != 2 || s.Storage != nil || s.Control != nil {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsToldTheGroupIsBounded(t *testing.T) {
	r := newRig(t)
	r.observed.Source = nil
	for p := range int32(1000) {
		r.observed.Source = append(r.observed.Source, handler.SourceState{Partition: p, Position: 123_456_789_012, End: 123_456_999_012, Watermark: began.UnixMilli() + 123, IdleSince: began})
	}
	r.observed.Merging = nil
	for p := range int32(16) {
		r.observed.Merging = append(r.observed.Merging, handler.MergeState{Partition: p, Watermark: began.UnixMilli() + 123, Open: 100_000, Groups: 1_000_000, Restored: 0.123456})
	}
	for i := range 200 {
		r.observed.Latency = append(r.observed.Latency, model.Latency{Seconds: model.Seconds(float64(i) * 1.2345), Events: 12345.67})
	}
	r.pass(3, 12_345)
	for i := range r.observed.Source {
		r.observed.Source[i].Events += 41_234
	}
	r.pass(1, 12_345)
	text, err := json.Marshal(r.Own())
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 200_000 {
		t.Errorf("%d bytes for 1,000 partitions", len(text))
	}
	t.Logf("%d bytes for 1,000 partitions", len(text))
}

func TestOwnIsWhatTheOthersShow(t *testing.T) {
	r := newRig(t)
	r.behindBy(5)
	r.observed.Latency = []model.Latency{{Seconds: 0.1, Events: 3}}
	r.observed.Report = handler.Report{Waiting: []handler.Condition{{Name: "broker", Reason: "gone"}}}
	r.pass(5, 300)
	own := r.Own()
	if own.Instance != "engine-1" || own.State != handler.StateReading || own.Rates.In != 300 || *own.Rates.Lag != 5 || *own.Rates.P50 != 0.1 || len(own.Partitions) != 2 || len(own.Merging) != 2 || own.Ready || !slices.Equal(own.Waiting, []string{"broker"}) || own.LastCommit == nil || own.Inexact {
		t.Errorf("%+v", own)
	}
	r.observed.Restore.Partitions = 1
	if s := r.Own().State; s != handler.StateRestoring {
		t.Errorf("%s: others hear of it at once", s)
	}
	r.away(true)
	if s := r.Own().State; s != handler.StateAway {
		t.Errorf("%s", s)
	}
	r.observed.Phase = handler.StateStopping
	if s := r.Own().State; s != handler.StateStopping {
		t.Errorf("%s", s)
	}
}

func TestThePipelineAndItsLines(t *testing.T) {
	r := newRig(t)
	p := r.Pipeline()
	lines := strings.Split(p.Text, "\n")
	for id, want := range map[string][2]string{ // the first line and the last one
		"source":                      {"source:", "  event_time: timestamp"},
		"filter":                      {"filter: ", "filter: "},
		"transform":                   {"transform:", "  remove: [timestamp]"},
		"output:user-login-processed": {"  - topic: ", "    key: user_id"},
		"aggregate:logins_by_device":  {"  - name: logins_by_device", "    detect: "},
	} {
		i := slices.IndexFunc(p.Stages, func(s Stage) bool { return s.ID == id })
		if i < 0 || p.Stages[i].Lines == nil {
			t.Errorf("no %s in %+v", id, p.Stages)
			continue
		}
		at := *p.Stages[i].Lines
		if first, last := lines[at[0]-1], lines[at[1]-1]; !strings.HasPrefix(first, want[0]) || !strings.HasPrefix(last, want[1]) {
			t.Errorf("%s: lines %v\n%s\n%s", id, at, first, last)
		}
	}
	if *p.Partitions != 6 || p.Source != "user-login" || p.Name != "user-login" {
		t.Errorf("%+v", p)
	}
	a := p.Aggregates[0]
	if a.Window.Size != 60 || a.Window.Every != 60 || a.Window.Grace != 30 || a.Window.Text != "{tumbling: 1m, grace: 30s}" || a.Of != "event" || *a.Detect != "{measure: logins, sigma: 4, min_windows: 10}" || !slices.Equal(a.GroupBy, []string{"device_type", "locale"}) {
		t.Errorf("%+v", a)
	}
	if m := a.Measures; m[0].Kind != "number" || m[0].About != nil || *m[1].About != "± 1.6 %" || m[2].Kind != "top" || m[2].Expression != "top(app_version, 3)" {
		t.Errorf("%+v", m)
	}
}

func TestStagesThatTheFileDoesNotHave(t *testing.T) {
	r := newRig(t)
	r.parse("name: p\nsource: {topic: in}\noutput: [{topic: a, when: x}, {topic: b}, {topic: a, when: y}]\naggregates:\n- {name: s, of: source, where: x > 1, window: {session: 15m}, measures: {l: last(rfc3339(t)), m: last(y), p: 'percentile(z, 95)'}}\n- {name: h, window: {hopping: {size: 5m, every: 1m}}, measures: {n: count()}, detect: {measure: n, above: 20, below: 0.5}}\n")
	p := r.Pipeline()
	var ids []string
	for _, s := range p.Stages {
		ids = append(ids, fmt.Sprint(s.ID, " ", s.Title, " ", s.Lines != nil))
	}
	want := []string{"source in true", "filter every event passes false", "transform events go as they came false", "output:a a true", "output:b b true", "aggregate:s s true", "aggregate:h h true"}
	if !slices.Equal(ids, want) {
		t.Errorf("%q", ids)
	}
	s, h := p.Aggregates[0], p.Aggregates[1]
	if s.Window.Gap != 900 || s.Window.Size != 0 || s.Window.Text != "{session: 15m, grace: 15m}" || s.Of != "source" || *s.Where != "x > 1" || s.Measures[0].Kind != "time" || s.Measures[1].Kind != "text" || *s.Measures[2].About != "± 1 %" {
		t.Errorf("%+v", s)
	}
	if h.Window.Size != 300 || h.Window.Every != 60 || h.Window.Text != "{hopping: {size: 5m, every: 1m}, grace: 0s}" || *h.Detect != "{measure: n, above: 20, below: 0.5}" || len(h.GroupBy) != 0 {
		t.Errorf("%+v", h)
	}
}

// Everybody may ask for everything at any time.
func TestAViewForManyReaders(t *testing.T) {
	r := newRig(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				for _, d := range []any{r.Status(), r.Pipeline(), r.Rates(), r.Partitions(), r.Own()} {
					if _, err := json.Marshal(d); err != nil {
						t.Error(err)
					}
				}
				r.History()
			}
		})
	}
	for n := range 50 {
		r.Look(began.Add(time.Duration(n) * time.Second))
	}
	all.Wait()
}

// What a tick costs a group of ten instances with 1,000 partitions.
func BenchmarkLook(b *testing.B) {
	r := newRig(&testing.T{})
	r.observed.Source = sources(0, 100)
	r.instances, r.counts = nil, map[string]int32{"user-login": 1000, "user-login-partials": 16}
	_ = r.countOnce(b.Context())
	for i := range int32(9) {
		o := other(fmt.Sprint("engine-", i+2), 100*(i+1), 100*(i+2))
		o.Merging = nil
		r.instances = append(r.instances, o)
	}
	b.ReportAllocs()
	now := began
	for b.Loop() {
		now = now.Add(time.Second)
		r.Look(now)
	}
}
