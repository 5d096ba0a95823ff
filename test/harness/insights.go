package harness

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Insight is a record of the insights topic.
type Insight struct {
	*kgo.Record

	Definition string
	Aggregate  string
	Kind       string // window or session
	Start, End int64
	Group      []any
	Anomaly    bool

	Measures map[string]any // nil of a tombstone
	Final    bool
	Revision int64
	Updated  time.Time
}

// key is that of the window in a Replay.
func (i *Insight) key() string { return canonicalKey(i.Aggregate, i.Start, i.End, i.Group) }

// tombstone takes the insight away.
func (i *Insight) tombstone() bool { return i.Value == nil }

// ReadInsight takes a record apart. What its key says must be what its value says.
func ReadInsight(r *kgo.Record) (*Insight, error) {
	i := &Insight{Record: r}
	if err := i.readKey(); err != nil {
		return nil, fmt.Errorf("key %.300q: %w", r.Key, err)
	}
	if i.tombstone() || i.Anomaly {
		return i, nil
	}
	if err := i.readValue(); err != nil {
		return nil, fmt.Errorf("%.300q: %w: %.500q", r.Key, err, r.Value)
	}
	return i, nil
}

// readKey takes ["aggregate","definition","start","end",group values...], with "anomaly" at the end of an anomaly's. How
// many values a group has is not known here: see split.
func (i *Insight) readKey() error {
	var parts []any
	if err := decode(i.Key, &parts); err != nil {
		return err
	}
	if len(parts) < 4 {
		return fmt.Errorf("%d parts", len(parts))
	}
	var texts [4]string
	for n := range texts {
		text, ok := parts[n].(string)
		if !ok || text == "" {
			return fmt.Errorf("part %d is no text", n)
		}
		texts[n] = text
	}
	i.Aggregate, i.Definition, i.Group = texts[0], texts[1], parts[4:]
	var err error
	if i.Start, err = instant(texts[2]); err == nil {
		i.End, err = instant(texts[3])
	}
	return err
}

// split takes the mark of an anomaly off the group values.
func (i *Insight) split(groupBy int) error {
	if len(i.Group) == groupBy+1 && i.Group[groupBy] == "anomaly" {
		i.Anomaly, i.Group = true, i.Group[:groupBy]
	}
	if len(i.Group) != groupBy {
		return fmt.Errorf("key %.300q has %d group values, not %d", i.Key, len(i.Group), groupBy)
	}
	return nil
}

// instant is RFC 3339 in UTC, in whole milliseconds.
func instant(text string) (int64, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, err
	}
	if text[len(text)-1] != 'Z' || at.Nanosecond()%1e6 != 0 {
		return 0, fmt.Errorf("%s is not in UTC, or has parts of a millisecond", text)
	}
	return at.UnixMilli(), nil
}

// body is the value of an insight.
type body struct {
	Pipeline, Aggregate, Kind string
	Window                    struct{ Start, End string }
	Group, Measures           map[string]any
	Final                     *bool
	Revision                  *int64
	Updated                   string `json:"updated_at"`
	Overflow                  bool
}

func (i *Insight) readValue() error {
	var b body
	if err := decode(i.Value, &b); err != nil {
		return err
	}
	if b.Kind == "anomaly" {
		i.Anomaly = true
		return nil
	}
	start, err := instant(b.Window.Start)
	if err != nil {
		return err
	}
	end, err := instant(b.Window.End)
	if err != nil {
		return err
	}
	updated, err := time.Parse(time.RFC3339Nano, b.Updated)
	switch {
	case err != nil || time.Since(updated).Abs() > 24*time.Hour:
		return fmt.Errorf("updated_at is %q", b.Updated)
	case b.Kind != "window" && b.Kind != "session":
		return fmt.Errorf("kind is %q", b.Kind)
	case b.Pipeline == "" || b.Final == nil || b.Revision == nil || b.Measures == nil:
		return errors.New("pipeline, final, revision or measures is missing")
	case b.Overflow:
		return errors.New("it is an overflow, and no test has that many groups")
	case b.Aggregate != i.Aggregate || start != i.Start || end != i.End:
		return errors.New("its value is of another window than its key")
	case !slices.Equal(sortedTexts(slices.Values(i.Group)), sortedTexts(maps.Values(b.Group))):
		return errors.New("its group is not that of its key")
	}
	i.Kind, i.Measures, i.Final, i.Revision, i.Updated = b.Kind, b.Measures, *b.Final, *b.Revision, updated
	return nil
}

// sortedTexts are values without their order.
func sortedTexts(values func(yield func(any) bool)) []string {
	var texts []string
	for v := range values {
		texts = append(texts, canonical(v))
	}
	slices.Sort(texts)
	return texts
}
