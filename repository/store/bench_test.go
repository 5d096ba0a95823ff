package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// The store that is measured: 1,000,000 insights, of which one aggregate has 100,000 groups in each of eight windows and the
// other 40 groups in 5,000, and 100,000 dead letters.
const (
	manyGroups  = 100_000
	wideWindows = 8
	fewGroups   = 40
	longWindows = 5_000
	manyLetters = 100_000
)

// large fills a store, or opens the one that STORE_BENCH_DIR has from before.
func large(b testing.TB) *Store {
	b.Helper()
	if os.Getenv("STORE_BENCH") == "" {
		b.Skip("it takes minutes to fill the store: set STORE_BENCH=1")
	}
	dir := os.Getenv("STORE_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	url := os.Getenv("STORE_BENCH_URL") // PostgreSQL; empty: SQLite
	s, err := New(Config{URL: utils.Secret(url), DataDir: dir, Group: "bench", Retention: 1000 * time.Hour, Log: zerolog.Nop()})
	must(b, err)
	must(b, s.Start(context.Background()))
	b.Cleanup(func() { _ = s.Close() })
	if count(b, s, "insights") >= wideWindows*manyGroups+fewGroups*longWindows {
		return s
	}
	began := time.Now()
	f := newFeed(b, s, topicID("i"), 0)
	batch := make([]model.Insight, 0, 5000)
	put := func(in model.Insight, m int) {
		in.Start = began.UTC().Truncate(time.Minute).Add(-time.Duration(m) * time.Minute)
		in.End = in.Start.Add(time.Minute)
		in.Key = fmt.Sprintf("[%q,%q,%q,%q,%s]", in.Aggregate, in.Definition, in.Start.Format(time.RFC3339), in.End.Format(time.RFC3339), in.Group)
		if batch = append(batch, in); len(batch) == cap(batch) {
			f.write(batch...)
			batch = batch[:0]
		}
	}
	for m := range longWindows {
		for g := range fewGroups {
			put(insight("logins_by_device", m, fmt.Sprintf(`{"device_type":"%s","locale":"%c%c"}`, []string{"android", "iOS"}[g%2], 'A'+g%20, 'A'+g/2),
				fmt.Sprintf(`{"logins":%d,"users":%d,"versions":[{"value":"2.3.0","count":120},{"value":"2.1.4","count":80},{"value":"2.0.0","count":8}]}`, g*m%977, g*m%711), func(in *model.Insight) { in.Final = m > 1 }), m)
		}
	}
	for m := range wideWindows {
		for g := range manyGroups {
			put(insight("beta_by_user", m, fmt.Sprintf(`{"user_id":"user-%08x"}`, uint32(g)*2654435761), fmt.Sprintf(`{"logins":%d,"ips":%d}`, g*7%1009, g%13), func(in *model.Insight) { in.Final = m > 1 }), m)
		}
	}
	f.write(batch...)
	rows := wideWindows*manyGroups + fewGroups*longWindows
	b.Logf("%d insights written, %.0f a second", rows, float64(rows)/time.Since(began).Seconds())
	d := newFeed(b, s, model.TopicID{Name: "dead", ID: "d"}, 0)
	for i := range manyLetters / 1000 {
		var list []model.DeadLetter
		for j := range 1000 {
			list = append(list, letterAt(time.Now().Add(-time.Duration(i*1000+j)*time.Second), []model.Stage{"decode", "late", "transform"}[j%3], []string{"invalid_json", "late", "expression"}[j%3]))
		}
		d.letters(list...)
	}
	if info, err := os.Stat(filepath.Join(dir, fileName)); err == nil {
		b.Logf("the file has %d MiB", info.Size()>>20)
	}
	return s
}

// question is one of those that the API asks, with its share of the requests.
type question struct {
	name  string
	share int
	ask   func(context.Context, *Store) error
}

// questions are what pages and programs ask for; each asks for something else each time where that is what happens.
func questions() []question {
	return []question{
		{"insights, newest", 20, func(ctx context.Context, s *Store) error { return page(ctx, s, model.InsightQuery{}) }},
		{"insights of an aggregate", 20, func(ctx context.Context, s *Store) error {
			return page(ctx, s, model.InsightQuery{Aggregate: []string{"beta_by_user", "logins_by_device"}[rand.IntN(2)]})
		}},
		{"insights, final, any time", 10, func(ctx context.Context, s *Store) error {
			yes := true
			return page(ctx, s, model.InsightQuery{Aggregate: "logins_by_device", Final: &yes, To: time.Now().Add(-time.Duration(rand.IntN(longWindows)) * time.Minute)})
		}},
		{"insights of a group", 15, func(ctx context.Context, s *Store) error {
			return page(ctx, s, model.InsightQuery{Aggregate: "beta_by_user", Group: map[string]string{"user_id": fmt.Sprintf("user-%08x", uint32(rand.IntN(manyGroups))*2654435761)}})
		}},
		{"insights of half of all groups", 5, func(ctx context.Context, s *Store) error {
			return page(ctx, s, model.InsightQuery{Group: map[string]string{"device_type": "iOS"}})
		}},
		{"anomalies", 5, func(ctx context.Context, s *Store) error {
			return page(ctx, s, model.InsightQuery{Kind: model.InsightAnomaly})
		}},
		{"groups, few", 20, func(ctx context.Context, s *Store) error {
			_, err := s.Groups(ctx, model.GroupQuery{Aggregate: "logins_by_device", Measure: "logins", Windows: 30, Limit: 12})
			return err
		}},
		{"groups, 100,000", 20, func(ctx context.Context, s *Store) error {
			_, err := s.Groups(ctx, model.GroupQuery{Aggregate: "beta_by_user", Measure: []string{"logins", "ips"}[rand.IntN(2)], Windows: 30, Limit: 12})
			return err
		}},
		{"groups, 100,000, searched", 10, func(ctx context.Context, s *Store) error {
			_, err := s.Groups(ctx, model.GroupQuery{Aggregate: "beta_by_user", Measure: "logins", Windows: 30, Limit: 12, Search: fmt.Sprintf("%x", 16+rand.IntN(4000))})
			return err
		}},
		{"dead letters", 20, func(ctx context.Context, s *Store) error {
			_, err := s.DeadLetters(ctx, model.DeadLetterQuery{Stage: []model.Stage{"", "decode", "late"}[rand.IntN(3)], Limit: 120})
			return err
		}},
		{"dead letters, counted", 55, func(ctx context.Context, s *Store) error {
			_, err := s.DeadLetterCounts(ctx, time.Now())
			return err
		}},
	}
}

func page(ctx context.Context, s *Store, q model.InsightQuery) error {
	_, err := s.Insights(ctx, q)
	return err
}

// BenchmarkTwoHundredQuestionsASecond measures what people wait, for 30 s: docs/storage.md has the command. Requests begin when
// they are due, whether or not those before have been answered.
func BenchmarkTwoHundredQuestionsASecond(t *testing.B) {
	s := large(t)
	const rate, seconds = 200, 30
	all := questions()
	var turns []int
	for i, q := range all {
		turns = append(turns, slices.Repeat([]int{i}, q.share)...)
	}
	rand.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	for _, q := range all { // the first of each reads from the disk
		must(t, q.ask(t.Context(), s))
	}
	took := make([][]time.Duration, len(all))
	var mu sync.Mutex
	var errs error
	var asking sync.WaitGroup
	cpu := processor()
	began := time.Now()
	for n := range rate * seconds {
		due := began.Add(time.Duration(n) * time.Second / rate)
		time.Sleep(time.Until(due))
		i := turns[n%len(turns)]
		asking.Go(func() {
			err := all[i].ask(t.Context(), s)
			d := time.Since(due)
			mu.Lock()
			took[i], errs = append(took[i], d), errors.Join(errs, err)
			mu.Unlock()
		})
	}
	asking.Wait()
	must(t, errs)
	t.Logf("%d requests in %s, %.2f of a processor", rate*seconds, time.Since(began).Round(time.Millisecond), (processor()-cpu).Seconds()/time.Since(began).Seconds())
	lines := []string{line("all", slices.Concat(took...))}
	for i, q := range all {
		lines = append(lines, line(q.name, took[i]))
	}
	t.Log(strings.Join(lines, "\n")) // one log: go test cuts off many
}

func line(name string, took []time.Duration) string {
	slices.Sort(took)
	at := func(p float64) time.Duration {
		return took[min(int(p*float64(len(took))), len(took)-1)].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%-32s %5d  p50 %8s  p99 %8s  max %8s", name, len(took), at(0.5), at(0.99), at(1))
}

// BenchmarkWrite writes insights as a recorder does, 5,000 in a transaction: windows that are new, and revisions of the same.
func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		name      string
		revisions int
	}{{"new", 1}, {"revisions", 20}} {
		b.Run(c.name, func(b *testing.B) {
			x := &target{kind: SQLite, dir: b.TempDir()}
			if os.Getenv("STORE_BENCH_POSTGRES") != "" {
				x = postgres(b)
			}
			s := x.open(b)
			f := newFeed(b, s, topicID("i"), 0)
			const size = 5000
			n, cpu := 0, time.Duration(0)
			for b.Loop() {
				var list []model.Insight
				b.StopTimer()
				for g := range size {
					list = append(list, insight("beta_by_user", n/c.revisions%1000, fmt.Sprintf(`{"user_id":"user-%08x","k":"%d"}`, uint32(g)*2654435761, n/c.revisions/1000), fmt.Sprintf(`{"logins":%d,"ips":%d,"t":%q}`, g*n, g, strings.Repeat("x", 60)), revision(int64(1+n%c.revisions))))
				}
				began := processor()
				b.StartTimer()
				f.write(list...)
				cpu += processor() - began
				n++
			}
			b.ReportMetric(float64(cpu.Microseconds())/float64(n*size), "cpu-us/row")
		})
	}
}

// BenchmarkQuestions measures each question alone.
func BenchmarkQuestions(b *testing.B) {
	s := large(b)
	for _, q := range questions() {
		b.Run(q.name, func(b *testing.B) {
			must(b, q.ask(b.Context(), s))
			for b.Loop() {
				must(b, q.ask(b.Context(), s))
			}
		})
	}
}
