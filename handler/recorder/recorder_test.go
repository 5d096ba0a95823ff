package recorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
)

func TestInsightsAndDeadLettersAreStored(t *testing.T) {
	w := newWorld(2)
	r := newRig(t, w)
	for i := range 200 {
		w.add(at(insightsTopic, int32(i%2)), insightRecord(fmt.Sprint(i%30), i))
		w.add(at(deadTopic, int32(i%2)), letterRecord(fmt.Sprintf("c%03d", i)))
	}
	r.start()
	r.settled("what was there")
	w.add(at(insightsTopic, 0), insightRecord("0", 1, tombstone))
	w.add(at(insightsTopic, 1), insightRecord("1", 999))
	r.settled("what comes")
	r.eventually("nothing is behind", func() bool { s := r.State(); return s.OK && s.Behind != nil && *s.Behind == 0 && s.Reason == "" })
}

func TestANewTopicAndNewPartitionsAreTakenUp(t *testing.T) {
	w := newWorld(1)
	w.ids[insightsTopic] = "" // not there yet
	r := newRig(t, w)
	w.add(at(deadTopic, 0), letterRecord("a"))
	r.start()
	r.eventually("the topic that is there", func() bool { return r.stored() == "a" })
	w.change(func() { w.ids[insightsTopic] = "i1" })
	w.add(at(insightsTopic, 0), insightRecord("x", 1))
	r.settled("a topic that is new")
	w.add(at(insightsTopic, 1), insightRecord("y", 1))
	r.settled("a partition that is new")
	w.change(func() {
		w.ids[insightsTopic] = "i2"
		w.logs[at(insightsTopic, 0)], w.logs[at(insightsTopic, 1)] = nil, nil
	})
	w.add(at(insightsTopic, 0), insightRecord("z", 1))
	r.settled("a topic that was created again")
}

func TestAStoreThatIsAwayLosesNothing(t *testing.T) {
	w := newWorld(2)
	r := newRig(t, w)
	away := errors.New("nobody is at home")
	r.store.failing(func(string, []model.Recorded) error { return away })
	r.start()
	for i := range 100 {
		w.add(at(insightsTopic, int32(i%2)), insightRecord(fmt.Sprint(i), 1))
	}
	r.eventually("the trouble is told", func() bool { return strings.Contains(r.note("storage"), "nobody is at home") && !r.State().OK })
	r.store.failing(nil)
	r.settled("after the trouble")
	r.eventually("it is over", func() bool { return r.note("storage") == "" && r.State().OK })
	r.store.failing(func(op string, _ []model.Recorded) error { // in the middle
		if op == "write" {
			return away
		}
		return nil
	})
	w.add(at(insightsTopic, 0), insightRecord("late", 1))
	r.eventually("the trouble is told again", func() bool { return !r.State().OK })
	r.store.failing(nil)
	r.settled("after the second trouble")
}

func TestBrokersThatAreAwayAreNotTheStoresTrouble(t *testing.T) {
	w := newWorld(1)
	w.away = errors.New("no broker")
	r := newRig(t, w)
	r.start()
	r.eventually("it is told", func() bool { return strings.Contains(r.note("reading"), "no broker") })
	if s := r.State(); !s.OK || r.note("storage") != "" {
		t.Errorf("%+v, %s", s, r.note("storage"))
	}
	w.change(func() { w.away = nil })
	w.add(at(deadTopic, 0), letterRecord("a"))
	r.settled("when they are back")
	r.eventually("it is over", func() bool { return r.note("reading") == "" })
}

func TestRecordsThatAreNoInsightsAreLeftOut(t *testing.T) {
	w := newWorld(1)
	r := newRig(t, w)
	replace := func(old, by string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, by, 1) }
	}
	for _, change := range []func(string) string{
		func(string) string { return "{" }, func(string) string { return "[]" }, replace(`"kind":"window"`, `"kind":"x"`), replace(`"logins"`, `""`), replace(`"group":{"u":"odd"}`, `"group":5`),
		replace(`"logins"`, `"`+strings.Repeat("x", 5000)+`"`), replace(`"start":"`, `"start":"x`), replace(`"revision":1`, `"revision":"x"`), func(string) string { return strings.Repeat("[", 100_000) },
	} {
		w.add(at(insightsTopic, 0), insightRecord("odd", 1, change))
	}
	for _, key := range []string{"", "x", "[]", `["a",5,"b","c"]`, strings.Repeat("[", 100_000)} {
		m := insightRecord("odd", 1)
		m.Key = []byte(key)
		w.add(at(insightsTopic, 0), m)
	}
	w.add(at(insightsTopic, 0), insightRecord("good", 1))
	w.add(at(deadTopic, 0), model.Message{}) // a letter that says nothing of itself
	r.start()
	r.eventually("the good one", func() bool { return strings.Contains(r.stored(), "good:1") })
	if strings.Contains(r.stored(), "odd") {
		t.Error(r.stored())
	}
}

func TestARowThatTheStoreRefusesIsLeftOutAlone(t *testing.T) {
	w := newWorld(1)
	r := newRig(t, w)
	r.store.failing(func(_ string, parts []model.Recorded) error {
		for _, p := range parts {
			for _, in := range p.Insights {
				if strings.Contains(string(in.Group), "poison") {
					return &model.Error{Class: model.Rejected, Op: "record", Err: errors.New("no such value")}
				}
			}
		}
		return nil
	})
	for i := range 60 {
		name := fmt.Sprint(i)
		if i == 37 {
			name = "poison"
		}
		w.add(at(insightsTopic, 0), insightRecord(name, 1))
	}
	r.start()
	r.eventually("all others", func() bool { return r.stored() == strings.Replace(r.topicSays(), " poison:1", "", 1) })
}

func TestOnlyThePartitionOfARefusedRowIsNamed(t *testing.T) {
	var log bytes.Buffer
	r := newRig(t, newWorld(2), func(c *Config) { c.Log = zerolog.New(&log) })
	b := &batch{Recorder: r.Recorder, rows: 1}
	list := []model.Recorded{{Topic: model.TopicID{Name: deadTopic}, To: 9}, {Topic: model.TopicID{Name: insightsTopic}, To: 5, Insights: []model.Insight{{}}}}
	_ = b.refused(t.Context(), list, errors.New("no such value")) // the store does not know these topics
	if text := log.String(); strings.Count(text, "left out") != 1 || !strings.Contains(text, insightsTopic) || len(list[1].Insights) > 0 {
		t.Error(text)
	}
}

func TestWhatCannotBeReadIsPassedOver(t *testing.T) {
	w := newWorld(1)
	for i := range 10 {
		w.add(at(deadTopic, 0), letterRecord(fmt.Sprintf("c%d", i)))
	}
	w.first[at(deadTopic, 0)] = 3
	w.bad[model.TopicOffset{TopicPartition: at(deadTopic, 0), Offset: 3}] = 5
	w.bad[model.TopicOffset{TopicPartition: at(deadTopic, 0), Offset: 10}] = 1
	r := newRig(t, w)
	r.start()
	r.eventually("the rest", func() bool { return r.stored() == "c4 c5 c6 c7 c8 c9" })
	w.add(at(deadTopic, 0), letterRecord("d"))
	r.eventually("what was damaged once", func() bool { return r.stored() == "c4 c5 c6 c7 c8 c9 d" })
	w.change(func() { w.first[at(deadTopic, 0)] = 20 })
	for range 10 {
		w.add(at(deadTopic, 0), letterRecord("x"))
	}
	r.eventually("what is there", func() bool { return strings.Count(r.stored(), "x") == 1 })
}

// TestKilledRecordersGoOnWhereTheyWere writes a topic while recorders are killed at any moment and the store fails at random:
// at the end the rows are what the topic says, each dead letter is counted once.
func TestKilledRecordersGoOnWhereTheyWere(t *testing.T) {
	w := newWorld(3)
	random := rand.New(rand.NewPCG(3, uint64(time.Now().UnixNano())))
	r := newRig(t, w)
	r.store.failing(func(op string, _ []model.Recorded) error {
		if rand.IntN(12) == 0 {
			return errors.New("at random")
		}
		return nil
	})
	letters := 0
	for kill := range 15 {
		again := newRig(t, w)
		again.store = r.store
		again.cfg.Store = r.store
		stop := again.start()
		for range 150 {
			user, p := fmt.Sprint(random.IntN(40)), random.Int32N(3)
			switch random.IntN(5) {
			case 0:
				w.add(at(deadTopic, p), letterRecord(fmt.Sprintf("k%d", kill)))
				letters++
			case 1:
				w.add(at(insightsTopic, p), insightRecord(fmt.Sprint(p, "-", user), 0, tombstone))
			default:
				w.add(at(insightsTopic, p), insightRecord(fmt.Sprint(p, "-", user), letters*1000+random.IntN(1000)))
			}
			if random.IntN(20) == 0 {
				time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond)
			}
		}
		stop()
	}
	r.store.failing(nil)
	r.start()
	r.settled("at the end")
	counts, err := r.store.DeadLetterCounts(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, c := range counts {
		total += c.Count
	}
	if total != int64(letters) {
		t.Errorf("%d dead letters counted, want %d", total, letters)
	}
}

func TestAFileThatIsDeletedIsFilledAgain(t *testing.T) {
	w := newWorld(1)
	r := newRig(t, w, func(c *Config) { c.RetainEvery = 20 * time.Millisecond })
	dir := t.TempDir()
	r.store.Store = newStore(t, dir)
	for i := range 50 {
		w.add(at(insightsTopic, 0), insightRecord(fmt.Sprint(i), 1))
	}
	r.start()
	r.settled("at first")
	if err := os.Remove(filepath.Join(dir, "insights.db")); err != nil {
		t.Fatal(err)
	}
	r.eventually("a file is there again", func() bool {
		_, err := os.Stat(filepath.Join(dir, "insights.db"))
		return err == nil
	})
	r.settled("and filled")
}

// shares is a group of recorders in which each generation has what it is told.
type shares struct {
	next chan model.Assignment
	left chan struct{}
}

func (s *shares) Join(ctx context.Context) (model.Assignment, error) {
	select {
	case a := <-s.next:
		return a, nil
	case <-ctx.Done():
		return model.Assignment{}, ctx.Err()
	}
}

func (s *shares) Leave(context.Context) error {
	close(s.left)
	return nil
}

func (s *shares) GoDynamic() {}

func TestOnlyTheOwnShareIsRecorded(t *testing.T) {
	w := newWorld(2)
	group := &shares{next: make(chan model.Assignment, 1), left: make(chan struct{})}
	subscribed := make(chan []string, 30)
	r := newRig(t, w, func(c *Config) {
		c.Membership, c.Subscribe = group, func(topics []string) { subscribed <- topics }
	})
	w.add(at(deadTopic, 0), letterRecord("a"))
	w.add(at(deadTopic, 1), letterRecord("b"))
	stop := r.start()
	ended := make(chan struct{})
	group.next <- model.Assignment{Partitions: []model.TopicPartition{at(deadTopic, 0)}, Ended: ended}
	r.eventually("the first share", func() bool { return r.stored() == "a" })
	if got := <-subscribed; !slices.Equal(got, []string{deadTopic, insightsTopic}) {
		t.Error(got)
	}
	close(ended)
	limit := time.After(20 * time.Second)
	for n := range 20 { // the others wait for who does not come back at once
		select {
		case group.next <- model.Assignment{Ended: ended}:
		case <-limit:
			t.Fatalf("in the group again only %d times", n)
		}
	}
	group.next <- model.Assignment{Partitions: []model.TopicPartition{at(deadTopic, 1)}, Ended: make(chan struct{})}
	r.settled("the second share")
	stop()
	<-group.left
}
