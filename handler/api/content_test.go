package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
)

func TestParametersAreStrict(t *testing.T) {
	r := newRig(t, "")
	for _, c := range []struct{ target, want string }{
		{"insights?limit=0", "limit"}, {"insights?limit=1001", "limit"}, {"insights?limit=ten", "limit"}, {"insights?limit=01", "limit"}, {"insights?limit=+1", "limit"}, {"insights?limit=", "limit"},
		{"insights?limit=9223372036854775808", "limit"}, {"insights?limit=1&limit=2", "2 times"}, {"insights?kind=windows", "one of window, session, anomaly"}, {"insights?kind=", "kind"},
		{"insights?from=yesterday", "from"}, {"insights?from=2026-11-22T10:00:00+01:00", "%2B"}, {"insights?to=2026-13-01T00:00:00Z", "to"}, {"insights?final=yes", "final"}, {"insights?group.=x", "no such parameter"},
		{"insights?aggregates=x", "no such parameter here; there are: aggregate"}, {"insights?a=%zz", "query"}, {"insights?aggregate=%ff", "not text"}, {"insights?aggregate=a%00b", "not text"}, {"insights?a;b=1", "query"},
		{"insights?aggregate=" + strings.Repeat("a", maxText+1), "bytes"},
		{"insights/groups", "aggregate: is missing"}, {"insights/groups?aggregate=a&windows=101", "windows"}, {"insights/groups?aggregate=a&windows=100&limit=1000", "at most 30000"},
		{"anomalies?kind=window", "no such parameter"}, {"anomalies?limit=101", "from 1 to 100"}, {"dead-letters?stage=nowhere", "stage"}, {"dead-letters?content=1", "content"}, {"dead-letters?content=true&limit=101", "at most 100 with content"},
		{"dead-letters/counts?x=1", "no such parameter"}, {"dead-letters/17", "partition-offset"}, {"dead-letters/01-17", "partition-offset"}, {"dead-letters/1-17?content=true", "no such parameter"},
		{"dead-letters/1--17", "partition-offset"}, {"dead-letters/1-99999999999999999999", "partition-offset"}, {"explain", "partition: is missing; offset: is missing"},
		{"explain?partition=-1&offset=0", "partition"}, {"explain?partition=2147483648&offset=0", "partition"}, {"explain?partition=0&offset=1.5", "offset"}, {"status?x=1", "no such parameter"},
	} {
		w := r.ask("GET", "/api/v1/"+c.target, "")
		if w.Code != 400 || !strings.Contains(documentOf(t, w)["detail"].(string), c.want) {
			t.Errorf("%s: %d %s", c.target, w.Code, w.Body)
		}
	}
	for _, target := range []string{"insights?limit=1&limit=2", "anomalies?aggregate=a%00b", "insights?final=yes", "insights?kind=" + strings.Repeat("a", maxText+1)} {
		d := documentOf(t, r.ask("GET", "/api/v1/"+target, ""))
		seen := map[any]bool{}
		list, _ := d["errors"].([]any)
		for _, m := range list {
			if text := fmt.Sprint(m); seen[text] {
				t.Errorf("%.60s: told twice: %s", target, text)
			} else {
				seen[text] = true
			}
		}
	}
	if w := r.ask("GET", "/api/v1/explain?partition=0&offset=0&topic=out", ""); w.Code != 404 {
		t.Errorf("another topic: %d %s", w.Code, w.Body)
	}
	r.ask("GET", "/api/v1/insights?aggregate=visits&kind=session&from=2026-11-22T10:00:00Z&to=2026-11-22T12:00:00%2B01:00&group.user=ann&group.a.b=1&final=false&limit=7&cursor=c", "")
	q := r.insightQuery
	if q.Aggregate != "visits" || q.Kind != model.InsightSession || q.From.Hour() != 10 || q.To.UTC().Hour() != 11 || len(q.Group) != 2 || q.Group["user"] != "ann" || q.Group["a.b"] != "1" ||
		q.Final == nil || *q.Final || q.Limit != 7 || q.Cursor != "c" {
		t.Errorf("%+v", q)
	}
	r.ask("GET", "/api/v1/insights", "")
	if q := r.insightQuery; q.Limit != 100 || q.Final != nil || q.Group != nil {
		t.Errorf("%+v", q)
	}
}

func TestBodiesAreStrict(t *testing.T) {
	r := newRig(t, "")
	for _, c := range []struct {
		target, body, want string
		status             int
	}{
		{"pause", ``, "not a JSON object", 400}, {"pause", `[]`, "not a JSON object", 400}, {"pause", `null`, "not a JSON object", 400}, {"pause", `{"reason":1}`, "reason: is number where a text is needed", 400},
		{"pause", `{"Reason":"x"}`, "Reason: there is no such member here; there are: reason", 400}, {"pause", `{"reason":"a","reason":"b"}`, "given twice", 400}, {"pause", `{"reason":null}`, "reason: is null", 400},
		{"pause", `{} {}`, "something follows", 400}, {"pause", `{}x`, "something follows", 400}, {"pause", `{"reason":"a"`, "not JSON", 400}, {"pause", `{"reason":}`, "not JSON", 400}, {"pause", "{\"reason\":\"\xff\"}", "not UTF-8", 400},
		{"pause", `{"reason":"` + strings.Repeat("a", 501) + `"}`, "500", 400}, {"pause", `{"reason":"` + strings.Repeat("a", maxBody) + `"}`, "1048576 bytes", 413},
		{"pause", `{"reason":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, "nested", 400}, {"resume", `{"x":1}`, "the object is empty", 400}, {"reload", `{"file":"/etc/passwd"}`, "no such member", 400},
		{"try", `{}`, "events", 400}, {"try", `{"events":[]}`, "events", 400}, {"try", `{"events":"x"}`, "a list", 400}, {"try", `{"events":[null]}`, "null", 400}, {"try", `{"events":[1]}`, "events", 400},
		{"try", `{"events":[` + strings.Repeat(`"",`, 1000) + `""]}`, "1000", 400}, {"try", `{"events":["{}"],"pipeline":"name: x"}`, "faults", 422},
		{"dead-letters/replay", `{}`, "ids: are missing", 400}, {"dead-letters/replay", `{"ids":[]}`, "missing", 400}, {"dead-letters/replay", `{"ids":["1-17"],"stage":"late"}`, "without", 400}, {"dead-letters/replay", `{"ids":["x"]}`, "not an id", 400},
		{"dead-letters/replay", `{"stage":"nowhere"}`, "stage", 400}, {"dead-letters/replay", `{"limit":0}`, "limit", 400}, {"dead-letters/replay", `{"limit":10001}`, "limit", 400}, {"dead-letters/replay", `{"limit":1.5}`, "limit", 400},
		{"dead-letters/replay", `{"from":""}`, "from", 400}, {"dead-letters/replay", `{"code":""}`, "code", 400}, {"login", `{}`, "token: is missing", 400}, {"pause?x=1", `{}`, "no such parameter", 400},
	} {
		w := r.ask("POST", "/api/v1/"+c.target, c.body)
		if w.Code != c.status || !strings.Contains(fmt.Sprint(documentOf(t, w)["detail"], documentOf(t, w)["title"]), c.want) {
			t.Errorf("%s %.80s: %d %s", c.target, c.body, w.Code, w.Body)
		}
	}
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=latin1", "application/json;;", "application/jsonp"} {
		if w := r.ask("POST", "/api/v1/pause", "{}", "Content-Type", kind); w.Code != 415 {
			t.Errorf("%q: %d", kind, w.Code)
		}
	}
	if w := r.ask("POST", "/api/v1/pause", `{"reason":"a\u0007b"}`, "Content-Type", "application/json; charset=UTF-8"); w.Code != 200 || r.reason != "a\ufffdb" {
		t.Errorf("%d %q", w.Code, r.reason)
	}
}

func TestReplaySaysWhatToReplay(t *testing.T) {
	r := newRig(t, "")
	w := r.ask("POST", "/api/v1/dead-letters/replay", `{"stage":"late","code":"late_event","from":"2026-11-22T10:00:00Z","to":"2026-11-22T11:00:00Z","limit":5}`, "Idempotency-Key", "k-1")
	q := r.request.Query
	if w.Code != 200 || r.request.Key != "k-1" || q.Stage != model.StageLate || q.Code != "late_event" || q.From.Hour() != 10 || q.To.Hour() != 11 || q.Limit != 5 || r.request.IDs != nil {
		t.Errorf("%d %s %+v", w.Code, w.Body, r.request)
	}
	if got := strings.TrimSpace(w.Body.String()); got != `{"replayed":2,"topic":"test-replay","at":"2026-11-22T10:00:00.123Z"}` {
		t.Errorf("%s", got)
	}
	r.ask("POST", "/api/v1/dead-letters/replay", `{"stage":"late"}`)
	if r.request.Query.Limit != maxReplay {
		t.Errorf("%+v", r.request)
	}
	for _, key := range []string{strings.Repeat("k", 201), "a\tb", "caf\u00e9"} {
		if w := r.ask("POST", "/api/v1/dead-letters/replay", `{"ids":["1-17"]}`, "Idempotency-Key", key); w.Code != 400 {
			t.Errorf("%q: %d", key, w.Code)
		}
	}
}

func TestLettersKeepTheirReasonFromThoseWhoMayNotRead(t *testing.T) {
	r := newRig(t, "")
	secretValue := "nowhere"
	mine := r.ask("GET", "/api/v1/dead-letters", "").Body.String()
	theirs := r.ask("GET", "/api/v1/dead-letters", "", "Peer", "10.1.2.3:5000").Body.String()
	if !strings.Contains(mine, secretValue) || strings.Contains(theirs, secretValue) || strings.Contains(theirs, `"reason"`) || strings.Contains(mine, `"value"`) {
		t.Errorf("%s\n%s", mine, theirs)
	}
	if w := r.ask("GET", "/api/v1/dead-letters?content=true", "", "Peer", "10.1.2.3:5000"); w.Code != 403 {
		t.Errorf("content: %d", w.Code)
	}
	items := documentOf(t, r.ask("GET", "/api/v1/dead-letters?content=true", ""))["items"].([]any)
	one := items[0].(map[string]any)
	if one["key"] != nil || one["key_base64"] != "/w==" || one["value"] != `{"user":"ann","ip":"nowhere"}` || one["id"] != "1-17" || one["failed_at"] != "2026-11-22T10:00:07.120Z" || one["last_offset"] != 5.0 {
		t.Errorf("%v", one)
	}
	counts := r.ask("GET", "/api/v1/dead-letters/counts", "", "Peer", "10.1.2.3:5000").Body.String()
	if strings.Contains(counts, secretValue) || !strings.Contains(counts, `"expression":"mask_ip(ip)","line":6`) {
		t.Errorf("%s", counts)
	}
}

// What looks like an expression in a reason may be a value of an event, made to look so.
func TestOnlyExpressionsOfThePipelineAreNamed(t *testing.T) {
	r := newRig(t, "")
	r.letter.Reason = `pipeline.yaml:6:9: x "a" [set ip: my secret]`
	if got := r.ask("GET", "/api/v1/dead-letters/counts", "", "Peer", "10.1.2.3:5000").Body.String(); strings.Contains(got, "secret") || !strings.Contains(got, `"expression":null,"line":null`) {
		t.Errorf("%s", got)
	}
}

func TestDeletedContentLeavesTheListWhole(t *testing.T) {
	r := newRig(t, "")
	r.api.Contents = deletedContents{r.parts}
	w := r.ask("GET", "/api/v1/dead-letters?content=true", "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"key":null,"value":null`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := r.ask("GET", "/api/v1/dead-letters/1-17", ""); w.Code != 410 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	r.missing = true
	if w := r.ask("GET", "/api/v1/dead-letters/1-17", ""); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestOneLetterHasItsCulprit(t *testing.T) {
	r := newRig(t, "")
	d := documentOf(t, r.ask("GET", "/api/v1/dead-letters/1-17", ""))
	value := d["value"].(string)
	from, until := int(d["at"].(float64)), int(d["until"].(float64))
	if value[from:until] != `"nowhere"` || d["expression"] != "mask_ip(ip)" || d["line"] != 6.0 || fmt.Sprint(d["inputs"]) != "[map[path:ip value:nowhere]]" ||
		fmt.Sprint(d["replay"]) != "map[outcome:dead_letter text:If replayed now: rejected again.]" {
		t.Errorf("%v", d)
	}
	if got := fmt.Sprint(d["headers"]); got != "[map[name:trace value:00-1] map[name:raw value:<nil> value_base64:/g==] map[name:none value:<nil>]]" {
		t.Errorf("%s", got)
	}
	r.letter.Stage, r.letter.Code, r.letter.Reason = model.StageDecode, "invalid_json", "byte 3: invalid character 'x'"
	r.message.Value = []byte(`{ x`)
	d = documentOf(t, r.ask("GET", "/api/v1/dead-letters/1-17", ""))
	if d["at"] != 2.0 || d["until"] != 3.0 || d["expression"] != nil {
		t.Errorf("%v", d)
	}
	r.letter.Reason, r.message.Value = "byte 99: unexpected end", nil
	if d = documentOf(t, r.ask("GET", "/api/v1/dead-letters/1-17", "")); d["at"] != nil || d["value"] != nil {
		t.Errorf("%v", d)
	}
}

func TestFieldSpans(t *testing.T) {
	for _, c := range []struct{ value, name, want string }{
		{`{"a":1,"b":[1,{"a":2}],"c":"x"}`, "a", "1"}, {`{"a":1,"b":[1,{"a":2}]}`, "b", `[1,{"a":2}]`}, {`{"a":1, "a" : "two" }`, "a", `"two"`}, {`{"a":1}`, "b", ""}, {`[1]`, "a", ""}, {`{"a":1,"b"`, "a", "1"}, {``, "a", ""}, {`{"a":`, "a", ""},
	} {
		from, to := fieldSpan([]byte(c.value), c.name)
		got := ""
		if from != nil && to != nil {
			got = c.value[*from:*to]
		}
		if got != c.want {
			t.Errorf("%s of %s: %q", c.name, c.value, got)
		}
	}
}

func TestTablesAndAnomalies(t *testing.T) {
	r := newRig(t, "")
	d := documentOf(t, r.ask("GET", "/api/v1/insights/groups?aggregate=visits&measure=n&search=ann&windows=2&limit=3&window=2026-11-22T10:00:00Z", ""))
	if q := r.groupQuery; q.Aggregate != "visits" || q.Measure != "n" || q.Search != "ann" || q.Windows != 2 || q.Limit != 3 || q.Window.Hour() != 10 {
		t.Errorf("%+v", q)
	}
	if d["groups"] != 7.0 || d["matched"] != 1.0 || d["window"] != "2026-11-22T10:00:00.000Z" || d["closes_at"] != "2026-11-22T10:02:30.000Z" {
		t.Errorf("%v", d)
	}
	if d := documentOf(t, r.ask("GET", "/api/v1/insights/groups?aggregate=gone", "")); d["closes_at"] != nil {
		t.Errorf("%v", d)
	}
	items, _ := json.Marshal(documentOf(t, r.ask("GET", "/api/v1/anomalies", ""))["items"])
	if got := string(items); got != `[{"anomaly":{"measure":"n","value":9},"kind":"anomaly","points":[{"start":"2026-11-22T10:00:00.000Z","value":1},{"start":"2026-11-22T10:01:00.000Z","value":2}]}]` {
		t.Errorf("%s", got)
	}
	r.anomaly.Document = json.RawMessage(`{"anomaly":{"measure":"gone"}}`)
	if got := r.ask("GET", "/api/v1/anomalies", "").Body.String(); !strings.Contains(got, `"value":null`) {
		t.Errorf("%s", got)
	}
}

// Group values are anybody's: an answer with a script in it is JSON, and says so.
func TestScriptInGroupValuesStaysData(t *testing.T) {
	r := newRig(t, "")
	for _, target := range []string{"/api/v1/insights", "/api/v1/insights/groups?aggregate=visits"} {
		w := r.ask("GET", target, "")
		if w.Header().Get("Content-Type") != "application/json" || strings.Contains(w.Body.String(), "<") || !strings.Contains(w.Body.String(), `\u003cscript\u003e`) {
			t.Errorf("%s: %s", w.Header().Get("Content-Type"), w.Body)
		}
	}
}

func TestTryAndExplain(t *testing.T) {
	r := newRig(t, "")
	d := documentOf(t, r.ask("POST", "/api/v1/try", `{"events":["{\"user\":\"ann\",\"ip\":\"1.2.3.4\"}","{","{}"]}`))
	items := d["items"].([]any)
	for i, want := range []string{"forwarded", "dead_letter", "filtered"} {
		if got := items[i].(map[string]any); got["outcome"] != want || got["input"] == nil {
			t.Errorf("%d: %v", i, got)
		}
	}
	d = documentOf(t, r.ask("POST", "/api/v1/try", `{"events":["{}"],"pipeline":"name: other\nsource: {topic: in}\noutput: [{topic: elsewhere}]\n"}`))
	if got := d["items"].([]any)[0].(map[string]any)["outcome"]; got != "forwarded" {
		t.Errorf("%v", d)
	}
	d = documentOf(t, r.ask("GET", "/api/v1/explain?partition=2&offset=5&topic=in", ""))
	record := d["record"].(map[string]any)
	if record["timestamp"] != time.UnixMilli(1_795_000_000_123).UTC().Format("2006-01-02T15:04:05.000Z") || record["offset"] != 5.0 || record["partition"] != 2.0 || record["topic"] != "in" || record["key_base64"] != "/w==" {
		t.Errorf("%v", record)
	}
	if got := d["sentence"].(string); !strings.HasPrefix(got, "Rejected at the stage transform: pipeline.yaml:6:9: mask_ip") {
		t.Errorf("%s", got)
	}
	for value, want := range map[string]string{
		`{"user":"ann","ip":"1.2.3.4"}`: "Forwarded to out. Counted in 1 of 1 aggregates.", `{"user":null}`: "Filtered out: ",
	} {
		r.message.Value = []byte(value)
		if got := documentOf(t, r.ask("GET", "/api/v1/explain?partition=2&offset=5", ""))["sentence"].(string); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", value, got)
		}
	}
}

func TestHeaderInjection(t *testing.T) {
	r := newRig(t, "")
	w := r.ask(http.MethodGet, "/api/v1/insights?x%0d%0aSet-Cookie:%20a=b", "")
	if w.Code != 400 || len(w.Result().Cookies()) > 0 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for name, values := range w.Header() {
		if strings.ContainsAny(name+strings.Join(values, ""), "\r\n") {
			t.Errorf("%q: %q", name, values)
		}
	}
}
