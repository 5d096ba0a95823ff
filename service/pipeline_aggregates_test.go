package service

import (
	"reflect"
	"testing"
	"time"

	"data-stream-engine/model"
)

func aggregatesOf(t *testing.T, src string, env map[string]string) []model.Aggregate {
	t.Helper()
	p, err := ParsePipeline("f", []byte(src), func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return p.Aggregates
}

func TestAnAggregateIsReadAsItIsWritten(t *testing.T) {
	list := aggregatesOf(t, `
name: p
source: {topic: in, max_future: 1h}
output: [{topic: out}]
aggregates:
  - name: orders
    of: source
    where: status == "paid"
    group_by:
      - country
      - shop.id
      - 'event["sales-person"]'
      - day: rfc3339(truncate_time(at, "24h"))
    window: {hopping: {size: 1d, every: 6h}, grace: 90s}
    measures:
      orders: count()
      slow: percentile( latency_ms , 99.5 )
      best: top(article, 10)
      paid: |
        sum(price *
          amount)
      labels: 'distinct(join(["a,b)", label], ","))'
      least: "min(price ?? \"9)\")"
    emit: final
    retention: 0s
    late: drop
    max_groups: ${GROUPS:-250}
    detect: {measure: orders, sigma: 3.5, above: "${MOST}", below: -1}
`, map[string]string{"MOST": "1e3"})
	a := list[0]
	if a.Name != "orders" || !a.OfSource || a.Where.Text != `status == "paid"` || a.Emit != model.EmitFinal || a.Retention != 0 || a.Late != model.PolicyDrop || a.MaxGroups != 250 || a.At != (model.Place{Line: 6, Column: 5}) {
		t.Errorf("got %+v", a)
	}
	if want := (model.Window{Kind: model.Hopping, Size: 24 * time.Hour, Every: 6 * time.Hour, Grace: 90 * time.Second}); a.Window != want {
		t.Errorf("got %+v", a.Window)
	}
	var groups, texts []string
	for _, g := range a.GroupBy {
		groups, texts = append(groups, g.Name), append(texts, g.Value.Text)
	}
	if !reflect.DeepEqual(groups, []string{"country", "shop.id", "sales-person", "day"}) || !reflect.DeepEqual(texts, []string{"country", "shop.id", `event["sales-person"]`, `rfc3339(truncate_time(at, "24h"))`}) {
		t.Errorf("got %q of %q", groups, texts)
	}
	for i, want := range []struct {
		name, text, function, argument string
		parameter                      float64
		at                             model.Place // of the argument
		wrapped                        bool
	}{
		{name: "orders", text: "count()", function: "count"},
		{"slow", "percentile( latency_ms , 99.5 )", "percentile", "latency_ms", 99.5, model.Place{Line: 17, Column: 25}, false},
		{"best", "top(article, 10)", "top", "article", 10, model.Place{Line: 18, Column: 17}, false},
		{"paid", "sum(price *\n  amount)", "sum", "    price *\n  amount", 0, model.Place{Line: 20, Column: 9}, false},
		{"labels", `distinct(join(["a,b)", label], ","))`, "distinct", `join(["a,b)", label], ",")`, 0, model.Place{Line: 22, Column: 25}, false},
		{"least", `min(price ?? "9)")`, "min", `    price ?? "9)"`, 0, model.Place{Line: 23, Column: 14}, true},
	} {
		m := a.Measures[i]
		if m.Name != want.name || m.Text != want.text || m.Function != want.function || m.Parameter != want.parameter {
			t.Errorf("got %+v", m)
		}
		if m.Argument != nil && (m.Argument.Text != want.argument || m.Argument.At != want.at || m.Argument.Wrapped != want.wrapped) || (m.Argument == nil) != (want.argument == "") {
			t.Errorf("%s is of %+v", m.Name, m.Argument)
		}
	}
	if d := a.Detect; d.Measure != "orders" || d.Sigma != 3.5 || d.MinWindows != 10 || *d.Above != 1000 || *d.Below != -1 {
		t.Errorf("got %+v", d)
	}
}

func TestAnAggregateHasDefaults(t *testing.T) {
	const head = "name: p\nsource: {topic: in}\noutput: [{topic: out}]\naggregates:\n  - name: a\n    measures: {n: count()}\n    window: "
	for window, want := range map[string]struct {
		model.Window
		retention time.Duration
	}{
		"{tumbling: 100ms}":                 {model.Window{Kind: model.Tumbling, Size: 100 * time.Millisecond}, 5 * time.Minute},
		"{tumbling: 1h}":                    {model.Window{Kind: model.Tumbling, Size: time.Hour}, time.Hour},
		"{hopping: {size: 10s, every: 3s}}": {model.Window{Kind: model.Hopping, Size: 10 * time.Second, Every: 3 * time.Second}, 5 * time.Minute},
		"{session: 15m}":                    {model.Window{Kind: model.Session, Gap: 15 * time.Minute, Grace: 15 * time.Minute}, 15 * time.Minute},
		"{session: 15m, grace: 0s}":         {model.Window{Kind: model.Session, Gap: 15 * time.Minute}, 15 * time.Minute},
		"{session: 30d}":                    {model.Window{Kind: model.Session, Gap: 30 * day, Grace: 7 * day}, 7 * day},
		"{tumbling: 366d}":                  {model.Window{Kind: model.Tumbling, Size: 366 * day}, 7 * day},
	} {
		a := aggregatesOf(t, head+window+"\n", nil)[0]
		if a.Window != want.Window || a.Retention != want.retention {
			t.Errorf("%s: got %+v, retention %s", window, a.Window, a.Retention)
		}
		if a.OfSource || a.Where != nil || a.GroupBy != nil || a.Emit != model.EmitUpdates || a.Late != model.PolicyDeadLetter || a.MaxGroups != 100_000 || a.Detect != nil {
			t.Errorf("got %+v", a)
		}
	}
	p, err := ParsePipeline("f", []byte(head+"{tumbling: 1m}\n"), unset)
	if err != nil || p.Source.MaxFuture != 10*time.Minute {
		t.Errorf("got %v, %v", p, err)
	}
	p, err = ParsePipeline("f", []byte("name: p\nsource: {topic: in, max_future: 1d}\noutput: [{topic: out}]\naggregates: [{name: a, measures: {n: count()}, window: {tumbling: 1s}}]\n"), unset)
	if err != nil || p.Source.MaxFuture != day {
		t.Errorf("got %v, %v", p, err)
	}
}

// A variable may decide whether a condition reads anything: it is a switch then.
func TestAVariableMaySwitchAnAggregate(t *testing.T) {
	list := aggregatesOf(t, "name: p\nsource: {topic: in}\noutput: [{topic: out}]\naggregates:\n  - {name: a, where: \"${ON:-true}\", measures: {n: \"sum(${WEIGHT:-1})\"}, window: {tumbling: 1m}}\n", nil)
	if a := list[0]; a.Where.Text != "true" || a.Measures[0].Argument.Text != "    1" {
		t.Errorf("got %+v", a)
	}
}

func TestADescriptionHasTheAggregates(t *testing.T) {
	_, d, err := DescribePipeline("f", []byte(`
name: p
source: {topic: in}
transform:
  set: {id: hash(id), level: upper(level)}
  rename: {shop: store}
output: [{topic: out}]
aggregates:
  - name: a
    where: level == "A"
    group_by: [store, {to: lower(b)}]
    window: {session: 90s}
    measures: {n: count(), ids: distinct(id)}
    detect: {measure: n, above: 5}
  - name: b
    of: source
    window: {hopping: {size: 1h, every: 1m}}
    measures: {ids: distinct(hash(level + x))}
`), unset)
	if err != nil {
		t.Fatal(err)
	}
	above := 5.0
	want := []AggregateDescription{
		{Name: "a", Of: "event", Where: `level == "A"`, GroupBy: []GroupDescription{{"store", "store"}, {"to", "lower(b)"}}, Window: WindowDescription{Kind: model.Session, Gap: "1m30s", Grace: "1m30s"},
			Measures: []MeasureDescription{{"n", "count()"}, {"ids", "distinct(id)"}}, Emit: "updates", Retention: "5m", Late: "dead_letter", MaxGroups: 100_000, Detect: &DetectDescription{Measure: "n", Above: &above}},
		{Name: "b", Of: "source", Window: WindowDescription{Kind: model.Hopping, Size: "1h", Every: "1m", Grace: "0s"},
			Measures: []MeasureDescription{{"ids", "distinct(hash(level + x))"}}, Emit: "updates", Retention: "1h", Late: "dead_letter", MaxGroups: 100_000},
	}
	if !reflect.DeepEqual(d.Aggregates, want) {
		t.Errorf("got %+v", d.Aggregates)
	}
	if want := []string{"b", "id", "level", "shop", "x"}; !reflect.DeepEqual(d.Fields, want) {
		t.Errorf("reads %q", d.Fields)
	}
	if want := []string{"set id", "ids of b"}; !reflect.DeepEqual(d.HashKeyFor, want) {
		t.Errorf("HASH_KEY for %q", d.HashKeyFor)
	}
	if want := []model.Stage{"decode", "transform", "aggregate", "route"}; !reflect.DeepEqual(d.Stages, want) {
		t.Errorf("stages %q", d.Stages)
	}
}
