package harness

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Judge says what has to become of a login in a pipeline with aggregates: what Expect says, and what its time and its
// measures say besides.
type Judge struct {
	MaxFuture time.Duration    // source.max_future; 0: its default of 10 minutes
	Refuse    func(Event) bool // of the event as it came: a measure cannot take it
}

// Judged is the fate of one record of the source topic.
type Judged struct {
	Expected
	Source Event // the event as it came, of Forward
	At     int64 // its time
	Timed  bool  // the time is readable and moves the watermark of its partition
}

// Of is the fate of a record.
func (j Judge) Of(r *kgo.Record) Judged {
	judged := Judged{Expected: Expect(r.Value)}
	if judged.Fate == Bury {
		return judged // a dead letter moves nothing
	}
	if err := decode(r.Value, &judged.Source); err != nil {
		return judged
	}
	at, err := eventTime(judged.Source["timestamp"])
	if err != nil {
		return judged
	}
	judged.At, judged.Timed = at.UnixMilli(), true
	switch {
	case judged.At-r.Timestamp.UnixMilli() > j.maxFuture():
		judged.bury("decode", "future_event_time")
		judged.Timed = false // that of a filtered event does not either
	case judged.Fate == Forward && j.Refuse != nil && j.Refuse(judged.Source):
		judged.bury("aggregate", "")
		judged.Timed = false
	}
	return judged
}

func (j Judge) maxFuture() int64 {
	if j.MaxFuture == 0 {
		return (10 * time.Minute).Milliseconds()
	}
	return j.MaxFuture.Milliseconds()
}

// bury makes a dead letter of an event that was to be forwarded. One that is filtered is dropped whatever else it is.
func (j *Judged) bury(stage, code string) {
	if j.Fate == Forward {
		j.Expected = Expected{Fate: Bury, Stage: stage, Code: code, Event: j.Event}
	}
}
