package recorder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"data-stream-engine/model"
)

// The longest names that are taken. They are in indexes, which have bounds; what the engine writes is far below.
const (
	maxName   = 500
	maxReason = 4 << 10
)

// document is what is read of an insight: see docs/aggregation.md.
type document struct {
	Aggregate string            `json:"aggregate"`
	Kind      model.InsightKind `json:"kind"`
	Window    struct {
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
	} `json:"window"`
	Group     json.RawMessage `json:"group"`
	Final     bool            `json:"final"`
	Revision  int64           `json:"revision"`
	UpdatedAt time.Time       `json:"updated_at"`
}

// insight reads a record of the insights topic, of which it keeps nothing. A tombstone has no Document.
func insight(m *model.Message) (in model.Insight, err error) {
	in = model.Insight{Key: string(m.Key), At: model.TopicOffset{TopicPartition: model.TopicPartition{Topic: m.Topic, Partition: m.Partition}, Offset: m.Offset}}
	if len(m.Key) == 0 {
		return in, errors.New("it has no key")
	}
	var key []json.RawMessage
	if err := json.Unmarshal(m.Key, &key); err != nil || len(key) < 4 {
		return in, errors.New("its key is no list of aggregate, definition, start and end")
	}
	if err := json.Unmarshal(key[1], &in.Definition); err != nil {
		return in, errors.New("its key names no definition")
	}
	if err := json.Unmarshal(key[2], &in.Start); err != nil || !usual(in.Start) {
		return in, errors.New("its key names no start")
	}
	if m.Value == nil {
		return in, nil
	}
	var d document
	if err := json.Unmarshal(m.Value, &d); err != nil {
		return in, fmt.Errorf("its value: %w", err)
	}
	in.Kind, in.Aggregate, in.Final, in.Revision = d.Kind, d.Aggregate, d.Final, d.Revision
	if !in.Start.Equal(d.Window.Start) { // a tombstone would not find it
		return in, errors.New("its key names another window than its value")
	}
	in.Start, in.End, in.UpdatedAt = d.Window.Start.UTC(), d.Window.End.UTC(), d.UpdatedAt.UTC()
	in.Group, in.Document = d.Group, bytes.Clone(m.Value)
	return in, sound(&in)
}

// sound tells what a store could not keep, or nobody find again.
func sound(in *model.Insight) error {
	switch {
	case in.Kind != model.InsightWindow && in.Kind != model.InsightSession && in.Kind != model.InsightAnomaly:
		return fmt.Errorf("its kind %.50q is not known", in.Kind)
	case in.Aggregate == "" || len(in.Aggregate) > maxName || len(in.Definition) > maxName:
		return errors.New("it has no name of an aggregate, or one that is too long")
	case len(in.Group) == 0 || in.Group[0] != '{':
		return errors.New("its group is no object")
	case !usual(in.Start) || !usual(in.End) || !usual(in.UpdatedAt):
		return errors.New("it lacks a time, or has one before the year 1")
	default:
		return nil
	}
}

func usual(t time.Time) bool { return !t.IsZero() && t.Year() >= 1 && t.Year() <= 9999 }

// letter reads a record of the dead-letter topic.
func letter(m *model.Message) model.DeadLetter {
	l := model.ParseDeadLetter(m)
	if !usual(l.FailedAt) {
		l.FailedAt = time.UnixMilli(m.Timestamp).UTC()
		if !usual(l.FailedAt) {
			l.FailedAt = time.UnixMilli(0).UTC()
		}
	}
	l.Stage, l.Code = model.Stage(cut(string(l.Stage), maxName)), cut(l.Code, maxName)
	l.Reason, l.Source.Topic = cut(l.Reason, maxReason), cut(l.Source.Topic, maxName)
	l.Truncated, l.Replays = bounded(l.Truncated), bounded(l.Replays)
	if len(strings.Join(l.LateFor, ",")) > maxReason {
		l.LateFor = nil
	}
	return l
}

func cut(text string, n int) string { return text[:min(len(text), n)] }

func bounded(n int) int { return min(max(n, 0), 1<<31-1) }
