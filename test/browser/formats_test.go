package browser

import (
	"fmt"
	"testing"
)

// The page's own modules, asked in the page: one number has one way to be written.
func TestNumbersAndTimesAreWrittenOneWay(t *testing.T) {
	s := serve(t, shipped(t), nil)
	b := open(t, s.url, look{})
	for expression, want := range map[string]string{
		`f.dur(null)`:                         "–",
		`f.dur(-3)`:                           "0 ms",
		`f.dur(0.0594)`:                       "59 ms",
		`f.dur(9.97)`:                         "9 s",
		`f.dur(59.9)`:                         "59 s",
		`f.dur(61)`:                           "1 min 01 s",
		`f.dur(11520)`:                        "3 h 12 min",
		`f.dur(200000)`:                       "2 d 7 h",
		`f.length(60)`:                        "1 min",
		`f.length(90)`:                        "1 min 30 s",
		`f.length(30)`:                        "30 s",
		`f.length(3600)`:                      "1 h",
		`f.length(86400)`:                     "1 d",
		`f.ago(f.now() + 5000)`:               "now",
		`f.ago(f.now() - 65e3)`:               "1 min ago",
		`f.num(null)`:                         "–",
		`f.num(0)`:                            "0",
		`f.num(9999999)`:                      "9,999,999",
		`f.num(12.9e6)`:                       "12.9 M",
		`f.exact(18220193123)`:                "18,220,193,123",
		`f.measure(0.333333)`:                 "0.3333",
		`f.measure(-1.5)`:                     "-1.5",
		`f.rate(0.04)`:                        "0",
		`f.rate(4.26)`:                        "4.3",
		`f.rate(9.96)`:                        "10",
		`f.share(1, 20000)`:                   "50 per million",
		`f.share(1, 0)`:                       "",
		`f.share(62, 1000)`:                   "6.2 %",
		`f.bytes(1)`:                          "1 byte",
		`f.bytes(1234567)`:                    "1.2 MB",
		`f.plural(2, 'anomaly', 'anomalies')`: "2 anomalies",
		`f.clock(0)`:                          "00:00:00",
		`f.span(60e3, 120e3)`:                 "1970-01-01 00:01–00:02",
		`f.span(61e3, 120e3)`:                 "1970-01-01 00:01:01–00:02:00",
		`f.clock(null) + f.clockMs(null)`:     "––",
		"y.clean('a\\u202eb\\u0000c\\u200b')": "a⟨U+202E⟩b␀c⟨U+200B⟩",
		`c.cut('a😀b', 3)`:                     "a😀b",
		`c.cut('😀😀😀😀', 3)`:                    "😀😀…",
		`y.marked(new TextEncoder().encode('é"x"'), 2, 5).map((n) => n.textContent ?? n).join('|')`: `é|"x"|`,
		`y.hex(new Uint8Array([0, 65, 255]))`:                                                       "0000  00 41 ff                                         .A.",
		`y.textOf(y.bytesOf({key_base64: '/w=='}, 'key'))`:                                          "\ufffd",
	} {
		got := get[string](b, fmt.Sprintf(`Promise.all(['format', 'bytes', 'chart'].map((name) => import('./js/' + name + '.js'))).then(([f, y, c]) => String(%s))`, expression))
		if got != want {
			t.Errorf("%s is %q, not %q", expression, got, want)
		}
	}
}

// Lag in words, buckets with gaps, and windows on one scale.
func TestWhatThePageWorksOutItself(t *testing.T) {
	s := serve(t, shipped(t), nil)
	b := open(t, s.url, look{})
	for expression, want := range map[string]string{
		`f.drain(null, null, 20, 5).say`:     "not known",
		`f.drain(0, 10, 20, 5).say`:          "nothing waits",
		`f.drain(100, 100, 20, 0).say`:       "not read",
		`f.drain(94, 90, 20, 1000).say`:      "in step, 94 ms behind",
		`f.drain(9000, 12000, 20, 1000).say`: "drains in 1 min 00 s",
		`f.drain(50000, 4000, 20, 1000).say`: "grows by 2,300/s",
		`f.drain(5000, 5000, 20, 1000).say`:  "steady, 5.0 s behind",
		`t.buckets([{t: 1000, a: 2}, {t: 4000, a: 4}, {t: 16000, a: null}, {t: 21000, a: 7}], ['a']).map((p) => p.a).join()`: "3,,,,7",
		`t.path([[0, 1], [1, null], [2, 3]])`:                             "M0.0 1.0M2.0 3.0",
		`t.steadyMax(100, 60) + t.steadyMax(100, 20) + t.steadyMax(0, 0)`: "131",
	} {
		got := get[string](b, fmt.Sprintf(`Promise.all(['flow', 'trend'].map((name) => import('./js/' + name + '.js'))).then(([f, t]) => String(%s))`, expression))
		if got != want {
			t.Errorf("%s is %q, not %q", expression, got, want)
		}
	}
	rows := `{rows: [{group: {a: null}, windows: [{start: '1970-01-01T00:00:00Z', end: '1970-01-01T00:01:00Z', final: true}, {start: '1970-01-01T00:03:00Z', end: '1970-01-01T00:04:00Z', final: false}]},
		{group: {a: null}, windows: []}]}`
	got := get[string](b, fmt.Sprintf(`import('./js/groups.js').then((g) => { const d = g.aligned(%s, {window: {kind: 'tumbling', size_seconds: 60, every_seconds: 60}}, 200e3);
		return JSON.stringify([d.starts.length, d.partial, d.filling, d.rows[0].slots.map((w) => Boolean(w)), d.rows[0].key === d.rows[1].key]); })`, rows))
	if want := "[4,1,1,[true,false,false,true],false]"; got != want {
		t.Errorf("aligned windows are %s, not %s", got, want)
	}
}

// Windows that come after an anomaly are drawn, though its chart has as many as before; one that event time has not passed is not,
// whatever the clock says.
func TestTheChartOfAnAnomalyGoesOn(t *testing.T) {
	s := serve(t, shipped(t), nil)
	b := open(t, s.url, look{})
	get[bool](b, `import('./js/anomalies.js').then(({mountAnomalies}) => {
		const time = (minute) => new Date(minute * 60e3).toISOString();
		const store = {pipeline: {aggregates: [{name: 'a', detect: 'n, sigma: 4'}]}, partitions: {state: [{watermark: time(30)}]}, anomalies: []};
		const part = mountAnomalies({store, show: () => {}});
		document.body.append(part.el);
		window.draws = (from, to, odd) => {
			const points = Array.from({length: to - from}, (_, i) => ({start: time(from + i), value: from + i === odd ? 90 : from + i}));
			store.anomalies = [{aggregate: 'a', group: {g: 'x'}, updated_at: time(21), window: {start: time(20), end: time(21)}, points,
				anomaly: {measure: 'n', sentence: 'n is odd', value: 90, usual: 20, deviation: 2}}];
			part.update('anomalies');
			return new Promise((done) => requestAnimationFrame(() => setTimeout(() => done([...part.el.querySelectorAll('path')].map((p) => p.getAttribute('d')).join(' ')), 200)));
		};
		return true;
	})`)
	draws := func(from, to, odd int) string {
		return get[string](b, fmt.Sprintf("window.draws(%d, %d, %d)", from, to, odd))
	}
	first := draws(1, 25, 20)
	if later := draws(3, 27, 20); first == "" || later == first {
		t.Errorf("two windows later it still draws %q", first)
	}
	whole := draws(6, 30, 20)
	if filling := draws(6, 31, 20); filling != whole {
		t.Error("a window that event time has not passed is drawn")
	}
}
