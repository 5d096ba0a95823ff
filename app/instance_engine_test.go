package app_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"data-stream-engine/app"
)

// engine is one instance of the service.
type engine struct {
	t    *testing.T
	app  *app.App
	dir  string // where its pipeline file is
	log  *logged
	stop func() error // as a signal does; what Run returned
	done chan struct{}
}

// logged is what an instance writes; several goroutines do.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start starts an instance. settings are NAME=value; they win over what is usual here.
func (r *rig) start(settings ...string) *engine {
	r.t.Helper()
	dir := r.t.TempDir()
	must(r.t, os.WriteFile(filepath.Join(dir, "pipeline.yaml"), []byte(r.pipeline), 0o600))
	environ := append([]string{
		"KAFKA_BOOTSTRAP_SERVERS=" + strings.Join(r.fake.ListenAddrs(), ","), "KAFKA_CLIENT_ID=" + engineClient, "HTTP_ADDR=127.0.0.1:0", "LOG_FORMAT=json",
		"COMMIT_INTERVAL=20ms", "SESSION_TIMEOUT=3s",
	}, settings...)
	e := &engine{t: r.t, dir: dir, log: &logged{}, done: make(chan struct{})}
	var stderr io.Writer = e.log
	if r.terminal != nil {
		stderr = r.terminal
	}
	a, err := app.New(r.t.Context(), app.Process{Environ: environ, Dir: dir, Stdout: io.Discard, Stderr: stderr})
	must(r.t, err)
	e.app = a
	ctx, cancel := context.WithCancel(context.Background())
	var ended error
	go func() {
		defer close(e.done)
		ended = a.Run(ctx)
	}()
	e.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case <-e.done:
		case <-time.After(time.Minute):
			r.t.Error("Run did not end")
			return nil
		}
		if err := a.Close(); err != nil {
			r.t.Errorf("Close: %v", err)
		}
		return ended
	})
	r.t.Cleanup(func() {
		_ = e.stop() // tests that care have asked before
		if r.t.Failed() {
			text := e.log.String()
			r.t.Logf("the log ends with\n%s", text[max(0, len(text)-6000):])
		}
	})
	return e
}

func (e *engine) get(path string) (int, string) {
	e.t.Helper()
	q, err := http.NewRequestWithContext(e.t.Context(), http.MethodGet, "http://"+e.app.Addr()+path, nil)
	must(e.t, err)
	answer, err := http.DefaultClient.Do(q)
	must(e.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(e.t, err)
	return answer.StatusCode, string(body)
}

func (e *engine) ready() bool {
	e.t.Helper()
	status, _ := e.get("/readyz")
	return status == http.StatusOK
}

// metric is a number of /metrics, by its name and labels as they stand there.
func (e *engine) metric(name string) float64 {
	e.t.Helper()
	_, body := e.get("/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			must(e.t, err)
			return f
		}
	}
	e.t.Fatalf("no metric %s", name)
	return 0
}

func (e *engine) says(parts ...string) bool {
	for line := range strings.Lines(e.log.String()) {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			return true
		}
	}
	return false
}
