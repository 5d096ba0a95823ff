package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/twmb/franz-go/pkg/kgo"
	_ "modernc.org/sqlite"

	"data-stream-engine/test/harness"
)

// server is a PostgreSQL of one test.
type server struct {
	t   *testing.T
	env []string
	URL string
}

// startPostgres starts one, or leaves the test out, aloud, where there is none; not where a target was asked for.
func startPostgres(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "postgres") //nolint:usetesting // its user has to get there, and may not enter a directory of the test's
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	s := &server{t: t, env: append(os.Environ(), "POSTGRES_HOME="+dir, "POSTGRES_PORT="+port)}
	out, err := s.script("start")
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 3 && os.Getenv("TEST_KAFKA_TARGET") == "" && os.Getenv("TEST_ALL") == "" {
		t.Skip("NOT TESTED WITH POSTGRESQL: it is not installed")
	}
	if err != nil {
		t.Fatal(err, out)
	}
	t.Cleanup(func() {
		_, _ = s.script("stop")
		_ = os.RemoveAll(dir)
	})
	s.URL = strings.TrimSpace(out)
	return s
}

func (s *server) script(command string) (string, error) {
	cmd := exec.CommandContext(context.WithoutCancel(s.t.Context()), filepath.Join(suite.Root, "scripts", "postgres.sh"), command)
	cmd.Env = s.env
	out, err := cmd.Output()
	return string(out), err
}

func (s *server) do(command string) {
	s.t.Helper()
	if out, err := s.script(command); err != nil {
		s.t.Fatal(command, err, out)
	}
}

// Two instances share a PostgreSQL, which is killed and away for a while, one of them is killed too, and a third one has a
// file of its own. At the end both hold exactly what the topics say, and no instance was unready because of it.
func TestTheStorageHoldsWhatTheTopicsSay(t *testing.T) {
	postgres := startPostgres(t)
	file := filepath.Join(t.TempDir(), "own.db")
	st := suite.NewStream(t, harness.Partitions(4, 3))
	st.Aggregated(harness.TrafficPipeline, harness.Env{"EMIT_INTERVAL": "200ms", "IDLE_TIMEOUT": "5s"})
	shared := harness.Env{"STORAGE_URL": postgres.URL}
	a, b := st.Start("a", shared), st.Start("b", shared)
	own := st.Start("own", harness.Env{"STORAGE_URL": "sqlite:" + file})
	for _, i := range []*harness.Instance{a, b, own} {
		i.AwaitReady(t, soon)
	}
	traffic := harness.NewTraffic(7, 4, time.Now)
	traffic.LongestQuiet = time.Second
	stop := st.FeedTraffic(traffic, 500)
	b.Says(t, soon, "recording insights")
	time.Sleep(3 * time.Second)
	postgres.do("kill9")
	harness.Until(t, soon, "the storage is named", func(ctx context.Context) error {
		status, body, err := b.Get(ctx, "/readyz")
		if err == nil && (status != http.StatusOK || !strings.Contains(body, `"name":"storage"`) || strings.Contains(body, "engine-secret")) {
			err = fmt.Errorf("/readyz answers %d: %s", status, body)
		}
		return err
	})
	a.Kill()
	time.Sleep(2 * time.Second)
	postgres.do("up")
	a = st.Start("a", shared)
	a.Says(t, late, "recording insights")
	time.Sleep(3 * time.Second)
	a.Kill()
	st.Start("a", shared)
	stop()
	st.AwaitDone(late)
	for name, db := range map[string]*sql.DB{"PostgreSQL": openSQL(t, "pgx", postgres.URL), "SQLite": openSQL(t, "sqlite", "file:"+file+"?mode=ro")} {
		harness.Until(t, late, name+" holds what the topics say", func(ctx context.Context) error { return sameAsTopics(ctx, st, db) })
	}
	for _, i := range []*harness.Instance{b, own} {
		if strings.Contains(i.Log(), "engine-secret") {
			t.Errorf("the log of %s shows the password", i.Name)
		}
		i.Stop(t)
	}
}

func openSQL(t *testing.T, driver, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// sameAsTopics compares all rows with all records.
func sameAsTopics(ctx context.Context, st *harness.Stream, db *sql.DB) error {
	insights, err := st.Client.ReadAll(ctx, st.Insights())
	if err != nil {
		return err
	}
	letters, err := st.Client.ReadAll(ctx, st.DeadLetters)
	if err != nil {
		return err
	}
	want := map[string]string{}
	for _, r := range insights {
		want[string(r.Key)] = string(r.Value)
		if r.Value == nil {
			delete(want, string(r.Key))
		}
	}
	for _, r := range letters {
		want[fmt.Sprintf("letter %d-%d", r.Partition, r.Offset)] = header(r, "__connect.errors.class.name")
	}
	rows, err := db.QueryContext(ctx, "SELECT key, document FROM insights UNION ALL SELECT 'letter ' || partition || '-' || letter_offset, code FROM dead_letters")
	if err != nil {
		return err
	}
	defer rows.Close()
	got := map[string]string{}
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		if _, twice := got[key]; twice {
			return fmt.Errorf("%s is there twice", key)
		}
		got[key] = value
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for key, value := range want {
		if got[key] != value {
			return fmt.Errorf("%d rows, %d records; %s is %q, want %q", len(got), len(want), key, got[key], value)
		}
		delete(got, key)
	}
	for key := range got {
		return fmt.Errorf("%s should not be there", key)
	}
	if len(insights) < 100 || len(letters) < 1 {
		return fmt.Errorf("%d insights, %d dead letters: the test is about nothing", len(insights), len(letters))
	}
	return nil
}

func header(r *kgo.Record, name string) (value string) {
	for _, h := range r.Headers {
		if h.Key == name {
			value = string(h.Value)
		}
	}
	return value
}
