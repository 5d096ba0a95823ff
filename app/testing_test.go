package app

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// output is what a process writes; several goroutines do.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// place is a working directory with the shipped pipeline, and the settings of a first minute on free ports.
type place struct {
	dir      string
	settings map[string]string
	out, err *output
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{dir: t.TempDir(), out: &output{}, err: &output{}, settings: map[string]string{
		"KAFKA_BOOTSTRAP_SERVERS": "embedded", "KAFKA_AUTO_CREATE_TOPICS": "true", "KAFKA_PARTITIONS": "3", "HTTP_ADDR": "127.0.0.1:0", "LOG_FORMAT": "json",
	}}
	shipped, err := os.ReadFile("../pipeline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "pipeline.yaml", string(shipped))
	return p
}

func (p *place) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *place) process(args ...string) Process {
	var environ []string
	for _, name := range slices.Sorted(maps.Keys(p.settings)) {
		environ = append(environ, name+"="+p.settings[name])
	}
	return Process{Args: args, Environ: environ, Dir: p.dir, Stdout: p.out, Stderr: p.err}
}

// main runs a command to its end.
func (p *place) main(t *testing.T, args ...string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return Main(ctx, p.process(args...))
}

// start runs the service in this process; stop ends it as a signal does.
func (p *place) start(t *testing.T) (app *App, stop func()) {
	t.Helper()
	a, err := New(t.Context(), p.process())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			t.Errorf("Run did not end\n%s", p.err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Cleanup(stop)
	return a, stop
}

// eventually waits for something that other goroutines bring about.
func (p *place) eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("waited in vain: %s\n%s", what, p.err)
}

func fetch(t *testing.T, addr, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func ready(t *testing.T, a *App) bool {
	t.Helper()
	status, _ := fetch(t, a.Addr(), "/readyz")
	return status == http.StatusOK
}

// records reads what is committed in a topic up to where it ends now.
func records(t *testing.T, brokers []string, topic string) []*kgo.Record {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(c).ListCommittedOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	left := map[int32]bool{}
	ends.Each(func(o kadm.ListedOffset) { left[o.Partition] = o.Offset > 0 })
	var all []*kgo.Record
	for slices.Contains(slices.Collect(maps.Values(left)), true) {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d records of %s: %v", len(all), topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end, _ := ends.Lookup(topic, r.Partition)
			if r.Offset < end.Offset && !r.Attrs.IsControl() {
				all = append(all, r)
			}
			left[r.Partition] = left[r.Partition] && r.Offset+1 < end.Offset
		})
	}
	return all
}

func has(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
