package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

func (r *rig) ask(request model.ReplayRequest) model.Replayed {
	r.t.Helper()
	done, err := r.Replay(r.t.Context(), request)
	must(r.t, err)
	return done
}

func (r *rig) requireRefusal(class model.Class, says string, request model.ReplayRequest) {
	r.t.Helper()
	done, err := r.Replay(r.t.Context(), request)
	if model.ClassOf(err) != class || !strings.Contains(fmt.Sprint(err), says) {
		r.t.Errorf("%v, want class %s and %q", err, class, says)
	}
	if done.Count != 0 || len(r.committed)+len(r.open) > 0 {
		r.t.Errorf("something was sent: %+v, %d", done, len(r.committed))
	}
}

func TestLettersGoAsTheyCame(t *testing.T) {
	r := newRig(t)
	ids := []string{r.fail(`{"user":1}`, broken, 2), r.fail(`{"user":2}`, broken, 0), r.fail(`{"user":3}`, broken, 3)}
	done := r.ask(model.ReplayRequest{IDs: append(slices.Clone(ids[1:]), ids[0], ids[1])}) // one of them twice
	if done.Count != 3 || done.Topic != "p-replay" || done.At.IsZero() || len(done.Refused) != 0 {
		t.Errorf("%+v", done)
	}
	for i, m := range r.committed {
		if string(m.Value) != fmt.Sprintf(`{"user":%d}`, i+1) || m.Partition != []int32{2, 0, 3}[i] || string(m.Key) != "k" || m.Timestamp != 7 {
			t.Errorf("%d: %+v", i, m)
		}
	}
}

func TestWhatCannotBeReplayedIsNamedAndTheRestGoes(t *testing.T) {
	r := newRig(t)
	good := r.fail(`{}`, broken, 1)
	far := r.fail(`{}`, broken, 9)
	ranged := r.bury(func(s service.Sink) {
		r.processor.DeadRange(s, &model.Message{Topic: "in", Offset: 3}, 8, broken, time.Now())
	})
	large := r.fail(`{}`, broken, 1)
	r.refuses = map[int]error{1: errors.New("too large")}
	done := r.ask(model.ReplayRequest{IDs: []string{ranged, "0-99", good, "7-0", far, large}})
	var why []string
	for _, x := range done.Refused {
		why = append(why, x.ID+": "+x.Why)
	}
	for _, want := range []string{ranged + ": it stands for the offsets 3 to 8", "0-99: there is no such letter", "7-0: there is no such letter", far + ": it came from partition 9 of in, and p-replay has 4", large + ": the broker refuses it: too large"} {
		if !slices.ContainsFunc(why, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("nobody says %q in %q", want, why)
		}
	}
	if done.Count != 1 || len(r.committed) != 1 || len(why) != 5 {
		t.Errorf("%+v", done)
	}
}

func TestAFilterSelectsPageByPage(t *testing.T) {
	r := newRig(t)
	for i := range 1000 {
		r.fail(`{}`, broken, int32(i%4))
	}
	other := broken
	other.Code = "other"
	r.fail(`{}`, other, 0)
	if done := r.ask(model.ReplayRequest{Query: model.DeadLetterQuery{Stage: model.StageTransform, Code: service.CodeExpression}}); done.Count != 1000 || len(r.asked) != 3 {
		t.Errorf("%d in %d pages", done.Count, len(r.asked))
	}
	if done := r.ask(model.ReplayRequest{Query: model.DeadLetterQuery{Limit: 450}}); done.Count != 450 {
		t.Errorf("%d of 450", done.Count)
	}
	if done := r.ask(model.ReplayRequest{Query: model.DeadLetterQuery{Code: "nothing"}}); done.Count != 0 || done.Topic != "p-replay" {
		t.Errorf("%+v", done)
	}
}

func TestRequestsThatCannotBeDoneSendNothing(t *testing.T) {
	r := newRig(t)
	id := r.fail(`{}`, broken, 0)
	r.requireRefusal(model.Rejected, "not the id", model.ReplayRequest{IDs: []string{id, "x"}})
	r.requireRefusal(model.Rejected, "not the id", model.ReplayRequest{IDs: []string{"-1-2"}})
	r.requireRefusal(model.Rejected, "10001 letters", model.ReplayRequest{IDs: slices.Repeat([]string{id}, 10_001)})
	r.requireRefusal(model.Rejected, "go not together", model.ReplayRequest{IDs: []string{id}, Query: model.DeadLetterQuery{Stage: "late"}})
	r.requireRefusal(model.Rejected, "limit", model.ReplayRequest{Query: model.DeadLetterQuery{Limit: 10_001}})
	for _, step := range []string{"prepare", "begin", "read", "send", "commit"} {
		for _, class := range []model.Class{model.Unauthorized, model.Misconfigured} {
			r.fails = map[string]error{step: &model.Error{Class: class, Op: "try", Err: errors.New(step)}}
			r.requireRefusal(class, step, model.ReplayRequest{IDs: []string{id}, Key: "key"})
		}
	}
	if r.fails = nil; r.aborted != 4 || r.notes != "" {
		t.Errorf("%d transactions were given up, notes %q", r.aborted, r.notes)
	}
	r.fails = map[string]error{"store": &model.Error{Class: model.Transient, Err: errors.New("away")}}
	r.requireRefusal(model.Transient, "away", model.ReplayRequest{Query: model.DeadLetterQuery{Stage: "late"}})
	r.fails = nil
	for range 10_000 {
		r.items = append(r.items, r.items[0])
	}
	r.requireRefusal(model.Rejected, "more than 10000", model.ReplayRequest{Query: model.DeadLetterQuery{Stage: model.StageTransform}})
}

func TestATransactionHoldsNoMoreThanItCan(t *testing.T) {
	r := newRig(t)
	var ids []string
	for range 80 {
		ids = append(ids, r.fail(strings.Repeat("x", 850_000), broken, 0))
	}
	r.requireRefusal(model.Rejected, "select fewer", model.ReplayRequest{IDs: ids})
	if done := r.ask(model.ReplayRequest{IDs: ids[:70]}); done.Count != 70 {
		t.Errorf("%+v", done)
	}
}

func TestARepeatedRequestIsDoneOnce(t *testing.T) {
	r := newRig(t)
	ids := []string{r.fail(`{}`, broken, 0), r.fail(`{}`, broken, 1)}
	first := r.ask(model.ReplayRequest{IDs: append(slices.Clone(ids), "0-77"), Key: "one"})
	r.Replayer = New(r.cfg) // it was started again
	second := r.ask(model.ReplayRequest{IDs: []string{"0-77", ids[1], ids[0]}, Key: "one"})
	if second.Count != 2 || second.Topic != first.Topic || second.At.UnixMilli() != first.At.UnixMilli() || len(r.committed) != 2 {
		t.Errorf("%+v after %+v, %d sent", second, first, len(r.committed))
	}
	if len(second.Refused) != 1 || !strings.Contains(second.Refused[0].Why, "1 letters were refused") {
		t.Errorf("%+v", second.Refused)
	}
	_, err := r.Replay(t.Context(), model.ReplayRequest{IDs: ids, Key: "one"})
	if model.ClassOf(err) != model.Conflict || !strings.Contains(err.Error(), "another request") {
		t.Error(err)
	}
	if r.ask(model.ReplayRequest{IDs: ids, Key: "two"}); len(r.committed) != 4 {
		t.Errorf("%d sent", len(r.committed))
	}
	if r.ask(model.ReplayRequest{IDs: ids}); len(r.committed) != 6 {
		t.Errorf("%d sent", len(r.committed))
	}
	if r.ask(model.ReplayRequest{IDs: ids, Key: "two"}); len(r.committed) != 6 {
		t.Error("a request without a key has made another one's be forgotten")
	}
}

// Brokers take 4 KiB beside an offset, whatever the requests were.
func TestTheLatestKeysAreRemembered(t *testing.T) {
	r := newRig(t)
	id := r.fail(`{}`, broken, 0)
	for i := range 3 * keptKeys {
		r.ask(model.ReplayRequest{IDs: []string{id}, Key: fmt.Sprint("key ", i, strings.Repeat("y", 300))})
	}
	if len(r.notes) > 3500 || strings.ContainsAny(r.notes, ";") {
		t.Errorf("%d bytes: %s", len(r.notes), r.notes)
	}
	sent := len(r.committed)
	for i := 2 * keptKeys; i < 3*keptKeys; i++ {
		r.ask(model.ReplayRequest{IDs: []string{id}, Key: fmt.Sprint("key ", i, strings.Repeat("y", 300))})
	}
	if len(r.committed) != sent {
		t.Errorf("%d of the latest %d were forgotten", len(r.committed)-sent, keptKeys)
	}
	most := entry{key: hash(nil, keySize), content: hash(nil, contentSize), count: mostLetters, refused: mostLetters, at: 1 << 42}
	if text := book(slices.Repeat([]entry{most}, keptKeys)).String(); len(text) > 3900 {
		t.Errorf("%d bytes", len(text))
	}
	if b := readBook("a.b.c,x.y.1.1.!,,k.c.1.0.1"); len(b) != 1 || b[0].key != "k" {
		t.Errorf("%+v", b)
	}
}

// Who stops waiting before the end of the transaction has called the replay off; afterwards it is done.
func TestARequestCanBeCalledOffUntilItIsCommitted(t *testing.T) {
	r := newRig(t)
	id := r.fail(`{}`, broken, 0)
	ctx, cancel := context.WithCancel(t.Context())
	r.onSend = cancel
	if _, err := r.Replay(ctx, model.ReplayRequest{IDs: []string{id}, Key: "k"}); !errors.Is(err, context.Canceled) || r.aborted != 1 || len(r.committed) > 0 || r.notes != "" {
		t.Errorf("%v, %d aborted, %d committed", err, r.aborted, len(r.committed))
	}
	r.onSend = nil
	if done := r.ask(model.ReplayRequest{IDs: []string{id}, Key: "k"}); done.Count != 1 || len(r.committed) != 1 {
		t.Errorf("%+v", done)
	}
}

func TestOneRequestAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		id := r.fail(`{}`, broken, 0)
		hold := make(chan struct{})
		r.onSend = func() { <-hold }
		first := make(chan error)
		go func() {
			_, err := r.Replay(t.Context(), model.ReplayRequest{IDs: []string{id}})
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Replay(ctx, model.ReplayRequest{IDs: []string{id}}); model.ClassOf(err) != model.Conflict || !strings.Contains(err.Error(), "ask again") {
			t.Error(err)
		}
		close(hold)
		must(t, <-first)
		r.onSend = nil
		if r.ask(model.ReplayRequest{IDs: []string{id}}); len(r.committed) != 2 {
			t.Errorf("%d sent", len(r.committed))
		}
	})
}

// Being fenced means that another instance replays, or that the transaction took too long; what comes before it may take longer.
func TestWhoIsFencedIsToldWhy(t *testing.T) {
	r := newRig(t)
	one := model.ReplayRequest{IDs: []string{r.fail(`{}`, broken, 0)}}
	late := time.Duration(0)
	r.now = func() time.Time { return time.Now().Add(late) }
	r.onPrepare = func() { late += time.Minute }
	r.fails["send"] = &model.Error{Class: model.Fenced, Op: "produce", Err: errors.New("fenced")}
	r.requireRefusal(model.Conflict, "another instance", one)
	r.onSend = func() { late += time.Minute }
	r.requireRefusal(model.Rejected, "TRANSACTION_TIMEOUT", one)
	r.onSend = func() { r.open = nil } // nobody ends it
	r.fails = map[string]error{"commit": &model.Error{Class: model.Transient, Op: "commit", Err: errors.New("fenced")}}
	r.requireRefusal(model.Transient, "not known", one)
}

func TestVerdicts(t *testing.T) {
	letter := func(r *rig, id string) *model.Message {
		at, _ := placeOf(id, deadTopic)
		return &r.letters[at.Offset]
	}
	lateFor := model.Header{Key: []byte(model.HeaderLateFor), Value: []byte("minutes")}
	for name, c := range map[string]struct {
		value   string
		why     model.Reason
		header  *model.Header
		replace [2]string
		outcome string
		says    string
	}{
		"the same again":     {`{"at":1,"user":5}`, broken, nil, [2]string{}, "dead_letter", "rejected again for the same reason. Change line 5 of"},
		"broken bytes":       {`{"at":1,`, model.Reason{Stage: model.StageDecode, Code: service.CodeInvalidJSON}, nil, [2]string{}, "dead_letter", "mend the producer"},
		"another reason":     {`{"at":"x","user":5}`, broken, nil, [2]string{}, "dead_letter", "at the stage decode with invalid_event_time. Change line 3"},
		"mended":             {`{"at":1,"user":5}`, broken, nil, [2]string{"upper(user)", "string(user)"}, "forwarded", "forwarded to out, and counted in minutes and hours"},
		"filtered out":       {`{"at":1,"user":"u","kind":"noise"}`, broken, nil, [2]string{}, "filtered", `since kind != "noise" is false`},
		"late":               {`{"at":1,"user":"u"}`, model.Reason{Stage: model.StageLate, Code: service.CodeLateEvent}, &lateFor, [2]string{}, "late", "feeds only minutes, which it missed"},
		"late for nothing":   {`{"at":1,"user":"u"}`, model.Reason{Stage: model.StageLate, Code: service.CodeLateEvent}, &lateFor, [2]string{"name: minutes", "name: moments"}, "filtered", "counted nowhere. minutes,"},
		"refused by brokers": {`{"at":1,"user":"u"}`, model.Reason{Stage: model.StageProduce, Code: "message_too_large"}, nil, [2]string{}, "forwarded", "only writes it to out again"},
	} {
		r := newRig(t)
		m := letter(r, r.fail(c.value, c.why, 0))
		if c.header != nil {
			m.Headers = append(m.Headers, *c.header)
		}
		if c.replace[0] != "" {
			r.load(strings.Replace(pipeline, c.replace[0], c.replace[1], 1))
		}
		outcome, text := r.Verdict(t.Context(), m)
		if outcome != c.outcome || !strings.Contains(text, c.says) || !strings.HasSuffix(text, ".") {
			t.Errorf("%s: %s, %s", name, outcome, text)
		}
		if strings.Contains(text, "5") && !strings.Contains(text, "line 5") {
			t.Errorf("%s: a value of the event is in %q", name, text)
		}
	}
	r := newRig(t)
	if outcome, text := r.Verdict(t.Context(), &model.Message{}); outcome != "dead_letter" || !strings.Contains(text, "cannot be replayed") {
		t.Errorf("%s, %s", outcome, text)
	}
}

func TestEventsAreOfTheSourceInUse(t *testing.T) {
	r := newRig(t)
	if m, err := r.Record(t.Context(), 3, 42); err != nil || m.Topic != "in" || m.Partition != 3 || m.Offset != 42 {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := r.Letter(t.Context(), model.TopicOffset{TopicPartition: model.TopicPartition{Topic: deadTopic, Partition: 1}, Offset: 7}); err != nil || m.Topic != deadTopic || m.Offset != 7 {
		t.Errorf("%+v, %v", m, err)
	}
}
