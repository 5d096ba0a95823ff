package harness

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Replay is what the source topic alone says about windows: which there have to be, and which events they hold.
type Replay struct {
	Missed  map[string]Missed // by Place: the events that came too late
	Windows int               // of all kinds but sessions
	Sessions,
	Late int // events, each counted once

	aggregates []Aggregate
	totals     map[string]*total // by canonical key
	open       map[string]*total // the events of each group with sessions, before they are cut into sessions
	marks      map[int32]int64   // the watermark of each partition
}

// Missed are the aggregates that an event came too late for and that want a dead letter of it.
type Missed struct {
	Must []string
	May  []string // of those who did not count for everybody yet
}

// total is one window with its events, or one session.
type total struct {
	*Aggregate
	start, end int64
	group      []any
	events     []*counted        // by time, then partition, then offset
	right      map[string]string // by measure: the value that was found right
}

// counted is an event in a window.
type counted struct {
	*kgo.Record
	at    int64
	event Event
}

// Replayed goes through the records of the source topic, which come partition by partition in the order of offsets.
func Replayed(records []*kgo.Record, judge Judge, aggregates []Aggregate) *Replay {
	p := &Replay{
		Missed: map[string]Missed{}, aggregates: aggregates,
		totals: map[string]*total{}, open: map[string]*total{}, marks: map[int32]int64{},
	}
	for _, r := range records {
		p.take(r, judge.Of(r))
	}
	for _, t := range p.open {
		p.cut(t)
	}
	for _, t := range p.totals {
		slices.SortFunc(t.events, inOrder)
		if t.Window.Gap > 0 {
			p.Sessions++
		} else {
			p.Windows++
		}
	}
	return p
}

func inOrder(a, b *counted) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

func (p *Replay) take(r *kgo.Record, j Judged) {
	if !j.Timed {
		return
	}
	mark, ok := p.marks[r.Partition]
	if !ok {
		mark = never
	}
	if j.Fate == Forward {
		p.count(r, j, mark)
	}
	p.marks[r.Partition] = max(mark, min(j.At, r.Timestamp.UnixMilli()))
}

// count puts an event where it belongs, against the watermark before it.
func (p *Replay) count(r *kgo.Record, j Judged, mark int64) {
	var missed Missed
	late := false
	for i := range p.aggregates {
		a := &p.aggregates[i]
		e := &counted{Record: r, at: j.At, event: j.Event}
		if a.OfSource {
			e.event = j.Source
		}
		if a.Where != nil && !a.Where(e.event) {
			continue
		}
		if !a.Window.late(j.At, mark) {
			p.put(a, e)
			continue
		}
		late = true
		switch {
		case a.Drops:
		case a.Since.before(e):
			missed.May = append(missed.May, a.Name)
		default:
			missed.Must = append(missed.Must, a.Name)
		}
	}
	if late {
		p.Late++
	}
	if len(missed.Must)+len(missed.May) > 0 {
		p.Missed[Place(r)] = missed
	}
}

func (p *Replay) put(a *Aggregate, e *counted) {
	group := make([]any, len(a.GroupBy))
	for i, field := range a.GroupBy {
		group[i] = e.event[field]
	}
	if a.Window.Gap > 0 {
		p.into(p.open, &total{Aggregate: a, group: group}, e)
		return
	}
	for _, start := range a.Window.starts(e.at) {
		p.into(p.totals, &total{Aggregate: a, group: group, start: start, end: start + a.Window.Size.Milliseconds()}, e)
	}
}

func (p *Replay) into(totals map[string]*total, t *total, e *counted) {
	key := t.key()
	if totals[key] == nil {
		totals[key] = t
	}
	totals[key].events = append(totals[key].events, e)
}

// cut makes sessions of the events of a group: those with no more than the gap between them are one.
func (p *Replay) cut(all *total) {
	slices.SortFunc(all.events, inOrder)
	gap := all.Window.Gap
	begin := 0
	for i, e := range all.events {
		if i+1 < len(all.events) && all.events[i+1].at-e.at <= gap.Milliseconds() {
			continue
		}
		session := &total{
			Aggregate: all.Aggregate, group: all.group, events: all.events[begin : i+1],
			start: all.events[begin].at, end: sessionEnd(e.at),
		}
		p.totals[session.key()] = session
		begin = i + 1
	}
}

// key is the same for two windows when they are of one aggregate, time and group.
func (t *total) key() string { return canonicalKey(t.Name, t.start, t.end, t.group) }

func canonicalKey(aggregate string, start, end int64, group []any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d %d", aggregate, start, end)
	for _, v := range group {
		b.WriteString(" " + canonical(v))
	}
	return b.String()
}

// canonical is the same text for two values when they are equal: 1.50 and 1.5 are, 1 and "1" are not.
func canonical(v any) string {
	if x, ok := number(v); ok {
		return x.RatString()
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprintf("%T: %v", v, err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// number is the exact value of a JSON number.
func number(v any) (*big.Rat, bool) {
	n, ok := v.(json.Number)
	if !ok || len(n) > 100 {
		return nil, false
	}
	if whole, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return new(big.Rat).SetInt64(whole), true
	}
	return new(big.Rat).SetString(n.String())
}

// unsure tells whether a window has events that not everybody counted.
func (t *total) unsure(since Offsets) bool {
	return since != nil && slices.ContainsFunc(t.events, since.before)
}

// from tells whether a window has events of one of the partitions.
func (t *total) from(partitions []int32) bool {
	return slices.ContainsFunc(t.events, func(e *counted) bool { return slices.Contains(partitions, e.Partition) })
}

// String says where the events of a window lie.
func (t *total) String() string {
	first, count := map[int32]string{}, map[int32]int{}
	last := map[int32]int64{}
	for _, e := range t.events {
		if count[e.Partition]++; count[e.Partition] == 1 {
			first[e.Partition] = fmt.Sprintf("%d@%d", e.Partition, e.Offset)
		}
		last[e.Partition] = e.Offset
	}
	var parts []string
	for _, q := range slices.Sorted(maps.Keys(first)) {
		parts = append(parts, fmt.Sprintf("%s..%d (%d)", first[q], last[q], count[q]))
	}
	return fmt.Sprintf("%d events: %s", len(t.events), strings.Join(parts, ", "))
}
