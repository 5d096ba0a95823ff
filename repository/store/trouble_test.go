package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
)

// unfold is all that an error shows to somebody who looks into it.
func unfold(err error) string {
	var all strings.Builder
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&all, "%v %+v %#v\n", err, err, err)
	}
	return all.String()
}

func TestNoErrorShowsThePassword(t *testing.T) {
	const password = "hunter2/%&x"
	escaped := url.UserPassword("u", password).String()
	for name, text := range map[string]string{
		"nobody listens":   "postgres://" + escaped + "@127.0.0.1:1/db",
		"no such host":     "postgres://" + escaped + "@no-such-host.invalid/db",
		"no port":          "postgres://" + escaped + "@localhost:notaport/db",
		"not escaped":      "postgres://u:" + password + "@localhost/db",
		"unknown option":   "postgres://" + escaped + "@127.0.0.1:1/db?sslmode=sometimes",
		"missing file":     "postgres://" + escaped + "@127.0.0.1:1/db?sslmode=verify-full&sslrootcert=/nowhere",
		"in the options":   "postgres://u@127.0.0.1:1/db?password=" + url.QueryEscape(password),
		"words":            "host=localhost password=" + password,
		"another scheme":   "mysql://" + escaped + "@localhost/db",
		"nothing behind":   "postgres:" + password,
		"a broken bracket": "postgres://" + escaped + "@[::1/db",
		"a control sign":   "postgres://" + escaped + "@localhost/\x00",
	} {
		cfg := Config{URL: secret(text), Group: "g", DataDir: t.TempDir(), Log: zerolog.Nop()}
		s, err := New(cfg)
		if err == nil {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			err = s.Start(ctx)
			cancel()
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			_, ask := s.Insights(t.Context(), model.InsightQuery{})
			if ask == nil {
				t.Errorf("%s: insights without a database", name)
			}
			err = errors.Join(err, ask, errors.New(s.Name()))
		} else if model.ClassOf(err) != model.Misconfigured {
			t.Errorf("%s: class %s", name, model.ClassOf(err))
		}
		for _, part := range []string{password, "hunter2"} {
			if all := unfold(err) + fmt.Sprintf("%v %+v", cfg, cfg); strings.Contains(all, part) {
				t.Errorf("%s: %s", name, all)
			}
		}
	}
}

func TestAWrongPasswordIsNamedAndKept(t *testing.T) {
	x := postgres(t)
	u, err := url.Parse(x.url)
	must(t, err)
	for name, change := range map[string]func(*url.URL){
		"the password":       func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "hunter2") },
		"create the data":    func(u *url.URL) { u.Path = "/nowhere" },
		"nothing listens":    func(u *url.URL) { u.Host = "127.0.0.1:1" },
		"create the schema,": func(u *url.URL) { u.RawQuery = "sslmode=disable&search_path=nowhere" },
	} {
		wrong := *u
		change(&wrong)
		s, err := New(Config{URL: secret(wrong.String()), Group: "g", Log: zerolog.Nop()})
		must(t, err)
		err = s.Start(t.Context())
		if all := unfold(err); err == nil || !strings.Contains(all, strings.TrimSuffix(name, ",")) && name != "create the schema," || strings.Contains(all, "hunter2") {
			t.Errorf("%s: %s", name, all)
		}
	}
}

// broken writes nonsense over a file.
func broken(t *testing.T, path string, from int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	info, err := f.Stat()
	must(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("nonsense", int(max(info.Size()-from, 100)/8))), from)
	must(t, errors.Join(err, f.Close()))
}

func TestADamagedFileIsNamedAndMendedByDeletingIt(t *testing.T) {
	for name, from := range map[string]int64{"from its beginning": 0, "behind its header": 4096} {
		x := &target{kind: SQLite, dir: t.TempDir()}
		s := x.open(t)
		f := newFeed(t, s, topicID("i"), 0)
		for m := range 50 {
			f.write(insight("logins", m, `{"u":"a"}`, `{}`))
		}
		must(t, s.Close())
		path := filepath.Join(x.dir, fileName)
		broken(t, path, from)
		err := s.Start(t.Context())
		if err == nil {
			_, err = s.Positions(t.Context(), []model.TopicID{topicID("i")})
		}
		if err == nil {
			_, err = s.Insights(t.Context(), model.InsightQuery{})
		}
		if err == nil || !strings.Contains(err.Error(), "delete "+path) {
			t.Fatalf("%s: %v", name, err)
		}
		if _, again := s.Insights(t.Context(), model.InsightQuery{}); again == nil || !strings.Contains(again.Error(), "delete "+path) {
			t.Errorf("%s: %v", name, again)
		}
		for _, end := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(path + end)
		}
		must(t, s.Start(t.Context()))
		newFeed(t, s, topicID("i"), 0).write(insight("logins", 1, `{"u":"a"}`, `{}`))
		if got := keys(t, s); len(got) != 1 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAFileThatIsDeletedIsMadeAnew(t *testing.T) {
	x := &target{kind: SQLite, dir: t.TempDir()}
	s := x.open(t)
	newFeed(t, s, topicID("i"), 0).write(insight("logins", 1, `{"u":"a"}`, `{}`))
	must(t, os.Remove(filepath.Join(x.dir, fileName)))
	if _, err := s.Retain(t.Context(), time.Now()); err == nil || !strings.Contains(err.Error(), "deleted") {
		t.Fatal(err)
	}
	must(t, s.Start(t.Context()))
	if f := newFeed(t, s, topicID("i"), 0); !f.fresh {
		t.Error("it remembers")
	}
}

func TestALockedFileIsNamedAndWaitedFor(t *testing.T) {
	x := &target{kind: SQLite, dir: t.TempDir()}
	s := x.open(t)
	f := newFeed(t, s, topicID("i"), 0)
	other, err := sql.Open("sqlite", filepath.Join(x.dir, fileName))
	must(t, err)
	defer other.Close()
	other.SetMaxOpenConns(1)
	_, err = other.Exec("BEGIN IMMEDIATE")
	must(t, err)
	r := f.recorded(insight("logins", 1, `{"u":"a"}`, `{}`))
	if err := s.Write(t.Context(), []model.Recorded{r}); err == nil || !strings.Contains(err.Error(), "another process holds the file") {
		t.Fatal(err)
	}
	_, err = other.Exec("ROLLBACK")
	must(t, err)
	must(t, s.Write(t.Context(), []model.Recorded{r}))
}

func TestAFullDiskIsNamedAndLosesNothing(t *testing.T) {
	x := &target{kind: SQLite, dir: t.TempDir()}
	s := x.open(t)
	f := newFeed(t, s, topicID("i"), 0)
	f.write(insight("logins", 1, `{"u":"a"}`, `{}`))
	db, err := s.use("")
	must(t, err)
	limit := func(pages int) {
		_, err := db.write.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		must(t, err)
	}
	limit(1) // no more than there are
	var many []model.Insight
	for i := range 500 {
		many = append(many, insight("logins", 2, fmt.Sprintf(`{"u":"%d"}`, i), `{}`))
	}
	r := f.recorded(many...)
	if err := s.Write(t.Context(), []model.Recorded{r}); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Fatal(err)
	}
	if got := keys(t, s); len(got) != 1 {
		t.Errorf("%d insights", len(got))
	}
	limit(1 << 30)
	must(t, s.Write(t.Context(), []model.Recorded{r}))
	if n := count(t, s, "insights"); n != 501 {
		t.Errorf("%d insights", n)
	}
}

func TestAPathThatCannotBeIsNamed(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	for _, path := range []string{"file/insights.db", "folder"} {
		s, err := New(Config{URL: secret("sqlite:" + path), Dir: dir, Group: "g", Log: zerolog.Nop()})
		must(t, err)
		if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, path)) || !strings.Contains(err.Error(), "the directory has to exist") {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"a b?c#d%20.db", "sub/dir/x.db"} {
		s, err := New(Config{URL: secret("sqlite:" + path), Dir: dir, Group: "g", Log: zerolog.Nop()})
		must(t, err)
		must(t, s.Start(t.Context()))
		must(t, s.Close())
		info, err := os.Stat(filepath.Join(dir, path))
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s may be read by others: %s", path, info.Mode())
		}
	}
}

func TestTablesOfANewerVersionAreLeftAlone(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		db, err := s.use("")
		must(t, err)
		_, err = db.write.Exec("INSERT INTO migrations (version, name, applied_at) VALUES (99, 'x', 'y')")
		must(t, err)
		must(t, s.Close())
		if err := s.Start(t.Context()); model.ClassOf(err) != model.Misconfigured || !strings.Contains(fmt.Sprint(err), "version") {
			t.Error(err)
		}
	})
}
