package handler

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"data-stream-engine/model"
)

// history is what n merge commits have left behind: the changelog, and the position that each has committed.
func (r *mergeRig) history(t *testing.T, n int) (positions []model.Position) {
	at := model.Position{}
	for i := range n {
		r.say(1_700_000_000_000, names(i+1)...)
		r.open(at)
		r.m.start(t.Context())
		r.after(1100 * time.Millisecond)
		d, _ := r.commits()
		r.m.halt()
		at = d.positions[model.TopicPartition{Topic: partialsOfRig}]
		positions = append(positions, at)
	}
	r.changed = append(r.changed, r.sink.changes...)
	r.joined(model.Assignment{}) // what is in memory is gone
	return positions
}

// State is restored when it is that of the group's offset. Any other one is not gone on with: nobody could tell what is
// missing in it.
func TestStateIsRestoredOnlyWhenItIsThatOfTheOffset(t *testing.T) {
	for name, c := range map[string]struct {
		exactly bool
		commits int
		lose    bool // the last one is not in the changelog
		offset  int  // of which merge commit, from 0; -1: none
		want    string
	}{
		"they agree":                          {exactly: true, commits: 3, offset: 2},
		"there was none yet":                  {exactly: true, offset: -1},
		"the changelog has lost the last one": {exactly: true, commits: 3, lose: true, offset: 2, want: "was truncated or deleted"},
		"it is gone":                          {exactly: true, commits: 1, lose: true, offset: 0, want: "was truncated or deleted"},
		"the offset was moved back":           {exactly: true, commits: 3, offset: 1, want: "was moved back, or has expired"},
		"the offset has expired":              {exactly: true, commits: 3, offset: -1, want: "was moved back, or has expired"},
		"without transactions they agree":     {commits: 3, offset: 2},
		"without transactions one is behind":  {commits: 3, offset: 1},
		"without transactions it is gone":     {commits: 3, lose: true, offset: 2, want: "was truncated or deleted"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newMergeRig(t, Config{ExactlyOnce: c.exactly})
			positions := append(r.history(t, c.commits), model.Position{})
			if c.lose {
				last := len(r.changed) - 1
				for ; last >= 0 && !strings.HasPrefix(string(r.changed[last].Key), "\x01m"); last-- {
				}
				r.changed = r.changed[:max(last, 0)]
			}
			at := positions[(c.offset+len(positions))%len(positions)]
			r.watched.Working(1)
			r.open(at)
			r.m.start(t.Context())
			r.after(1100 * time.Millisecond)
			restored := r.m.active() != nil
			report := r.watched.Readiness.Report()
			r.m.halt()
			switch {
			case restored != (c.want == ""):
				t.Errorf("%s: restored %v; %+v", name, restored, report)
			case restored && !report.Ready, !restored && (report.Ready || !strings.Contains(report.Waiting[0].Reason, c.want) || !strings.Contains(report.Waiting[0].Reason, "KAFKA_GROUP_ID")):
				t.Errorf("%s: %+v", name, report)
			case !restored && (len(report.Waiting) != 2 || report.Waiting[1].Name != ConditionUnrestorable):
				t.Errorf("%s: waits for %+v, which somebody may think to pass", name, report.Waiting)
			case restored && r.parts[0].Groups() != c.commits && c.exactly:
				t.Errorf("%s: %d groups", name, r.parts[0].Groups())
			}
		})
	}
}

// A restore that fails is tried again, and ends when the assignment does.
func TestRestoreIsTriedAgainUntilItWorksOrTheAssignmentEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newMergeRig(t, Config{ExactlyOnce: true})
		at := r.history(t, 2)[1]
		whole := r.changed
		r.changed = nil
		r.watched.Working(1)
		r.open(at)
		r.m.start(t.Context())
		r.after(10 * time.Second)
		r.watched.requireReady(false)
		if n := r.watched.lines("cannot restore windows"); n < 2 || n > 10 {
			t.Errorf("tried %d times in 10 s", n)
		}
		r.m.halt() // does not wait for the next attempt
		r.open(at)
		r.m.start(t.Context())
		r.after(time.Second)
		r.m.halt()
		r.changed = whole
		r.open(at)
		r.m.start(t.Context())
		r.after(time.Second)
		r.watched.requireReady(true)
		r.m.halt()
	})
}
