package browser

import (
	"testing"

	"data-stream-engine/test/harness"
)

// The first minute of somebody who has nothing: broker and generator in the process, the shipped pipeline, the page.
func TestTheDashboardOfTheFirstMinuteIsAlive(t *testing.T) {
	s := serve(t, shipped(t), harness.Env{"KAFKA_BOOTSTRAP_SERVERS": harness.Embedded, "GENERATOR_RATE": "300", "KAFKA_SOURCE_TOPIC": "", "KAFKA_OUTPUT_TOPIC": "", "KAFKA_GROUP_ID": ""})
	b := open(t, s.url, look{width: 1440, height: 900})
	b.await("#name", "user-login")
	b.await("#health", "Healthy.", "events a second in")
	b.await("#live-text", "live ")
	b.holds("events come in", `Number(document.querySelector('.flow-in .metric-value').textContent.replace(',', '')) > 100`)
	b.holds("latency is known", `/\d/.test(document.querySelector('.flow-latency .metric-value').textContent)`)
	before := b.text("#flow")
	b.holds("the numbers move", `document.querySelector('#flow').innerText !== `+quoted(before))
	b.holds("the last minutes are drawn", `document.querySelector('.flow-in .trend-line').getAttribute('d').length > 10`)

	b.await("#pipeline", "user-login-processed", "logins_by_device", "dead letters", "pipeline.yaml")
	b.holds("the ways have rates", `[...document.querySelectorAll('.edge-label')].some((e) => /[1-9]/.test(e.textContent))`)
	b.click(".node-transform", "")
	b.holds("the lines of the stage are marked", `document.querySelector('.yaml li.on') && document.querySelector('.yaml li.on').textContent.includes('transform:')`)

	b.await("#partitions", "active", "one (this)")
	b.holds("all partitions have a position", `document.querySelectorAll('.parts tbody tr').length >= 4`)
	b.holds("groups are listed", `document.querySelectorAll('.groups tbody tr').length === 12`)
	b.await("#insights", "logins_by_device", "android", "US", "open", "by device_type, locale")
	if title := get[string](b, "document.title"); title != "user-login" {
		t.Errorf("the title of a healthy page is %q", title)
	}
}

func TestGroupsAreSearchedAndSorted(t *testing.T) {
	s := serve(t, shipped(t), nil)
	for i := range 40 { // more than one page of the table
		locale := string([]byte{'A' + byte(i%20), 'A' + byte(i/20)})
		for range i + 1 {
			s.send(t, login("u-"+locale, "android", "10.0.0.1", locale))
		}
	}
	b := open(t, s.url, look{})
	b.await("#insights", "Top 12 of 40 groups by logins")
	b.holds("the largest group is first", `document.querySelector('.groups tbody th:nth-child(2)').textContent === 'TB'`)
	b.click(".agg button", "Show 25 more")
	b.holds("more are shown", `document.querySelectorAll('.groups tbody tr').length === 37`)
	b.press("/")
	b.press("android ab")
	b.await("#insights", "1 of 40 groups match")
	b.holds("only that one is listed", `document.querySelectorAll('.groups tbody tr').length === 1`)
	b.fill("#group-search", "nobody")
	b.await("#insights", "No group matches “nobody”")
	b.fill("#group-search", "android")
	b.await("#insights", "40 of 40 groups match")
	b.click(".segment", "users")
	b.await("#insights", "before")
	b.holds("the table is by users", `document.querySelector('.groups th[aria-sort=descending]').textContent.startsWith('users')`)
	b.await(".groups tbody tr", "2.3.0")
}
