package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/test/harness"
)

// A pipeline in which events with bad: true fail, until it is mended.
const (
	replayPipeline = `
name: replayed
source: {topic: "${KAFKA_SOURCE_TOPIC}", event_time: at}
transform: {set: {n: 'bad == true ? lower(n) : n'}}
output: [{topic: "${KAFKA_OUTPUT_TOPIC}", key: n}]
aggregates:
  - {name: all, window: {tumbling: 10s}, measures: {n: count(), s: sum(n)}, retention: 24h}
`
	replayMended = "bad == true ? n : n"
)

type replayed struct {
	Replayed int
	Topic    string
	At       time.Time
	Refused  []struct{ ID, Why string }
}

// replay asks an instance, and returns nil without an answer.
func replay(t *testing.T, i *harness.Instance, ids []string, key string) (*replayed, int) {
	t.Helper()
	document, err := json.Marshal(map[string]any{"ids": ids})
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	status, body, err := i.Post(t.Context(), "/api/v1/dead-letters/replay", document, header)
	if err != nil {
		return nil, 0
	}
	var answer replayed
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%d: %s", status, body)
	}
	if status != http.StatusOK {
		t.Logf("%s: %d %s", i.Name, status, body)
	}
	return &answer, status
}

func readAll(t *testing.T, st *harness.Stream, topic string) []*kgo.Record {
	t.Helper()
	records, err := st.Client.ReadAll(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// numbers is how often each number is in a topic of JSON events.
func numbers(t *testing.T, st *harness.Stream, topic string) map[int]int {
	t.Helper()
	times := map[int]int{}
	for _, r := range readAll(t, st, topic) {
		var e struct{ N int }
		if err := json.Unmarshal(r.Value, &e); err != nil {
			t.Fatalf("%s: %v", r.Value, err)
		}
		times[e.N]++
	}
	return times
}

// Letters are replayed while the instance that replays them, and one that consumes, are killed again and again: every other
// time as soon as the first of them has reached the topic, in the middle of the transaction. Whoever gets no answer asks again
// with the same key: each letter comes out once, and counts once.
func TestEachLetterIsReplayedOnceThroughKills(t *testing.T) {
	st := suite.NewStream(t)
	st.Aggregated(replayPipeline, harness.Env{"COMMIT_INTERVAL": "20ms", "EMIT_INTERVAL": "200ms", "IDLE_TIMEOUT": "2s"})
	const good, bad = 500, 1200
	began := time.Now().Add(-time.Hour).UnixMilli()
	pad := strings.Repeat("more than one request to a broker holds. ", 800)
	var records []*kgo.Record
	for n := range good + bad {
		value := fmt.Appendf(nil, `{"n":%d,"at":%d,"bad":%v}`, n, began+int64(n)*20, n >= good)
		if n >= good {
			value = fmt.Appendf(nil, `{"n":%d,"at":%d,"bad":true,"pad":%q}`, n, began+int64(n)*20, pad)
		}
		records = append(records, &kgo.Record{Partition: int32(n) % st.Partitions, Key: fmt.Append(nil, n), Value: value, Timestamp: time.Now()})
	}
	st.Send(records...)
	first := st.Start("a", nil)
	st.AwaitDone(soon)
	first.Stop(t)
	var ids []string
	for _, l := range readAll(t, st, st.DeadLetters) {
		ids = append(ids, fmt.Sprintf("%d-%d", l.Partition, l.Offset))
	}
	if len(ids) != bad {
		t.Fatalf("%d dead letters, want %d", len(ids), bad)
	}
	mended := harness.Env{"PIPELINE_FILE": st.PipelineFile(strings.Replace(replayPipeline, "bad == true ? lower(n) : n", replayMended, 1))}
	a, b := st.Start("a", mended), st.Start("b", mended)
	a.AwaitReady(t, soon)
	b.AwaitReady(t, soon)
	unanswered, done, middle := 0, 0, 0
	for round, part := range slices.Collect(slices.Chunk(ids, 200)) {
		key := "round " + strconv.Itoa(round)
		answers := make(chan *replayed, 1)
		before := written(t, st)
		go func(i *harness.Instance) {
			answer, _ := replay(t, i, part, key)
			answers <- answer
		}(a)
		if round%2 == 0 {
			awaitWritten(t, st, before)
		} else {
			time.Sleep(time.Duration(round*round) * 10 * time.Millisecond) // from before anything is sent to behind the answer
		}
		a.Kill()
		killed, sent := time.Now(), written(t, st) > before
		if round%3 == 2 {
			b.Kill()
			b = st.Start("b", mended)
		}
		if <-answers == nil {
			unanswered++
		}
		a = st.Start("a", mended)
		a.AwaitReady(t, late)
		harness.Until(t, late, "an answer", func(ctx) error {
			answer, status := replay(t, a, part, key)
			if answer == nil || status != http.StatusOK {
				return fmt.Errorf("status %d", status)
			}
			if answer.Replayed != len(part) || len(answer.Refused) > 0 {
				t.Errorf("%s: %+v", key, answer)
			}
			switch {
			case answer.At.Before(killed):
				done++
			case sent:
				middle++
			}
			return nil
		})
	}
	t.Logf("%d requests without an answer; %d done by the instance that was killed, %d in the middle of their transaction", unanswered, done, middle)
	if middle == 0 {
		t.Error("no kill came in the middle of a transaction: the test is about nothing")
	}
	if unanswered == 0 {
		t.Error("every request was answered before the kill: the test is about nothing")
	}
	if _, status := replay(t, b, ids[:1], "round 0"); status != http.StatusConflict {
		t.Errorf("another request with a used key: %d", status)
	}
	harness.Until(t, late, "everything in the output", func(ctx) error {
		if n := len(readAll(t, st, st.Output)); n < good+bad {
			return fmt.Errorf("%d of %d", n, good+bad)
		}
		return nil
	})
	requireOnce(t, numbers(t, st, st.Output), good+bad)
	if n := len(readAll(t, st, st.Group+"-replay")); n != bad {
		t.Errorf("%d records in the replay topic, want %d", n, bad)
	}
	if n := len(readAll(t, st, st.DeadLetters)); n != bad {
		t.Errorf("%d dead letters, want %d", n, bad)
	}
	harness.Until(t, late, "the windows of all events", func(_ ctx) error { return windowsHold(t, st, good+bad) })
}

// written is how many records there are in the replay topic, committed or not, and markers.
func written(t *testing.T, st *harness.Stream) (sum int64) {
	t.Helper()
	ends, err := st.Client.Admin.ListEndOffsets(t.Context(), st.Group+"-replay")
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum
}

// awaitWritten returns as soon as there are more.
func awaitWritten(t *testing.T, st *harness.Stream, before int64) {
	t.Helper()
	for end := time.Now().Add(soon); time.Now().Before(end); {
		if written(t, st) > before {
			return
		}
	}
	t.Fatal("nothing reaches the replay topic")
}

func requireOnce(t *testing.T, times map[int]int, all int) {
	t.Helper()
	var lost, doubled []int
	for n := range all {
		switch times[n] {
		case 0:
			lost = append(lost, n)
		case 1:
		default:
			doubled = append(doubled, n)
		}
	}
	if len(lost)+len(doubled) > 0 || len(times) != all {
		t.Errorf("%d lost %.10v, %d more than once %.10v", len(lost), lost, len(doubled), doubled)
	}
}

// windowsHold adds the latest insights of all windows up.
func windowsHold(t *testing.T, st *harness.Stream, all int) error {
	t.Helper()
	latest := map[string]string{}
	for _, r := range readAll(t, st, st.Insights()) {
		latest[string(r.Key)] = string(r.Value)
	}
	events, sum := 0, 0
	for _, text := range latest {
		var i struct{ Measures struct{ N, S int } }
		if err := json.Unmarshal([]byte(text), &i); err != nil {
			return err
		}
		events, sum = events+i.Measures.N, sum+i.Measures.S
	}
	if want := all * (all - 1) / 2; events != all || sum != want {
		return fmt.Errorf("%d events with the sum %d, want %d with %d", events, sum, all, want)
	}
	return nil
}

// The letter of an event that came too late feeds the window that it missed, which is written anew, and no output; the sixth
// replay of a letter is refused.
func TestLateLettersReviseTheirWindowAndFiveReplaysAreTheMost(t *testing.T) {
	st := suite.NewStream(t, harness.Partitions(1, 1))
	st.Aggregated(replayPipeline, harness.Env{"COMMIT_INTERVAL": "20ms", "EMIT_INTERVAL": "200ms", "IDLE_TIMEOUT": "1s"})
	began := time.Now().Add(-time.Hour).Truncate(time.Minute).UnixMilli()
	send := func(n int, seconds int64, bad bool) {
		st.Send(&kgo.Record{Value: fmt.Appendf(nil, `{"n":%d,"at":%d,"bad":%v}`, n, began+seconds*1000, bad), Timestamp: time.Now()})
	}
	send(0, 0, false)
	send(1, 60, false)
	send(2, 1, false) // its window has closed
	send(3, 61, true)
	engine := st.Start("", nil)
	engine.AwaitReady(t, soon)
	st.AwaitDone(soon)
	final := func(events int) func(ctx) error {
		return func(ctx) error {
			for _, r := range slices.Backward(readAll(t, st, st.Insights())) {
				if strings.Contains(string(r.Key), time.UnixMilli(began).UTC().Format(time.RFC3339)) {
					if text := string(r.Value); !strings.Contains(text, fmt.Sprintf(`"n":%d,`, events)) || !strings.Contains(text, `"final":true`) {
						return errors.New(text)
					}
					return nil
				}
			}
			return errors.New("there is none")
		}
	}
	harness.Until(t, late, "the first window", final(1))
	outputs := len(readAll(t, st, st.Output))
	letter := func(stage string) (id string, of *kgo.Record) {
		for _, l := range readAll(t, st, st.DeadLetters) {
			for _, h := range l.Headers {
				if h.Key == "__connect.errors.stage" && string(h.Value) == stage {
					id, of = fmt.Sprintf("%d-%d", l.Partition, l.Offset), l
				}
			}
		}
		return id, of
	}
	id, _ := letter("late")
	if answer, status := replay(t, engine, []string{id}, ""); status != http.StatusOK || answer.Replayed != 1 {
		t.Fatalf("%d %+v", status, answer)
	}
	harness.Until(t, late, "the window's revision", final(2))
	if n := len(readAll(t, st, st.Output)); n != outputs {
		t.Errorf("the replay of a late letter wrote %d outputs", n-outputs)
	}
	for n := range 5 {
		id, _ := letter("transform")
		if answer, status := replay(t, engine, []string{id}, ""); status != http.StatusOK || answer.Replayed != 1 {
			t.Fatalf("replay %d: %d %+v", n, status, answer)
		}
		harness.Until(t, late, "the letter of the replay", func(ctx) error {
			if now, _ := letter("transform"); now == id {
				return errors.New("it is not there")
			}
			return nil
		})
	}
	id, last := letter("transform")
	for name, want := range map[string]string{"stream-engine.replays": "5", "__connect.errors.topic": st.Source, "__connect.errors.offset": "3"} {
		if !slices.ContainsFunc(last.Headers, func(h kgo.RecordHeader) bool { return h.Key == name && string(h.Value) == want }) {
			t.Errorf("the last letter does not say that its %s is %s: %v", name, want, last.Headers)
		}
	}
	answer, status := replay(t, engine, []string{id}, "")
	if status != http.StatusOK || answer.Replayed != 0 || len(answer.Refused) != 1 || !strings.Contains(answer.Refused[0].Why, "5 times") {
		t.Errorf("the sixth replay: %d %+v", status, answer)
	}
	engine.Stop(t)
}
