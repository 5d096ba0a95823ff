package contract

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const token = "a-token-of-the-contract-test"

// pipeline has windows of a second, so that there is something of everything soon.
const pipeline = `name: user-login
source: {topic: user-login, event_time: timestamp}
filter: user_id not in [nil, ""] && device_type in ["android", "iOS"]
transform:
  set:
    device_type: lower(device_type)
    ip: mask_ip(ip)
    device_id: hash(device_id)
output:
  - topic: user-login-processed
    key: user_id
aggregates:
  - name: logins
    group_by: [device_type, locale]
    window: {tumbling: 1s, grace: 1s}
    measures: {logins: count(), users: distinct(user_id), versions: top(app_version, 3)}
    detect: {measure: logins, above: 3}
  - name: visits
    group_by: [locale]
    window: {session: 2s}
    measures: {visits: count()}
`

// build compiles the service, unless CONTRACT_ENGINE names one.
func build(t *testing.T) string {
	t.Helper()
	if binary := os.Getenv("CONTRACT_ENGINE"); binary != "" {
		return binary
	}
	binary := filepath.Join(t.TempDir(), "engine")
	command := exec.CommandContext(t.Context(), "go", "build", "-pgo=auto", "-o", binary, ".")
	command.Dir = "../.."
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// engine is the service as a process.
type engine struct {
	t       *testing.T
	dir     string
	base    string // http://host:port
	brokers string

	mu  sync.Mutex
	log bytes.Buffer
}

// start runs the service with an embedded broker unless the settings name another one, until the test ends.
func start(t *testing.T, binary string, settings map[string]string) *engine {
	t.Helper()
	e := &engine{t: t, dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(e.dir, "pipeline.yaml"), []byte(pipeline), 0o600); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "embedded", "KAFKA_AUTO_CREATE_TOPICS": "true", "KAFKA_PARTITIONS": "2", "HTTP_ADDR": "127.0.0.1:0",
		"LOG_FORMAT": "json", "HASH_KEY": "0123456789abcdef", "GENERATOR_RATE": "100", "EMIT_INTERVAL": "500ms", "IDLE_TIMEOUT": "2s"}
	maps.Copy(all, settings)
	command := exec.Command(binary)
	command.Dir = e.dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + e.dir}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		command.Env = append(command.Env, name+"="+all[name])
	}
	out, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		e.follow(out)
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(20*time.Second, func() { _ = command.Process.Kill() })
		defer kill.Stop()
		<-read
		if err := command.Wait(); err != nil {
			t.Errorf("the service ended with %v", err)
		}
		if t.Failed() {
			t.Logf("log of the service:\n%s", e.tail())
		}
	})
	e.eventually("it listens", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.base != ""
	})
	return e
}

// follow reads the log, and where the service listens out of it.
func (e *engine) follow(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Message, HTTP, Brokers string }
		_ = json.Unmarshal(lines.Bytes(), &line)
		e.mu.Lock()
		e.log.Write(append(slices.Clone(lines.Bytes()), '\n'))
		if line.HTTP != "" {
			e.base = line.HTTP
		}
		if line.Brokers != "" {
			e.brokers = line.Brokers
		}
		e.mu.Unlock()
	}
}

func (e *engine) tail() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := e.log.String()
	return text[max(0, len(text)-8000):]
}

func (e *engine) eventually(what string, is func() bool) {
	e.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if is() {
			return
		}
	}
	e.t.Fatalf("waited in vain: %s\n%s", what, e.tail())
}

// call is a request; headers are name, value, ...
type call struct {
	method, path, body string
	headers            []string
}

func get(path string, headers ...string) call { return call{http.MethodGet, path, "", headers} }

func post(path, body string, headers ...string) call {
	return call{http.MethodPost, path, body, headers}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (e *engine) request(ctx context.Context, c call) *http.Request {
	e.t.Helper()
	r, err := http.NewRequestWithContext(ctx, c.method, e.base+c.path, strings.NewReader(c.body))
	if err != nil {
		e.t.Fatal(err)
	}
	if c.method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(c.headers); i += 2 {
		r.Header.Set(c.headers[i], c.headers[i+1])
		if c.headers[i] == "Host" {
			r.Host = c.headers[i+1]
			r.Header.Del("Host")
		}
	}
	return r
}

func (e *engine) ask(c call) answer {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	response, err := http.DefaultClient.Do(e.request(ctx, c))
	if err != nil {
		e.t.Fatalf("%s %s: %v\n%s", c.method, c.path, err, e.tail())
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, body}
}

// items is how many items a list has.
func (e *engine) items(path string) []map[string]any {
	e.t.Helper()
	a := e.ask(get(path))
	var list struct{ Items []map[string]any }
	if a.status != http.StatusOK || json.Unmarshal(a.body, &list) != nil {
		return nil
	}
	return list.Items
}

func decode(t *testing.T, body []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
}
