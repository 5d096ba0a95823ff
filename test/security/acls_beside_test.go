package security

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/test/harness"
)

// own are the topics of a group.
func own(st *harness.Stream) (names []string) {
	for _, suffix := range []string{"-dead-letter", "-replay", "-control", "-partials", "-changelog", "-insights"} {
		names = append(names, st.Group+suffix)
	}
	return names
}

// oneByOne are the rights with the group's topics by their names: what a prefix covers can be taken from one of them.
func oneByOne(st *harness.Stream, rights []right) (list []right) {
	for _, r := range rights {
		if r.kind != "topic" || !r.prefixed {
			list = append(list, r)
			continue
		}
		for _, name := range own(st) {
			list = append(list, right{operation: r.operation, kind: r.kind, name: name, create: r.create})
		}
	}
	return list
}

// poison sends an event that has to be a dead letter, and returns the id of that.
func poison(t *testing.T, st *harness.Stream, partition int32) (id string) {
	t.Helper()
	st.SendTraffic(&kgo.Record{Partition: partition, Value: []byte("no JSON")})
	last := st.Last()[partition]
	harness.Until(t, late, "the dead letter", func(ctx context.Context) error {
		all, err := st.Client.ReadAll(ctx, st.DeadLetters)
		for _, l := range all {
			if header(l, "__connect.errors.partition") == fmt.Sprint(partition) && header(l, "__connect.errors.offset") == fmt.Sprint(last) {
				id = fmt.Sprintf("%d-%d", l.Partition, l.Offset)
				return nil
			}
		}
		return errors.Join(err, errors.New("it is not there"))
	})
	return id
}

func header(r *kgo.Record, name string) string {
	i := slices.IndexFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == name })
	if i < 0 {
		return ""
	}
	return string(r.Headers[i].Value)
}

// replay asks for one letter, and fails unless the answer has the words.
func replay(t *testing.T, engine *harness.Instance, id string, want ...string) error {
	t.Helper()
	document, err := json.Marshal(map[string]any{"ids": []string{id}})
	if err != nil {
		t.Fatal(err)
	}
	status, body, err := engine.Post(t.Context(), "/api/v1/dead-letters/replay", document, http.Header{"Idempotency-Key": {id}})
	switch {
	case err != nil:
		return err
	case (status == http.StatusOK) != (len(want) == 0):
		return fmt.Errorf("%d %s", status, body)
	}
	for _, words := range append(want, `"`) {
		if !strings.Contains(body, words) {
			return fmt.Errorf("%d without %q: %s", status, words, body)
		}
	}
	if len(want) == 0 && !strings.Contains(body, `"replayed":1`) {
		return errors.New(body)
	}
	return nil
}

// replayed waits until the letter has gone through the pipeline again, and has become another letter.
func replayed(t *testing.T, st *harness.Stream, engine *harness.Instance, id string) {
	t.Helper()
	harness.Until(t, late, "the replay", func(context.Context) error { return replay(t, engine, id) })
	harness.Until(t, late, "the letter of the replay", func(ctx context.Context) error {
		all, err := st.Client.ReadAll(ctx, st.DeadLetters)
		again := slices.DeleteFunc(all, func(l *kgo.Record) bool { return header(l, "stream-engine.replays") != "1" })
		if len(again) != 1 {
			err = errors.Join(err, fmt.Errorf("%d letters were replayed", len(again)))
		}
		return err
	})
}

// noted waits for a note beside readiness, which stays.
func noted(t *testing.T, engine *harness.Instance, want ...string) {
	t.Helper()
	harness.Until(t, soon, "a note of "+strings.Join(want, ", "), func(ctx context.Context) error {
		status, body, err := engine.Get(ctx, "/readyz")
		for _, words := range want {
			if err == nil && (status != http.StatusOK || !strings.Contains(body, words)) {
				err = fmt.Errorf("/readyz answers %d: %s", status, body)
			}
		}
		return err
	})
}

// Whatever right of replays is missing, the stream goes on, and the replay is refused with its name; when it is there, the next
// one goes through, without a restart.
func TestEachMissingRightOfReplaysIsNamedAndWaitedFor(t *testing.T) {
	const topic, group = "topic", "group"
	for name, c := range map[string]struct {
		kind    string
		missing []string
		want    string
		absent  bool // the topic is not there yet
		grows   bool // the source does
	}{
		"read the group":        {kind: group, missing: []string{"Read"}, want: "READ on the group"},
		"write":                 {kind: topic, missing: []string{"Write"}, want: "WRITE on the topic"},
		"describe the settings": {kind: topic, missing: []string{"DescribeConfigs"}, want: "DESCRIBE_CONFIGS on the topic"},
		"see the topic":         {kind: topic, missing: []string{"Read", "Write", "DescribeConfigs", "Create", "Alter"}, want: "DESCRIBE on the topic"},
		"create":                {kind: topic, missing: []string{"Create"}, want: "CREATE on topics of that name", absent: true},
		"alter":                 {kind: topic, missing: []string{"Alter"}, want: "ALTER on the topic", grows: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := suite.NewStream(t, harness.Apart(), harness.Partitions(2, 2))
			at := st.Group + "-replay"
			if c.absent {
				if _, err := st.Client.Admin.DeleteTopic(t.Context(), at); err != nil {
					t.Fatal(err)
				}
			}
			missing := func(r right) bool { return r.kind == c.kind && r.name == at && slices.Contains(c.missing, r.operation) }
			all := oneByOne(st, documented(t, st))
			given := without(all, missing)
			grant(t, st, user(), given...)
			if len(all)-len(given) != len(c.missing) {
				t.Fatalf("%d of %d rights were left out", len(all)-len(given), len(c.missing))
			}
			engine := st.Start("one", saslEnv("SASL_PLAINTEXT", "SCRAM-SHA-512"))
			engine.AwaitReady(t, soon)
			st.Feed(100)
			st.AwaitDone(soon)
			partition := int32(1)
			if c.grows {
				partition = 2
				st.Grow(3)
			}
			id := poison(t, st, partition)
			harness.Until(t, soon, "the refusal", func(context.Context) error {
				return replay(t, engine, id, at, "an ACL is missing: the user needs "+c.want)
			})
			if c.absent || len(c.missing) > 1 {
				noted(t, engine, at, "an ACL is missing: the user needs "+c.want)
			}
			st.Feed(100)
			st.AwaitDone(soon)
			grant(t, st, user(), without(all, func(r right) bool { return !missing(r) })...)
			replayed(t, st, engine, id)
			engine.AwaitReady(t, soon)
		})
	}
}

// The stream reads the replay topic like the source, so that it waits for the right to.
func TestMissingRightToReadReplaysIsNamedAndWaitedFor(t *testing.T) {
	t.Parallel()
	st := suite.NewStream(t, harness.Apart(), harness.Partitions(2, 2))
	missing := right{operation: "Read", kind: "topic", name: st.Group + "-replay"}
	grant(t, st, user(), without(oneByOne(st, documented(t, st)), func(r right) bool { return r == missing })...)
	engine := st.Start("one", saslEnv("SASL_PLAINTEXT", "SCRAM-SHA-512"))
	engine.AwaitUnready(t, soon, missing.name, "an ACL is missing: the user needs READ")
	quiet(t, engine)
	grant(t, st, user(), missing)
	engine.AwaitReady(t, late)
	replayed(t, st, engine, poison(t, st, 0))
}

// With all rights of the list there is nothing that does not work: aggregates, a recorder that shares a database, pause and
// resume, replays, explain, and a source that grows.
func TestDocumentedRightsAreEnoughForEverything(t *testing.T) {
	postgres := suite.StartPostgres(t)
	st := suite.NewStream(t, harness.Apart(), harness.Partitions(2, 2))
	recorder := right{operation: "Read", kind: "group", name: st.Group + "-recorder"}
	rights := documented(t, st)
	grant(t, st, user(), without(rights, func(r right) bool { return r == recorder })...)
	engine := st.Start("one", saslEnv("SASL_SSL", "SCRAM-SHA-512").With(harness.Env{"STORAGE_URL": postgres.URL}))
	engine.AwaitReady(t, soon)
	st.Feed(300)
	st.Finish(soon)
	insightsCome(t, st)
	noted(t, engine, recorder.name, "an ACL is missing: the user needs READ on the group")
	quiet(t, engine)
	grant(t, st, user(), recorder)
	engine.Says(t, late, "recording insights and dead letters")
	refused := strings.Count(engine.Log(), "Authorization Failed")

	recorded(t, st, postgres)
	for _, path := range []string{"/api/v1/pause", "/api/v1/resume"} {
		if status, body, err := engine.Post(t.Context(), path, []byte(`{}`), nil); err != nil || status != http.StatusOK {
			t.Errorf("%s: %v %d %s", path, err, status, body)
		}
	}
	for _, path := range []string{"/api/v1/explain?partition=0&offset=0", "/api/v1/dead-letters", "/api/v1/insights"} {
		if status, body, err := engine.Get(t.Context(), path); err != nil || status != http.StatusOK {
			t.Errorf("%s: %v %d %s", path, err, status, body)
		}
	}
	st.Grow(3)
	replayed(t, st, engine, poison(t, st, 2))
	recorded(t, st, postgres)
	engine.Stop(t)
	if now := strings.Count(engine.Log(), "Authorization Failed"); now != refused {
		t.Errorf("%d times something was not allowed", now-refused)
	}
}

// recorded waits until the database has as many dead letters as the topic, and insights.
func recorded(t *testing.T, st *harness.Stream, postgres *harness.Postgres) {
	t.Helper()
	db, err := sql.Open("pgx", postgres.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	harness.Until(t, late, "the database has what the topics have", func(ctx context.Context) error {
		letters, err := st.Client.ReadAll(ctx, st.DeadLetters)
		if err != nil {
			return err
		}
		var have, insights int
		err = db.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM dead_letters), (SELECT count(*) FROM insights)").Scan(&have, &insights)
		if err == nil && (have != len(letters) || have == 0 || insights == 0) {
			err = fmt.Errorf("%d of %d letters, %d insights", have, len(letters), insights)
		}
		return err
	})
}
