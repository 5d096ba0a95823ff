package harness

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Records is what three topics hold after a run, as a read_committed reader sees them.
type Records struct {
	Input, Output, DeadLetters []*kgo.Record
	Partitions                 int32 // of the output topic
	// Buried are inputs, by Place, that have to be dead letters for another reason than their content: the code.
	Buried map[string]string
	// Of a pipeline with aggregates: who says what becomes of a record, and which events come too late, by Place.
	Judge *Judge
	Late  map[string]Missed
}

// Place names a record of the source topic.
func Place(r *kgo.Record) string { return fmt.Sprintf("%s-%d@%d", r.Topic, r.Partition, r.Offset) }

// Report says what became of the input.
type Report struct {
	Input, Forwarded, Filtered, DeadLetters int // as it has to be

	Lost       Faults // neither in the output nor a dead letter
	Duplicated Faults // more than once
	Reordered  Faults // behind a later event of the same source partition
	Wrong      Faults // there once, with other content than it has to have
	Unknown    Faults // outputs that come from no input
}

// Faults counts one kind of fault and keeps the first ones.
type Faults struct {
	Count int
	First []string
}

func (f *Faults) add(format string, args ...any) {
	f.Count++
	if len(f.First) < 5 {
		f.First = append(f.First, fmt.Sprintf(format, args...))
	}
}

// Err is nil when there is no fault.
func (r *Report) Err() error {
	var b strings.Builder
	for _, kind := range []struct {
		name string
		Faults
	}{{"lost", r.Lost}, {"duplicated", r.Duplicated}, {"out of order", r.Reordered}, {"wrong", r.Wrong}, {"unknown", r.Unknown}} {
		if kind.Count > 0 {
			fmt.Fprintf(&b, "\n%d %s, such as\n\t%s", kind.Count, kind.name, strings.Join(kind.First, "\n\t"))
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return fmt.Errorf("%s:%s", r, b.String())
}

func (r *Report) String() string {
	return fmt.Sprintf("%d in, %d forwarded, %d filtered, %d dead letters; %d lost, %d duplicated, %d out of order, %d wrong, %d unknown",
		r.Input, r.Forwarded, r.Filtered, r.DeadLetters, r.Lost.Count, r.Duplicated.Count, r.Reordered.Count, r.Wrong.Count, r.Unknown.Count)
}

// input is one source record with what has to become of it and what did.
type input struct {
	*kgo.Record
	Expected
	index   int // its place in the order of its source partition
	outputs int
	letters int
	late    int // dead letters that say that aggregates missed it
}

// comparison is a Compare under way.
type comparison struct {
	Records
	report  Report
	byPlace map[string]*input
	bySeq   map[string]*input // forwarded events by their seq
	all     []*input
	last    map[[3]int32]int // topic (0 output, 1 dead letters, 2 those of late events), its partition, source partition: the last index
}

// Compare holds what came out against what went in. Inputs that are to be forwarded have a field "seq" that no two of
// them share: it names them in the output.
func Compare(records Records) *Report {
	c := &comparison{Records: records, byPlace: map[string]*input{}, bySeq: map[string]*input{}, last: map[[3]int32]int{}}
	for i, r := range records.Input {
		c.take(i, r)
	}
	for _, r := range records.Output {
		c.output(r)
	}
	for _, r := range records.DeadLetters {
		c.letter(r)
	}
	for _, in := range c.all {
		c.conclude(in)
	}
	return &c.report
}

func (c *comparison) take(i int, r *kgo.Record) {
	in := &input{Record: r, index: i}
	if c.Judge != nil {
		in.Expected = c.Judge.Of(r).Expected
	} else {
		in.Expected = Expect(r.Value)
	}
	if code, ok := c.Buried[Place(r)]; ok {
		in.Expected = Expected{Fate: Bury, Stage: "produce", Code: code, Event: in.Event}
	}
	c.report.Input++
	switch in.Fate {
	case Forward:
		c.report.Forwarded++
		seq := fmt.Sprint(in.Event["seq"])
		if c.bySeq[seq] != nil || in.Event["seq"] == nil {
			c.report.Wrong.add("the test is wrong: seq %s of input %s is missing or not unique", seq, Place(r))
		}
		c.bySeq[seq] = in
	case Drop:
		c.report.Filtered++
	case Bury:
		c.report.DeadLetters++
	}
	c.byPlace[Place(r)] = in
	c.all = append(c.all, in)
}

func (c *comparison) output(r *kgo.Record) {
	var event map[string]any
	if err := decode(r.Value, &event); err != nil {
		c.report.Unknown.add("%s is not an event: %v: %.100q", Place(r), err, r.Value)
		return
	}
	in := c.bySeq[fmt.Sprint(event["seq"])]
	if in == nil {
		c.report.Unknown.add("%s comes from no event that is to be forwarded: %.200s", Place(r), r.Value)
		return
	}
	if in.outputs++; in.outputs > 1 {
		c.report.Duplicated.add("%s of %s", Place(r), Place(in.Record))
		return
	}
	c.order(0, r, in)
	processed, err := time.Parse(time.RFC3339Nano, fmt.Sprint(event["processed_at"]))
	if err != nil || time.Since(processed).Abs() > 24*time.Hour {
		c.report.Wrong.add("%s: processed_at is %v", Place(r), event["processed_at"])
	}
	delete(event, "processed_at")
	if d := difference(event, in.Event); d != "" {
		c.report.Wrong.add("%s of %s: %s", Place(r), Place(in.Record), d)
	}
	if string(r.Key) != in.Expected.Key {
		c.report.Wrong.add("%s of %s: key %q, not %q", Place(r), Place(in.Record), r.Key, in.Expected.Key)
	}
	if want := Partition(r.Key, c.Partitions); r.Partition != want {
		c.report.Wrong.add("%s of %s: key %q belongs to partition %d", Place(r), Place(in.Record), r.Key, want)
	}
	c.same(r, in, "output")
}

// same checks what both kinds of output have from their source record: its time, and its headers before any of ours.
func (c *comparison) same(r *kgo.Record, in *input, what string) {
	if !r.Timestamp.Equal(in.Timestamp) {
		c.report.Wrong.add("%s %s of %s has timestamp %s, not %s", what, Place(r), Place(in.Record), r.Timestamp, in.Timestamp)
	}
	var kept []kgo.RecordHeader
	for _, h := range r.Headers {
		if !ours(h.Key) {
			kept = append(kept, h)
		}
	}
	if len(kept) != len(in.Headers) {
		c.report.Wrong.add("%s %s of %s has headers %v, not %v", what, Place(r), Place(in.Record), kept, in.Headers)
		return
	}
	for i, h := range in.Headers {
		if kept[i].Key != h.Key || !sameBytes(kept[i].Value, h.Value) {
			c.report.Wrong.add("%s %s of %s: header %q=%q, not %q=%q", what, Place(r), Place(in.Record), kept[i].Key, kept[i].Value, h.Key, h.Value)
		}
	}
}

func ours(header string) bool {
	return strings.HasPrefix(header, "__connect.errors.") || strings.HasPrefix(header, "stream-engine.")
}

// sameBytes tells null from empty.
func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func (c *comparison) letter(r *kgo.Record) {
	headers := map[string]string{}
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	place := fmt.Sprintf("%s-%s@%s", headers["__connect.errors.topic"], headers["__connect.errors.partition"], headers["__connect.errors.offset"])
	in := c.byPlace[place]
	if in != nil && headers["__connect.errors.stage"] == "late" {
		c.missed(r, in, headers)
		return
	}
	if in == nil || in.Fate != Bury {
		c.report.Unknown.add("dead letter %s names %s, which is not to be one: %s, %s: %.200q", Place(r), place,
			headers["__connect.errors.class.name"], headers["__connect.errors.exception.message"], r.Value)
		return
	}
	if in.letters++; in.letters > 1 {
		c.report.Duplicated.add("dead letter %s of %s", Place(r), place)
		return
	}
	if in.Stage != "produce" { // those are known late, in any order
		c.order(1, r, in)
	}
	if got := headers["__connect.errors.stage"]; got != in.Stage {
		c.report.Wrong.add("dead letter %s of %s: stage %q, not %q", Place(r), place, got, in.Stage)
	}
	if got := headers["__connect.errors.class.name"]; got == "" || in.Code != "" && got != in.Code {
		c.report.Wrong.add("dead letter %s of %s: code %q, not %q", Place(r), place, got, in.Code)
	}
	c.original(r, in, headers)
}

// missed takes the dead letter of an event that came too late for aggregates. The event itself is forwarded.
func (c *comparison) missed(r *kgo.Record, in *input, headers map[string]string) {
	place := Place(in.Record)
	want, ok := c.Late[place]
	if !ok {
		c.report.Unknown.add("dead letter %s says that %s was late for %s: it was not", Place(r), place, headers[lateFor])
		return
	}
	if in.late++; in.late > 1 {
		c.report.Duplicated.add("dead letter %s of %s, which was late", Place(r), place)
		return
	}
	c.order(2, r, in)
	got := strings.FieldsFunc(headers[lateFor], func(r rune) bool { return r == ',' || r == ' ' })
	missing := without(want.Must, got)
	if more := without(without(got, want.Must), want.May); len(missing)+len(more) > 0 || len(got) == 0 {
		c.report.Wrong.add("dead letter %s of %s: late for %q, not %v and perhaps %v", Place(r), place, headers[lateFor], want.Must, want.May)
	}
	if headers["__connect.errors.class.name"] == "" {
		c.report.Wrong.add("dead letter %s of %s has no code", Place(r), place)
	}
	c.original(r, in, headers)
}

// lateFor is the header that names the aggregates which an event came too late for.
const lateFor = "stream-engine.late-for"

func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(others, s) })
}

// original checks what every dead letter has: the record as it came, and headers that say why it is there.
func (c *comparison) original(r *kgo.Record, in *input, headers map[string]string) {
	place := Place(in.Record)
	if !sameBytes(r.Value, in.Value) {
		c.report.Wrong.add("dead letter %s of %s: value of %d bytes, not the original of %d: %.100q", Place(r), place, len(r.Value), len(in.Value), r.Value)
	}
	if !sameBytes(r.Key, in.Record.Key) {
		c.report.Wrong.add("dead letter %s of %s: key %q, not %q", Place(r), place, r.Key, in.Record.Key)
	}
	if headers["__connect.errors.exception.message"] == "" || headers["__connect.errors.connector.name"] != "user-login" {
		c.report.Wrong.add("dead letter %s of %s: message or pipeline is missing: %v", Place(r), place, headers)
	}
	if at, err := time.Parse(time.RFC3339Nano, headers["stream-engine.failed-at"]); err != nil || time.Since(at).Abs() > 24*time.Hour {
		c.report.Wrong.add("dead letter %s of %s: failed-at %q", Place(r), place, headers["stream-engine.failed-at"])
	}
	c.same(r, in, "dead letter")
}

// order holds that the events of a source partition come in their order in each partition they go to. With it, the
// events of a key are in order.
func (c *comparison) order(topic int32, r *kgo.Record, in *input) {
	way := [3]int32{topic, r.Partition, in.Partition}
	if last, ok := c.last[way]; ok && last > in.index {
		c.report.Reordered.add("%s of %s comes behind %s", Place(r), Place(in.Record), Place(c.all[last].Record))
	}
	c.last[way] = max(c.last[way], in.index)
}

func (c *comparison) conclude(in *input) {
	if in.Fate == Forward && in.outputs == 0 {
		c.report.Lost.add("%s, seq %s, key %q", Place(in.Record), fmt.Sprint(in.Event["seq"]), in.Record.Key)
	}
	if in.Fate == Bury && in.letters == 0 {
		c.report.Lost.add("dead letter of %s (%s): %s", Place(in.Record), in.Code, strconv.Quote(string(in.Value[:min(len(in.Value), 100)])))
	}
	if late := c.Late[Place(in.Record)]; len(late.Must) > 0 && in.late == 0 {
		c.report.Lost.add("dead letter of %s, which was late for %v", Place(in.Record), late.Must)
	}
	if in.Fate == Bury && in.outputs > 0 {
		c.report.Wrong.add("%s is a dead letter and in the output", Place(in.Record))
	}
}
