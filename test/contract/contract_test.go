package contract

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// elsewhere are answers that cannot be had from outside at will. Tests of handler/api have them.
var elsewhere = []string{
	"POST /api/v1/try 503",    // all places for work are taken for ten seconds
	"POST /api/v1/reload 503", // the file system is away
}

// local are the routes that need no right, those that everybody may ask, and the rest.
func kinds(d *document) (open, access, rest []call) {
	seen := map[string]bool{}
	for _, name := range d.operations() {
		part := strings.Fields(name)
		if seen[part[0]+part[1]] {
			continue
		}
		seen[part[0]+part[1]] = true
		c := call{method: part[0], path: strings.Replace(part[1], "{id}", "0-0", 1)}
		if c.method == http.MethodPost {
			c.body = "{}"
		}
		switch {
		case slices.Contains([]string{"/api/v1/session", "/api/v1/login", "/api/v1/logout"}, c.path):
			open = append(open, c)
		case c.method == http.MethodPost, strings.HasSuffix(c.path, "explain"), strings.HasSuffix(c.path, "0-0"):
			rest = append(rest, c)
		default:
			access = append(access, c)
		}
	}
	return open, access, rest
}

func (c call) with(headers ...string) call {
	c.headers = append(slices.Clone(c.headers), headers...)
	return c
}

func TestTheServiceIsWhatItsDocumentSays(t *testing.T) {
	binary := build(t)
	e := start(t, binary, nil)
	d := load(t, e.ask(get("/api/openapi.yaml")).body)
	e.eventually("insights, sessions, anomalies and dead letters", func() bool {
		return len(e.items("/api/v1/insights?kind=window&final=true")) > 0 && len(e.items("/api/v1/insights?kind=session")) > 0 && len(e.items("/api/v1/anomalies")) > 0 && len(e.items("/api/v1/dead-letters")) > 3
	})
	answers(d, e)
	mistakes(d, e)
	rights(d, e)
	d.live(e)
	changes(d, e)
	deleted(d, e)
	tokens(d, start(t, binary, map[string]string{"HTTP_TOKEN": token}))
	away(d, start(t, binary, map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "STORAGE_URL": "postgres://nobody@127.0.0.1:1/nothing"}))
	unstored(d, start(t, binary, map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "STORAGE_URL": "none"}))
	full(d, e)
	for _, name := range d.operations() {
		if !d.seen[name] && !slices.Contains(elsewhere, name) {
			t.Errorf("%s is described and was not seen", name)
		}
	}
}

// answers asks for everything that can be seen.
func answers(d *document, e *engine) {
	for _, path := range []string{
		"/api/openapi.yaml", "/api/v1/session", "/api/v1/status", "/api/v1/pipeline", "/api/v1/insights", "/api/v1/insights?aggregate=logins&kind=window&final=true&group.locale=RU&limit=5&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z",
		"/api/v1/insights?kind=session&limit=3", "/api/v1/insights?kind=anomaly&limit=3", "/api/v1/insights?final=false&limit=3",
		"/api/v1/insights/groups?aggregate=logins", "/api/v1/insights/groups?aggregate=logins&measure=logins&search=android&windows=5&limit=3", "/api/v1/insights/groups?aggregate=visits&limit=2",
		"/api/v1/insights/groups?aggregate=nothing", "/api/v1/anomalies", "/api/v1/anomalies?aggregate=logins&limit=2", "/api/v1/dead-letters", "/api/v1/dead-letters?stage=decode&limit=2", "/api/v1/dead-letters?content=true&limit=20",
		"/api/v1/dead-letters/counts", "/api/v1/explain?partition=0&offset=0", "/api/v1/explain?partition=1&offset=3&topic=user-login",
	} {
		d.check(e, get(path), 200)
	}
	for _, path := range []string{"/api/v1/insights?limit=7", "/api/v1/dead-letters?limit=2"} {
		pages(d, e, path)
	}
	for _, letter := range e.items("/api/v1/dead-letters?limit=20") {
		d.check(e, get(fmt.Sprint("/api/v1/dead-letters/", letter["id"])), 200)
	}
	for offset := range 60 { // events of every kind
		d.check(e, get(fmt.Sprint("/api/v1/explain?partition=1&offset=", offset)), 200)
	}
	for _, body := range []string{
		`{"events":["{\"user_id\":\"u\",\"device_type\":\"android\",\"ip\":\"1.2.3.4\",\"device_id\":\"d\",\"locale\":\"RU\",\"timestamp\":1795341607}","{","null","{\"user_id\":\"\"}","{\"user_id\":\"u\",\"device_type\":\"iOS\",\"ip\":\"x\",\"timestamp\":1}"]}`,
		`{"events":["{}"],"pipeline":"name: other\nsource: {topic: in}\noutput: [{topic: out, when: a == 1, key: b}]\n"}`,
	} {
		d.check(e, post("/api/v1/try", body), 200)
	}
	d.check(e, get("/api/v1/explain?partition=99&offset=0"), 404)
	d.check(e, get("/api/v1/explain?partition=0&offset=99999999"), 404)
	d.check(e, get("/api/v1/explain?partition=0&offset=0&topic=other"), 404)
	d.check(e, get("/api/v1/dead-letters/0-99999999"), 404)
}

// pages walks through a list by its cursors: nothing comes twice.
func pages(d *document, e *engine, path string) {
	seen, cursor := map[string]bool{}, ""
	for range 3 {
		at := path
		if cursor != "" {
			at += "&cursor=" + cursor
		}
		var list struct {
			Items []any
			Next  string `json:"next_cursor"`
		}
		decode(d.t, d.check(e, get(at), 200).body, &list)
		for _, item := range list.Items {
			text := fmt.Sprint(item)
			if seen[text] {
				d.t.Errorf("%s: %s came twice", at, text)
			}
			seen[text] = true
		}
		if cursor = list.Next; cursor == "" {
			return
		}
	}
}

// mistakes asks wrongly.
func mistakes(d *document, e *engine) {
	open, access, rest := kinds(d)
	for _, c := range slices.Concat(open, access, rest) {
		wrong := c
		wrong.path += "?nosuch=1"
		d.check(e, wrong, 400)
		if c.method == http.MethodPost {
			d.check(e, c.with("Content-Type", "text/plain"), 415)
			large := c
			large.body = `{"reason":"` + strings.Repeat("x", 1<<20) + `"}`
			d.check(e, large, 413)
		}
	}
	d.check(e, get("/api/v1/insights?cursor=nonsense"), 400)
	d.check(e, get("/api/v1/dead-letters?cursor=%00"), 400)
	d.check(e, get("/api/v1/insights/groups?aggregate=logins&measure=nosuch"), 400)
	d.check(e, post("/api/v1/login", `{"token":"x"}`), 409)
	d.check(e, post("/api/v1/try", `{"events":["{}"],"pipeline":"name: x\nfilter: nosuch(1)\n"}`), 422)
	// Only variables of the file in use may be tried: the others of the environment are nobody's business.
	a := d.check(e, post("/api/v1/try", `{"events":["{}"],"pipeline":"name: x\nsource: {topic: in}\noutput: [{topic: \"${HOME}\"}]\n"}`), 422)
	if strings.Contains(string(a.body), e.dir) {
		d.t.Errorf("the environment is shown: %s", a.body)
	}
}

// rights asks from elsewhere, as a proxy, another name and another page would.
func rights(d *document, e *engine) {
	open, access, rest := kinds(d)
	for _, c := range rest {
		d.check(e, c.with("X-Forwarded-For", "192.0.2.1"), 403)
	}
	for _, c := range slices.Concat(access, rest) {
		d.check(e, c.with("Host", "attacker.example"), 403)
	}
	for _, c := range slices.Concat(open, access, rest) {
		d.check(e, c.with("Sec-Fetch-Site", "cross-site"), 403)
	}
}

// changes does what changes something.
func changes(d *document, e *engine) {
	d.check(e, post("/api/v1/pause", `{"reason":"contract"}`), 200)
	d.check(e, get("/api/v1/status"), 200)
	d.check(e, post("/api/v1/resume", `{}`), 200)
	file := filepath.Join(e.dir, "pipeline.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	write(strings.Replace(pipeline, "lower(device_type)", "nosuch(device_type)", 1))
	d.check(e, post("/api/v1/reload", `{}`), 422)
	write(strings.Replace(pipeline, "name: user-login", "name: other", 1))
	d.check(e, post("/api/v1/reload", `{}`), 409)
	write(strings.Replace(pipeline, "lower(device_type)", "upper(device_type)", 1))
	d.check(e, post("/api/v1/reload", `{}`), 200)
	letters := e.items("/api/v1/dead-letters?limit=3")
	ids := fmt.Sprintf(`{"ids":["%v","%v"]}`, letters[0]["id"], letters[1]["id"])
	first := d.check(e, post("/api/v1/dead-letters/replay", ids, "Idempotency-Key", "contract-1"), 200)
	again := d.check(e, post("/api/v1/dead-letters/replay", ids, "Idempotency-Key", "contract-1"), 200)
	if string(first.body) != string(again.body) {
		d.t.Errorf("the same request again: %s, then %s", first.body, again.body)
	}
	d.check(e, post("/api/v1/dead-letters/replay", fmt.Sprintf(`{"ids":["%v"]}`, letters[2]["id"]), "Idempotency-Key", "contract-1"), 409)
	d.check(e, post("/api/v1/dead-letters/replay", `{"stage":"decode","limit":2}`), 200)
}

// deleted asks for what the broker does not have any more.
func deleted(d *document, e *engine) {
	client, err := kgo.NewClient(kgo.SeedBrokers(e.brokers))
	if err != nil {
		d.t.Fatal(err)
	}
	defer client.Close()
	letter := e.items("/api/v1/dead-letters?limit=1")[0]
	ends := kadm.Offsets{}
	ends.AddOffset("user-login", 0, 5, -1)
	for partition := range int32(2) {
		ends.AddOffset("user-login-dead-letter", partition, -1, -1)
	}
	if _, err := kadm.NewClient(client).DeleteRecords(d.t.Context(), ends); err != nil {
		d.t.Fatal(err)
	}
	d.check(e, get("/api/v1/explain?partition=0&offset=0"), 410)
	d.check(e, get(fmt.Sprint("/api/v1/dead-letters/", letter["id"])), 410)
	d.check(e, get("/api/v1/dead-letters?content=true&limit=5"), 200)
}

// tokens asks a service with a token.
func tokens(d *document, e *engine) {
	open, access, rest := kinds(d)
	bearer := []string{"Authorization", "Bearer " + token}
	for _, c := range slices.Concat(access, rest) {
		d.check(e, c, 401)
	}
	d.check(e, get("/api/v1/session"), 200)
	d.check(e, get("/api/v1/status").with(bearer...), 200)
	d.check(e, post("/api/v1/login", `{"token":"wrong"}`), 401)
	a := d.check(e, post("/api/v1/login", `{"token":"`+token+`"}`), 200)
	cookie := (&http.Response{Header: a.header}).Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || strings.Contains(cookie.Value, token) {
		d.t.Errorf("%v", cookie)
	}
	with := []string{"Cookie", cookie.Name + "=" + cookie.Value}
	d.check(e, get("/api/v1/status").with(with...), 200)
	d.check(e, post("/api/v1/logout", `{}`).with(with...), 200)
	d.check(e, get("/api/v1/status").with(with...), 401)
	var wrong []string
	for i := range 10 { // the same one again would be no guess
		wrong = []string{"Authorization", "Bearer wrong " + strconv.Itoa(i), "X-Forwarded-For", "192.0.2.1"}
		d.check(e, get("/api/v1/status").with(wrong...), 401)
	}
	for _, c := range slices.Concat(access, rest) {
		d.check(e, c.with(wrong...), 429)
	}
	for _, c := range open {
		if strings.HasSuffix(c.path, "login") {
			d.check(e, post(c.path, `{"token":"`+token+`"}`, "X-Forwarded-For", "192.0.2.1"), 429)
		}
	}
	d.check(e, get("/api/v1/status").with(bearer...), 200) // nobody on this machine waits for those
}

// away asks a service whose brokers and storage cannot be reached.
func away(d *document, e *engine) {
	for _, path := range []string{"/api/v1/session", "/api/v1/status", "/api/v1/pipeline"} {
		d.check(e, get(path), 200)
	}
	for _, c := range []call{get("/api/v1/insights"), get("/api/v1/insights/groups?aggregate=logins"), get("/api/v1/anomalies"), get("/api/v1/dead-letters"), get("/api/v1/dead-letters/counts"), get("/api/v1/dead-letters/0-0"),
		get("/api/v1/explain?partition=0&offset=0"), post("/api/v1/pause", `{}`), post("/api/v1/resume", `{}`), post("/api/v1/dead-letters/replay", `{"ids":["0-0"]}`)} {
		began := time.Now()
		d.check(e, c, 503)
		if took := time.Since(began); took > 15*time.Second {
			d.t.Errorf("%s took %s", c.path, took)
		}
	}
}

// unstored asks a service without a storage for what would be in it.
func unstored(d *document, e *engine) {
	for _, path := range []string{"/api/v1/insights", "/api/v1/insights/groups?aggregate=logins", "/api/v1/anomalies", "/api/v1/dead-letters", "/api/v1/dead-letters/counts"} {
		d.check(e, get(path), 404)
	}
}

// live reads a stream and holds each event against its schema.
func (d *document) live(e *engine) {
	schemas := map[string]string{"session": "Session", "pipeline": "Pipeline", "status": "Status", "history": "History", "rates": "Point", "partitions": "Partitions",
		"marks": "Marks", "anomalies": "Anomalies", "dead_letters": "LiveLetters"}
	ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
	defer cancel()
	c := get("/api/v1/live")
	response, err := http.DefaultClient.Do(e.request(ctx, c))
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		d.t.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	d.seen["GET /api/v1/live 200"] = true
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 16<<20)
	came, name := map[string]int{}, ""
	for (len(came) < len(schemas)-1 || came["rates"] < 3) && lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			name = rest
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			came[name]++
			if schemas[name] == "" {
				d.t.Errorf("an event %s is not described", name)
				continue
			}
			d.fits(schemas[name], []byte(data))
		}
	}
	for name := range schemas {
		if came[name] == 0 && name != "marks" {
			d.t.Errorf("no event %s in %v", name, came)
		}
	}
}

// full opens as many streams as there may be, and one more.
func full(d *document, e *engine) {
	ctx, cancel := context.WithCancel(d.t.Context())
	defer cancel()
	for range 256 {
		response, err := http.DefaultClient.Do(e.request(ctx, get("/api/v1/live")))
		if err != nil {
			d.t.Fatal(err)
		}
		defer response.Body.Close() //nolint:revive // all of them stay open until the end
		if response.StatusCode == http.StatusServiceUnavailable {
			break // one from before has not quite ended
		}
	}
	d.check(e, get("/api/v1/live"), 503)
}
