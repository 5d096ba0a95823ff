package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"data-stream-engine/test/harness"
)

// every has each kind of window, with each kind of measure.
const every = `name: every
source: {topic: "${KAFKA_SOURCE_TOPIC}", event_time: at}
output: [{topic: "${KAFKA_OUTPUT_TOPIC}"}]
aggregates:
  - {name: tumbling, group_by: [who], window: {tumbling: 2s, grace: 1s}, measures: MEASURES}
  - {name: hopping, window: {hopping: {size: 4s, every: 2s}, grace: 1s}, measures: MEASURES}
  - {name: sessions, group_by: [who], window: {session: 2s, grace: 1s}, measures: MEASURES}
  - {name: nameless, group_by: [who], window: {tumbling: 2s}, measures: {newest: last(word)}}
`

var measures = []string{"events: count()", "total: sum(x)", "mean: avg(x)", "least: min(x)", "most: max(x)", "begun: first(rfc3339(at))",
	"newest: last(word)", "words: distinct(word)", "p90: 'percentile(x, 90)'", "often: 'top(word, 3)'"}

func TestEveryWindowAndEveryMeasureHasAValueAndALine(t *testing.T) {
	s := serve(t, strings.ReplaceAll(every, "MEASURES", "{"+strings.Join(measures, ", ")+"}"), nil)
	began := time.Now().Add(-time.Minute).Truncate(4 * time.Second)
	for i := range 24 {
		if i%8 < 5 { // gaps that end a session
			at := began.Add(time.Duration(i) * time.Second).UnixMilli()
			s.send(t, fmt.Sprintf(`{"who":"a","word":"word-%d","x":%d.5,"at":%d}`, i%3, i, at), fmt.Sprintf(`{"who":"b","word":"word","x":-%d,"at":%d}`, i, at))
		}
	}
	b := open(t, s.url, look{})
	b.await("#insights .section-note", "4 aggregates")
	for _, name := range []string{"tumbling", "hopping", "sessions"} {
		b.click(".rail button", name)
		b.await(".agg-title", name)
		b.holds(name+" has all values", `[...document.querySelectorAll('.groups tbody tr')].length > 0 && [...document.querySelectorAll('.groups tbody tr')].every((tr) =>
			tr.querySelectorAll('td').length === 13 && [...tr.querySelectorAll('td:not(.col-spark, .col-before)')].every((td) => !['', '–', 'none'].includes(td.innerText)))`)
		b.holds("a time is a time, words are words", `/\d\d:\d\d:\d\d/.test(document.querySelector('.groups .col-time:not(th)').innerText) && document.querySelector('.groups td.col-text').innerText.startsWith('word')`)
		for _, m := range measures {
			measure, expression, _ := strings.Cut(m, ": ")
			if strings.Contains(expression, "first") || strings.Contains(expression, "last") || strings.Contains(expression, "top") {
				continue // nothing to draw
			}
			b.click(".agg-tools .segment", measure)
			b.holds(name+" by "+measure, `document.querySelector('.groups th[aria-sort=descending]').innerText.startsWith(`+quoted(measure)+`)`)
			b.holds("each group has its line", `[...document.querySelectorAll('.groups tbody tr')].every((tr) => [...tr.querySelectorAll('.spark path')].some((p) => p.getAttribute('d').includes('L')))`)
			if name != "sessions" {
				b.holds(measure+" is drawn", `[...document.querySelectorAll('.agg .chart-line')].some((p) => p.closest('.chart').checkVisibility() && p.getAttribute('d').split('L').length > 3)`)
			}
		}
	}
	b.holds("sessions have no common scale", `!document.querySelector('.agg .chart').checkVisibility()`)
	b.click(".rail button", "nameless")
	b.await(".groups", "newest", "word")
	b.holds("without numbers there is nothing to choose or draw", `!document.querySelector('.agg-tools .segments').checkVisibility() && !document.querySelector('.agg .chart').checkVisibility()`)
	newChecker(t).check(b, "many measures", "#insights")
}

func TestAPipelineWithoutAggregates(t *testing.T) {
	bare, _, _ := strings.Cut(shipped(t), "# Counted while they pass")
	s := serve(t, bare, harness.Env{"DELIVERY_GUARANTEE": "at_least_once"})
	s.send(t, login("u1", "iOS", "10.0.0.1", "RU"), login("u2", "web", "10.0.0.1", "RU"))
	b := open(t, s.url, look{})
	b.await("#health", "Healthy.", "at least once")
	b.await("#insights", "No aggregates", "Events are forwarded all the same")
	b.await("#pipeline", s.output, "dead letters")
	b.await("#rejected", "Nothing was rejected", s.group+"-dead-letter")
	b.await("#partitions", "active")
	b.holds("there is no state of aggregates", `!document.querySelector('#partitions').innerText.includes('Aggregate state')`)
	b.press("/")
	explain(b, 0, 0)
	b.await("#explain .fate", ".")
	b.holds("nothing is said of aggregates", `![...document.querySelectorAll('#explain .step strong')].some((e) => e.innerText === 'Aggregates')`)
	newChecker(t).check(b, "a page without aggregates", "html")
}
