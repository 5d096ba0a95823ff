package harness

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A perfect run in which the second input came late for an aggregate, or for two.
func lateRun(t *testing.T, missed Missed, lateFor string, put func(*Records)) *Report {
	t.Helper()
	records := perfect(t)
	records.Judge = &Judge{}
	late := records.Input[0]
	if Expect(late.Value).Fate != Forward {
		t.Fatal("the first event is to be a good one: choose another seed")
	}
	records.Late = map[string]Missed{Place(late): missed}
	if lateFor != "" {
		letter := letterOf(late, Expected{Stage: "late"})
		setHeader(letter, "__connect.errors.class.name", "late")
		letter.Headers = append(letter.Headers, kgo.RecordHeader{Key: "stream-engine.late-for", Value: []byte(lateFor)})
		records.DeadLetters = append(records.DeadLetters, letter)
	}
	if put != nil {
		put(records)
	}
	return Compare(*records)
}

func TestCompareTakesDeadLettersOfLateEvents(t *testing.T) {
	for name, c := range map[string]struct {
		missed  Missed
		lateFor string
		put     func(*Records)
		want    string
	}{
		"late for one":            {Missed{Must: []string{"a"}}, "a", nil, ""},
		"late for two":            {Missed{Must: []string{"a", "b"}}, "b,a", nil, ""},
		"one that need not be":    {Missed{Must: []string{"a"}, May: []string{"b"}}, "a, b", nil, ""},
		"it is not there":         {Missed{May: []string{"b"}}, "", nil, ""},
		"no dead letter":          {Missed{Must: []string{"a"}}, "", nil, "1 lost"},
		"of the wrong aggregates": {Missed{Must: []string{"a", "b"}}, "a", nil, "1 wrong"},
		"of too many aggregates":  {Missed{Must: []string{"a"}}, "a,b", nil, "1 wrong"},
		"of another event":        {Missed{}, "a", func(r *Records) { r.Late = nil }, "1 unknown"},
		"twice": {Missed{Must: []string{"a"}}, "a", func(r *Records) {
			r.DeadLetters = append(r.DeadLetters, again(r.DeadLetters[len(r.DeadLetters)-1], 9000))
		}, "1 duplicated"},
		"with another value":    {Missed{Must: []string{"a"}}, "a", func(r *Records) { r.DeadLetters[len(r.DeadLetters)-1].Value = []byte("x") }, "1 wrong"},
		"instead of its output": {Missed{Must: []string{"a"}}, "a", func(r *Records) { r.Output = r.Output[1:] }, "1 lost"},
	} {
		t.Run(name, func(t *testing.T) {
			report := lateRun(t, c.missed, c.lateFor, c.put)
			if err := report.Err(); (err == nil) != (c.want == "") || !strings.Contains(report.String(), c.want) {
				t.Fatalf("want %q: %s: %v", c.want, report, err)
			}
		})
	}
}
