package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
)

// names are the values of the first field of each group in a table.
func names(table model.GroupTable) string {
	var all []string
	for _, r := range table.Rows {
		text, _ := asText(members(r.Group)[0].value)
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func TestGroupsAreOrderedByTheLatestWholeWindow(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		f := newFeed(t, s, topicID("i"), 0)
		var list []model.Insight
		for m, ago := range []int{-60, 1, 2, 3} { // the first one is open, the next one is the latest whole one
			for i, g := range []string{"Ann", "bob", "ÉVA_%", "none"} {
				n := []int{[]int{9, 1, 5}[i%3], []int{1, 7, 3}[i%3], i, i}[m]
				measures := fmt.Sprintf(`{"n":%d,"top":[{"value":"x","count":%d}],"last":"text"}`, n, 10-n)
				if g == "none" {
					measures = `{"n":null,"last":"z"}`
				}
				list = append(list, insight("logins", ago, `{"user":"`+g+`","k":1}`, measures, func(in *model.Insight) { in.Final = m > 0 }))
			}
		}
		list = append(list, insight("other", 1, `{"user":"x"}`, `{"n":99}`))
		f.write(list...)
		past := list[12].Start
		for name, c := range map[string]struct {
			ask     model.GroupQuery
			want    string
			windows int
			matched int64
		}{
			"by a number":      {model.GroupQuery{Measure: "n", Windows: 3}, "bob ÉVA_% Ann none", 3, 4},
			"by a top list":    {model.GroupQuery{Measure: "top", Windows: 1}, "Ann ÉVA_% bob none", 1, 4},
			"by no measure":    {model.GroupQuery{Windows: 9}, "Ann bob none ÉVA_%", 4, 4},
			"by a text":        {model.GroupQuery{Measure: "last", Windows: 9}, "Ann bob none ÉVA_%", 4, 4},
			"by a past window": {model.GroupQuery{Measure: "n", Windows: 2, Window: past}, "ÉVA_% bob Ann none", 1, 4},
			"few":              {model.GroupQuery{Measure: "n", Windows: 1, Limit: 2}, "bob ÉVA_%", 1, 4},
			"searched":         {model.GroupQuery{Measure: "n", Windows: 1, Search: "éva"}, "ÉVA_%", 1, 1},
			"two words":        {model.GroupQuery{Measure: "n", Windows: 1, Search: " 1  AN "}, "Ann", 1, 1},
			"no wildcard":      {model.GroupQuery{Measure: "n", Windows: 1, Search: "b_b"}, "", 0, 0},
			"percent":          {model.GroupQuery{Measure: "n", Windows: 1, Search: "%"}, "ÉVA_%", 1, 1},
			"quote":            {model.GroupQuery{Measure: `n" OR 1=1 --`, Windows: 1, Search: "'"}, "", 0, 0},
		} {
			c.ask.Aggregate = "logins"
			table, err := s.Groups(t.Context(), c.ask)
			must(t, err)
			if got := names(table); got != c.want || table.Groups != 4 || table.Matched != c.matched {
				t.Errorf("%s: %s of %d, %d matched, want %s", name, got, table.Groups, table.Matched, c.want)
			}
			if want := list[4].Start; c.ask.Window.IsZero() && !table.Window.Equal(want) {
				t.Errorf("%s: ordered by %s, want %s", name, table.Window, want)
			}
			for _, r := range table.Rows {
				if len(r.Windows) != c.windows || !r.Windows[0].Start.Before(r.Windows[len(r.Windows)-1].End) {
					t.Errorf("%s: %d windows, want %d: %s", name, len(r.Windows), c.windows, documents(r.Windows))
				}
			}
		}
		if table, err := s.Groups(t.Context(), model.GroupQuery{Aggregate: "unknown"}); err != nil || len(table.Rows) != 0 || !table.Window.IsZero() {
			t.Error(table, err)
		}
	})
}

func TestTablesOfGroupsFollowWhatIsWritten(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		f := newFeed(t, s, topicID("i"), 0)
		same := sameWindow(insight("logins", 1, `{}`, `{}`))
		f.write(insight("logins", 1, `{"u":"a"}`, `{"n":1}`, same), insight("logins", 1, `{"u":"b"}`, `{"n":2}`, same))
		ask := model.GroupQuery{Aggregate: "logins", Measure: "n", Windows: 1}
		table, err := s.Groups(t.Context(), ask)
		must(t, err)
		if got := names(table); got != "b a" {
			t.Fatal(got)
		}
		f.write(insight("logins", 1, `{"u":"a"}`, `{"n":3}`, revision(2), same), insight("logins", 1, `{"u":"c"}`, `{"n":0}`, same))
		eventually(t, func() string {
			table, err := s.Groups(t.Context(), ask)
			must(t, err)
			return names(table)
		}, "a b c")
		f.write(tombstone(insight("logins", 1, `{"u":"a"}`, `{}`, same)))
		eventually(t, func() string {
			table, err := s.Groups(t.Context(), ask)
			must(t, err)
			return names(table)
		}, "b c")
	})
}

// eventually waits until what is seen is what is wanted.
func eventually(t *testing.T, see func() string, want string) {
	t.Helper()
	end := time.Now().Add(30 * time.Second)
	for got := see(); got != want; got = see() {
		if time.Now().After(end) {
			t.Fatalf("%s, want %s", got, want)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestSessionsAreATableToo(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		session := func(minutes int, group string, n int) model.Insight {
			return insight("visits", minutes, `{"u":"`+group+`"}`, fmt.Sprintf(`{"n":%d}`, n), func(in *model.Insight) { in.Kind = model.InsightSession }, final)
		}
		newFeed(t, s, topicID("i"), 0).write(session(200, "a", 100), session(90, "a", 1), session(30, "b", 2), session(10, "a", 3))
		table, err := s.Groups(t.Context(), model.GroupQuery{Aggregate: "visits", Measure: "n", Windows: 2})
		must(t, err)
		if names(table) != "a b" || table.Groups != 2 || len(table.Rows[0].Windows) != 2 || !table.Window.IsZero() {
			t.Errorf("%s %+v", names(table), table)
		}
	})
}

func TestAnomaliesHaveTheWindowsOfTheirGroup(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		var list []model.Insight
		for m := range 20 {
			list = append(list, insight("logins", m, `{"u":"a"}`, fmt.Sprintf(`{"n":%d}`, m)), insight("logins", m, `{"u":"b"}`, `{"n":1}`))
		}
		anomaly := insight("logins", 5, `{"u":"a"}`, `{}`, func(in *model.Insight) { in.Kind = model.InsightAnomaly })
		newFeed(t, s, topicID("i"), 0).write(append(list, anomaly)...)
		points, err := s.Points(t.Context(), anomaly, 8)
		must(t, err)
		var got []string
		for _, p := range points {
			got = append(got, string(field(field(p.Document, "measures"), "n")))
		}
		if want := "10 9 8 7 6 5 4 3"; strings.Join(got, " ") != want {
			t.Errorf("%v, want %s", got, want)
		}
	})
}
