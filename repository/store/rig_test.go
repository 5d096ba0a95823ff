package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/rs/zerolog"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// target is a database that the suite runs against.
type target struct {
	kind string
	url  string // of a schema of its own; empty: a file in dir
	dir  string
}

// each runs a test against both stores. Without TEST_POSTGRES_URL one half is left out, which is said aloud.
func onEach(t *testing.T, test func(*testing.T, *target)) {
	t.Run(SQLite, func(t *testing.T) { test(t, &target{kind: SQLite, dir: t.TempDir()}) })
	t.Run(PostgreSQL, func(t *testing.T) { test(t, postgres(t)) })
}

// postgres is a schema of its own, which is dropped when the test has ended.
func postgres(t testing.TB) *target {
	t.Helper()
	base := os.Getenv("TEST_POSTGRES_URL")
	if base == "" && os.Getenv("TEST_ALL") != "" {
		t.Fatal("TEST_POSTGRES_URL is not set: scripts/postgres.sh start prints it")
	}
	if base == "" {
		t.Skip("NOT TESTED WITH POSTGRESQL: set TEST_POSTGRES_URL to what scripts/postgres.sh start prints")
	}
	admin, err := sql.Open("pgx", base)
	must(t, err)
	schema := fmt.Sprintf("test_%d", time.Now().UnixNano())
	_, err = admin.Exec("CREATE SCHEMA " + schema)
	must(t, err)
	t.Cleanup(func() {
		_, err := admin.Exec("DROP SCHEMA " + schema + " CASCADE")
		if err != nil {
			t.Error(err)
		}
		_ = admin.Close()
	})
	u, err := url.Parse(base)
	must(t, err)
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return &target{kind: PostgreSQL, url: u.String()}
}

// open is a store of the group "g" on the target.
func (x *target) open(t testing.TB, change ...func(*Config)) *Store {
	t.Helper()
	cfg := Config{URL: utils.Secret(x.url), DataDir: x.dir, Group: "g", Retention: 240 * time.Hour, Log: zerolog.Nop()}
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg)
	must(t, err)
	must(t, s.Start(t.Context()))
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// topicID is the topic of insights in these tests.
func topicID(name string) model.TopicID {
	return model.TopicID{Name: name, ID: strings.Repeat("0", 31) + "1"}
}

// feed writes to a store as a recorder does: offsets count up, and the position is what the feed says.
type feed struct {
	t     testing.TB
	s     *Store
	topic model.TopicID
	part  int32
	next  int64
	fresh bool
}

func newFeed(t testing.TB, s *Store, topic model.TopicID, partition int32) *feed {
	t.Helper()
	at, err := s.Positions(t.Context(), []model.TopicID{topic})
	must(t, err)
	f := &feed{t: t, s: s, topic: topic, part: partition}
	next, known := at[model.TopicPartition{Topic: topic.Name, Partition: partition}]
	f.next, f.fresh = next, !known
	return f
}

func (f *feed) from() int64 {
	if f.fresh {
		return model.NothingRecorded
	}
	return f.next
}

// recorded are insights at the next offsets.
func (f *feed) recorded(list ...model.Insight) model.Recorded {
	r := model.Recorded{Topic: f.topic, Partition: f.part, From: f.from(), To: f.next + int64(len(list))}
	for i, in := range list {
		in.At = model.TopicOffset{TopicPartition: model.TopicPartition{Topic: f.topic.Name, Partition: f.part}, Offset: f.next + int64(i)}
		r.Insights = append(r.Insights, in)
	}
	return r
}

func (f *feed) write(list ...model.Insight) {
	f.t.Helper()
	r := f.recorded(list...)
	must(f.t, f.s.Write(f.t.Context(), []model.Recorded{r}))
	f.next, f.fresh = r.To, false
}

func (f *feed) letters(list ...model.DeadLetter) {
	f.t.Helper()
	r := model.Recorded{Topic: f.topic, Partition: f.part, From: f.from(), To: f.next + int64(len(list))}
	for i, l := range list {
		l.At = model.TopicOffset{TopicPartition: model.TopicPartition{Topic: f.topic.Name, Partition: f.part}, Offset: f.next + int64(i)}
		r.DeadLetters = append(r.DeadLetters, l)
	}
	must(f.t, f.s.Write(f.t.Context(), []model.Recorded{r}))
	f.next, f.fresh = r.To, false
}

// insight is one of the aggregate a, whose windows take a minute; at is minutes ago, rounded.
func insight(aggregate string, minutesAgo int, group string, measures string, change ...func(*model.Insight)) model.Insight {
	start := time.Now().UTC().Truncate(time.Minute).Add(-time.Duration(minutesAgo) * time.Minute)
	in := model.Insight{Kind: model.InsightWindow, Aggregate: aggregate, Definition: "d1", Group: json.RawMessage(group), Start: start, End: start.Add(time.Minute),
		Revision: 1, UpdatedAt: time.Now().UTC().Truncate(time.Millisecond)}
	for _, f := range change {
		f(&in)
	}
	if in.Document == nil {
		in.Document = json.RawMessage(fmt.Sprintf(`{"aggregate":%q,"group":%s,"measures":%s,"final":%v,"revision":%d}`, aggregate, in.Group, measures, in.Final, in.Revision))
	}
	if in.Key == "" {
		in.Key = fmt.Sprintf("[%q,%q,%q,%q,%s,%q]", in.Aggregate, in.Definition, in.Start.Format(time.RFC3339), in.End.Format(time.RFC3339), in.Group, in.Kind)
	}
	return in
}

func final(in *model.Insight) { in.Final = true }

// sameWindow keeps an insight in the window of another one, though a minute may end between the two.
func sameWindow(as model.Insight) func(*model.Insight) {
	return func(in *model.Insight) { in.Start, in.End = as.Start, as.End }
}

func revision(n int64) func(*model.Insight) {
	return func(in *model.Insight) { in.Revision = n }
}

func tombstone(of model.Insight) model.Insight { return model.Insight{Key: of.Key, Start: of.Start} }

// all reads every page of a question.
func all(t testing.TB, s *Store, ask model.InsightQuery) []model.Insight {
	t.Helper()
	var list []model.Insight
	for range 1000 {
		page, err := s.Insights(context.Background(), ask)
		must(t, err)
		list = append(list, page.Items...)
		if page.Next == "" {
			return list
		}
		ask.Cursor = page.Next
	}
	t.Fatal("pages without an end")
	return nil
}
