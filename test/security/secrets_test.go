package security

import (
	"bufio"
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"data-stream-engine/test/harness"
)

// hunted is an engine whose secrets are looked for in everything that comes out of it.
type hunted struct {
	*testing.T
	canaries
	dir, files string // where it works, and where its secrets are, if they are in files
	token      string
}

// eachSource runs a test with the secrets in the environment, and with them in files.
func eachSource(t *testing.T, f func(t *testing.T, h *hunted)) {
	for _, source := range []string{"values", "files"} {
		t.Run(source, func(t *testing.T) {
			h := &hunted{T: t, canaries: newCanaries(), dir: t.TempDir()}
			h.token = h.value("HTTP_TOKEN")
			if source == "files" {
				h.files = t.TempDir()
			}
			f(t, h)
			h.folder(t, h.dir) // the log and DATA_DIR
		})
	}
}

// start runs the engine; its log lies in h.dir.
func (h *hunted) start(name string, env harness.Env, args ...string) *harness.Instance {
	h.Helper()
	i, err := suite.Spawn(h.dir, name, env, args...)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(i.Kill)
	return i
}

// all are the settings of a stream with every secret set.
func (h *hunted) all(st *harness.Stream, but ...string) harness.Env {
	env := st.Env.With(harness.Env{"HASH_KEY": "", "LOG_LEVEL": "debug", "INSTANCE_ID": "one", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
		"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": suite.Cluster.Username,
		"KAFKA_BOOTSTRAP_SERVERS": suite.Cluster.SASLPlaintext})
	maps.Copy(env, h.env(h.T, h.files, but...))
	return env
}

// stream is one whose witness may do everything.
func (h *hunted) stream(shapes ...harness.Shape) *harness.Stream {
	h.Helper()
	if suite.IsEmbedded() { // a broker of its own for each way in
		c := suite.Cluster
		shapes = append(shapes, harness.Through(kgo.SeedBrokers(c.SASLPlaintext), kgo.SASL(plain.Auth{User: c.AdminUsername, Pass: c.AdminPassword}.AsMechanism())))
		return suite.NewStream(h, shapes...)
	}
	st := suite.NewStream(h, shapes...)
	grant(h.T, st, user(), documented(h.T, st)...)
	return st
}

func TestNoSecretIsSeenAnywhereWhileTheEngineWorks(t *testing.T) {
	for _, storage := range []string{"a database that is away", "SQLite"} {
		t.Run(storage, func(t *testing.T) {
			eachSource(t, func(t *testing.T, h *hunted) {
				but := []string{"KAFKA_SASL_PASSWORD"}
				if storage == "SQLite" {
					but = append(but, "STORAGE_URL")
				}
				st := h.stream()
				env := h.all(st, but...).With(harness.Env{"KAFKA_SASL_PASSWORD": suite.Cluster.Password})
				h.canaries = append(h.canaries, canary{name: "the broker's password", value: suite.Cluster.Password})
				engine := h.start("works", env)
				engine.AwaitReady(t, soon)
				st.Feed(500)
				st.AwaitDone(soon)
				time.Sleep(2 * time.Second) // windows are merged, the recorder has tried
				h.everyAnswer(engine)
				for _, args := range [][]string{{"status"}, {"dead-letters", "list"}, {"explain", "0", "0"}, {"pause"}, {"status", "--json"}, {"resume"}, {"settings"}, {"validate"}, {"health"}} {
					h.command(engine, env, args...)
				}
				for _, topic := range []string{st.Source, st.Output, st.DeadLetters, st.Group + "-control", st.Group + "-partials", st.Group + "-changelog", st.Group + "-insights", st.Group + "-replay"} {
					h.topic(st, topic)
				}
				engine.Signal(syscall.SIGQUIT) // what a crash prints
				<-engine.Done()
				if !strings.Contains(engine.Log(), "goroutine ") {
					t.Error("it printed no goroutines")
				}
			})
		})
	}
}

// command runs a command of the program against the engine, with its secrets.
func (h *hunted) command(engine *harness.Instance, env harness.Env, args ...string) {
	h.Helper()
	i := h.start("command-"+strings.Join(args, "-"), env.With(harness.Env{"HTTP_ADDR": address(h.T, engine)}), args...)
	if code := i.Exit(h, soon); code != 0 && !strings.Contains(i.Log(), "/") {
		h.Logf("%v: exit code %d: %s", args, code, i.Log())
	}
}

func (h *hunted) topic(st *harness.Stream, topic string) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), soon)
	defer cancel()
	records, err := st.Client.ReadAll(ctx, topic)
	if err != nil {
		h.Log(topic, err)
		return
	}
	for _, r := range records {
		h.seen(h.T, topic, r.Key)
		h.seen(h.T, topic, r.Value)
		for _, header := range r.Headers {
			h.seen(h.T, topic, header.Value)
		}
	}
}

func address(t *testing.T, engine *harness.Instance) string {
	t.Helper()
	found := regexp.MustCompile(`https?://((?:127\.0\.0\.1|localhost):\d+)`).FindStringSubmatch(engine.Says(t, soon, "/metrics"))
	if found == nil {
		t.Fatal("it does not say where it serves HTTP")
	}
	return found[1]
}

// everyAnswer asks whatever there is to ask, with the token, without, and with another one.
func (h *hunted) everyAnswer(engine *harness.Instance) {
	h.Helper()
	base := "http://" + address(h.T, engine)
	paths := []string{"/", "/livez", "/readyz", "/metrics", "/api/openapi.yaml", "/nothing", "/api/v1/nothing",
		"/debug/pprof/", "/debug/pprof/heap?debug=1", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline", "/debug/pprof/allocs"}
	_, openapi := h.ask(http.MethodGet, base+"/api/openapi.yaml", "Bearer "+h.token, "")
	lines := regexp.MustCompile(`(?m)^  "?(/api/[^\s":]+)"?:`).FindAllStringSubmatch(openapi, -1)
	if len(lines) < 10 {
		h.Errorf("%d paths in the description of the API", len(lines))
	}
	for _, line := range lines {
		paths = append(paths, strings.ReplaceAll(line[1], "{id}", "0-0"))
	}
	answered := 0
	for _, path := range paths {
		for _, authorization := range []string{"Bearer " + h.token, "", "Bearer not-the-token-at-all"} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				query := ""
				if strings.HasSuffix(path, "/explain") {
					query = "?partition=0&offset=0"
				}
				status, _ := h.ask(method, base+path+query, authorization, `{"token":"wrong","events":["{}"],"reason":"r","ids":["0-0"]}`)
				if status == http.StatusOK {
					answered++
				}
			}
		}
	}
	if answered < 20 {
		h.Errorf("only %d answers were 200", answered)
	}
	h.ask(http.MethodPost, base+"/api/v1/try", "Bearer "+h.token, `{"events":["{}"],"pipeline":"name: x\nsource: {topic: ${HASH_KEY}}\noutput: [{topic: ${HTTP_TOKEN}}]\n"}`)
	h.ask(http.MethodPost, base+"/api/v1/resume", "Bearer "+h.token, `{}`)
}

// ask looks for secrets in an answer, headers included. Streams are read for a while.
func (h *hunted) ask(method, at, authorization, body string) (status int, text string) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), 10*time.Second)
	defer cancel()
	if strings.HasSuffix(at, "/live") {
		time.AfterFunc(1500*time.Millisecond, cancel)
	}
	if method == http.MethodGet {
		body = ""
	}
	request, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(body))
	if err != nil {
		h.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.Logf("%s %s: %v", method, at, err)
		return 0, ""
	}
	defer response.Body.Close()
	content, _ := io.ReadAll(bufio.NewReader(response.Body)) // a stream ends with its context
	h.seen(h.T, "the answer to "+method+" "+at, content)
	for name, values := range response.Header {
		h.seen(h.T, "the header "+name+" of "+at, []byte(strings.Join(values, "\n")))
	}
	return response.StatusCode, string(content)
}

// Nothing of these starts, or gets anywhere.
func TestNoSecretIsSeenAnywhereWhenSomethingIsWrong(t *testing.T) {
	eachSource(t, func(t *testing.T, h *hunted) {
		st := h.stream(harness.NoTopics())
		all := h.all(st)
		pipeline := filepath.Join(h.dir, "bad.yaml")
		write := func(path, text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(pipeline, "name: x\nsource: {topic: \"${KAFKA_SASL_PASSWORD}\"}\nfilter: x == \"${HASH_KEY}\"\noutput: [{topic: \"${HTTP_TOKEN}\"}]\n")
		for name, more := range map[string]harness.Env{
			"pipeline":     {"PIPELINE_FILE": pipeline},
			"settings":     {"KAFKA_COMPRESSION": "brotli", "HTTP_ADDR": "nowhere", "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"},
			"taken":        {"HTTP_ADDR": "192.0.2.1:80"},
			"key files":    {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SSL_CERT_FILE": pipeline, "KAFKA_SSL_KEY_FILE": pipeline},
			"both sources": both(h.canaries),
		} {
			engine := h.start("wrong-"+name, all.With(more))
			if code := engine.Exit(t, soon); code != 2 {
				h.Errorf("%s: exit code %d\n%s", name, code, engine.Tail(5))
			}
			for _, command := range []string{"settings", "validate", "status"} {
				h.start("wrong-"+name+"-"+command, all.With(more), command).Exit(t, soon)
			}
		}
		for name, text := range wrongValues(h.canaries) { // of the secrets themselves
			setting, _, _ := strings.Cut(name, " ")
			env := all.With(harness.Env{setting: text, setting + "_FILE": ""})
			if h.files != "" {
				write(filepath.Join(h.files, setting), text)
				env = all
			}
			engine := h.start("refused-"+strings.ReplaceAll(name, " ", "-"), env)
			if code := engine.Exit(t, soon); code != 2 {
				h.Errorf("%s: exit code %d\n%s", name, code, engine.Tail(5))
			}
			h.env(h.T, h.files)
		}
	})
}

// both sets every secret twice.
func both(all canaries) harness.Env {
	env := harness.Env{}
	for _, c := range all {
		env[c.name], env[c.name+"_FILE"] = c.setting, "/etc/hostname"
	}
	return env
}

// wrongValues are secrets that are refused because of what they are.
func wrongValues(all canaries) map[string]string {
	value := all.value
	return map[string]string{
		"KAFKA_SASL_PASSWORD with a control character":     value("KAFKA_SASL_PASSWORD") + "\x01",
		"HTTP_TOKEN with a blank":                          value("HTTP_TOKEN") + " " + value("HTTP_TOKEN"),
		"STORAGE_URL of no database":                       "mysql://u:" + value("STORAGE_URL") + "@h/d",
		"STORAGE_URL that is none":                         "postgres://u:" + value("STORAGE_URL") + "@[h/d",
		"STORAGE_URL with a port":                          "postgres://u:" + value("STORAGE_URL") + "@h:port/d",
		"STORAGE_URL with an option":                       "postgres://u:" + value("STORAGE_URL") + "@h/d?sslmode=perhaps",
		"OTEL_EXPORTER_OTLP_HEADERS without a value":       value("OTEL_EXPORTER_OTLP_HEADERS"),
		"OTEL_EXPORTER_OTLP_HEADERS with another encoding": "a=%zz" + value("OTEL_EXPORTER_OTLP_HEADERS"),
	}
}

// A password that the broker refuses is in no message about that.
func TestNoSecretIsSeenAnywhereWhenTheBrokerRefusesIt(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			eachSource(t, func(t *testing.T, h *hunted) {
				st := h.stream(harness.NoTopics())
				engine := h.start("refused", h.all(st).With(harness.Env{"KAFKA_SASL_MECHANISM": mechanism}))
				engine.AwaitUnready(t, soon, suite.Cluster.SASLPlaintext)
				h.everyAnswer(engine)
				engine.Stop(t)
			})
		})
	}
}

// The keys of both sides of TLS are files of their own.
func TestNoSecretIsSeenAnywhereOfKeyFiles(t *testing.T) {
	h := &hunted{T: t, dir: t.TempDir()}
	ca := stranger(t)
	ours := issue(t, ca, "client", forClients)
	files := t.TempDir()
	certFile, keyFile := ours.write(t, files)
	door := issue(t, ca, "door", names("localhost"))
	replace(t, files+"/door.pem", door.certPEM())
	replace(t, files+"/door.key", door.keyPEM(t))
	for name, p := range map[string]pair{"the client's key": ours, "the door's key": door} {
		middle := strings.Split(string(p.keyPEM(t)), "\n")[1]
		h.canaries = append(h.canaries, canary{name: name, value: middle[20:]})
	}
	st := h.stream(harness.NoTopics())
	env := st.Env.With(harness.Env{"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_BOOTSTRAP_SERVERS": suite.Cluster.SSL, "KAFKA_SSL_CA_FILE": suite.Cluster.CAFile, "LOG_LEVEL": "debug",
		"KAFKA_SSL_CERT_FILE": certFile, "KAFKA_SSL_KEY_FILE": keyFile, "HTTP_TLS_CERT_FILE": files + "/door.pem", "HTTP_TLS_KEY_FILE": files + "/door.key"})
	engine := h.start("keys", env)
	engine.Says(t, soon, "KAFKA_SSL_CERT_FILE") // the broker does not know who signed it
	replace(t, files+"/client.pem", door.certPEM())
	engine.Says(t, late, "private key does not match")
	replace(t, files+"/client.key", []byte("-----BEGIN PRIVATE KEY-----\n"+string(ours.keyPEM(t))))
	replace(t, files+"/door.key", ours.keyPEM(t))
	time.Sleep(3 * time.Second)
	h.command(engine, env, "settings")
	engine.Signal(syscall.SIGQUIT)
	<-engine.Done()
	h.folder(t, h.dir)
}
