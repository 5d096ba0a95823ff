package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"data-stream-engine/model"
	"data-stream-engine/service/aggregate"
)

const replayed = `
name: p
source: {topic: in, event_time: at}
filter: kind != "noise"
transform: {set: {user: upper(user)}}
output:
  - {topic: one, key: user}
  - {topic: two, when: both == true}
aggregates:
  - {name: a, group_by: [user], window: {tumbling: 1s}, measures: {n: count(), last: last(x), first: first(x)}}
  - {name: b, window: {tumbling: 1m}, measures: {n: count()}}
`

// replays makes the letters of one run and processes them again, by another instance with nothing collected.
func replays(t *testing.T, p *Processor, letters []written) (*memory, *Processor, model.Result) {
	t.Helper()
	in := &batch{}
	for _, l := range letters {
		m, why := p.ReplayOf(l.message())
		if why != "" {
			t.Fatal(why)
		}
		if m.Topic != "p-replay" {
			t.Errorf("it goes to %s", m.Topic)
		}
		m.Offset = int64(1000 + len(in.messages))
		in.messages = append(in.messages, m)
	}
	again := p.Clone()
	sink := &memory{t: t, topics: p.Topics(), partitions: 4}
	return sink, again, again.Process(in, sink, testNow)
}

func (w *written) message() *model.Message {
	return &model.Message{Topic: w.Topic, Partition: w.Partition, Timestamp: w.Timestamp, Key: w.Key, Value: w.Value, Headers: w.Headers}
}

func lettersOf(records []written) []written {
	return slices.DeleteFunc(slices.Clone(records), func(w written) bool { return w.Topic != "p-dead-letter" })
}

func event(partition int32, offset int64, value string, own ...model.Header) model.Message {
	return model.Message{Topic: "in", Partition: partition, Offset: offset, Timestamp: 5000, Key: []byte("k"), Value: []byte(value), Headers: own}
}

// runFrom processes messages of one source partition with a watermark.
func runFrom(t *testing.T, p *Processor, watermark int64, messages ...model.Message) (*memory, *aggregate.Source, model.Result) {
	t.Helper()
	source := &aggregate.Source{Watermark: watermark}
	p.From(source)
	sink := &memory{t: t, topics: p.Topics(), partitions: 4}
	return sink, source, p.Process(&batch{messages: messages}, sink, testNow)
}

// A late event is in the output and in some aggregates already: its replay feeds the others, and nothing else.
func TestALateLetterFeedsOnlyWhatItMissed(t *testing.T) {
	p := processor(t, replayed)
	sink, _, r := runFrom(t, p, 110_000, event(2, 7, `{"at":100,"user":"u","x":1,"both":true}`))
	if r.Late != 1 || r.Forwarded != 1 || len(sink.records) != 3 {
		t.Fatalf("%+v, %v", r, sink.records)
	}
	letters := lettersOf(sink.records)
	if got := letters[0].header(HeaderLateFor); got != "a" {
		t.Fatalf("late for %q", got)
	}
	if strings.Contains(letters[0].header(HeaderMessage), "was forwarded") {
		t.Errorf("a broker may still refuse it: %s", letters[0].header(HeaderMessage))
	}
	sink, again, r := replays(t, p, letters)
	if len(sink.records) != 0 || r.Recounted != 1 || r.Replayed != 1 || r.Forwarded+r.Filtered+r.DeadLetters+r.Late != 0 {
		t.Errorf("%+v, %v", r, sink.records)
	}
	if got := mergedOf(t, again); len(got) != 1 || got[0] != `a user="U" n=1 last=1 first=1` {
		t.Errorf("got %q", got)
	}
}

// An event that failed takes the whole way, is never late, and moves no watermark.
func TestAnEventThatFailedTakesTheWholeWayAgain(t *testing.T) {
	p := processor(t, replayed)
	own := model.Header{Key: []byte(HeaderReplays), Value: []byte("user's own")}
	sink, _, r := runFrom(t, p, aggregate.NoWatermark, event(2, 7, `{"at":100,"user":5,"x":1,"both":true}`, own))
	if r.DeadLetters != 1 {
		t.Fatalf("%+v", r)
	}
	mended := strings.Replace(replayed, "upper(user)", "string(user)", 1)
	fixed := processor(t, mended)
	source := &aggregate.Source{Watermark: 1 << 40}
	fixed.From(source)
	m, why := p.ReplayOf(lettersOf(sink.records)[0].message())
	if why != "" {
		t.Fatal(why)
	}
	out := &memory{t: t, topics: fixed.Topics(), partitions: 4}
	r = fixed.Process(&batch{messages: []model.Message{m}}, out, testNow)
	if r.Forwarded != 1 || r.Outputs != 2 || r.Late != 0 || r.Replayed != 1 || source.Watermark != 1<<40 {
		t.Errorf("%+v, watermark %d", r, source.Watermark)
	}
	for _, w := range out.records {
		if len(w.Headers) != 1 || w.header(HeaderReplays) != "user's own" || w.Timestamp != 5000 {
			t.Errorf("got %+v", w)
		}
	}
	if w := out.records[1]; w.Topic != "two" || w.Partition != 2 {
		t.Errorf("without a key it goes where its source partition goes: %+v", w)
	}
	if got := mergedOf(t, fixed); len(got) != 2 {
		t.Errorf("got %q", got)
	}
}

// Headers do not pile up, the source stays the first one, and the count goes up to its limit.
func TestALetterThatFailsAgainAndAgain(t *testing.T) {
	p := processor(t, replayed)
	sink, _, _ := runFrom(t, p, aggregate.NoWatermark, event(3, 77, `{"at":100,"user":5}`, model.Header{Key: []byte("trace"), Value: []byte("t")}))
	for n := range model.MostReplays {
		sink, _, _ = replays(t, p, lettersOf(sink.records))
		if len(sink.records) != 1 {
			t.Fatalf("%v", sink.records)
		}
		w := sink.records[0]
		for name, want := range map[string]string{HeaderTopic: "in", HeaderPartition: "3", HeaderOffset: "77", HeaderReplays: fmt.Sprint(n + 1), HeaderStage: "transform", "trace": "t"} {
			if got := w.header(name); got != want {
				t.Errorf("replay %d: %s is %q, want %q", n+1, name, got, want)
			}
		}
		if len(w.Headers) != 10 {
			t.Errorf("replay %d: %d headers", n+1, len(w.Headers))
		}
	}
	if _, why := p.ReplayOf(sink.records[0].message()); !strings.Contains(why, "5 times") {
		t.Errorf("got %q", why)
	}
}

// An event whose record a broker refuses has counted: its replay writes that output, and counts nowhere.
func TestARefusedEventIsOnlyWrittenAgain(t *testing.T) {
	p := processor(t, replayed)
	m := event(1, 5, `{"at":100,"user":"u","both":true}`)
	why := model.Reason{Stage: model.StageProduce, Code: "message_too_large", Message: "too large"}
	for name, c := range map[string]struct {
		by   []string
		want []string
	}{"one of two": {[]string{"two"}, []string{"two"}}, "both": {[]string{"one", "two"}, []string{"one", "two"}}, "one that is gone": {[]string{"three"}, nil}} {
		sink := &memory{t: t, topics: p.Topics(), partitions: 4}
		p.Refused(sink, &m, c.by, why, testNow)
		out, again, r := replays(t, p, sink.records)
		var topics []string
		for _, w := range out.records {
			topics = append(topics, w.Topic)
		}
		if !slices.Equal(topics, c.want) || r.Recounted != 0 || r.Forwarded != min(len(c.want), 1) {
			t.Errorf("%s: %v, %+v", name, topics, r)
		}
		if !again.Collected().Empty() {
			t.Errorf("%s: it counts twice", name)
		}
	}
	sink := &memory{t: t, topics: p.Topics(), partitions: 4}
	p.DeadLetter(sink, &m, why, testNow) // as earlier versions wrote it
	if out, again, _ := replays(t, p, sink.records); len(out.records) != 2 || !again.Collected().Empty() {
		t.Errorf("%v", out.records)
	}
}

// What an event lacks is all that it lacks, also when its replay fails for another reason.
func TestAReplayThatFailsElsewhereStillLacksOnlyThat(t *testing.T) {
	p := processor(t, replayed)
	sink, _, _ := runFrom(t, p, 110_000, event(2, 7, `{"at":100,"user":"u","x":1}`))
	failing := processor(t, strings.Replace(replayed, "upper(user)", "mask_ip(user)", 1))
	out, _, r := replays(t, failing, lettersOf(sink.records))
	if r.DeadLetters != 1 || out.records[0].header(HeaderStage) != "transform" || out.records[0].header(HeaderLateFor) != "a" {
		t.Fatalf("%+v %v", r, out.records)
	}
	out, again, r := replays(t, p, out.records)
	if r.Recounted != 1 || len(out.records) != 0 {
		t.Errorf("%+v %v", r, out.records)
	}
	if got := mergedOf(t, again); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

// Events of the same time are ordered by where they were first, so that a replay changes neither the first nor the last.
func TestReplaysAreOrderedByTheirFirstPlace(t *testing.T) {
	p := processor(t, replayed)
	sink := &memory{t: t, topics: p.Topics(), partitions: 4}
	early, late := event(0, 1, `{"at":100,"user":"u","x":"early"}`), event(9, 1, `{"at":100,"user":"u","x":"late"}`)
	for _, m := range []model.Message{early, late} {
		p.DeadLetter(sink, &m, model.Reason{Stage: model.StageTransform, Code: "x"}, testNow)
	}
	var again []model.Message
	for i := range sink.records {
		m, _ := p.ReplayOf(sink.records[i].message())
		m.Offset = int64(100 - i)
		again = append(again, m)
	}
	p.Process(&batch{messages: append(again, event(5, 1, `{"at":100,"user":"u","x":"between"}`))}, sink, testNow)
	if got := mergedOf(t, p); !slices.Contains(got, `a user="U" n=3 last="late" first="early"`) {
		t.Errorf("got %q", got)
	}
}

func TestLettersThatCannotBeReplayedSayWhy(t *testing.T) {
	p := processor(t, replayed)
	m := event(1, 5, `{}`)
	reason := model.Reason{Stage: model.StageDecode, Code: "corrupt"}
	write := func(f func(*memory)) *model.Message {
		sink := &memory{t: t, topics: p.Topics(), partitions: 4}
		f(sink)
		return sink.records[0].message()
	}
	p.limit = 10
	for name, c := range map[string]struct {
		letter *model.Message
		why    string
	}{
		"a range":         {write(func(s *memory) { p.DeadRange(s, &m, 9, reason, testNow) }), "the offsets 5 to 9"},
		"a partial":       {write(func(s *memory) { p.DeadPartial(s, 1, []byte(`{}`), testNow) }), "it is no event"},
		"cut off":         {write(func(s *memory) { big := event(1, 5, "01234567890"); p.DeadLetter(s, &big, reason, testNow) }), "10 bytes of 11"},
		"somebody else's": {&m, "no dead letter of this service"},
	} {
		if _, why := p.ReplayOf(c.letter); !strings.Contains(why, c.why) {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// Whoever writes to the replay topic by hand gets an event that was not counted, at its place there.
func TestMessagesOfTheReplayTopicWithoutHeadersAreEvents(t *testing.T) {
	p := processor(t, replayed)
	sink, source, r := runFrom(t, p, 1<<40, model.Message{Topic: "p-replay", Partition: 1, Offset: 3, Timestamp: 5000, Value: []byte(`{"at":100,"user":"u"}`)},
		model.Message{Topic: "p-replay", Partition: 1, Offset: 4, Timestamp: 5000, Value: []byte(`{"at":`)})
	if r.Forwarded != 1 || r.DeadLetters != 1 || r.Replayed != 2 || r.Late != 0 || source.Watermark != 1<<40 {
		t.Errorf("%+v", r)
	}
	if l := lettersOf(sink.records)[0]; l.header(HeaderTopic) != "p-replay" || l.header(HeaderOffset) != "4" || l.header(HeaderReplays) != "<none>" {
		t.Errorf("%v", l)
	}
}
