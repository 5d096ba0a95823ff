package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"data-stream-engine/model"
)

func compareText(a, b string) int { return strings.Compare(a, b) }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// letters are those of a part that are to be kept.
func (w *writer) letters(p *model.Recorded) []*model.DeadLetter {
	var list []*model.DeadLetter
	for i := range p.DeadLetters {
		if l := &p.DeadLetters[i]; !l.FailedAt.Before(w.cutoff) {
			list = append(list, l)
		}
	}
	return list
}

// tally is what is counted of one kind.
type tally struct {
	letters int64
	last    time.Time
	slots   map[int64]int64
}

// count keeps the numbers of dead letters, so that nobody has to count the rows.
func (w *writer) count(ctx context.Context, topic int64, partition int32, letters []*model.DeadLetter) error {
	kinds := map[model.DeadLetterKind]*tally{}
	oldest := slotOf(w.now) - rateSteps - 1
	for _, l := range letters {
		kind := model.DeadLetterKind{Stage: model.Stage(storable(string(l.Stage))), Code: storable(l.Code)}
		t := kinds[kind]
		if t == nil {
			t = &tally{slots: map[int64]int64{}}
			kinds[kind] = t
		}
		t.letters++
		if l.FailedAt.After(t.last) {
			t.last = l.FailedAt
		}
		if slot := slotOf(l.FailedAt); slot >= oldest {
			t.slots[slot]++
		}
	}
	for _, kind := range sortedKinds(kinds) {
		t := kinds[kind]
		_, err := w.exec(ctx, `INSERT INTO dead_letter_totals AS d (topic, partition, stage, code, letters, last_at) VALUES (%s, %s, %s, %s, %s, %s)
			ON CONFLICT (topic, partition, stage, code) DO UPDATE SET letters = d.letters + excluded.letters,
			last_at = CASE WHEN excluded.last_at > d.last_at THEN excluded.last_at ELSE d.last_at END`,
			topic, partition, string(kind.Stage), kind.Code, t.letters, t.last)
		if err != nil {
			return err
		}
		for slot, n := range t.slots {
			_, err := w.exec(ctx, `INSERT INTO dead_letter_rates AS d (slot, topic, partition, stage, code, letters) VALUES (%s, %s, %s, %s, %s, %s)
				ON CONFLICT (slot, topic, partition, stage, code) DO UPDATE SET letters = d.letters + excluded.letters`,
				slot, topic, partition, string(kind.Stage), kind.Code, n)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func sortedKinds(kinds map[model.DeadLetterKind]*tally) []model.DeadLetterKind {
	list := make([]model.DeadLetterKind, 0, len(kinds))
	for k := range kinds {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b model.DeadLetterKind) int {
		if a.Stage != b.Stage {
			return compareText(string(a.Stage), string(b.Stage))
		}
		return compareText(a.Code, b.Code)
	})
	return list
}

// missed is the list of aggregates that an event missed, as the table has it.
func missed(l *model.DeadLetter) string {
	if len(l.LateFor) == 0 {
		return ""
	}
	text, _ := json.Marshal(l.LateFor) // texts can always be written
	return string(text)
}
