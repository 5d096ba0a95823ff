package harness

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Trial is what the insights of a group are held against.
type Trial struct {
	Replay   *Replay
	Insights []*kgo.Record // partition by partition, in the order of offsets
	// Young are source partitions that did not exist when the run began, or that were idle for a while. Their events may
	// come to windows that are closed already, whose finals may change then. Others may not.
	Young []int32
}

// Verdict says what became of the windows.
type Verdict struct {
	Windows, Sessions, Late int // as it has to be
	Right                   int // windows and sessions
	Records, Tombstones     int // of the insights topic
	Anomalies               int
	Unsure                  int       // windows that not everybody counted from the beginning
	Revised                 int       // finals that changed, and might: see Young
	Repeated                int       // finals that were written again as they were
	Last                    time.Time // when the last insight was written

	Missing Faults // windows without an insight
	Open    Faults // the last insight is not final
	Wrong   Faults // it has other measures
	Extra   Faults // it is of a window that must not be
	Changed Faults // finals that changed, and must not
	Odd     Faults // records that are not what they should be
}

// Pending tells whether time may still mend what is wrong: windows that have not closed yet.
func (v *Verdict) Pending() bool { return v.Missing.Count+v.Open.Count+v.Wrong.Count+v.Extra.Count > 0 }

// Err is nil when there is no fault.
func (v *Verdict) Err() error {
	var b strings.Builder
	for _, kind := range v.kinds() {
		if kind.Count > 0 {
			fmt.Fprintf(&b, "\n%d %s, such as\n\t%s", kind.Count, kind.name, strings.Join(kind.First, "\n\t"))
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return fmt.Errorf("%s:%s", v, b.String())
}

type kind struct {
	name string
	Faults
}

func (v *Verdict) kinds() []kind {
	return []kind{
		{"missing", v.Missing}, {"not final", v.Open}, {"wrong", v.Wrong}, {"extra", v.Extra},
		{"finals that changed", v.Changed}, {"odd", v.Odd},
	}
}

func (v *Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d windows, %d sessions, %d late events; %d insight records; %d right", v.Windows, v.Sessions, v.Late, v.Records, v.Right)
	for _, kind := range v.kinds() {
		fmt.Fprintf(&b, ", %d %s", kind.Count, kind.name)
	}
	fmt.Fprintf(&b, "; %d unsure, %d finals revised, %d repeated, %d anomalies", v.Unsure, v.Revised, v.Repeated, v.Anomalies)
	return b.String()
}

// court is a trial under way.
type court struct {
	Trial
	v           Verdict
	aggregates  map[string]*Aggregate
	definitions map[string]string   // of each aggregate: the first one seen
	live        map[string]*Insight // by key, without tombstones
	last        map[string]*Insight // by the bytes of the key: the last final
	places      map[string]int32    // by the bytes of the key: its partition
}

// Try holds the insights against the source topic.
func Try(trial Trial) *Verdict {
	c := &court{
		Trial: trial, aggregates: map[string]*Aggregate{}, definitions: map[string]string{},
		live: map[string]*Insight{}, last: map[string]*Insight{}, places: map[string]int32{},
	}
	c.v.Windows, c.v.Sessions, c.v.Late = trial.Replay.Windows, trial.Replay.Sessions, trial.Replay.Late
	for i := range trial.Replay.aggregates {
		a := &trial.Replay.aggregates[i]
		c.aggregates[a.Name] = a
	}
	for _, r := range trial.Insights {
		c.hear(r)
	}
	for key, t := range trial.Replay.totals {
		if c.live[key] == nil {
			c.missing(t)
		}
	}
	for _, i := range c.live {
		c.judge(i)
	}
	return &c.v
}

// hear takes one record in the order of the topic.
func (c *court) hear(r *kgo.Record) {
	c.v.Records++
	i, err := ReadInsight(r)
	if err == nil {
		err = c.identify(i)
	}
	if err != nil {
		c.v.Odd.add("%s: %v", Place(r), err)
		return
	}
	if i.Anomaly {
		c.v.Anomalies++
		return
	}
	c.follow(i)
	if i.tombstone() {
		c.v.Tombstones++
		delete(c.live, i.key())
		return
	}
	c.live[i.key()] = i
	if i.Updated.After(c.v.Last) {
		c.v.Last = i.Updated
	}
}

// identify holds that a key names an aggregate with its definition, and stays in its partition.
func (c *court) identify(i *Insight) error {
	a := c.aggregates[i.Aggregate]
	if a == nil {
		return fmt.Errorf("there is no aggregate %q", i.Aggregate)
	}
	if err := i.split(len(a.GroupBy)); err != nil || i.Anomaly {
		return err
	}
	if known := c.definitions[a.Name]; known != "" && known != i.Definition {
		return fmt.Errorf("%s has two definitions, %s and %s", a.Name, known, i.Definition)
	}
	c.definitions[a.Name] = i.Definition
	if p, ok := c.places[string(i.Key)]; ok && p != i.Partition {
		return fmt.Errorf("key %q was in partition %d before", i.Key, p)
	}
	c.places[string(i.Key)] = i.Partition
	if kind := a.Window.kind(); !i.tombstone() && i.Kind != kind {
		return fmt.Errorf("kind is %q, not %q", i.Kind, kind)
	}
	return nil
}

func (w Window) kind() string {
	if w.Gap > 0 {
		return "session"
	}
	return "window"
}

// follow watches what becomes of a window's insight: revisions count up, and a final stays one.
func (c *court) follow(i *Insight) {
	key := string(i.Key)
	before := c.live[i.key()]
	if before != nil && !i.tombstone() && i.Revision <= before.Revision {
		c.v.Odd.add("%s: revision %d comes behind %d of %s: %s", Place(i.Record), i.Revision, before.Revision, Place(before.Record), i.Key)
	}
	final := c.last[key]
	switch {
	case final == nil:
	case i.tombstone():
		c.changed(i, final, "is gone")
		delete(c.last, key)
	case !i.Final:
		c.v.Odd.add("%s: %s was final at %s, and is open again", Place(i.Record), i.Key, Place(final.Record))
	case same(final.Measures, i.Measures):
		c.v.Repeated++
	default:
		c.changed(i, final, fmt.Sprintf("became %s", canonical(i.Measures)))
	}
	if i.Final {
		c.last[key] = i
	}
}

func same(a, b map[string]any) bool { return canonical(a) == canonical(b) }

// changed is allowed where a young partition had a part in it.
func (c *court) changed(i, final *Insight, what string) {
	for _, t := range c.around(i) {
		if t.from(c.Young) {
			c.v.Revised++
			return
		}
	}
	c.v.Changed.add("%s: final %s of %s %s", Place(i.Record), canonical(final.Measures), i.Key, what)
}

// around are the windows of a group that an insight is, or is a part of, as sessions are that grew.
func (c *court) around(i *Insight) []*total {
	if t := c.Replay.totals[i.key()]; t != nil {
		return []*total{t}
	}
	var list []*total
	for _, t := range c.Replay.totals {
		if t.Name == i.Aggregate && t.start <= i.Start && i.End <= t.end && canonicalKey("", 0, 0, t.group) == canonicalKey("", 0, 0, i.Group) {
			list = append(list, t)
		}
	}
	return list
}

func (c *court) missing(t *total) {
	if t.unsure(t.Since) {
		c.v.Unsure++
		return
	}
	c.v.Missing.add("%s: %s", t.name(), t)
}

// judge holds the last insight of a window against its events.
func (c *court) judge(i *Insight) {
	t := c.Replay.totals[i.key()]
	if t == nil {
		c.v.Extra.add("%s: %s %s%s", Place(i.Record), i.Key, canonical(i.Measures), c.nearby(i))
		return
	}
	if !i.Final {
		c.v.Open.add("%s: revision %d of %s %s; %s", Place(i.Record), i.Revision, i.Key, canonical(i.Measures), t)
		return
	}
	if t.unsure(t.Since) {
		c.v.Unsure++
		return
	}
	var faults []string
	known := map[string]bool{}
	for _, m := range t.Measures {
		known[m.Name] = true
		if t.unsure(m.Since) {
			continue
		}
		got, ok := i.Measures[m.Name]
		if !ok {
			faults = append(faults, m.Name+" is missing")
		} else if f := t.fault(m, got); f != "" {
			faults = append(faults, f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.Measures)) {
		if !known[name] {
			faults = append(faults, name+" does not belong there")
		}
	}
	if len(faults) > 0 {
		c.v.Wrong.add("%s: revision %d of %s: %s; %s", Place(i.Record), i.Revision, i.Key, strings.Join(faults, "; "), t)
		return
	}
	c.v.Right++
}

// fault is that of the measure. It is asked again and again while windows close, and remembers what was right.
func (t *total) fault(m Measure, got any) string {
	text := canonical(got)
	if right, ok := t.right[m.Name]; ok && right == text {
		return ""
	}
	f := m.fault(got, t.events)
	if f == "" {
		if t.right == nil {
			t.right = map[string]string{}
		}
		t.right[m.Name] = text
	}
	return f
}

// nearby helps to see why a session has other ends than it should.
func (c *court) nearby(i *Insight) string {
	if c.aggregates[i.Aggregate].Window.Gap == 0 {
		return ""
	}
	for _, t := range c.Replay.totals {
		if t.Name == i.Aggregate && t.start <= i.End && i.Start <= t.end && canonicalKey("", 0, 0, t.group) == canonicalKey("", 0, 0, i.Group) {
			return fmt.Sprintf("; there should be %s: %s", t.name(), t)
		}
	}
	return ""
}

// name is a window for a person.
func (t *total) name() string {
	var group []string
	for n, field := range t.GroupBy {
		group = append(group, field+"="+canonical(t.group[n]))
	}
	form := func(at int64) string { return time.UnixMilli(at).UTC().Format("2006-01-02T15:04:05.000Z") }
	return fmt.Sprintf("%s %s/%s {%s}", t.Name, form(t.start), form(t.end), strings.Join(group, ", "))
}
