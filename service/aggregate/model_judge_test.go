package aggregate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tally is what a window or a session of a group has. Of an event that an instance without the measure has read, a measure
// knows nothing.
type tally struct {
	n, sum, max    int64
	hasSum, hasMax bool
}

func (t *tally) add(e *event, version int, mixed bool) {
	t.n++
	if version == 0 || !mixed {
		t.sum += e.x
		t.hasSum = true
	} else {
		if !t.hasMax || e.x > t.max {
			t.max = e.x
		}
		t.hasMax = true
	}
}

func (t *tally) String() string {
	s := fmt.Sprintf("n=%d", t.n)
	if t.hasSum {
		s += fmt.Sprintf(" sum=%d", t.sum)
	}
	if t.hasMax {
		s += fmt.Sprintf(" max=%d", t.max)
	}
	return s
}

// published is the latest insight of a key.
type published struct {
	text     string // of its measures, as tally has it
	final    bool
	revision int
}

// judge watches what is committed, and holds it against a reference that knows nothing but the source's logs, and which
// pipeline file each event was read with.
type judge struct {
	*world
	calm         bool // no source partition was idle or new so far: no final may change
	transactions int
	insights     map[string]published
	letters      []lost
	metas        map[int32]meta
	anomalies    map[string]string // by the keys of their insights
}

// lost is a partial that came when nothing of its window was kept any more.
type lost struct {
	Aggregate, Definition string
	Window                struct{ Start, End time.Time }
	Group                 map[string]string
	Measures              map[string]*float64
}

func newJudge(w *world) judge {
	return judge{world: w, calm: !w.profile.graces, insights: map[string]published{}, metas: map[int32]meta{}, anomalies: map[string]string{}}
}

// committed hears of a transaction at the moment at which it is.
func (j *judge) committed(t *transaction) {
	j.transactions++
	j.happened["transactions committed"]++
	for at, p := range t.offsets {
		if at.topic == replayTopic {
			r := j.replays[at.number]
			for int64(len(r.processed)) < p.offset {
				r.processed = append(r.processed, t.owner.version)
			}
		}
		if at.topic != sourceTopic {
			continue
		}
		s := j.sources[at.number]
		if p.offset < int64(len(s.processed)) {
			j.must(fmt.Errorf("transaction %d commits offset %d of source %d behind %d: the model is wrong", t.number, p.offset, at.number, len(s.processed)))
		}
		for int64(len(s.processed)) < p.offset {
			s.processed = append(s.processed, t.owner.version)
		}
		if p.idle {
			j.calm = false
		}
	}
	for _, r := range t.written {
		if r.topic == changelogTopic && r.key[1] == keyMeta {
			j.sealed(r.number, r.value)
		}
		if r.topic != insightsTopic {
			continue
		}
		if r.key == nil {
			var l lost
			j.must(json.Unmarshal(r.value, &l))
			j.letters = append(j.letters, l)
			j.happened["partials expired"]++
			continue
		}
		j.published(string(r.key), r.value)
	}
}

// sealed holds what a merge commit says of a partition against the one before it.
func (j *judge) sealed(number int32, value []byte) {
	m, err := parseMeta(value)
	j.must(err)
	before := j.metas[number]
	if m.watermark < before.watermark && before.sequence > 0 || m.sequence>>authorBits != before.sequence>>authorBits+1 || m.inexact {
		j.must(fmt.Errorf("merge commit %+v of %d came behind %+v", m, number, before))
	}
	j.metas[number] = m
}

// published holds an insight against the one before it.
func (j *judge) published(key string, value []byte) {
	if strings.HasSuffix(key, `,"anomaly"]`) {
		j.happened["anomalies"]++
		_, rest, _ := strings.Cut(string(value), `"anomaly":`)
		j.anomalies[key], _, _ = strings.Cut(rest, `,"final"`)
		return
	}
	before, known := j.insights[key]
	if j.calm && before.final {
		j.must(fmt.Errorf("the final %s, %s, was changed to %s", key, before.text, value))
	}
	if value == nil {
		if !known {
			j.must(fmt.Errorf("an insight that nobody wrote was taken back: %s", key))
		}
		delete(j.insights, key)
		j.happened["insights taken back"]++
		return
	}
	p := j.read(value)
	if strings.HasPrefix(key, `["s"`) {
		if p.revision <= before.revision {
			j.must(fmt.Errorf("revision %d of %s came behind %d", p.revision, key, before.revision))
		}
	} else if p.revision != before.revision+1 {
		j.must(fmt.Errorf("revision %d of %s came behind %d", p.revision, key, before.revision))
	}
	switch {
	case p.final && before.final:
		j.happened["finals revised"]++
	case p.final && j.calm:
		j.happened["finals while all was calm"]++
	case p.final:
		j.happened["finals"]++
	default:
		j.happened["updates"]++
	}
	j.insights[key] = p
}

// read takes an insight of numbers apart.
func (j *judge) read(value []byte) (p published) {
	text := func(from, to string) string {
		_, rest, ok := bytes.Cut(value, []byte(from))
		found, _, okay := bytes.Cut(rest, []byte(to))
		if !ok || !okay {
			j.must(fmt.Errorf("an insight lacks %s: %s", from, value))
		}
		return string(found)
	}
	var names []string
	for m := range strings.SplitSeq(text(`"measures":{`, `}`), ",") {
		name, number, _ := strings.Cut(m, ":")
		if number != "null" {
			names = append(names, strings.Trim(name, `"`)+"="+number)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Index("n sum max", a[:1]) - strings.Index("n sum max", b[:1]) })
	p.text, p.final = strings.Join(names, " "), text(`"final":`, `,`) == "true"
	p.revision, _ = strconv.Atoi(text(`"revision":`, `,`))
	return p
}

// reference computes all windows and sessions from the logs.
func (j *judge) reference() map[string]*tally {
	all := map[string]*tally{}
	var sessions = map[string][]member{}
	for _, s := range j.sources {
		watermark := int64(NoWatermark)
		for offset := range s.processed {
			e, version := &s.log[offset], s.processed[offset]
			if e.fate == letter {
				continue
			}
			if e.fate == counts {
				for _, d := range j.definitions[version] {
					j.count(all, sessions, d, e, version, watermark)
				}
			}
			watermark = max(watermark, min(e.time, e.stamp))
		}
	}
	j.recounted(all, sessions)
	for group, events := range sessions {
		j.sessions(all, group, events)
	}
	return all
}

type member struct {
	*event
	version int
}

const (
	windowSize = 10_000 // of all windows
	sessionGap = 4_000
)

func (j *judge) count(all map[string]*tally, sessions map[string][]member, d *Definition, e *event, version int, watermark int64) {
	if d.Name == "s" {
		if watermark == NoWatermark || e.time+d.Grace >= watermark {
			sessions[e.group] = append(sessions[e.group], member{e, version})
		}
		return
	}
	every := d.Window.Every
	pane := map[int64]int64{10_000: 10_000, 5_000: 5_000, 4_000: 2_000}[every]
	if end := e.time/pane*pane + pane; watermark != NoWatermark && end+d.Grace <= watermark {
		return
	}
	group := ""
	if d.Name == "t" {
		group = e.group
	}
	for start := e.time / every * every; start > e.time-windowSize; start -= every {
		j.tally(all, d, start, start+windowSize, group).add(e, version, j.profile.mixed)
	}
}

func (j *judge) tally(all map[string]*tally, d *Definition, start, end int64, group string) *tally {
	key := fmt.Sprintf(`["%s","%s","%s","%s"`, d.Name, d.ID(), time.UnixMilli(start).UTC().Format(time.RFC3339Nano), time.UnixMilli(end).UTC().Format(time.RFC3339Nano))
	if group != "" {
		key += "," + group
	}
	key += "]"
	if all[key] == nil {
		all[key] = &tally{}
	}
	return all[key]
}

func (j *judge) sessions(all map[string]*tally, group string, events []member) {
	slices.SortFunc(events, func(a, b member) int { return int(a.time - b.time) })
	for from := 0; from < len(events); {
		to := from + 1
		for to < len(events) && events[to].time-events[to-1].time <= sessionGap {
			to++
		}
		t := j.tally(all, j.definitions[0][2], events[from].time, events[to-1].time, group)
		for _, e := range events[from:to] {
			t.add(e.event, e.version, j.profile.mixed)
		}
		from = to
	}
}

// verdict compares when everything has come to rest.
func (j *judge) verdict() error {
	for _, s := range j.sources {
		if len(s.processed) != len(s.log) {
			return fmt.Errorf("source %d has %d events, and %d are committed", s.number, len(s.log), len(s.processed))
		}
	}
	for _, r := range j.replays {
		if len(r.processed) != len(r.log) {
			return fmt.Errorf("%d letters were replayed through %d, and %d are committed", len(r.log), r.number, len(r.processed))
		}
	}
	want := j.reference()
	var wrong []string
	for key, p := range j.insights {
		w := want[key]
		switch {
		case w == nil:
			wrong = append(wrong, fmt.Sprintf("extra %s: %s", key, p.text))
		case !p.final:
			wrong = append(wrong, fmt.Sprintf("not final %s: %s, want %s", key, p.text, w))
		case p.text != w.String() && !j.excused(key, p.text, w):
			wrong = append(wrong, fmt.Sprintf("wrong %s: %s, want %s", key, p.text, w))
		}
	}
	for key, w := range want {
		if _, found := j.insights[key]; !found && !j.excused(key, "n=0", w) {
			wrong = append(wrong, fmt.Sprintf("missing %s: %s", key, w))
		}
	}
	slices.Sort(wrong)
	if len(wrong) > 0 {
		return fmt.Errorf("%d of %d windows and sessions are not as the source says:\n%s", len(wrong), len(want), strings.Join(wrong[:min(len(wrong), 20)], "\n"))
	}
	if err := j.restorable(); err != nil {
		return err
	}
	return j.repeatable()
}

// repeatable has another world read the same log without any trouble: if nothing was idle, new or of another pipeline file,
// it finds the same anomalies.
func (j *judge) repeatable() error {
	if p := &j.profile; p.idle || p.added || p.mixed || p.replays || !p.detect {
		return nil
	}
	w := newWorld(j.seed, nil)
	for n, s := range j.sources {
		w.sources[n].log = s.log[:len(s.log)-1] // the last one has moved the watermark beyond all windows
	}
	if w.heal(); w.err != nil {
		return w.err
	}
	j.happened["logs read again"]++
	if fmt.Sprint(w.judge.anomalies) != fmt.Sprint(j.anomalies) {
		return fmt.Errorf("without trouble the same log gives other anomalies: %v\nhere: %v", w.judge.anomalies, j.anomalies)
	}
	return nil
}

// excused tells whether the letters explain what a window lacks.
func (j *judge) excused(key, got string, want *tally) bool {
	if len(j.letters) == 0 {
		return false
	}
	var k []string
	if json.Unmarshal([]byte(key), &k) != nil {
		return false
	}
	start, _ := time.Parse(time.RFC3339Nano, k[2])
	end, _ := time.Parse(time.RFC3339Nano, k[3])
	var lacks int64
	for _, l := range j.letters {
		in := l.Aggregate == k[0] && !start.Before(l.Window.Start) && !end.After(l.Window.End) && (len(k) < 5 || l.Group["g"] == k[4])
		if in && l.Measures["n"] != nil {
			lacks += int64(*l.Measures["n"])
		}
	}
	n, _, _ := strings.Cut(strings.TrimPrefix(got, "n="), " ")
	has, _ := strconv.ParseInt(n, 10, 64)
	return lacks > 0 && has+lacks == want.n
}

// restorable holds what the changelogs say against the states that the instances have at the end.
func (j *judge) restorable() error {
	for _, i := range j.instances {
		if i.run == nil {
			continue
		}
		for _, number := range slices.Sorted(maps.Keys(i.run.merging)) {
			fresh := NewPartition(number, int32(len(j.partials)))
			var err error
			j.changelog[number].read(0, 1<<30, func(e *logEntry) {
				if err == nil {
					err = fresh.Restore(e.key, e.value)
				}
			})
			if err == nil {
				err = fresh.Restored()
			}
			if err != nil {
				return fmt.Errorf("partition %d cannot be restored: %w", number, err)
			}
			if have, want := content(fresh), content(i.run.merging[number].state); have != want {
				return fmt.Errorf("partition %d is restored as\n%s\ninstead of\n%s", number, have, want)
			}
		}
	}
	return nil
}
