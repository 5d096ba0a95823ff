package deploy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// prometheus starts a real one that scrapes engines every second, with the rules of a folder.
func prometheus(t *testing.T, rules, alertmanager string, engines ...string) (addr string) {
	t.Helper()
	dir := t.TempDir()
	addr = freeAddr(t)
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: ['%s/*.yml']\nscrape_configs:\n  - job_name: data-stream-engine\n    static_configs: [{targets: ['%s']}]\n",
		rules, strings.Join(engines, "','"))
	if alertmanager != "" {
		config += "alerting: {alertmanagers: [{static_configs: [{targets: ['" + alertmanager + "']}]}]}\n"
	}
	write(t, dir+"/prometheus.yml", config)
	start(t, dir, nil, "prometheus", "--config.file="+dir+"/prometheus.yml", "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+addr)
	return addr
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Every query of both dashboards finds something in a Prometheus that watches an engine at work.
func TestDashboardsShowARunningEngine(t *testing.T) {
	engineAddr, _ := engine(t, "KAFKA_BOOTSTRAP_SERVERS=embedded", "GENERATOR_RATE=500")
	ready(t, engineAddr)
	addr := prometheus(t, absolute(t, "deploy/prometheus/rules"), "", engineAddr)
	replace := strings.NewReplacer("$job", "data-stream-engine", "$instance", ".*")
	for _, name := range []string{"overview", "internals"} {
		for title, expressions := range queries(t, name) {
			for _, expr := range expressions {
				eventually(t, 90*time.Second, func() error { return hasData(t, addr, replace.Replace(expr), name+", "+title) })
			}
		}
	}
}

// queries are the expressions of a dashboard, by panel.
func queries(t *testing.T, name string) map[string][]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(read(t, "deploy/grafana/dashboards/"+name+".json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, p := range dashboard.Panels {
		for _, q := range p.Targets {
			all[p.Title] = append(all[p.Title], q.Expr)
		}
	}
	if len(all) < 10 {
		t.Fatalf("%s has %d panels", name, len(all))
	}
	return all
}

func hasData(t *testing.T, addr, expr, where string) error {
	t.Helper()
	status, body := get(t.Context(), "http://"+addr+"/api/v1/query?query="+url.QueryEscape(expr))
	var answer struct {
		Error string
		Data  struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return fmt.Errorf("%s: %d %s", where, status, body)
	}
	if answer.Error != "" || len(answer.Data.Result) == 0 {
		return fmt.Errorf("%s: %s finds nothing %s", where, expr, answer.Error)
	}
	return nil
}

// The dashboards are those that the program writes.
func TestDashboardsAreGenerated(t *testing.T) {
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(root+"/tools/dashboards")); err != nil {
		t.Fatal(err)
	}
	write(t, copied+"/go.mod", "module dashboards\n\ngo 1.26.0\n")
	if err := os.MkdirAll(filepath.Dir(copied)+"/deploy/grafana/dashboards", 0o750); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), "go", "run", ".")
	run.Dir = copied
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"overview", "internals"} {
		made, err := os.ReadFile(filepath.Dir(copied) + "/deploy/grafana/dashboards/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if string(made) != string(read(t, "deploy/grafana/dashboards/"+name+".json")) {
			t.Errorf("%s.json is not what tools/dashboards writes: go run -C tools ./dashboards", name)
		}
	}
}

// hook is where Alertmanager posts to.
type hook struct {
	mu     sync.Mutex
	alerts map[string]string // by name: firing or resolved
}

func (h *hook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var message struct {
		Alerts []struct {
			Status string
			Labels map[string]string
		}
	}
	_ = json.NewDecoder(r.Body).Decode(&message)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range message.Alerts {
		h.alerts[a.Labels["alertname"]] = a.Status
	}
}

func (h *hook) is(alert, status string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.alerts[alert] != status {
		return fmt.Errorf("%s is %q, not %s; all: %v", alert, h.alerts[alert], status, h.alerts)
	}
	return nil
}

// From a broker that is stopped to somebody's telephone: a real Kafka, the engine, Prometheus, Alertmanager, a webhook. The rules
// are the shipped ones with shorter times. What follows from the outage is not told as well, and its end is.
func TestAStoppedBrokerRingsABell(t *testing.T) {
	servers := kafka(t, "start")
	engineAddr, _ := engine(t, "KAFKA_BOOTSTRAP_SERVERS="+servers, "KAFKA_REPLICATION_FACTOR=1")
	ready(t, engineAddr)
	h := &hook{alerts: map[string]string{}}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	text := string(read(t, "deploy/prometheus/rules/alerts.yml"))
	for _, shorter := range [][2]string{{"> 120", "> 3"}, {"for: 1m", "for: 1s"}, {"for: 2m", "for: 1s"}, {"for: 5m", "for: 1s"}} {
		text = strings.ReplaceAll(text, shorter[0], shorter[1])
	}
	rules := t.TempDir()
	write(t, rules+"/alerts.yml", text)
	write(t, rules+"/recording.yml", string(read(t, "deploy/prometheus/rules/recording.yml")))
	prometheus(t, rules, alertmanager(t, "ALERT_WEBHOOK_URL="+server.URL), engineAddr)
	kafka(t, "down", "1")
	eventually(t, 2*time.Minute, func() error { return h.is("EngineNotReady", "firing") })
	kafka(t, "up", "1")
	ready(t, engineAddr)
	eventually(t, 3*time.Minute, func() error { return h.is("EngineNotReady", "resolved") })
	for _, quiet := range []string{"LagGrows", "NoEventsProcessed", "EngineDown", "NoEngine"} {
		if err := h.is(quiet, ""); err != nil {
			t.Error(err)
		}
	}
}

// kafka is scripts/kafka.sh with a broker of these tests alone. What start began ends with the test.
func kafka(t *testing.T, what string, args ...string) (servers string) {
	t.Helper()
	version := os.Getenv("KRAFT")
	if version == "" {
		version = "4.3.1"
	}
	command := func(what string, args ...string) ([]byte, error) {
		c := exec.Command(absolute(t, "scripts/kafka.sh"), append([]string{what, version}, args...)...)
		c.Env = append(os.Environ(), "KAFKA_HOME="+absolute(t, ".kafka/deploy"))
		return c.Output()
	}
	out, err := command(what, args...)
	if err != nil {
		t.Fatalf("%s Kafka: %v", what, err)
	}
	if what == "start" {
		t.Cleanup(func() { _, _ = command("stop") })
	}
	return strings.TrimSpace(string(out))
}
