package control

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
)

func TestPauseHoldsForAllAndForThoseWhoComeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newTopic()
		a, b := join(t, on, "a"), join(t, on, "b")
		synctest.Wait()
		if a.Paused() != nil || len(a.heard) > 0 {
			t.Error("paused from the start")
		}
		p, err := a.Pause(t.Context(), "broker upgrade")
		if err != nil || p.By != "a" || p.Reason != "broker upgrade" || !p.At.Equal(stamp(time.Now())) {
			t.Errorf("got %+v, %v", p, err)
		}
		if a.Paused() == nil {
			t.Error("whoever asked does not know at once")
		}
		synctest.Wait()
		if q := b.Paused(); q == nil || !same(p, q) || len(b.heard) != 1 || b.heard[0].By != "a" {
			t.Errorf("the other one knows of %+v and heard %v", b.Paused(), b.heard)
		}
		if len(a.heard) != 1 {
			t.Errorf("whoever asked heard of it %d times", len(a.heard))
		}
		a.stop()
		b.stop()
		c := join(t, on, "c")
		<-c.Read()
		if q := c.Paused(); q == nil || !same(p, q) || len(c.heard) != 1 {
			t.Errorf("the next one knows of %+v", q)
		}
		if err := c.Resume(t.Context()); err != nil || c.Paused() != nil {
			t.Errorf("not resumed: %v", err)
		}
		if len(c.heard) != 2 || c.heard[1] != nil {
			t.Errorf("heard %v", c.heard)
		}
		d := join(t, on, "d")
		<-d.Read()
		if d.Paused() != nil || len(d.heard) != 0 {
			t.Error("the pause came back")
		}
	})
}

func TestSecondPauseKeepsSinceWhenTheFirstOneHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newTopic()
		a, b := join(t, on, "a"), join(t, on, "b")
		<-a.Read()
		<-b.Read()
		first, _ := a.Pause(t.Context(), "one")
		time.Sleep(time.Minute)
		second, err := b.Pause(t.Context(), "two")
		if err != nil || second.By != "b" || second.Reason != "two" || !second.At.Equal(first.At) {
			t.Errorf("got %+v, %v", second, err)
		}
		synctest.Wait()
		if !same(a.Paused(), second) {
			t.Errorf("the first one knows of %+v", a.Paused())
		}
	})
}

// The one that was confirmed first may be read last: the topic's order decides.
func TestLaterWordOfAnotherInstanceIsNotOverwrittenByAnOwnOlderOne(t *testing.T) {
	s := newState()
	pause := model.Message{Key: []byte(pauseKey), Value: told(t, model.Pause{By: "a"}), Offset: 7}
	resume := model.Message{Key: []byte(pauseKey), Offset: 8}
	for _, m := range []model.Message{resume, pause} {
		if _, err := s.take(&m, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if s.pause != nil {
		t.Error("an older record won")
	}
}

// The topic is read anew, from its beginning to where it ended when that began: what was written since then comes later.
func TestPauseThatIsConfirmedWhileTheTopicIsReadAnewHolds(t *testing.T) {
	on := newTopic()
	m := &member{t: t, log: &bytes.Buffer{}}
	m.Control = New(Config{Topic: on, Name: "g-control", Observer: m, Log: zerolog.Nop(), Own: m.own, OnPause: func(p *model.Pause) { m.heard = append(m.heard, p) }})
	m.reached()
	m.reading = newState()
	if _, err := m.Pause(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	m.reached()
	if m.Paused() == nil || len(m.heard) != 1 {
		t.Errorf("paused: %v, heard %v", m.Paused(), m.heard)
	}
}

func TestWithoutBrokersThePauseHoldsAndAsksAreRefusedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newTopic()
		a := join(t, on, "a")
		<-a.Read()
		if _, err := a.Pause(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		on.set(true)
		time.Sleep(time.Hour)
		if a.Paused() == nil {
			t.Error("the pause is forgotten")
		}
		began := time.Now()
		err := a.Resume(t.Context())
		if err == nil || model.ClassOf(err) != model.Transient || !strings.Contains(err.Error(), "connection refused") || !strings.Contains(err.Error(), "5s") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != answerTimeout {
			t.Errorf("it took %s", took)
		}
		if _, err := a.Pause(t.Context(), "x"); err == nil {
			t.Error("a pause without brokers succeeded")
		}
		if a.Paused() == nil || len(a.heard) != 1 {
			t.Error("what nobody confirmed holds")
		}
		if s, ok := a.find("a"); !ok || !s.Alive || s.Age != 0 {
			t.Errorf("it does not know itself: %+v", s)
		}
		on.set(false)
		if err := a.Resume(t.Context()); err != nil || a.Paused() != nil {
			t.Errorf("not resumed: %v", err)
		}
	})
}

func TestReadIsOnlyToldWhenEverythingWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newTopic()
		on.append(time.Now(), pauseKey, told(t, model.Pause{By: "x"}))
		on.set(true)
		a := join(t, on, "a")
		time.Sleep(time.Minute)
		select {
		case <-a.Read():
			t.Error("it says that it has read what it cannot")
		default:
		}
		on.set(false)
		<-a.Read()
		if a.Paused() == nil {
			t.Error("not paused")
		}
	})
}

func TestTopicThatIsCreatedAgainIsBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newTopic()
		a := join(t, on, "a")
		<-a.Read()
		for range 5 { // offsets of the new topic are lower
			_, _ = a.Pause(t.Context(), "one")
		}
		on.recreate()
		time.Sleep(10 * time.Second)
		if a.Paused() != nil {
			t.Error("it is paused by a topic that is gone")
		}
		if _, err := a.Pause(t.Context(), "two"); err != nil || a.Paused() == nil || a.Paused().Reason != "two" {
			t.Errorf("not paused: %v", err)
		}
		if s, ok := a.find("a"); !ok || !s.Alive {
			t.Error("its status is not told anew")
		}
		if !strings.Contains(a.log.String(), "from its beginning again") {
			t.Error("the log does not say so")
		}
	})
}

func TestRecordsThatCannotBeReadAreSkippedWithOneWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newTopic()
		now := time.Now()
		on.append(now, pauseKey, told(t, model.Pause{By: "x", Reason: "real"}))
		for _, bad := range []string{"", "null and void", `["a"]`, `{"by":7}`, "\xff"} {
			on.append(now, pauseKey, []byte(bad))
			on.append(now, "instance/x", []byte(bad))
			on.append(now, bad, []byte(bad))
			on.append(now, "a newer one", nil)
		}
		on.append(now, "instance/", told(t, model.InstanceStatus{}))
		on.append(now, "instance/\xff", told(t, model.InstanceStatus{Instance: "\xff"}))
		on.append(now, "instance/x", told(t, model.InstanceStatus{Instance: "y"}))
		on.append(now, "instance/"+strings.Repeat("n", 400), told(t, model.InstanceStatus{Instance: strings.Repeat("n", 400)}))
		on.append(now, "instance/z", []byte(`{"instance":"z","every":-5,"state":"reading","what":{"is":"new"}}`))
		a := join(t, on, "a")
		<-a.Read()
		synctest.Wait()
		if p := a.Paused(); p == nil || p.Reason != "real" {
			t.Errorf("paused: %+v", p)
		}
		var names []string
		for _, s := range a.Instances() {
			names = append(names, s.Instance)
		}
		if got := strings.Join(names, " "); got != "a z" {
			t.Errorf("it knows %q", got)
		}
		if n := strings.Count(a.log.String(), `"level":"warn"`); n != 3 { // pause, instance, unknown key
			t.Errorf("%d warnings:\n%s", n, a.log)
		}
	})
}

func TestLongReasonsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := join(t, newTopic(), "a")
		<-a.Read()
		if p, err := a.Pause(t.Context(), strings.Repeat("\U0001F310", 500)); err != nil || len(p.Reason) != 2000 {
			t.Errorf("what the API takes: %v", err)
		}
		if err := a.Resume(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := a.Pause(t.Context(), strings.Repeat("r", mostReason+1)); err == nil || model.ClassOf(err) != model.Rejected || a.Paused() != nil {
			t.Errorf("got %v", err)
		}
	})
}
