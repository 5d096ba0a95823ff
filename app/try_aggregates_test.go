package app

import (
	"encoding/json"
	"strings"
	"testing"
)

const triedAggregates = `name: shop
source: {topic: orders, event_time: at}
filter: status == "paid"
output: [{topic: all}]
aggregates:
  - name: kinds
    group_by: [kind, {cheap: price < 5}]
    window: {tumbling: 1m, grace: 10s}
    measures: {orders: count()}
    detect: {measure: orders, above: 1}
  - name: large
    where: price > 10 && kind != "x"
    window: {hopping: {size: 3m, every: 1m}, grace: 5m}
    measures: {orders: count()}
    late: drop
  - name: visits
    group_by: [kind]
    window: {session: 2m}
    measures: {orders: count()}
`

const timedEvents = `{"status":"paid","kind":"a","price":4,"at":"2026-01-01T10:00:00Z"}
{"status":"open","kind":"a","price":4,"at":"2026-01-01T10:02:00Z"}
{"status":"paid","kind":"a","price":40,"at":"2026-01-01T10:00:30Z"}
{"status":"paid","kind":[],"price":4,"at":"2026-01-01T10:02:00Z"}
{"status":"paid","kind":"a","price":7,"at":"2026-01-01T10:03:00Z"}
{"status":"paid","kind":"a","price":7,"at":"2026-01-01T10:03:30.5Z"}
`

func triesAggregates(t *testing.T, args ...string) string {
	t.Helper()
	p := newPlace(t)
	p.write(t, "shop.yaml", triedAggregates)
	process := p.process(append([]string{"try", "shop.yaml"}, args...)...)
	process.Stdin = strings.NewReader(timedEvents)
	if code := Main(t.Context(), process); code != exitOK {
		t.Errorf("exit code %d: %s", code, p.err)
	}
	return p.out.String()
}

func TestTryShowsWhereAnEventCounts(t *testing.T) {
	got := triesAggregates(t)
	for _, want := range []string{
		`line 1: forwarded to all
  input      {"status":"paid","kind":"a","price":4,"at":"2026-01-01T10:00:00Z"}
  decode     4 fields, 66 bytes
  filter     true  status == "paid"  status is "paid"
  time       2026-01-01T10:00:00Z  at
  output     all: yes, partition 0, no key
  aggregate  kinds: yes, 2026-01-01T10:00:00Z to 2026-01-01T10:01:00Z
               group    kind    "a"
                        cheap   true  price < 5
               measure  orders        count()
  aggregate  large: no
               where FALSE      price > 10   price is 4
               where -      &&  kind != "x"
  aggregate  visits: yes, a session of events at most 2m apart
               group    kind    "a"
               measure  orders       count()
  record     {"status":"paid","kind":"a","price":4,"at":"2026-01-01T10:00:00Z"}
`,
		`line 3: forwarded to all; LATE for kinds
`, `
  aggregate  kinds: LATE for 2026-01-01T10:00:00Z to 2026-01-01T10:01:00Z; the watermark is 2026-01-01T10:02:00Z, grace 10s
               group    kind    "a"
                        cheap   false  price < 5
               measure  orders         count()
  aggregate  large: yes, 3 windows, 2026-01-01T09:58:00Z to 2026-01-01T10:01:00Z the first, 2026-01-01T10:00:00Z to 2026-01-01T10:03:00Z the last
`, `
  record     {"status":"paid","kind":"a","price":40,"at":"2026-01-01T10:00:30Z"}
  record     shop-dead-letter: as it came, with the reason in its headers
`, `line 4: DEAD LETTER (aggregate, expression): shop.yaml:7:16: this takes a number, nil, a boolean or text, not a list of 0 [group_by kind of kinds: kind]
`, `
  aggregate  kinds: FAILED  shop.yaml:7:16: this takes a number, nil, a boolean or text, not a list of 0 [group_by kind of kinds: kind]
               group    kind    FAILED  this takes a number, nil, a boolean or text, not a list of 0; kind is []
                        cheap   true`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestTryEndsWithTheInsights(t *testing.T) {
	want := `
insights of kinds
  window                                        kind  cheap  orders
  2026-01-01T10:00:00Z to 2026-01-01T10:01:00Z  "a"   true   1
  2026-01-01T10:03:00Z to 2026-01-01T10:04:00Z  "a"   false  2
  ANOMALY  orders of a, false: 2 in 10:03-10:04, above the limit of 1

insights of large
  window                                        orders
  2026-01-01T09:58:00Z to 2026-01-01T10:01:00Z  1
  2026-01-01T09:59:00Z to 2026-01-01T10:02:00Z  1
  2026-01-01T10:00:00Z to 2026-01-01T10:03:00Z  1

insights of visits
  session                                         kind  orders
  2026-01-01T10:00:00Z to 2026-01-01T10:00:30Z    "a"   2
  2026-01-01T10:03:00Z to 2026-01-01T10:03:30.5Z  "a"   2

6 events: 4 forwarded, 1 filtered, 1 dead letter, 1 late
`
	if got := triesAggregates(t); !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTryGivesInsightsAsDocumentsToo(t *testing.T) {
	var kinds []string
	late := 0
	for line := range strings.Lines(triesAggregates(t, "--json")) {
		var d struct {
			Aggregates []struct{ Late bool }
			Insight    *struct{ Aggregate, Kind string }
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if d.Insight != nil {
			kinds = append(kinds, d.Insight.Aggregate+" "+d.Insight.Kind)
		}
		for _, a := range d.Aggregates {
			if a.Late {
				late++
			}
		}
	}
	if got := strings.Join(kinds, ", "); late != 1 || got != "kinds window, kinds window, kinds anomaly, large window, large window, large window, visits session, visits session" {
		t.Errorf("%d late, got %s", late, got)
	}
}

// The values of the most frequent are short, and an aggregate without events says so.
func TestMeasuresAreShownForPeople(t *testing.T) {
	for raw, want := range map[string]string{
		`12.5`: "12.5", `null`: "null", `[]`: "[]", `"a"`: `"a"`, `[1,2]`: "[1,2]",
		`[{"value":"2.3.0","count":120},{"value":null,"count":3,"error":2}]`: `"2.3.0" 120, null 3 (2 too many at most)`,
	} {
		if got := measured(json.RawMessage(raw)); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
	p := newPlace(t)
	p.write(t, "shop.yaml", triedAggregates)
	process := p.process("try", "shop.yaml")
	process.Stdin = strings.NewReader(`{"status":"open"}`)
	if code := Main(t.Context(), process); code != exitOK || !strings.HasSuffix(p.out.String(), "\ninsights of kinds: none\n\ninsights of large: none\n\ninsights of visits: none\n\n1 event: 0 forwarded, 1 filtered, 0 dead letters\n") {
		t.Errorf("exit code %d:\n%s", code, p.out)
	}
}
