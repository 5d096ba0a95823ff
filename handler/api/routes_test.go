package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"data-stream-engine/handler/guard"
	"data-stream-engine/model"
	"data-stream-engine/service"
)

// samples are a request for each route that is answered with 200.
func samples() map[string][3]string {
	return map[string][3]string{
		"GET /api/openapi.yaml":            {"GET", "/api/openapi.yaml"},
		"GET /api/v1/session":              {"GET", "/api/v1/session"},
		"POST /api/v1/login":               {"POST", "/api/v1/login", `{"token":"` + secret + `"}`},
		"POST /api/v1/logout":              {"POST", "/api/v1/logout", `{}`},
		"GET /api/v1/status":               {"GET", "/api/v1/status"},
		"GET /api/v1/pipeline":             {"GET", "/api/v1/pipeline"},
		"GET /api/v1/insights":             {"GET", "/api/v1/insights"},
		"GET /api/v1/insights/groups":      {"GET", "/api/v1/insights/groups?aggregate=visits"},
		"GET /api/v1/anomalies":            {"GET", "/api/v1/anomalies"},
		"GET /api/v1/dead-letters":         {"GET", "/api/v1/dead-letters"},
		"GET /api/v1/dead-letters/counts":  {"GET", "/api/v1/dead-letters/counts"},
		"GET /api/v1/dead-letters/{id}":    {"GET", "/api/v1/dead-letters/1-17"},
		"POST /api/v1/dead-letters/replay": {"POST", "/api/v1/dead-letters/replay", `{"ids":["1-17"]}`},
		"POST /api/v1/pause":               {"POST", "/api/v1/pause", `{"reason":"broker upgrade"}`},
		"POST /api/v1/resume":              {"POST", "/api/v1/resume", `{}`},
		"POST /api/v1/reload":              {"POST", "/api/v1/reload", `{}`},
		"POST /api/v1/try":                 {"POST", "/api/v1/try", `{"events":["{\"user\":\"ann\",\"ip\":\"1.2.3.4\"}","null"]}`},
		"GET /api/v1/explain":              {"GET", "/api/v1/explain?partition=2&offset=5"},
		"GET /api/v1/live":                 {"HEAD", "/api/v1/live"}, // the stream itself has tests of its own
	}
}

// needs are the routes by the right that they need: a new route has to be thought about.
var needs = map[guard.Need][]string{
	guard.Nothing: {"GET /api/v1/session", "POST /api/v1/login", "POST /api/v1/logout"},
	guard.Access: {"GET /api/openapi.yaml", "GET /api/v1/status", "GET /api/v1/pipeline", "GET /api/v1/insights", "GET /api/v1/insights/groups", "GET /api/v1/anomalies",
		"GET /api/v1/dead-letters", "GET /api/v1/dead-letters/counts", "GET /api/v1/live"},
	guard.Read:   {"GET /api/v1/dead-letters/{id}", "POST /api/v1/try", "GET /api/v1/explain"},
	guard.Change: {"POST /api/v1/dead-letters/replay", "POST /api/v1/pause", "POST /api/v1/resume", "POST /api/v1/reload"},
}

func TestEveryRouteAnswersAndNeedsItsRight(t *testing.T) {
	open, closed := newRig(t, ""), newRig(t, secret)
	found := map[string]guard.Need{}
	for need, list := range needs {
		for _, name := range list {
			found[name] = need
		}
	}
	for _, known := range open.api.list() {
		name := known.method + " " + known.path
		need, ok := found[name]
		delete(found, name)
		if !ok || need != known.need {
			t.Errorf("%s needs %d, want %d", name, known.need, need)
		}
		s, ok := samples()[name]
		if !ok {
			t.Fatalf("no sample of %s", name)
		}
		code := func(r *rig, headers ...string) int { return r.ask(s[0], s[1], s[2], headers...).Code }
		here, elsewhere, proxy := []string{}, []string{"Peer", "10.1.2.3:5000"}, []string{"X-Forwarded-For", "10.1.2.3"}
		token := []string{"Authorization", "Bearer " + secret, "Peer", "10.1.2.3:5000"}
		remote, none := 200, 401
		if need >= guard.Read {
			remote = 403
		}
		if need == guard.Nothing {
			none = 200
		}
		if name == "POST /api/v1/login" {
			if got := code(open); got != http.StatusConflict {
				t.Errorf("%s without a token to log in with: %d", name, got)
			}
		} else if a, b, c := code(open, here...), code(open, elsewhere...), code(open, proxy...); a != 200 || b != remote || c != remote {
			t.Errorf("%s without HTTP_TOKEN: %d here, %d elsewhere, %d through a proxy, want 200 %d %d", name, a, b, c, remote, remote)
		}
		if a, b := code(closed, token...), code(closed, here...); a != 200 || b != none {
			t.Errorf("%s with HTTP_TOKEN: %d with it, %d here without it, want 200 %d", name, a, b, none)
		}
	}
	if len(found) > 0 {
		t.Errorf("routes that are not there: %v", found)
	}
}

// An error of a port becomes an answer by its class, the same for every route.
func TestErrorsOfPortsByClass(t *testing.T) {
	_, faulty := service.ParsePipeline("pipeline.yaml", []byte("name: test\nsource: {topic: in}\nfilter: nosuch(\n"), nil)
	for _, c := range []struct {
		err    error
		status int
		detail string
	}{
		{&model.Error{Class: model.Misconfigured, Op: "read cursor", Err: errors.New("it is of another list"), Hint: "begin anew"}, 400, "begin anew"},
		{&model.Error{Class: model.Rejected, Op: "read id", Err: errors.New("no id")}, 400, "no id"},
		{&model.Error{Class: model.NotFound, Op: "not written yet", Err: errors.New("partition 2 ends at 7")}, 404, "ends at 7"},
		{&model.Error{Class: model.Conflict, Op: "replay", Err: errors.New("the key belongs to another request")}, 409, "another request"},
		{&model.Error{Class: model.Deleted, Op: "the broker has deleted this record", Err: errors.New("partition 2 starts at 9")}, 410, "starts at 9"},
		{&model.Error{Class: model.DataLost, Op: "read"}, 410, "read"},
		{&model.Error{Class: model.Unauthorized, Op: "read", Subject: "in", Err: errors.New("no ACL")}, 503, "no ACL"},
		{&model.Error{Class: model.Transient, Op: "query SQLite", Subject: "file.db", Err: errors.New("database is locked")}, 503, "query SQLite file.db"},
		{errors.New("connection refused"), 503, "connection refused"},
		{fmt.Errorf("query: %w", context.DeadlineExceeded), 503, "query"},
		{fmt.Errorf("wrapped: %w", &model.Error{Class: model.NotFound, Op: "x", Err: errors.New("y\x1b[31m\u202e")}), 404, "y\ufffd[31m\ufffd"},
		{faulty, 422, "faults"},
	} {
		r := newRig(t, "")
		r.err = c.err
		for name, s := range samples() {
			switch name {
			case "GET /api/openapi.yaml", "GET /api/v1/session", "POST /api/v1/login", "POST /api/v1/logout", "GET /api/v1/status", "GET /api/v1/pipeline", "POST /api/v1/try", "GET /api/v1/live":
				continue // ask no port that can fail
			}
			w := r.ask(s[0], s[1], s[2])
			d := documentOf(t, w)
			if w.Code != c.status || d["status"] != float64(c.status) || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(fmt.Sprint(d["detail"], d["title"]), c.detail) {
				t.Errorf("%v: %s: %d %s", c.err, name, w.Code, w.Body)
			}
			if after := w.Header().Get("Retry-After"); (after != "") != (c.status == 503) {
				t.Errorf("%v: Retry-After is %q", c.err, after)
			}
			if d["title"] == "" || d["type"] == "" || d["type"] == "about:blank" {
				t.Errorf("%s", w.Body)
			}
		}
	}
}

func TestFaultsOfAPipelineFileHaveTheirPlaces(t *testing.T) {
	r := newRig(t, "")
	_, r.err = service.ParsePipeline("pipeline.yaml", []byte("name: test\nsource: {topic: in}\nfilter: lowr(user) == \"a\"\noutput: [{topic: out, when: 5 +}]\n"), nil)
	d := documentOf(t, r.ask("POST", "/api/v1/reload", "{}"))
	list, _ := d["errors"].([]any)
	if len(list) != 2 {
		t.Fatalf("%v", d)
	}
	first, _ := list[0].(map[string]any)
	if first["line"] != 3.0 || first["column"] != 9.0 || first["length"] != 4.0 || first["source"] != `filter: lowr(user) == "a"` || !strings.Contains(fmt.Sprint(first["message"]), "lower") {
		t.Errorf("%v", first)
	}
}

func TestOtherMethodsAndPathsAreProblems(t *testing.T) {
	r := newRig(t, "")
	for _, c := range []struct {
		method, target string
		status         int
		allow          string
	}{
		{"DELETE", "/api/v1/status", 405, "GET, HEAD"}, {"POST", "/api/v1/status", 405, "GET, HEAD"}, {"GET", "/api/v1/pause", 405, "POST"}, {"PUT", "/api/v1/dead-letters/1-17", 405, "GET, HEAD"},
		{"TRACE", "/api/v1/pause", 405, "POST"}, {"OPTIONS", "/api/v1/pause", 405, "POST"},
		{"GET", "/api/v1/", 404, ""}, {"GET", "/api/", 404, ""}, {"GET", "/api/v2/status", 404, ""}, {"GET", "/api/v1/status/", 404, ""}, {"GET", "/api/v1/Status", 404, ""},
		{"GET", "/api/v1/dead-letters/", 404, ""}, {"GET", "/api/v1/dead-letters/1-17/content", 404, ""}, {"GET", "/api/v1/%73tatus", 200, ""},
		{"GET", "/api/v1/dead-letters/..%2F..%2Fstatus", 400, ""}, {"GET", "/api/v1/dead-letters/1-17%00", 400, ""},
	} {
		w := r.ask(c.method, c.target, "{}")
		if w.Code != c.status || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q: %s", c.method, c.target, w.Code, w.Header().Get("Allow"), w.Body)
		}
		if c.status >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %s", c.method, c.target, w.Header().Get("Content-Type"))
		}
	}
	w := r.ask("HEAD", "/api/v1/status", "")
	if w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
}

func TestAMistakeOfOursIsAProblemToo(t *testing.T) {
	r := newRig(t, "")
	var log bytes.Buffer
	r.api.Log = zerolog.New(&log)
	r.api.Pictures = nil
	if w := r.ask("GET", "/api/v1/status", ""); w.Code != 500 || !strings.Contains(w.Body.String(), `"status":500`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "nil pointer") || !strings.Contains(text, "state.go") {
		t.Errorf("the log does not say what and where: %s", text)
	}
}

// What is kept and cannot be read does not get better by asking again.
func TestABrokenAnomalyIsNoTroubleThatPasses(t *testing.T) {
	r := newRig(t, "")
	r.anomaly.Document = []byte("{")
	if w := r.ask("GET", "/api/v1/anomalies", ""); w.Code != 500 || w.Header().Get("Retry-After") != "" || !strings.Contains(w.Body.String(), "the anomaly k") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

// The log tells of what could not be answered and of who was refused for asking too often, the one apart from the other, and
// not without bound.
func TestWhatFailsIsLogged(t *testing.T) {
	var log bytes.Buffer
	r := newRig(t, secret)
	config := r.api.Config
	config.Log = zerolog.New(&log)
	r.api = New(config)
	for i := range 60 {
		r.ask("GET", "/api/v1/insights", "", "Peer", "10.1.2.3:5000", "Authorization", "Bearer "+strconv.Itoa(i))
	}
	refused := strings.Count(log.String(), `"status":429`)
	r.err = &model.Error{Class: model.Transient, Op: "query SQLite", Subject: "file.db", Err: errors.New("database is locked")}
	for range 60 {
		r.ask("GET", "/api/v1/insights?aggregate=secret", "", "Authorization", "Bearer "+secret)
	}
	failed := strings.Count(log.String(), `"path":"/api/v1/insights","peer":"127.0.0.1:5000","status":503,"error":"query SQLite file.db: database is locked"`)
	if refused == 0 || refused > 20 || failed == 0 || failed > 20 || strings.Contains(log.String(), "secret") {
		t.Errorf("%d refused, %d failed: %s", refused, failed, log.String())
	}
	log.Reset()
	for _, target := range []string{"/api/v1/nothing", "/api/v1/insights?limit=0"} {
		r.ask("GET", target, "", "Authorization", "Bearer "+secret)
	}
	if log.Len() > 0 {
		t.Errorf("what is wrong with a request is told to who sent it: %s", log.String())
	}
}

// Whoever has gone is told nothing, and no goroutine waits for him.
func TestRequestEndsWithItsSender(t *testing.T) {
	r := newRig(t, "")
	r.hang = true
	ctx, cancel := context.WithCancel(t.Context())
	request := httptest.NewRequest("GET", "/api/v1/insights", nil).WithContext(ctx)
	done := make(chan struct{})
	w := httptest.NewRecorder()
	go func() {
		defer close(done)
		r.api.ServeHTTP(w, request)
	}()
	cancel()
	<-done
	if w.Body.Len() > 0 {
		t.Errorf("%s", w.Body)
	}
}
