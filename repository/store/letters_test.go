package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

func secret(text string) utils.Secret { return utils.Secret(text) }

// letterAt is a dead letter that failed at a time.
func letterAt(at time.Time, stage model.Stage, code string) model.DeadLetter {
	l := model.DeadLetter{Stage: stage, Code: code, Reason: "because", FailedAt: at.UTC().Truncate(time.Millisecond), Bytes: 12, LastInSet: 9}
	l.Source.Topic, l.Source.Partition, l.Source.Offset = "in", 2, 9
	return l
}

func TestDeadLettersAreFoundByTheirKind(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		topic := model.TopicID{Name: "dead", ID: "d"}
		now := time.Now().UTC().Truncate(time.Millisecond)
		version := s.Version()
		one, two := newFeed(t, s, topic, 0), newFeed(t, s, topic, 1)
		var list []model.DeadLetter
		for i := range 30 {
			stage := []model.Stage{model.StageLate, model.StageDecode, model.StageDecode}[i%3]
			code := []string{"late", "not_an_object", "invalid_json"}[i%3]
			l := letterAt(now.Add(-time.Duration(i/2)*time.Minute), stage, code) // two of each time
			l.LateFor, l.Replays, l.Truncated = []string{"a,b", "c"}, i, i*100
			list = append(list, l)
		}
		one.letters(list[:20]...)
		two.letters(list[20:]...)
		if x.kind == SQLite && s.Version() == version {
			t.Error("nobody is told of the news")
		}
		for name, c := range map[string]struct {
			ask  model.DeadLetterQuery
			want int
		}{
			"all": {model.DeadLetterQuery{}, 30}, "stage": {model.DeadLetterQuery{Stage: model.StageDecode}, 20}, "code": {model.DeadLetterQuery{Code: "not_an_object"}, 10},
			"both": {model.DeadLetterQuery{Stage: model.StageDecode, Code: "invalid_json"}, 10}, "neither": {model.DeadLetterQuery{Stage: model.StageLate, Code: "invalid_json"}, 0},
			"from": {model.DeadLetterQuery{From: now.Add(-5 * time.Minute)}, 12}, "to": {model.DeadLetterQuery{To: now.Add(-5 * time.Minute)}, 18},
			"injected": {model.DeadLetterQuery{Code: "' OR 1=1 --"}, 0},
		} {
			for _, size := range []int{1, 4, 30} {
				c.ask.Limit, c.ask.Cursor = size, ""
				seen := map[model.TopicOffset]bool{}
				for range 100 {
					page, err := s.DeadLetters(t.Context(), c.ask)
					must(t, err)
					for _, l := range page.Items {
						seen[l.At] = true
					}
					if c.ask.Cursor = page.Next; page.Next == "" {
						break
					}
				}
				if len(seen) != c.want {
					t.Errorf("%s, pages of %d: %d, want %d", name, size, len(seen), c.want)
				}
			}
		}
		got, found, err := s.DeadLetter(t.Context(), model.TopicOffset{TopicPartition: model.TopicPartition{Topic: "dead", Partition: 1}, Offset: 3})
		must(t, err)
		want := list[23]
		want.At = got.At
		if !found || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%+v\nwant\n%+v", got, want)
		}
		if _, found, err = s.DeadLetter(t.Context(), model.TopicOffset{TopicPartition: model.TopicPartition{Topic: "dead", Partition: 1}, Offset: 99}); found || err != nil {
			t.Error(found, err)
		}
	})
}

func TestDeadLettersAreCountedByHalfMinutes(t *testing.T) {
	onEach(t, func(t *testing.T, x *target) {
		s := x.open(t)
		f := newFeed(t, s, model.TopicID{Name: "dead", ID: "d"}, 0)
		now := time.UnixMilli(slotOf(time.Now()) * rateStep.Milliseconds()).Add(10 * time.Second)
		last := now.Add(-20 * time.Minute)
		f.letters(letterAt(now, "decode", "a"), letterAt(now.Add(-5*time.Second), "decode", "a"), letterAt(now.Add(-40*time.Second), "decode", "a"))
		f.letters(letterAt(now.Add(-29*rateStep), "decode", "a"), letterAt(now.Add(-30*rateStep), "decode", "a"), letterAt(last, "late", "b"))
		counts, err := s.DeadLetterCounts(t.Context(), now)
		must(t, err)
		if len(counts) != 2 || counts[0].Code != "a" || counts[0].Count != 5 || !counts[0].LastAt.Equal(now.Truncate(time.Millisecond)) || counts[1].Count != 1 ||
			!counts[1].LastAt.Equal(last.Truncate(time.Millisecond)) {
			t.Fatalf("%+v", counts)
		}
		want := make([]int64, 30)
		want[29], want[28], want[0] = 2, 1, 1
		if !slices.Equal(counts[0].Recent, want) {
			t.Errorf("%v", counts[0].Recent)
		}
		if len(counts[1].Recent) != 30 || slices.Max(counts[1].Recent) != 0 {
			t.Errorf("%v", counts[1].Recent)
		}
	})
}

func TestNewsOfOthersAreHeard(t *testing.T) {
	x := postgres(t)
	a, b := x.open(t), x.open(t)
	f := newFeed(t, a, topicID("i"), 0)
	f.write(insight("logins", 1, `{"u":"a"}`, `{}`))
	time.Sleep(1100 * time.Millisecond)
	before := b.Version()
	f.write(insight("logins", 1, `{"u":"a"}`, `{}`, func(in *model.Insight) { in.Kind = model.InsightAnomaly }))
	eventually(t, func() string { return fmt.Sprint(b.Version() > before) }, "true")
}
