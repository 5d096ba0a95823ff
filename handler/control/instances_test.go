package control

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"data-stream-engine/model"
)

func TestInstancesKnowEachOtherAndWhoFellSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newTopic()
		a, b := join(t, on, "a"), join(t, on, "b")
		time.Sleep(10 * time.Second)
		for _, m := range []*member{a, b} {
			for _, name := range []string{"a", "b"} {
				if s, ok := m.find(name); !ok || !s.Alive || s.Age > 3 || s.Every != 3 || s.At.IsZero() {
					t.Errorf("of %s it knows %+v", name, s)
				}
			}
		}
		b.stop() // without a word
		time.Sleep(5 * time.Second)
		if s, _ := a.find("b"); !s.Alive || s.Age < 4 {
			t.Errorf("too early: %+v", s)
		}
		time.Sleep(10 * time.Second)
		if s, _ := a.find("b"); s.Alive || s.Age < 14 || s.State != "reading" {
			t.Errorf("too late: %+v", s)
		}
		time.Sleep(forgetAfter + 5*time.Minute)
		if s, ok := a.find("b"); ok {
			t.Errorf("it is not forgotten: %+v", s)
		}
		if _, there := on.last("instance/b"); there {
			t.Error("its status is still in the topic")
		}
		if s, ok := a.find("a"); !ok || !s.Alive {
			t.Errorf("it forgot itself: %+v", s)
		}
	})
}

func TestStatusIsToldEveryFewSecondsAndAtOnceWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newTopic()
		a := join(t, on, "a")
		time.Sleep(30*time.Second + look/2)
		if n := on.count("instance/a"); n < 10 || n > 11 {
			t.Errorf("told %d times in 30 s", n)
		}
		steps := []func(*model.InstanceStatus){
			func(s *model.InstanceStatus) { s.State = "paused" },
			func(s *model.InstanceStatus) { s.Ready = false },
			func(s *model.InstanceStatus) { s.Pipeline = "other" },
			func(s *model.InstanceStatus) { s.Partitions = []model.PartitionStatus{{Partition: 3, State: "active"}} },
			func(s *model.InstanceStatus) { s.Merging = []model.MergeStatus{{Partition: 3}} },
		}
		for i, change := range steps {
			before := on.count("instance/a")
			a.set(change)
			time.Sleep(look)
			if on.count("instance/a") != before+1 {
				t.Errorf("change %d is not told at once", i)
			}
		}
		before := on.count("instance/a")
		a.set(func(s *model.InstanceStatus) { s.Rates.In = 12; s.Partitions[0].Position = 99 })
		time.Sleep(look)
		if on.count("instance/a") != before {
			t.Error("numbers are no news")
		}
		value, _ := on.last("instance/a")
		var s model.InstanceStatus
		if err := json.Unmarshal(value, &s); err != nil || s.State != "paused" || !s.Alive || s.Age != 0 {
			t.Errorf("told %s, %v", value, err)
		}
	})
}

func TestCleanStopTakesTheStatusBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newTopic()
		a, b := join(t, on, "a"), join(t, on, "b")
		time.Sleep(5 * time.Second)
		b.set(func(s *model.InstanceStatus) { s.State = stopping })
		time.Sleep(look)
		synctest.Wait()
		if s, ok := a.find("b"); !ok || s.Alive {
			t.Errorf("while it stops: %+v", s)
		}
		b.stop()
		if err := b.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s, ok := a.find("b"); ok {
			t.Errorf("still there: %+v", s)
		}
	})
}

// What was in the topic before arrives all at once: only the records' time tells who was silent since when.
func TestAgesSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newTopic()
		now := time.Now()
		for name, at := range map[string]time.Time{"fresh": now.Add(-time.Second), "dead": now.Add(-30 * time.Minute), "ahead": now.Add(time.Hour)} {
			on.append(at, "instance/"+name, told(t, model.InstanceStatus{Instance: name, State: "reading", Every: 3}))
		}
		a := join(t, on, "a")
		<-a.Read()
		for name, alive := range map[string]bool{"fresh": true, "dead": false, "ahead": true} {
			if s, ok := a.find(name); !ok || s.Alive != alive {
				t.Errorf("%s: %+v", name, s)
			}
		}
		time.Sleep(time.Minute) // of a clock that is ahead nothing is believed any longer than of others
		if s, _ := a.find("ahead"); s.Alive || s.Age < 59 {
			t.Errorf("got %+v", s)
		}
		if s, _ := a.find("dead"); s.Age < 31*60-1 {
			t.Errorf("got %+v", s)
		}
		// One that is alive is believed by its word, whatever its clock says.
		on.append(now.Add(-24*time.Hour), "instance/dead", told(t, model.InstanceStatus{Instance: "dead", State: "reading", Every: 3}))
		synctest.Wait()
		if s, _ := a.find("dead"); !s.Alive || s.Age != 0 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestHowManyInstancesAreRememberedIsBounded(t *testing.T) {
	s := newState()
	for i := range mostInstances + 10 {
		name := fmt.Sprint("i", i)
		m := model.Message{Offset: int64(i), Key: []byte("instance/" + name), Value: told(t, model.InstanceStatus{Instance: name})}
		if _, err := s.take(&m, time.Now()); (err != nil) != (i >= mostInstances) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	m := model.Message{Offset: 1 << 20, Key: []byte("instance/i7"), Value: told(t, model.InstanceStatus{Instance: "i7", State: "paused"})}
	if _, err := s.take(&m, time.Now()); err != nil || s.instances["i7"].status.State != "paused" {
		t.Errorf("those that are known are not followed any more: %v", err)
	}
}

func TestWhatARecordSaysOfItsNextOneIsBounded(t *testing.T) {
	for told, want := range map[model.Seconds]time.Duration{0: 4 * time.Second, 3: 10 * time.Second, 1e300: 181 * time.Second, -7: 4 * time.Second} {
		if got := lasts(told); got != want {
			t.Errorf("%v: %s", told, got)
		}
	}
}

// A name may change: another process has the INSTANCE_ID. Its status is not ours to take back.
func TestStatusFollowsTheName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newTopic()
		a := join(t, on, "one")
		time.Sleep(4 * time.Second)
		a.set(func(s *model.InstanceStatus) { s.Instance = "RANDOM" })
		time.Sleep(2 * look)
		if _, there := on.last("instance/RANDOM"); !there {
			t.Error("the new name is not told at once")
		}
		a.stop()
		_ = a.Leave(t.Context())
		if _, there := on.last("instance/one"); !there {
			t.Error("the other process's status was deleted")
		}
		if _, there := on.last("instance/RANDOM"); there {
			t.Error("the own status was not")
		}
	})
}
