package store

import (
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
)

func documents(list []model.Insight) string {
	var all []string
	for _, in := range list {
		all = append(all, string(in.Document))
	}
	return strings.Join(all, "\n")
}

func TestWhatWasWrittenComesBack(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		f := newFeed(t, s, topicID("i"), 3)
		in := insight("logins", 2, `{"device":"an\"droid","n":null}`, `{"logins":5}`, revision(4), final)
		f.write(in)
		got := all(t, s, model.InsightQuery{})
		if len(got) != 1 {
			t.Fatal(got)
		}
		in.At = model.TopicOffset{TopicPartition: model.TopicPartition{Topic: "i", Partition: 3}}
		g := got[0]
		if g.Key != in.Key || g.Kind != in.Kind || g.Aggregate != in.Aggregate || g.Definition != in.Definition || string(g.Group) != string(in.Group) || !g.Start.Equal(in.Start) ||
			!g.End.Equal(in.End) || !g.Final || g.Revision != 4 || !g.UpdatedAt.Equal(in.UpdatedAt) || string(g.Document) != string(in.Document) || g.At != in.At {
			t.Errorf("%+v\nwant\n%+v", g, in)
		}
	})
}

func TestPagesAreStableAndWhole(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		f := newFeed(t, s, topicID("i"), 0)
		var list []model.Insight
		for m := range 7 {
			for _, g := range []string{"a", "b", "c"} {
				in := insight("logins", m, `{"g":"`+g+`"}`, `{"n":1}`)
				in.Final = m > 2
				list = append(list, in)
			}
		}
		list = append(list, insight("logins", 3, `{"g":"a"}`, `{}`, func(in *model.Insight) { in.Kind = model.InsightAnomaly }),
			insight("visits", 4, `{"g":"a"}`, `{}`, func(in *model.Insight) { in.Kind = model.InsightSession }))
		f.write(list...)
		yes, no := true, false
		from := list[0].Start.Add(-4 * time.Minute)
		for name, c := range map[string]struct {
			ask  model.InsightQuery
			want int
		}{
			"all":           {model.InsightQuery{}, 23},
			"aggregate":     {model.InsightQuery{Aggregate: "logins"}, 22},
			"kind":          {model.InsightQuery{Kind: model.InsightAnomaly}, 1},
			"final":         {model.InsightQuery{Final: &yes}, 12},
			"not final":     {model.InsightQuery{Final: &no, Aggregate: "logins", Kind: model.InsightWindow}, 9},
			"from":          {model.InsightQuery{From: from, Kind: model.InsightWindow}, 15},
			"from to":       {model.InsightQuery{From: from, To: from.Add(time.Minute), Aggregate: "logins", Kind: model.InsightWindow}, 3},
			"group":         {model.InsightQuery{Group: map[string]string{"g": "a"}}, 9},
			"group of one":  {model.InsightQuery{Aggregate: "visits", Group: map[string]string{"g": "a"}}, 1},
			"group in time": {model.InsightQuery{Group: map[string]string{"g": "b"}, From: from, Final: &yes}, 2},
			"nothing":       {model.InsightQuery{Group: map[string]string{"g": "x"}}, 0},
			"no aggregate":  {model.InsightQuery{Aggregate: "x"}, 0},
		} {
			for _, size := range []int{1, 2, 5, 100} {
				c.ask.Limit = size
				seen := map[string]bool{}
				var before time.Time
				for _, in := range all(t, s, c.ask) {
					if seen[in.Key] {
						t.Errorf("%s, pages of %d: %s comes twice", name, size, in.Key)
					}
					seen[in.Key] = true
					if !before.IsZero() && in.Start.After(before) {
						t.Errorf("%s: %s after %s", name, in.Start, before)
					}
					before = in.Start
				}
				if len(seen) != c.want {
					t.Errorf("%s, pages of %d: %d, want %d", name, size, len(seen), c.want)
				}
			}
		}
		// What is written between two pages moves nothing.
		first, err := s.Insights(t.Context(), model.InsightQuery{Limit: 5})
		must(t, err)
		f.write(insight("logins", -1, `{"g":"new"}`, `{}`), insight("logins", 0, `{"g":"new"}`, `{}`))
		rest := all(t, s, model.InsightQuery{Limit: 5, Cursor: first.Next})
		for _, in := range rest {
			for _, old := range first.Items {
				if in.Key == old.Key {
					t.Errorf("%s comes twice", in.Key)
				}
			}
		}
	})
}

func TestGroupsMeanTextOrJSON(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		newFeed(t, s, topicID("i"), 0).write(
			insight("a", 1, `{"x":"5","y":"é%_'\\\" ; DROP TABLE insights"}`, `{}`), insight("a", 1, `{"x":5,"y":true}`, `{}`), insight("a", 1, `{"x":null,"y":"null"}`, `{}`),
			insight("a", 1, `{"x":"\u00e9","y":"\u0000"}`, `{}`), insight("a", 1, `{"x":1.50,"y":"\ud800"}`, `{}`))
		for _, c := range []struct {
			name, value string
			want        int
		}{
			{"x", "5", 2}, {"x", `"5"`, 1}, {"x", "null", 1}, {"y", "null", 1}, {"y", "true", 1}, {"x", "é", 1}, {"x", "1.50", 1}, {"x", "%", 0}, {"z", "5", 0}, {"x' OR 1=1 --", "5", 0},
			{"y", `é%_'\" ; DROP TABLE insights`, 1}, {"y", "\x00", 1}, {"y", "\xff\xfe", 0}, {"y", "' OR '1'='1", 0},
		} {
			got := all(t, s, model.InsightQuery{Group: map[string]string{c.name: c.value}})
			if len(got) != c.want {
				t.Errorf("%s=%q: %d, want %d: %s", c.name, c.value, len(got), c.want, documents(got))
			}
		}
		if got := all(t, s, model.InsightQuery{Group: map[string]string{"x": "5", "y": "true"}}); len(got) != 1 {
			t.Errorf("two fields: %s", documents(got))
		}
	})
}

func TestCursorsThatNobodyGaveAreRefused(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		letters := cursor(letterCursor, time.Now(), 1, 2)
		for _, text := range []string{"x", "AAAA", "!", "' OR 1=1", strings.Repeat("A", 10_000), letters, letters + "A", "AX////////////////////8", "\x00"} {
			_, err := s.Insights(t.Context(), model.InsightQuery{Cursor: text})
			if model.ClassOf(err) != model.Rejected || err == nil {
				t.Errorf("%q: %v", text, err)
			}
		}
		if _, err := s.DeadLetters(t.Context(), model.DeadLetterQuery{Cursor: cursor(insightCursor, time.Now(), 1)}); model.ClassOf(err) != model.Rejected {
			t.Errorf("%v", err)
		}
	})
}
