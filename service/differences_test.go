package service

import (
	"fmt"
	"strings"
	"testing"

	"data-stream-engine/model"
)

func parsed(t *testing.T, text string) *model.Pipeline {
	t.Helper()
	spec, err := ParsePipeline("p.yaml", []byte(text), unset)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

const differing = `
name: p
source: {topic: in, event_time: at}
filter: a > 1
transform:
  set: {a: a + 1, b: upper(b)}
  rename: {x: y}
  remove: [z]
output:
  - {topic: one, key: a}
  - {topic: two, when: b != ""}
aggregates:
  - name: count
    group_by: [a, {c: lower(b)}]
    window: {tumbling: 1m, grace: 30s}
    measures: {n: count(), s: sum(a)}
    detect: {measure: n, sigma: 4, min_windows: 10}
`

func TestDifferencesNameWhatHasChangedAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		replace []string // pairs
		want    string
	}{
		"nothing":            {nil, ""},
		"a comment":          {[]string{"name: p", "# why\nname: p"}, ""},
		"white space":        {[]string{"filter: a > 1", "filter:   a > 1   "}, ""},
		"name":               {[]string{"name: p", "name: q"}, "name: p -> q"},
		"filter":             {[]string{"filter: a > 1", "filter: a > 2"}, "filter: a > 1 -> a > 2"},
		"no filter":          {[]string{"filter: a > 1\n", ""}, "filter: a > 1 -> "},
		"event time":         {[]string{", event_time: at", ""}, "source.event_time: at -> "},
		"policy":             {[]string{"{topic: in,", "{topic: in, tombstones: drop,"}, "source.tombstones: dead_letter -> drop"},
		"far future":         {[]string{"{topic: in,", "{topic: in, max_future: 30m,"}, "source.max_future: 10m -> 30m"},
		"set":                {[]string{"b: upper(b)", "b: lower(b)"}, "transform.set.b: upper(b) -> lower(b)"},
		"set more":           {[]string{"b: upper(b)", "b: upper(b), c: 1"}, "transform.set.c:  -> 1"},
		"set in other order": {[]string{"a: a + 1, b: upper(b)", "b: upper(b), a: a + 1"}, "transform.set (order): a, b -> b, a"},
		"rename":             {[]string{"x: y", "x: w"}, "transform.rename.x: y -> w"},
		"remove":             {[]string{"[z]", "[z, w]"}, "transform.remove: [z] -> [z, w]"},
		"keep":               {[]string{"remove: [z]", "keep: [a, b, y]"}, "transform.remove: [z] -> \ntransform.keep:  -> [a, b, y]"},
		"output's key":       {[]string{"key: a", "key: b"}, "output.one.key: a -> b"},
		"outputs swapped":    {[]string{"  - {topic: one, key: a}\n", "", "b != \"\"}\n", "b != \"\"}\n  - {topic: one, key: a}\n"}, ""},
		"output more":        {[]string{"aggregates:", "  - {topic: two, when: a > 7}\naggregates:"}, "output.two#2:  -> topic: two; when: a > 7"},
		"output less":        {[]string{"  - {topic: one, key: a}\n", ""}, "output.one: topic: one; key: a -> "},
		"where":              {[]string{"    window", "    where: a > 2\n    window"}, "aggregates.count.where:  -> a > 2"},
		"grace":              {[]string{"grace: 30s", "grace: 45s"}, "aggregates.count.window.grace: 30s -> 45s"},
		"window":             {[]string{"{tumbling: 1m,", "{hopping: {size: 1m, every: 30s},"}, "aggregates.count.window.tumbling: 1m -> \naggregates.count.window.every:  -> 30s\naggregates.count.window.hopping:  -> 1m"},
		"group":              {[]string{"c: lower(b)", "c: upper(b)"}, "aggregates.count.group_by.c: lower(b) -> upper(b)"},
		"measure":            {[]string{"s: sum(a)", "s: max(a)"}, "aggregates.count.measures.s: sum(a) -> max(a)"},
		"measures' order":    {[]string{"n: count(), s: sum(a)", "s: sum(a), n: count()"}, "aggregates.count.measures (order): n, s -> s, n"},
		"detect":             {[]string{"sigma: 4", "sigma: 3.5"}, "aggregates.count.detect.sigma: 4 -> 3.5"},
		"no detect":          {[]string{"    detect: {measure: n, sigma: 4, min_windows: 10}\n", ""}, "aggregates.count.detect.measure: n -> \naggregates.count.detect.sigma: 4 -> \naggregates.count.detect.min_windows: 10 -> "},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.NewReplacer(c.replace...).Replace(differing)
			if len(c.replace) > 0 && text == differing {
				t.Fatal("nothing was replaced")
			}
			var got []string
			for _, d := range Differences(parsed(t, differing), parsed(t, text)) {
				got = append(got, fmt.Sprintf("%s: %s -> %s", d.What, d.From, d.To))
			}
			if strings.Join(got, "\n") != c.want {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), c.want)
			}
		})
	}
}

func TestDifferencesOfAWholeAggregate(t *testing.T) {
	without, _, _ := strings.Cut(differing, "aggregates:")
	got := Differences(parsed(t, without), parsed(t, differing))
	if len(got) != 1 || got[0].What != "aggregates.count" || got[0].From != "" || !strings.Contains(got[0].To, "window.tumbling: 1m; window.grace: 30s; measures.n: count(); measures.s: sum(a)") {
		t.Errorf("got %+v", got)
	}
	if back := Differences(parsed(t, differing), parsed(t, without)); len(back) != 1 || back[0].From != got[0].To || back[0].To != "" {
		t.Errorf("and back %+v", back)
	}
}
