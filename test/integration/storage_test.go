package integration

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/twmb/franz-go/pkg/kgo"
	_ "modernc.org/sqlite"

	"data-stream-engine/test/harness"
)

// Two instances share a PostgreSQL, which is killed and away for a while, one of them is killed too, and a third one has a
// file of its own. At the end both hold exactly what the topics say, and no instance was unready because of it.
func TestTheStorageHoldsWhatTheTopicsSay(t *testing.T) {
	postgres := suite.StartPostgres(t)
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
	postgres.Do(t, "kill9")
	harness.Until(t, soon, "the storage is named", func(ctx context.Context) error {
		status, body, err := b.Get(ctx, "/readyz")
		if err == nil && (status != http.StatusOK || !strings.Contains(body, `"name":"storage"`) || strings.Contains(body, "engine-secret")) {
			err = fmt.Errorf("/readyz answers %d: %s", status, body)
		}
		return err
	})
	a.Kill()
	time.Sleep(2 * time.Second)
	postgres.Do(t, "up")
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

// A PostgreSQL that is away when the instances start keeps none of them from working; when it comes it is filled with all that
// has happened before.
func TestADatabaseThatComesLaterHoldsWhatTheTopicsSay(t *testing.T) {
	postgres := suite.StartPostgres(t)
	postgres.Do(t, "stop")
	st := suite.NewStream(t, harness.Partitions(4, 3))
	st.Aggregated(harness.TrafficPipeline, harness.Env{"EMIT_INTERVAL": "200ms", "IDLE_TIMEOUT": "2s"})
	shared := harness.Env{"STORAGE_URL": postgres.URL}
	all := []*harness.Instance{st.Start("a", shared), st.Start("b", shared)}
	for _, i := range all {
		i.AwaitReady(t, soon)
	}
	traffic := harness.NewTraffic(8, 4, time.Now)
	traffic.LongestQuiet = time.Second
	stop := st.FeedTraffic(traffic, 500)
	time.Sleep(5 * time.Second)
	stop()
	st.AwaitDone(late)
	for _, i := range all {
		status, body, err := i.Get(t.Context(), "/readyz")
		if err != nil || status != http.StatusOK || !strings.Contains(body, `"name":"storage"`) || !strings.Contains(body, "start PostgreSQL") || strings.Contains(body, "engine-secret") {
			t.Errorf("/readyz answers %d: %s %v", status, body, err)
		}
	}
	postgres.Do(t, "up")
	db := openSQL(t, "pgx", postgres.URL)
	harness.Until(t, late, "the database holds what the topics say", func(ctx context.Context) error { return sameAsTopics(ctx, st, db) })
	for _, i := range all {
		i.Stop(t)
	}
}
