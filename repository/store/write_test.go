package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"data-stream-engine/model"
)

// keys are those of all insights that are kept, in order.
func keys(t testing.TB, s *Store) []string {
	t.Helper()
	var list []string
	for _, in := range all(t, s, model.InsightQuery{Limit: 1000}) {
		list = append(list, fmt.Sprintf("%s %s r%d", in.Group, in.Kind, in.Revision))
	}
	slices.Sort(list)
	return list
}

func TestTheLatestRecordOfAKeyStays(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		f := newFeed(t, s, topicID("i"), 0)
		same := sameWindow(insight("logins", 1, `{}`, `{}`))
		a := func(n int64) model.Insight { return insight("logins", 1, `{"u":"a"}`, `{}`, revision(n), same) }
		b := func(n int64) model.Insight { return insight("logins", 1, `{"u":"b"}`, `{}`, revision(n), same) }
		f.write(a(1), b(1), a(2), tombstone(b(1)))
		f.write(a(3), a(4), b(2), tombstone(a(4)), a(5))
		if got := strings.Join(keys(t, s), "; "); got != `{"u":"a"} window r5; {"u":"b"} window r2` {
			t.Error(got)
		}
		f.write(tombstone(a(5)), tombstone(b(1)), tombstone(insight("logins", 9, `{"u":"never"}`, `{}`)))
		if got := keys(t, s); len(got) != 0 {
			t.Error(got)
		}
		if got := all(t, s, model.InsightQuery{Group: map[string]string{"u": "a"}}); len(got) != 0 {
			t.Error("found by its group:", got)
		}
		for _, table := range []string{"insights", "insight_terms"} {
			if n := count(t, s, table); n != 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
	})
}

// count is how many rows a table has.
func count(t testing.TB, s *Store, table string) (n int) {
	t.Helper()
	db, err := s.use("count")
	must(t, err)
	must(t, db.write.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
	return n
}

func TestWhoeverComesLateIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		topic := topicID("i")
		slow, fast := newFeed(t, s, topic, 0), newFeed(t, s, topic, 0)
		a := insight("logins", 1, `{"u":"a"}`, `{}`)
		late := slow.recorded(a)
		fast.write(a, tombstone(a))
		err := s.Write(t.Context(), []model.Recorded{late})
		if model.ClassOf(err) != model.Fenced || err == nil {
			t.Fatalf("%v", err)
		}
		if got := keys(t, s); len(got) != 0 {
			t.Errorf("what was taken back is there again: %s", got)
		}
		// Another partition in the same transaction is not written either.
		other := newFeed(t, s, topic, 1)
		if err := s.Write(t.Context(), []model.Recorded{other.recorded(insight("logins", 1, `{"u":"b"}`, `{}`)), late}); model.ClassOf(err) != model.Fenced {
			t.Fatalf("%v", err)
		}
		if got := keys(t, s); len(got) != 0 {
			t.Errorf("half a transaction: %s", got)
		}
		again := newFeed(t, s, topic, 0)
		if again.next != 2 || again.fresh {
			t.Errorf("goes on at %d", again.next)
		}
	})
}

func TestATopicThatWasCreatedAgainBeginsAnew(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		old := newFeed(t, s, topicID("i"), 0)
		other := newFeed(t, s, model.TopicID{Name: "dead", ID: "d"}, 0)
		for m := range 30 {
			old.write(insight("logins", m, `{"u":"a"}`, `{}`), insight("logins", m, `{"u":"b"}`, `{}`))
		}
		other.letters(letterAt(time.Now(), "decode", "x"))
		behind := old.recorded(insight("logins", 40, `{"u":"z"}`, `{}`))
		fresh := newFeed(t, s, model.TopicID{Name: "i", ID: "2"}, 0)
		if !fresh.fresh {
			t.Errorf("goes on at %d", fresh.next)
		}
		if got := keys(t, s); len(got) != 0 {
			t.Errorf("%d insights of the topic that is gone", len(got))
		}
		for _, table := range []string{"insights", "insight_terms", "windows"} {
			if n := count(t, s, table); n != 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
		fresh.write(insight("logins", 1, `{"u":"c"}`, `{}`))
		if err := s.Write(t.Context(), []model.Recorded{behind}); model.ClassOf(err) != model.Fenced {
			t.Errorf("%v", err)
		}
		if _, err := s.Positions(t.Context(), []model.TopicID{topicID("i")}); err == nil {
			t.Error("a topic that is gone has come back")
		}
		if got := keys(t, s); len(got) != 1 {
			t.Error(got)
		}
		if n := count(t, s, "dead_letters"); n != 1 {
			t.Errorf("%d dead letters of another topic", n)
		}
	})
}

// TestRecordersThatRaceLeaveWhatTheTopicSays lets some stores read one log and write overlapping partitions, each of them slow
// at times, killed and started again.
func TestRecordersThatRaceLeaveWhatTheTopicSays(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		first := x.open(t)
		topic := topicID("i")
		const partitions, length, racers = 3, 400, 4
		random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
		logs := make([][]model.Insight, partitions)
		want := map[string]int64{}
		for p := range logs {
			for i := range length {
				in := insight("logins", random.IntN(3), fmt.Sprintf(`{"u":"%d-%d"}`, p, random.IntN(20)), `{}`, revision(int64(i+1)))
				if random.IntN(3) == 0 {
					in = tombstone(in)
					delete(want, in.Key)
				} else {
					want[in.Key] = in.Revision
				}
				in.At = model.TopicOffset{TopicPartition: model.TopicPartition{Topic: topic.Name, Partition: int32(p)}, Offset: int64(i)}
				logs[p] = append(logs[p], in)
			}
		}
		var racing sync.WaitGroup
		for range racers {
			seed := random.Uint64()
			racing.Go(func() { race(t, x, first, topic, logs, rand.New(rand.NewPCG(2, seed))) })
		}
		racing.Wait()
		got := map[string]int64{}
		for _, in := range all(t, first, model.InsightQuery{Limit: 1000}) {
			got[in.Key] = in.Revision
		}
		if len(got) != len(want) {
			t.Errorf("%d insights, want %d", len(got), len(want))
		}
		for key, n := range want {
			if got[key] != n {
				t.Errorf("%s: revision %d, want %d", key, got[key], n)
			}
		}
		if n, terms := count(t, first, "insights"), count(t, first, "insight_terms"); n != terms {
			t.Errorf("%d insights are found by %d values", n, terms)
		}
	})
}

// race is one recorder: it writes pieces of the logs from where the store stands until all is written.
func race(t *testing.T, x *target, first *Store, topic model.TopicID, logs [][]model.Insight, random *rand.Rand) {
	s, err := New(first.cfg)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = s.Close() }()
	for t.Context().Err() == nil {
		if err := s.Start(t.Context()); err != nil {
			t.Error(err)
			return
		}
		at, err := s.Positions(t.Context(), []model.TopicID{topic})
		if err != nil {
			t.Error(err)
			return
		}
		done := 0
		for p := range logs {
			if at[model.TopicPartition{Topic: topic.Name, Partition: int32(p)}] == int64(len(logs[p])) {
				done++
			}
		}
		if done == len(logs) {
			return
		}
		for range 1 + random.IntN(4) { // then it is killed, or looks again
			var parts []model.Recorded
			for p, log := range logs {
				tp := model.TopicPartition{Topic: topic.Name, Partition: int32(p)}
				next, known := at[tp]
				to := min(next+int64(random.IntN(40)), int64(len(log)))
				if to == next {
					continue
				}
				r := model.Recorded{Topic: topic, Partition: int32(p), From: model.NothingRecorded, To: to, Insights: log[next:to]}
				if known {
					r.From = next
				}
				parts = append(parts, r)
			}
			time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
			err := s.Write(t.Context(), parts)
			if model.ClassOf(err) == model.Fenced && err != nil {
				break
			}
			if err != nil {
				t.Error(err)
				return
			}
			for _, r := range parts {
				at[model.TopicPartition{Topic: topic.Name, Partition: r.Partition}] = r.To
			}
		}
		if random.IntN(3) == 0 {
			_ = s.Close()
		}
	}
}

func TestWhatIsOldIsDeleted(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		f, d := newFeed(t, s, topicID("i"), 0), newFeed(t, s, model.TopicID{Name: "dead", ID: "d"}, 0)
		now := time.Now()
		aged := func(days int) func(*model.Insight) {
			return func(in *model.Insight) { in.UpdatedAt = now.AddDate(0, 0, -days) }
		}
		var list []model.Insight
		for m := range 4 {
			same := sameWindow(insight("logins", m, `{}`, `{}`))
			for g := range 400 {
				list = append(list, insight("logins", m, fmt.Sprintf(`{"u":"%d"}`, g), `{}`, aged(m*3), same))
			}
		}
		list = append(list, insight("visits", 1, `{"u":"a"}`, `{}`, aged(9), func(in *model.Insight) { in.Kind = model.InsightSession }),
			insight("logins", 3, `{"u":"a"}`, `{}`, aged(9), func(in *model.Insight) { in.Kind = model.InsightAnomaly }),
			insight("logins", 5, `{"u":"older than what is kept"}`, `{}`, aged(11)),
			insight("logins", 7, `{"u":"by a clock that is ahead"}`, `{}`, aged(-1)))
		f.write(list...)
		d.letters(letterAt(now.AddDate(0, 0, -9), "decode", "old"), letterAt(now, "decode", "new"), letterAt(now.AddDate(0, 0, -11), "decode", "older"))
		if n := count(t, s, "insights"); n != 1603 {
			t.Fatalf("%d insights", n)
		}
		retain := func(now time.Time) {
			t.Helper()
			for i := 0; ; i++ {
				more, err := s.Retain(t.Context(), now)
				must(t, err)
				if !more {
					return
				}
				if i > 100 {
					t.Fatal("there is always more")
				}
			}
		}
		retain(now)
		if n := count(t, s, "insights"); n != 1603 {
			t.Errorf("%d insights, nothing was old", n)
		}
		retain(now.AddDate(0, 0, 2)) // what is nine days old is older than ten
		if n, terms, windows := count(t, s, "insights"), count(t, s, "insight_terms"), count(t, s, "windows"); n != 1201 || terms != 1201 || windows != 4 {
			t.Errorf("%d insights, %d terms, %d windows", n, terms, windows)
		}
		counts, err := s.DeadLetterCounts(t.Context(), now)
		must(t, err)
		if len(counts) != 1 || counts[0].Code != "new" || counts[0].Count != 1 || count(t, s, "dead_letters") != 1 {
			t.Errorf("%+v", counts)
		}
		retain(now.AddDate(0, 0, 10).Add(time.Hour))
		retain(now.AddDate(0, 0, 20))
		for _, table := range []string{"insights", "insight_terms", "windows", "dead_letters", "dead_letter_totals", "dead_letter_rates"} {
			if n := count(t, s, table); n != 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
		f.write(insight("logins", 0, `{"u":"a"}`, `{}`)) // it goes on
	})
}

func TestTextsThatNoDatabaseLikesAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		long := strings.Repeat("x", 100_000)
		in := insight("logins", 1, `{"u":"`+long+`"}`, `{"t":"\u0000\ud800"}`)
		newFeed(t, s, topicID("i"), 0).write(in, insight("lo\x00gins", 1, "{\"u\":\"\xff\xfe\"}", `{}`), insight("logins", 1, `{}`, strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)))
		if got := all(t, s, model.InsightQuery{Aggregate: "logins", Group: map[string]string{"u": long}}); len(got) != 1 || string(got[0].Document) != string(in.Document) {
			t.Error(len(got))
		}
		if n := count(t, s, "insights"); n != 3 {
			t.Error(n)
		}
		l := letterAt(time.Now(), "de\x00code", "\xff")
		l.Reason = "a\x00b\xff'; DROP TABLE dead_letters"
		d := newFeed(t, s, model.TopicID{Name: "dead", ID: "d"}, 0)
		d.letters(l)
		got, found, err := s.DeadLetter(t.Context(), model.TopicOffset{TopicPartition: model.TopicPartition{Topic: "dead"}})
		must(t, err)
		if !found || got.Reason != "a\uFFFDb\uFFFD'; DROP TABLE dead_letters" {
			t.Errorf("%q %v", got.Reason, found)
		}
	})
}

func TestADatabaseOfAnotherGroupIsNotTouched(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		newFeed(t, s, topicID("i"), 0).write(insight("logins", 1, `{"u":"a"}`, `{}`))
		other := func(c *Config) { c.Group = "other" }
		if x.kind == PostgreSQL {
			cfg := s.cfg
			other(&cfg)
			o, err := New(cfg)
			must(t, err)
			err = o.Start(t.Context())
			if model.ClassOf(err) != model.Misconfigured || !strings.Contains(fmt.Sprint(err), `"g"`) || !strings.Contains(err.Error(), "search_path") {
				t.Errorf("%v", err)
			}
			if got := keys(t, s); len(got) != 1 {
				t.Error(got)
			}
			return
		}
		o := x.open(t, other) // a file of this process alone: another group begins anew
		if got := keys(t, o); len(got) != 0 {
			t.Error(got)
		}
		newFeed(t, o, topicID("i"), 0).write(insight("logins", 1, `{"u":"b"}`, `{}`))
		err := s.Write(t.Context(), nil)
		if model.ClassOf(err) != model.Misconfigured || err == nil {
			t.Errorf("%v", err)
		}
	})
}

func TestSeveralStartAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		cfg := Config{URL: "", DataDir: x.dir, Group: "g", Retention: time.Hour}
		if x.kind == PostgreSQL {
			cfg.URL = secret(x.url)
		}
		var all sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			all.Go(func() {
				s, err := New(cfg)
				if err == nil {
					err = errors.Join(s.Start(t.Context()), s.Close())
				}
				errs[i] = err
			})
		}
		all.Wait()
		must(t, errors.Join(errs...))
	})
}
