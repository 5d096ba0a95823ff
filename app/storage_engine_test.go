package app_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"data-stream-engine/app"
	"data-stream-engine/model"
)

// A STORAGE_URL that can never be one is for whoever starts the service.
func TestAStorageURLThatIsNoneEndsTheStart(t *testing.T) {
	t.Parallel()
	r, dir := newRig(t), t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "pipeline.yaml"), []byte(r.pipeline), 0o600))
	for _, url := range []string{"mysql://u:hidden@h/d", "sqlite:", "sqlite::memory:", "/var/lib/insights.db", "postgres://u:hidden@[h/d", "postgres://u:hidden@h:port/d", "postgres://u:hidden@h/d?sslmode=perhaps"} {
		a, err := app.New(t.Context(), app.Process{Dir: dir, Stdout: io.Discard, Stderr: io.Discard,
			Environ: []string{"KAFKA_BOOTSTRAP_SERVERS=" + r.fake.ListenAddrs()[0], "HTTP_ADDR=127.0.0.1:0", "STORAGE_URL=" + url}})
		if err == nil {
			t.Errorf("%s is taken", url)
			must(t, a.Close())
			continue
		}
		if text := err.Error(); !strings.Contains(text, "STORAGE_URL") || strings.Contains(text, "hidden") {
			t.Errorf("%s: %v", url, err)
		}
		if problem, ok := errors.AsType[*model.Error](err); ok && problem.Class != model.Misconfigured {
			t.Errorf("%s: class %v", url, problem.Class)
		}
	}
}

// However the storage is away at the start, events flow, readiness and the API say which and what to do; when it is mended the
// recorder goes on by itself, from the beginning of the topics.
func TestAStorageThatIsAwayAtTheStartStopsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		url   func(dir string) string
		spoil func(dir string) error
		mend  func(dir string) error // nil: it stays away
		want  []string
	}{
		"a file where the directory should be": {
			func(dir string) string { return "sqlite:" + filepath.Join(dir, "data", "insights.db") },
			func(dir string) error { return os.WriteFile(filepath.Join(dir, "data"), nil, 0o600) },
			func(dir string) error { return os.Remove(filepath.Join(dir, "data")) },
			[]string{"not a directory", "the directory has to exist and to be writable"},
		},
		"a directory where the file should be": {
			func(dir string) string { return "sqlite:" + filepath.Join(dir, "insights.db") },
			func(dir string) error { return os.Mkdir(filepath.Join(dir, "insights.db"), 0o700) },
			func(dir string) error { return os.Remove(filepath.Join(dir, "insights.db")) },
			[]string{"insights.db", "the name has to be that of a file"},
		},
		"a file that is no database": {
			func(dir string) string { return "sqlite:" + filepath.Join(dir, "insights.db") },
			func(dir string) error {
				return os.WriteFile(filepath.Join(dir, "insights.db"), []byte(strings.Repeat("no database ", 1000)), 0o600)
			},
			func(dir string) error { return os.Remove(filepath.Join(dir, "insights.db")) },
			[]string{"the file is damaged: delete ", "insights.db"},
		},
		"PostgreSQL at a port where nothing listens": {
			func(string) string { return "postgres://engine:hidden@" + closedPort(t) + "/insights?sslmode=disable" },
			func(string) error { return nil }, nil,
			[]string{"nothing listens there: start PostgreSQL, or correct STORAGE_URL"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, dir := newWindowRig(t), t.TempDir()
			must(t, c.spoil(dir))
			e := r.watching("STORAGE_URL=" + c.url(dir))
			r.feed(150)
			r.caughtUp()
			r.eventually("a note of the storage", func() bool {
				status, body := e.get("/readyz")
				return status == http.StatusOK && strings.Contains(body, `"name":"storage"`) && holds(body, c.want)
			})
			if status, body := e.get("/api/v1/insights"); status != http.StatusServiceUnavailable || !holds(body, c.want) {
				t.Errorf("insights: %d %s", status, body)
			}
			r.eventually("a status that says so", func() bool {
				s := e.app.View().Status().Storage
				return s != nil && !s.OK && s.Reason != nil && holds(*s.Reason, c.want)
			})
			if strings.Contains(e.log.String(), "hidden") {
				t.Error("the log shows the password")
			}
			if c.mend != nil {
				must(t, c.mend(dir))
				r.eventually("insights", e.hasInsights)
			}
			r.feed(50)
			r.exactlyOnce()
			if status, body := e.get("/readyz"); (c.mend != nil) == strings.Contains(body, `"name":"storage"`) || status != http.StatusOK {
				t.Errorf("readyz: %d %s", status, body)
			}
		})
	}
}

func holds(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}
