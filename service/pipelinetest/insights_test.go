package pipelinetest

import (
	"strings"
	"testing"

	"data-stream-engine/model"
)

const counting = `name: visits
source: {topic: in, event_time: at}
filter: page != "none"
output: [{topic: out}]
aggregates:
  - name: pages
    group_by: [page, {kind: 'user == "bot" ? "bot" : "human"'}]
    window: {tumbling: 1m, grace: 30s}
    measures: {views: count()}
    detect: {measure: views, above: 2}
  - name: stays
    group_by: [user]
    window: {session: 2m}
    measures: {views: count(), all: count()}
    emit: final
`

// countedCase runs a case on some visits, and gives what differs.
func countedCase(t *testing.T, expectations string) string {
	t.Helper()
	f, err := Parse("a_test.yaml", []byte(`pipeline: p.yaml
now: 2026-01-02T12:00:00Z
cases:
  - name: a
    input:
      - value: {at: "2026-01-02T10:00:10Z", page: /, user: u1}
      - value: {at: "2026-01-02T10:00:50Z", page: /, user: bot}
      - value: {at: "2026-01-02T10:01:10Z", page: /, user: u1}
      - value: {at: "2026-01-02T10:01:11Z", page: /, user: u1}
      - value: {at: "2026-01-02T10:01:12Z", page: /, user: u1}
      - {value: {at: "2026-01-02T10:04:00Z", page: /x, user: u1}, partition: 1}
      - {value: {at: "2026-01-02T10:00:20Z", page: /x, user: u2}, partition: 1}
      - {value: {at: "2026-01-02T10:08:00Z", page: none}, partition: 1}
`+expectations))
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Run("pipeline.yaml", []byte(counting))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list[0].Diff, "\n")
}

const goodInsights = `    output: [{topic: out}, {topic: out}, {topic: out}, {topic: out}, {topic: out}, {topic: out}, {topic: out}]
    dead_letters:
      - {stage: late, code: late_event, value: {at: "2026-01-02T10:00:20Z", page: /x, user: u2}, reason: pages}
    filtered: 1
    insights:
      - {aggregate: stays, window: {start: "2026-01-02T10:00:10Z", end: "2026-01-02T10:01:12Z"}, group: {user: u1}, measures: {views: 4}}
      - {aggregate: pages, window: {start: "2026-01-02T10:04:00Z"}, group: {page: /x}, measures: {views: 1}}
      - {aggregate: pages, window: {start: "2026-01-02T11:01:00+01:00", end: "2026-01-02T10:02:00Z"}, group: {page: /, kind: human}, measures: {views: 3.0}}
      - {aggregate: pages, sentence: "above the limit of 2", measures: {views: 3}}
      - {aggregate: pages, group: {kind: human}}
      - {aggregate: pages, kind: window, group: {kind: bot, page: /}}
      - {aggregate: stays, window: {end: "2026-01-02T10:00:50Z"}, group: {user: bot}}
      - {aggregate: stays, window: {start: "2026-01-02T10:04:00Z"}}
      - {aggregate: pages, window: {start: "2026-01-02T10:04:00Z"}, final: false, measures: {views: 1}}
`

func TestInsightsThatCameAsExpectedPassInAnyOrder(t *testing.T) {
	if got := countedCase(t, goodInsights); got != "" {
		t.Errorf("got\n%s", got)
	}
	without, _, _ := strings.Cut(goodInsights, "    insights:")
	if got := countedCase(t, without); got != "" {
		t.Errorf("without insights: got\n%s", got)
	}
}

// A case about windows need not list the outputs, but may.
func TestOutputsAreComparedWithInsightsWhenTheyAreGiven(t *testing.T) {
	_, rest, _ := strings.Cut(goodInsights, "\n")
	if got := countedCase(t, rest); got != "" {
		t.Errorf("got\n%s", got)
	}
	if got := countedCase(t, "    output: []\n"+rest); strings.Count(got, "came, but was not expected") != 7 {
		t.Errorf("got\n%s", got)
	}
	_, rest, _ = strings.Cut(rest, "    filtered")
	if got := countedCase(t, "    filtered"+rest); !strings.Contains(got, "dead letter 1, from input 7: came, but was not expected") {
		t.Errorf("got\n%s", got)
	}
}

func TestEveryDifferenceOfInsightsIsNoticed(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"measures: {views: 4}", "measures: {views: 5}", "insight 1 of stays:\n    measures.views\n        expected  5\n        got       4"},
		{"measures: {views: 3.0}", "measures: {views: [3]}", "insight 2 of pages:\n    measures.views\n        expected  [3]\n        got       3"},
		{"limit of 2", "limit of 3", "insight 3 of pages:\n    sentence\n        expected  above the limit of 3\n        got       views of /, human: 3 in 10:01-10:02, above the limit of 2"},
		{"end: \"2026-01-02T10:01:12Z\"", "end: \"2026-01-02T10:01:13Z\"", "insight 1 of stays: expected, but it did not come\n        window    from 2026-01-02T10:00:10Z to 2026-01-02T10:01:13Z\n        group     {\"user\": \"u1\"}\n        measures  {\"views\": 4}\n" +
			"insight of stays: came, but was not expected\n        window    from 2026-01-02T10:00:10Z to 2026-01-02T10:01:12Z\n        group     {\"user\": \"u1\"}\n        measures  {\"views\": 4, \"all\": 4}"},
		{"group: {kind: bot, page: /}", "group: {kind: bot, page: /y}", "insight 5 of pages: expected, but it did not come\n        group     {\"kind\": \"bot\", \"page\": \"/y\"}"},
		{"      - {aggregate: pages, sentence: \"above the limit of 2\", measures: {views: 3}}\n", "", "insight of pages: came, but was not expected\n        kind      anomaly\n        window    from 2026-01-02T10:01:00Z to 2026-01-02T10:02:00Z\n        group     {\"page\": \"/\", \"kind\": \"human\"}\n        measures  {\"views\": 3}\n        sentence  views of /, human: 3 in 10:01-10:02, above the limit of 2"},
		{"final: false, measures: {views: 1}", "final: false, measures: {views: 2}", "insight 6 of pages:\n    measures.views\n        expected  2\n        got       1"},
		{"{start: \"2026-01-02T10:04:00Z\"}, final: false", "{start: \"2026-01-02T10:02:00Z\"}, final: false", "insight 6 of pages: expected, but it did not come\n        final     false\n        window    from 2026-01-02T10:02:00Z"},
		{"stage: late", "stage: produce", "dead letter 1, from input 7:\n    stage"},
	} {
		changed := strings.Replace(goodInsights, c.old, c.new, 1)
		if changed == goodInsights {
			t.Fatalf("%s is not there", c.old)
		}
		if got := countedCase(t, changed); !strings.Contains(got, c.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.new, got, c.want)
		}
	}
}

// A case about one aggregate says nothing of the others.
func TestOnlyTheAggregatesThatACaseNamesAreCompared(t *testing.T) {
	const bots = "    dead_letters: [{stage: late}]\n    aggregates: [stays]\n    insights:\n      - {group: {user: bot}}\n      - {group: {user: u1}, measures: {views: 4}}\n"
	if got := countedCase(t, bots+"      - {measures: {views: 1}}\n"); got != "" {
		t.Errorf("got\n%s", got)
	}
	if got := countedCase(t, bots); strings.Count(got, "came, but was not expected") != 1 {
		t.Errorf("got\n%s", got)
	}
}

// What fits several expectations is given to the one that nothing else fits.
func TestInsightsArePairedSoThatAllFitIfTheyCan(t *testing.T) {
	const anyOrder = `    output: [{topic: out}, {topic: out}, {topic: out}, {topic: out}, {topic: out}, {topic: out}, {topic: out}]
    dead_letters: [{stage: late}]
    insights:
      - {aggregate: stays}
      - {aggregate: stays, measures: {views: 1}}
      - {aggregate: stays, group: {user: bot}}
      - {aggregate: pages}
      - {aggregate: pages, measures: {views: 1}}
      - {aggregate: pages, group: {kind: bot}}
      - {aggregate: pages, group: {page: /x}}
      - {aggregate: pages, kind: anomaly}
`
	if got := countedCase(t, anyOrder); got != "" {
		t.Errorf("got\n%s", got)
	}
	got := countedCase(t, strings.Replace(anyOrder, "      - {aggregate: stays}\n", "", 1))
	if strings.Count(got, "not expected") != 1 || strings.Contains(got, "did not come") {
		t.Errorf("got\n%s", got)
	}
}

func TestAFailureSaysWhereEachInputCounts(t *testing.T) {
	got := countedCase(t, strings.Replace(goodInsights, "measures: {views: 4}", "measures: {views: 5}", 1))
	for _, want := range []string{
		"    1  forwarded to out; counts in pages, stays; its time is 2026-01-02T10:00:10Z\n",
		"    7  forwarded to out; late for pages (the watermark is 2026-01-02T10:04:00Z, grace 30s), late for stays (the watermark is 2026-01-02T10:04:00Z, grace 2m); its time is 2026-01-02T10:00:20Z\n",
		"    8  filtered (filter): page != \"none\" is false",
	} {
		if !strings.Contains(got+"\n", want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
}

// Cases know nothing of each other, and no insights are what [] says.
func TestEachCaseStartsWithEmptyWindows(t *testing.T) {
	const one = `    input: [{value: {at: "2026-01-02T10:00:10Z", page: /, user: u1}}]
    output: [{topic: out}]
    insights:
      - {aggregate: pages, measures: {views: 1}}
      - {aggregate: stays, measures: {views: 1}}
`
	f, err := Parse("a_test.yaml", []byte("pipeline: p.yaml\nnow: 2026-01-02T12:00:00Z\ncases:\n  - name: a\n"+one+"  - name: b\n"+one+
		"  - name: c\n    input: [{value: {at: '2026-01-02T10:00:10Z', page: none}}]\n    insights: []\n  - name: d\n    input: [{value: {at: '2026-01-02T10:00:10Z', page: /}}]\n    insights: []\n"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Run("pipeline.yaml", []byte(counting))
	if err != nil {
		t.Fatal(err)
	}
	for i, passes := range []bool{true, true, true, false} {
		if list[i].Passed() != passes {
			t.Errorf("case %s: %q", list[i].Name, list[i].Diff)
		}
	}
}

func TestWrongInsightsAreToldByLineAndColumn(t *testing.T) {
	const top = "pipeline: p.yaml\nnow: 2026-01-02T12:00:00Z\ncases:\n  - name: a\n    input: [x]\n    insights: "
	for _, c := range []struct{ insights, want string }{
		{"{}", "a_test.yaml:6:15: insights is a mapping here; accepted is a list"},
		{"[{}]", "6:16: an item of insights says at least one of aggregate, kind, window, group, measures, final, sentence"},
		{"[{aggregates: pages}]", "6:17: unknown key aggregates, did you mean aggregate?"},
		{"[{aggregate: pages, kind: windows}]", "6:41: kind is one of window, session, anomaly, not windows"},
		{"[{aggregate: pages, window: 1m}]", "6:43: a window is text here; accepted are the keys start, end"},
		{"[{aggregate: pages, window: {start: noon}}]", "6:51: start is a time such as 2026-01-02T15:04:05Z, not noon"},
		{"[{aggregate: pages, final: 1}]", "6:42: final is true or false"},
		{"[{aggregate: pages, group: [a]}]", "6:42: group is a list here; accepted is name: value a line"},
		{"[{aggregate: pages, kind: window, sentence: x}]", "6:16: only an anomaly has a sentence, not a window"},
		{"[{final: true}]", "6:16: aggregate is missing: it is one of pages, stays"},
		{"[]\n    aggregates: pages", "7:17: aggregates is text here; accepted is a list of names"},
		{"[]\n    aggregates: []", "7:17: aggregates is empty"},
		{"[{kind: window}]\n    aggregates: [page]", "7:18: the pipeline has no aggregate page, did you mean pages?"},
		{"[{aggregate: stays}]\n    aggregates: [pages]", "6:16: aggregates says that the insights of pages are compared, not those of stays"},

		{"[{aggregate: page}]", "6:16: the pipeline has no aggregate page, did you mean pages?; it has pages, stays"},
		{"[{aggregate: pages, kind: session}]", "6:16: the windows of pages are of kind window, not session"},
		{"[{aggregate: stays, sentence: x}]", "6:16: stays has no detect, so that it finds no anomaly"},
		{"[{aggregate: stays, final: false}]", "6:16: stays says emit: final, so that open windows have no insight"},
		{"[{aggregate: pages, sentence: x, final: false}]", "6:16: anomalies are found in windows that have closed"},
		{"[{aggregate: pages, group: {pages: 1}}]", "6:43: group_by of pages has no pages, did you mean page?; it has page, kind"},
		{"[{aggregate: pages, measures: {n: 1}}]", "6:46: measures of pages has no n; it has views"},
	} {
		f, err := Parse("a_test.yaml", []byte(top+c.insights+"\n"))
		if err == nil {
			_, err = f.Run("pipeline.yaml", []byte(counting))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || model.ClassOf(err) != model.Misconfigured {
			t.Errorf("%s: got %v, want %s", c.insights, err, c.want)
		}
	}
	f, err := Parse("a_test.yaml", []byte("pipeline: p.yaml\ncases:\n  - name: a\n    input: [x]\n    aggregates: [pages]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Run("pipeline.yaml", []byte(counting)); err == nil || !strings.Contains(err.Error(), "a_test.yaml:5:18: aggregates says whose insights are compared, and the case has no insights") {
		t.Errorf("got %v", err)
	}
	if f, err = Parse("a_test.yaml", []byte("pipeline: p.yaml\ncases:\n  - name: a\n    input: [x]\n    insights: []\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Run("pipeline.yaml", []byte(checkout)); err == nil || !strings.Contains(err.Error(), "a_test.yaml:5:15: the pipeline has no aggregates") {
		t.Errorf("got %v", err)
	}
}
