package app_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
)

// idsOf are the ids of letters.
func idsOf(letters []*kgo.Record) (ids []string) {
	for _, l := range letters {
		ids = append(ids, fmt.Sprintf("%d-%d", l.Partition, l.Offset))
	}
	return ids
}

// replay asks an instance, and requires that all goes.
func (e *engine) replay(request model.ReplayRequest) model.Replayed {
	e.t.Helper()
	done, err := e.app.Replayer().Replay(e.t.Context(), request)
	must(e.t, err)
	return done
}

// replayed waits until the group has worked the replay topic off.
func (r *rig) replayed() {
	r.t.Helper()
	r.eventually("the group at the end of the replay topic", func() bool {
		ends, err := r.admin.ListCommittedOffsets(r.t.Context(), replayTopic)
		done, wrong := r.admin.FetchOffsets(r.t.Context(), groupID)
		if err != nil || wrong != nil {
			return false
		}
		for _, partitions := range ends {
			for _, end := range partitions {
				if at, ok := done.Lookup(end.Topic, end.Partition); end.Offset > 0 && (!ok || at.At < end.Offset) {
					return false
				}
			}
		}
		return true
	})
}

// failing has the user's number fail in the transform; once mended it does not.
const failing, mended = "transform: {set: {n: 'kind == \"bad\" ? lower(n) : n'}}\n", "transform: {set: {n: n}}\n"

func (r *rig) failing() {
	r.with("output:\n", failing+"output:\n")
}

// Events that failed come out once their pipeline is mended, each once, with what they came with, and count in their windows
// though these have closed.
func TestDeadLettersAreReplayedOnce(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	r.failing()
	r.feed(120)
	bad := r.next(24, func(e *event) { e.Kind = "bad" })
	var records []*kgo.Record
	for _, e := range bad {
		m := r.poison(e)
		m.Timestamp = time.UnixMilli(epoch + int64(e.N)*step)
		records = append(records, m)
	}
	r.write(records...)
	r.feed(600)
	e := r.watching()
	r.exactlyOnce()
	before := r.requireWindows()
	letters := r.letters(24)
	must(t, e.stop())
	r.pipeline = strings.Replace(r.pipeline, failing, mended, 1)
	e = r.watching()
	if done := e.replay(model.ReplayRequest{IDs: idsOf(letters), Key: "k"}); done.Count != 24 || done.Topic != replayTopic {
		t.Errorf("%+v", done)
	}
	for _, x := range bad {
		r.want[x.User] = append(r.want[x.User], x.N)
	}
	r.replayed()
	for user, list := range r.output() {
		want := r.want[user]
		slices.Sort(list) // among each other the old and the new have no order
		slices.Sort(want)
		if !slices.Equal(list, want) {
			t.Errorf("%s: %s", user, difference(list, want))
		}
	}
	for _, m := range r.committed(outputTopic) {
		var x event
		must(t, json.Unmarshal(m.Value, &x))
		if x.Kind == "bad" && (header(m, "trace") != "" || len(m.Headers) != 2 || m.Timestamp.UnixMilli() != epoch+int64(x.N)*step) {
			t.Errorf("an output lacks what its event came with: %+v", m)
		}
	}
	r.requireRevised(before)
	if n := e.metric("stream_engine_replayed_total"); n != 24 {
		t.Errorf("%v replayed", n)
	}
	if n := e.metric(`stream_engine_events_total{outcome="late"}`); n != 0 {
		t.Errorf("%v replays were late", n)
	}
	if n := e.sum("stream_engine_end_to_end_seconds_count"); n != 0 {
		t.Errorf("%v commits of replays were measured by timestamps of long ago", n)
	}
	r.letters(24)
}

// requireRevised waits for the windows as they should be now, which differ from before in new revisions of finals alone.
func (r *rig) requireRevised(before map[string][]*insight) {
	r.t.Helper()
	revised := 0
	for key, list := range r.requireWindows() {
		last := list[len(list)-1]
		if n := len(before[key]); n > 0 && len(list) > n {
			revised++
			if !last.Final || last.Revision != before[key][n-1].Revision+1 {
				r.t.Errorf("%s was followed by %s", before[key][n-1], last)
			}
		}
	}
	if revised == 0 {
		r.t.Error("no final was revised: the test is about nothing")
	}
}

// A letter of an event that came too late feeds the aggregate that it missed, and nothing else.
func TestLateLettersFeedOnlyWhatTheyMissed(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	r.with("aggregates:\n", `aggregates:
  - {name: others, group_by: [user], window: {tumbling: 1s, grace: 1h}, measures: {n: count(), s: sum(n)}, max_groups: 1000, emit: updates}
`)
	r.write(r.events("u0", 0, 10, 299)...)
	late := record(event{User: "u0", N: 30})
	r.write(r.events("u4", 300, 400)...)
	r.write(late)
	e := r.watching()
	r.caughtUp()
	var before map[string][]*insight
	r.eventually("windows without it", func() bool {
		before = r.insights()
		got, open := latest(before, "users")
		return open == 0 && got["0 u0"] == "n=2 s=10" && got["4 u4"] != ""
	})
	letters := r.letters(1)
	if got := header(letters[0], "stream-engine.late-for"); got != "users" {
		t.Fatalf("late for %s", got)
	}
	outputs := len(r.committed(outputTopic))
	if done := e.replay(model.ReplayRequest{IDs: idsOf(letters)}); done.Count != 1 {
		t.Errorf("%+v", done)
	}
	r.replayed()
	r.eventually("the revision", func() bool {
		all := r.insights()
		got, open := latest(all, "users")
		others, _ := latest(all, "others")
		return open == 0 && got["0 u0"] == "n=3 s=40" && others["0 u0"] == "n=3 s=40"
	})
	for key, list := range r.insights() {
		last := list[len(list)-1]
		if last.Aggregate == "users" && strings.Contains(key, `"u0"`) && last.Revision != before[key][len(before[key])-1].Revision+1 && len(list) != len(before[key]) {
			t.Errorf("%s came behind %s", last, before[key][len(before[key])-1])
		}
	}
	if n := len(r.committed(outputTopic)); n != outputs {
		t.Errorf("%d outputs became %d", outputs, n)
	}
	r.letters(1)
	e.requireCounts(6, 0)
}

// An event whose record the output refuses is late as well: its two letters say what each stands for, and together make up
// for what it lacks, once.
func TestALateAndRefusedEventIsMadeUpForOnce(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	r.alter(outputTopic, "max.message.bytes", "3000")
	r.write(r.events("u0", 0, 10, 299)...)
	big := record(event{User: "u0", N: 30, Pad: noise(4000)})
	r.write(r.events("u4", 300, 400)...)
	r.write(big, r.inTime(event{User: "u4", N: 401, Pad: noise(4000)}))
	e := r.watching()
	r.caughtUp()
	letters := r.letters(3)
	for _, l := range letters {
		if strings.Contains(header(l, "__connect.errors.exception.message"), "forwarded") {
			t.Errorf("it was not forwarded: %s", header(l, "__connect.errors.exception.message"))
		}
		if by := header(l, "stream-engine.refused-by"); (by == outputTopic) != (header(l, "__connect.errors.stage") == "produce") {
			t.Errorf("refused by %q: %v", by, l.Headers)
		}
	}
	r.alter(outputTopic, "max.message.bytes", "1000000")
	e.replay(model.ReplayRequest{IDs: idsOf(letters)})
	r.replayed()
	r.want["u0"] = append(r.want["u0"], 30)
	if got := r.output(); len(got["u0"]) != 4 || len(got["u4"]) != 3 {
		t.Errorf("outputs %v", got)
	}
	r.requireWindows()
}

// inTime expects an event in the insights.
func (r *rig) inTime(e event) *kgo.Record {
	r.want[e.User] = append(r.want[e.User], e.N)
	return record(e)
}

// A letter that fails again names the first source and how often it was replayed, and ends after five times.
func TestLettersThatFailAgainAreReplayedFiveTimes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.with("output:\n", failing+"output:\n")
	source := r.poison(event{User: "u3", N: 7, Kind: "bad"})
	r.write(source)
	e := r.start()
	r.caughtUp()
	for n := range model.MostReplays {
		letters := r.letters(n + 1)
		slices.SortFunc(letters, func(a, b *kgo.Record) int { return cmp.Compare(a.Offset, b.Offset) })
		last := letters[n]
		for name, want := range map[string]string{"__connect.errors.topic": sourceTopic, "__connect.errors.partition": fmt.Sprint(source.Partition), "__connect.errors.offset": fmt.Sprint(source.Offset), "trace": ""} {
			if got := header(last, name); got != want {
				t.Errorf("replay %d: %s is %q, want %q", n, name, got, want)
			}
		}
		if got := header(last, "stream-engine.replays"); n > 0 && got != fmt.Sprint(n) {
			t.Errorf("replay %d: it says %q", n, got)
		}
		if done := e.replay(model.ReplayRequest{IDs: idsOf(letters)[n:]}); done.Count != 1 {
			t.Errorf("replay %d: %+v", n, done)
		}
		r.replayed()
	}
	letters := r.letters(model.MostReplays + 1)
	slices.SortFunc(letters, func(a, b *kgo.Record) int { return cmp.Compare(a.Offset, b.Offset) })
	done := e.replay(model.ReplayRequest{IDs: idsOf(letters)[model.MostReplays:]})
	if done.Count != 0 || len(done.Refused) != 1 || !strings.Contains(done.Refused[0].Why, "5 times") {
		t.Errorf("%+v", done)
	}
}

// The same Idempotency-Key is the same request, also after a restart and at another instance.
func TestAKeyIsDoneOnceAcrossARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.with("output:\n", failing+"output:\n")
	r.write(r.poison(event{User: "u3", N: 7, Kind: "bad"}), r.poison(event{User: "u4", N: 8, Kind: "bad"}))
	e := r.start()
	r.caughtUp()
	ids := idsOf(r.letters(2))
	first := e.replay(model.ReplayRequest{IDs: ids, Key: "one"})
	must(t, e.stop())
	e, other := r.start(), r.start("KAFKA_CLIENT_ID=other")
	for _, x := range []*engine{e, other} {
		if again := x.replay(model.ReplayRequest{IDs: ids, Key: "one"}); again.Count != 2 || again.At.UnixMilli() != first.At.UnixMilli() {
			t.Errorf("%+v, then %+v", first, again)
		}
	}
	if _, err := other.app.Replayer().Replay(t.Context(), model.ReplayRequest{IDs: ids[:1], Key: "one"}); model.ClassOf(err) != model.Conflict {
		t.Errorf("another request with the key: %v", err)
	}
	r.replayed()
	if n := len(r.committed(replayTopic)); n != 2 {
		t.Errorf("%d were replayed", n)
	}
}

// Without its topic nothing but replays stands still; when it is there they go.
func TestWithoutTheReplayTopicOnlyReplaysStandStill(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.with("output:\n", failing+"output:\n")
	_, err := r.admin.DeleteTopics(t.Context(), replayTopic)
	must(t, err)
	r.feed(60)
	r.write(r.poison(event{User: "u3", N: 7, Kind: "bad"}))
	e := r.start("KAFKA_AUTO_CREATE_TOPICS=false")
	r.exactlyOnce()
	r.eventually("readiness", e.ready)
	if !e.says(`"level":"warn"`, replayTopic, "cannot be replayed", "KAFKA_AUTO_CREATE_TOPICS") {
		t.Error("nobody is told")
	}
	ids := idsOf(r.letters(1))
	if _, err := e.app.Replayer().Replay(t.Context(), model.ReplayRequest{IDs: ids}); model.ClassOf(err) != model.Misconfigured || !strings.Contains(err.Error(), replayTopic) {
		t.Error(err)
	}
	if !e.ready() {
		t.Error("the stream is not ready because of a replay")
	}
	r.create(replayTopic, partitions)
	if done := e.replay(model.ReplayRequest{IDs: ids}); done.Count != 1 {
		t.Errorf("%+v", done)
	}
	r.replayed()
	r.letters(2)
}

// Who may not see the replay topic works on, and says so; once it may be seen its letters are read, without a restart, whether
// or not somebody asks for a replay meanwhile.
func TestWithoutPermissionOnlyReplaysStandStill(t *testing.T) {
	t.Parallel()
	for name, asks := range map[string]bool{"and somebody asks": true, "and nobody asks": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.with("output:\n", failing+"output:\n")
			denied := r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: replayTopic, Err: kerr.TopicAuthorizationFailed, Count: -1})
			r.feed(60)
			r.write(r.poison(event{User: "u3", N: 7, Kind: "bad"}))
			e := r.start()
			r.exactlyOnce()
			r.eventually("readiness", e.ready)
			noted := func() bool {
				_, body := e.get("/readyz")
				return strings.Contains(body, "dead letters cannot be replayed") && strings.Contains(body, replayTopic)
			}
			if !noted() {
				t.Error("nobody is told")
			}
			ids := idsOf(r.letters(1))
			if asks {
				if _, err := e.app.Replayer().Replay(t.Context(), model.ReplayRequest{IDs: ids}); model.ClassOf(err) != model.Unauthorized || !strings.Contains(err.Error(), replayTopic) {
					t.Error(err)
				}
			}
			denied.Remove()
			if !asks {
				r.eventually("the end of the note", func() bool { return !noted() })
			}
			if done := e.replay(model.ReplayRequest{IDs: ids}); done.Count != 1 {
				t.Errorf("%+v", done)
			}
			r.replayed()
			r.letters(2)
			r.eventually("readiness without a note", func() bool { return e.ready() && !noted() })
		})
	}
}

// A source that has grown takes its replay topic along.
func TestTheReplayTopicGrowsWithTheSource(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.with("output:\n", failing+"output:\n")
	e := r.start("SESSION_TIMEOUT=2s")
	r.feed(24)
	r.exactlyOnce()
	_, err := r.admin.UpdatePartitions(t.Context(), partitions+2, sourceTopic)
	must(t, err)
	m := r.poison(event{User: "u3", N: 7, Kind: "bad"})
	m.Partition = partitions + 1
	r.eventually("the new partition", func() bool {
		r.producer.ForceMetadataRefresh()
		return r.producer.ProduceSync(t.Context(), m).FirstErr() == nil
	})
	r.caughtUp()
	if done := e.replay(model.ReplayRequest{IDs: idsOf(r.letters(1))}); done.Count != 1 {
		t.Errorf("%+v", done)
	}
	r.eventually("the letter of its replay", func() bool { return len(r.committed(deadTopic)) == 2 })
	if list := r.committed(replayTopic); len(list) != 1 || list[0].Partition != partitions+1 {
		t.Errorf("%v", list)
	}
}

// A record of the source is shown as it is, or why it is not there.
func TestRecordsOfTheSourceAreShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start()
	r.feed(24)
	r.exactlyOnce()
	m, err := e.app.Replayer().Record(t.Context(), 1, 0)
	must(t, err)
	if m.Topic != sourceTopic || m.Partition != 1 || !strings.Contains(string(m.Value), `"user":"u1"`) {
		t.Errorf("%+v", m)
	}
	for at, class := range map[[2]int64]model.Class{{9, 0}: model.NotFound, {1, 600}: model.NotFound} {
		if _, err := e.app.Replayer().Record(t.Context(), int32(at[0]), at[1]); model.ClassOf(err) != class {
			t.Errorf("%v: %v", at, err)
		}
	}
}
