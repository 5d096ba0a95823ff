package aggregate

import (
	"math"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
)

func with(change func(a *model.Aggregate)) *model.Aggregate {
	a := aggregateOf(measureOf("n", "count", ""))
	change(a)
	return a
}

// TestDefinitionKeepsItsID: with another one, all state would be forgotten at an update.
func TestDefinitionKeepsItsID(t *testing.T) {
	for want, a := range map[string]*model.Aggregate{
		"6faa2d9ef898d0a3": aggregateOf(measureOf("n", "count", "")),
		"73349e43e64ea5b4": with(func(a *model.Aggregate) {
			a.Window = model.Window{Kind: model.Hopping, Size: time.Minute, Every: time.Second}
		}),
		"cb0e09e78b80f103": with(func(a *model.Aggregate) {
			a.Window, a.OfSource = model.Window{Kind: model.Session, Gap: time.Minute}, true
		}),
	} {
		if got := NewDefinition("p", a).ID().String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for want, m := range map[uint32]MeasureSpec{0x5565ee6f: {Function: "count"}, 0x4809d7b1: {Function: "sum", Argument: "x"}, 0x92640b42: {Function: "percentile", Argument: "x", Parameter: 99.9}} {
		if got := m.id(); got != want {
			t.Errorf("%+v has the id %#x, want %#x", m, got, want)
		}
	}
}

func TestOnlyWhatMakesStateComparableChangesTheID(t *testing.T) {
	id := NewDefinition("p", aggregateOf(measureOf("n", "count", ""))).ID()
	for name, a := range map[string]*model.Aggregate{
		"measures": with(func(a *model.Aggregate) { a.Measures = append(a.Measures, measureOf("s", "sum", "x")) }),
		"grace":    with(func(a *model.Aggregate) { a.Window.Grace = time.Hour }), "emit": with(func(a *model.Aggregate) { a.Emit = model.EmitFinal }),
		"retention": with(func(a *model.Aggregate) { a.Retention = time.Second }), "detect": with(func(a *model.Aggregate) { a.Detect = &model.Detect{Measure: "n", Sigma: 3} }),
		"max_groups": with(func(a *model.Aggregate) { a.MaxGroups = 5 }), "late": with(func(a *model.Aggregate) { a.Late = model.PolicyDrop }),
	} {
		if NewDefinition("q", a).ID() != id {
			t.Errorf("%s: another id", name)
		}
	}
	for name, a := range map[string]*model.Aggregate{
		"name":     with(func(a *model.Aggregate) { a.Name = "other" }),
		"group_by": with(func(a *model.Aggregate) { a.GroupBy[0].Value.Text = "lower(g)" }), "its name": with(func(a *model.Aggregate) { a.GroupBy[0].Name = "h" }),
		"no group": with(func(a *model.Aggregate) { a.GroupBy = nil }), "of": with(func(a *model.Aggregate) { a.OfSource = true }),
		"size": with(func(a *model.Aggregate) { a.Window.Size = time.Hour }),
		"kind": with(func(a *model.Aggregate) {
			a.Window = model.Window{Kind: model.Hopping, Size: time.Minute, Every: time.Minute}
		}),
	} {
		if NewDefinition("p", a).ID() == id {
			t.Errorf("%s: the same id", name)
		}
	}
}

func TestDefinitionTravels(t *testing.T) {
	for _, a := range mixture() {
		d := NewDefinition("p", a)
		got, err := parseDefinition(d.record(nil)[2:])
		if err != nil || got.ID() != d.ID() || string(got.record(nil)) != string(d.record(nil)) || len(got.Functions()) != len(d.Functions()) {
			t.Errorf("%s: %v, %+v", a.Name, err, got)
		}
	}
}

func TestDefinitionThatDescribesNoWindowsIsRefused(t *testing.T) {
	good := string(NewDefinition("p", aggregateOf(measureOf("n", "count", ""))).record(nil)[2:])
	for old, now := range map[string]string{
		`"size_ms":60000`: `"size_ms":0`, `"every_ms":60000`: `"every_ms":1000`, `"kind":"tumbling"`: `"kind":"sliding"`, `"grace_ms":0`: `"grace_ms":-1`, `"max_groups":1073741824`: `"max_groups":0`,
		`"group_by":["g"]`: `"group_by":[]`, `"retention_ms":3600000`: `"retention_ms":9000000000000000000`, `{"pipeline"`: `{"pipeline`,
	} {
		text := strings.Replace(good, old, now, 1)
		if text == good {
			t.Errorf("%s is not there: %s", old, good)
		}
		if d, err := parseDefinition([]byte(text)); err == nil {
			t.Errorf("%s: %+v", now, d)
		}
	}
}

func TestLateIsSaidByTheWatermarkAlone(t *testing.T) {
	tumbling := NewDefinition("p", with(func(a *model.Aggregate) { a.Window.Grace = 10 * time.Second }))
	hopping := NewDefinition("p", with(func(a *model.Aggregate) {
		a.Window = model.Window{Kind: model.Hopping, Size: time.Minute, Every: 40 * time.Second, Grace: time.Second} // panes of 20 s
	}))
	session := NewDefinition("p", with(func(a *model.Aggregate) {
		a.Window = model.Window{Kind: model.Session, Gap: time.Minute, Grace: 5 * time.Second}
	}))
	for _, c := range []struct {
		d            *Definition
		t, watermark int64
		late         bool
	}{
		{tumbling, 59_999, 69_999, false}, {tumbling, 59_999, 70_000, true}, {tumbling, 60_000, 70_000, false}, {tumbling, -1, 9_999, false}, {tumbling, -1, 10_000, true}, {tumbling, math.MinInt32, NoWatermark, false},
		{hopping, 19_999, 20_999, false}, {hopping, 19_999, 21_000, true}, {hopping, 20_000, 21_000, false},
		{session, 1000, 6000, false}, {session, 1000, 6001, true}, {session, 1000, NoWatermark, false},
	} {
		if got := c.d.Late(c.t, c.watermark); got != c.late {
			t.Errorf("%s at %d against %d: late %v", c.d.Window.Kind, c.t, c.watermark, got)
		}
	}
}

// TestTwoNamesForTheSameShareAState: top(x, 3) is not counted twice for being named twice.
func TestTwoNamesForTheSameShareAState(t *testing.T) {
	r := newRig(t, aggregateOf(measureOf("a", "count", ""), measureOf("b", "count", ""), measureOf("c", "sum", "x")))
	if n := len(r.combiner.tables[0].measures); n != 2 {
		t.Errorf("%d states", n)
	}
	r.add(epoch, `"a"`, 5)
	out, _ := r.turn()
	if got := out.of(insightsTopic)[0].value; !strings.Contains(got, `"measures":{"a":1,"b":1,"c":5}`) {
		t.Error(got)
	}
}
