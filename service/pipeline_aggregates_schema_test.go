package service

import (
	"regexp"
	"strings"
	"testing"

	"data-stream-engine/service/measure"
)

// plainAggregate is the least that an aggregate may be, one key a line.
const plainAggregate = "aggregates:\n  - name: a\n    window: {tumbling: 1m}\n    measures: {n: count(), m: sum(x), o: 'top(x, 3)'}\n"

// aggregateWith is a pipeline whose aggregate has a key in addition or instead.
func aggregateWith(key, value string) string {
	line, text := regexp.MustCompile("(?m)^(  -|   ) "+key+": .*$"), plainAggregate
	if line.MatchString(text) {
		return minimal + line.ReplaceAllString(text, "${1} "+strings.ReplaceAll(key+": "+value, "$", "$$"))
	}
	return minimal + text + "    " + key + ": " + value + "\n"
}

func TestTheSchemaAcceptsAggregatesThatAreRight(t *testing.T) {
	s := pipelineSchema(t)
	right := []string{
		minimal + plainAggregate, strings.Replace(minimal, "{topic: in}", "{topic: in, max_future: 1h}", 1) + plainAggregate,
		aggregateWith("name", "a.b_c-1"), aggregateWith("of", "source"), aggregateWith("of", "event"), aggregateWith("of", "${OF:-event}"),
		aggregateWith("where", "x == 1"), aggregateWith("group_by", "[größe, a.b, 'event[\"x-y\"]', {a b: lower(x)}, {n: 5}]"), aggregateWith("group_by", "[\"${X:-a}\"]"),
		aggregateWith("window", "{hopping: {size: 5m, every: 5m}, grace: 7d}"), aggregateWith("window", "{session: 15m, grace: 0s}"), aggregateWith("window", "{tumbling: \"${W:-1d12h}\"}"),
		aggregateWith("measures", "{n: 'count( )', m: 'sum(\"a,b)\" == x ? 1 : 2)', '5.a': 'percentile(x, 99.9)', top: 'top(x, 3)', v: '${F:-avg(x)}'}"),
		aggregateWith("emit", "final"), aggregateWith("emit", "updates"), aggregateWith("retention", "0s"), aggregateWith("retention", "1h30m500ms"), aggregateWith("late", "drop"), aggregateWith("late", "dead_letter"),
		aggregateWith("max_groups", "1"), aggregateWith("max_groups", "100000000"), aggregateWith("max_groups", "${N:-5}"),
		aggregateWith("detect", "{measure: n, sigma: 0.5, min_windows: 1, above: -1.5, below: -2}"), aggregateWith("detect", "{measure: n, below: 1}"), aggregateWith("detect", "{measure: m, sigma: \"${S:-3}\"}"),
		aggregateWith("window", "{session: 15m}") + "    detect: {measure: n, above: 5}\n",
	}
	for _, p := range right {
		if _, err := ParsePipeline("f", []byte(p), unset); err != nil {
			t.Errorf("%v\nin\n%s", err, p)
		}
		if wrong := schemaProblems(t, s, p); len(wrong) > 0 {
			t.Errorf("%s\nin\n%s", strings.Join(wrong, "\n"), p)
		}
	}
}

func TestTheSchemaRefusesAggregatesThatTheParserRefusesByStructure(t *testing.T) {
	s := pipelineSchema(t)
	long := strings.Repeat("a", 101)
	wrong := []string{
		minimal + "aggregates: {}\n", minimal + "aggregates: [a]\n", minimal + "aggregates: [{}]\n", strings.Replace(minimal, "{topic: in}", "{topic: in, max_future: 1h}", 1),
		minimal + strings.Replace(plainAggregate, "name: a", "of: event", 1), minimal + strings.Replace(plainAggregate, "window: {tumbling: 1m}", "of: event", 1), minimal + strings.Replace(plainAggregate, "measures", "emit", 1),
		aggregateWith("name", "a b"), aggregateWith("name", "5"), aggregateWith("name", long), aggregateWith("of", "sources"), aggregateWith("of", "[event]"), aggregateWith("where", "[x]"), aggregateWith("where", ""),
		aggregateWith("group_by", "a"), aggregateWith("group_by", "[]"), aggregateWith("group_by", "[5]"), aggregateWith("group_by", "[[a]]"), aggregateWith("group_by", "[{a: b, c: d}]"), aggregateWith("group_by", "[{}]"), aggregateWith("group_by", "[{a: [b]}]"),
		aggregateWith("group_by", "[a-b]"), aggregateWith("group_by", "['lower(a)']"), aggregateWith("group_by", "[a b]"), aggregateWith("group_by", "[a..b]"), aggregateWith("group_by", "[{\"\": b}]"), aggregateWith("group_by", "["+long+"]"), aggregateWith("group_by", "[{"+long+": a}]"),
		aggregateWith("group_by", "[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]"), aggregateWith("group_by", "{day: a}"),
		aggregateWith("window", "1m"), aggregateWith("window", "{}"), aggregateWith("window", "{grace: 1m}"), aggregateWith("window", "{tumbling: 1m, session: 1m}"), aggregateWith("window", "{tumbling: 60}"), aggregateWith("window", "{tumbling: 1w}"), aggregateWith("window", "{tumbling: -1m}"),
		aggregateWith("window", "{tumbling: {size: 1m}}"), aggregateWith("window", "{hopping: 5m}"), aggregateWith("window", "{hopping: {size: 5m}}"), aggregateWith("window", "{hopping: {every: 5m}}"), aggregateWith("window", "{hopping: {size: 5m, every: 1m, by: 2}}"), aggregateWith("window", "{sliding: 5m}"), aggregateWith("window", "{tumbling: 1m, grace: 5}"),
		aggregateWith("measures", "{}"), aggregateWith("measures", "[count()]"), aggregateWith("measures", "{n: count}"), aggregateWith("measures", "{n: 5}"), aggregateWith("measures", "{n: counts()}"), aggregateWith("measures", "{n: count(x)}"), aggregateWith("measures", "{n: sum()}"), aggregateWith("measures", "{n: sum( )}"),
		aggregateWith("measures", "{a b: count()}"), aggregateWith("measures", "{"+long+": count()}"), aggregateWith("measures", "{n: [count()]}"), aggregateWith("measures", "{n: null}"), aggregateWith("measures", "{n: count() / 2}"), aggregateWith("measures", "{n: sum(x}"), aggregateWith("measures", "{"+manyMeasures(65)+"}"),
		aggregateWith("emit", "update"), aggregateWith("emit", "5"), aggregateWith("retention", "5"), aggregateWith("retention", "soon"), aggregateWith("late", "ignore"),
		aggregateWith("max_groups", "0"), aggregateWith("max_groups", "1.5"), aggregateWith("max_groups", "100000001"), aggregateWith("max_groups", "many"), aggregateWith("max_groups", "[5]"),
		aggregateWith("detect", "{}"), aggregateWith("detect", "n"), aggregateWith("detect", "{measure: n}"), aggregateWith("detect", "{sigma: 4}"), aggregateWith("detect", "{measure: n, above: 5, min_windows: 4}"), aggregateWith("detect", "{measure: 5, sigma: 4}"), aggregateWith("detect", "{measure: n, limit: 5}"),
		aggregateWith("detect", "{measure: n, sigma: 0}"), aggregateWith("detect", "{measure: n, sigma: 101}"), aggregateWith("detect", "{measure: n, sigma: 4, min_windows: 0}"), aggregateWith("detect", "{measure: n, sigma: 4, min_windows: 2.5}"), aggregateWith("detect", "{measure: n, sigma: 4, min_windows: 10001}"), aggregateWith("detect", "{measure: n, above: high}"),
		aggregateWith("window", "{session: 1m}") + "    detect: {measure: n, sigma: 4}\n", aggregateWith("grace", "1m"), aggregateWith("filter", "x == 1"),
	}
	for _, p := range wrong {
		if _, err := ParsePipeline("f", []byte(p), unset); err == nil {
			t.Errorf("the parser accepts\n%s", p)
		}
		if len(schemaProblems(t, s, p)) == 0 {
			t.Errorf("the schema accepts\n%s", p)
		}
	}
	if p := aggregateWith("measures", "{"+manyMeasures(64)+"}"); len(schemaProblems(t, s, p)) > 0 {
		t.Errorf("the schema refuses 64 measures: %v", schemaProblems(t, s, p))
	}
}

func manyMeasures(n int) string {
	var list []string
	for i := range n {
		list = append(list, "m"+strings.Repeat("x", i)+": count()")
	}
	return strings.Join(list, ", ")
}

// The schema and the page name the functions one by one, and measure.Functions is the list of them.
func TestTheSchemaAndThePipelinePageKnowEveryMeasure(t *testing.T) {
	s := pipelineSchema(t)
	shown := ""
	for _, b := range blocks(t, "../docs/pipeline.md") {
		shown += b.text
	}
	description := s.find("#/properties/aggregates/items/properties/measures")["description"].(string)
	for _, f := range measure.Functions() {
		call := f.Name + "()"
		if len(f.Takes) > 0 {
			call = f.Name + "(x)"
		}
		if f.Parameter != nil && f.Parameter.Required {
			call = f.Name + "(x, 5)"
		}
		p := aggregateWith("measures", "{n: '"+call+"'}")
		if _, err := ParsePipeline("f", []byte(p), unset); err != nil {
			t.Error(err)
		}
		if wrong := schemaProblems(t, s, p); len(wrong) > 0 {
			t.Errorf("the schema does not know %s: %v", call, wrong)
		}
		if !strings.Contains(description, f.Name+"(") {
			t.Errorf("the schema's description of measures does not name %s", f.Name)
		}
		if !strings.Contains(shown, f.Name+"(") {
			t.Errorf("docs/pipeline.md shows no %s", f.Name)
		}
	}
}
