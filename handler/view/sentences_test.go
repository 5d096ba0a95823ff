package view

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
)

var update = flag.Bool("update", false, "write the golden file anew")

// scene is a state of the world, and what is to be said of it.
type scene struct {
	name string
	set  func(r *rig)
}

func scenes() []scene {
	refused := &model.Error{Class: model.Transient, Op: "ask for metadata", Subject: "10.4.0.12:9092", Err: &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}
	trouble := func(err error) func(*rig) {
		return func(r *rig) {
			r.observed.Report.Ready = false
			r.observed.LastCommit = r.now.Add(-38 * time.Second)
			r.observed.Troubles = []handler.Trouble{{Op: "fetch", Err: err, Since: r.now.Add(-38 * time.Second), Attempts: 9, Next: r.now.Add(10 * time.Second)}}
		}
	}
	waits := func(name, reason string) func(*rig) {
		return func(r *rig) {
			r.observed.Generations, r.observed.Phase, r.observed.Source, r.observed.Merging = 0, handler.StateStarting, nil, nil
			r.observed.Report = handler.Report{Waiting: []handler.Condition{{Name: name, Reason: reason, Since: began}}}
		}
	}
	return []scene{
		{"healthy", func(*rig) {}},
		{"broker away: refused", trouble(refused)},
		{"broker away: no such name", trouble(fmt.Errorf("dial: %w", &net.DNSError{Name: "kafka-1", IsNotFound: true}))},
		{"broker away: no answer", trouble(&model.Error{Op: "fetch", Err: context.DeadlineExceeded})},
		{"broker in trouble", trouble(&model.Error{Op: "produce to", Subject: "user-login-processed-2", Code: 19, Err: errors.New("Not Enough Replicas (code 19)")})},
		{"fenced again and again", trouble(&model.Error{Class: model.Fenced, Op: "commit the transaction", Err: errors.New("Invalid Producer Epoch (code 47)")})},
		{"an ACL is missing", trouble(&model.Error{Class: model.Unauthorized, Op: "produce to", Subject: "user-login-processed", Code: 29, Err: errors.New("Topic Authorization Failed (code 29)"), Hint: "an ACL is missing: the user needs WRITE"})},
		{"data is lost", trouble(&model.Error{Class: model.DataLost, Op: "read", Subject: "user-login-partials-3", Err: errors.New("Offset Out Of Range (code 1)")})},
		{"part of the cluster", func(r *rig) {
			trouble(&model.Error{Op: "fetch", Subject: "user-login-3", Code: 5, Err: errors.New("Leader Not Available (code 5)")})(r)
			r.observed.LastCommit = r.now.Add(7 * time.Second)
		}},
		{"starting: control", waits("control", "reading what the group is asked")},
		{"starting: topics", waits("topics", "starting")},
		{"starting: a topic is missing", waits("topics", "the topic user-login does not exist; create it, or set KAFKA_AUTO_CREATE_TOPICS=true")},
		{"starting: joining", waits("assigned", "starting")},
		{"the topic is gone", func(r *rig) {
			r.counts = nil
			_ = r.countOnce(context.Background())
		}},
		{"the topic of the partials is gone", func(r *rig) {
			r.countErr = &model.Error{Op: "find topic", Subject: "user-login-partials", Code: unknownTopic, Err: errors.New("Unknown Topic Or Partition (code 3)")}
			_ = r.countOnce(context.Background())
		}},
		{"stopping", func(r *rig) { r.observed.Phase = handler.StateStopping }},
		{"windows cannot be restored", func(r *rig) {
			r.observed.Restore = handler.RestoreState{Partitions: 2, Done: 0.1, Since: r.now, Err: "restore user-login-changelog: the changelog ends before the merge commit that the group's offset names"}
		}},
		{"restoring", func(r *rig) {
			r.observed.Restore = handler.RestoreState{Partitions: 2, Done: 0.41, Since: r.now.Add(-14 * time.Second)}
		}},
		{"rebalancing", func(r *rig) { r.instances = r.instances[:1] }},
		{"rebalancing: somebody joined", func(r *rig) {
			r.instances[1].Partitions, r.instances[1].Merging = nil, nil
			r.observed.Generations++
			r.news.members = map[string]bool{"engine-1": true, "engine-2": true}
		}},
		{"rebalancing: somebody is silent", func(r *rig) { r.instances[1].Alive, r.instances[1].Age = false, 12 }},
		{"nobody takes over", func(r *rig) { r.instances[1].Alive, r.instances[1].Age = false, 120 }},
		{"storage away: SQLite", func(r *rig) { r.storage = Storage{Kind: "sqlite", Reason: new("database is locked.")} }},
		{"storage away: PostgreSQL", func(r *rig) {
			r.storage = Storage{Kind: "postgres", Reason: new("connect to 10.4.0.20:5432: connection refused")}
		}},
		{"another replica is not ready", func(r *rig) { r.instances[0].Ready, r.instances[0].Waiting = false, []string{"broker", "aggregates"} }},
		{"counts may be off", func(r *rig) { r.observed.Exact = false }},
		{"counts may be off, at least once", func(r *rig) { r.instances[0].Inexact, r.observed.Repeats = true, true }},
		{"paused", func(r *rig) {
			r.pause = &model.Pause{By: "engine-2", At: r.now.Add(-102 * time.Second), Reason: "broker upgrade"}
			r.observed.Phase, r.instances[0].State, r.instances[1].State = handler.StatePaused, handler.StatePaused, handler.StatePaused
		}},
		{"paused, not all stand still yet", func(r *rig) {
			r.pause = &model.Pause{By: "engine-2", At: r.now}
			r.observed.Phase = handler.StatePaused
		}},
		{"paused, alone, with a reason that plays tricks", func(r *rig) {
			r.pause = &model.Pause{By: "engine-1", At: r.now, Reason: "a\nb \u202ec \xff"}
			r.observed.Phase, r.instances = handler.StatePaused, nil
		}},
		{"no event yet", func(r *rig) {
			for i := range r.observed.Source {
				r.observed.Source[i].Position, r.observed.Source[i].End = 0, 0
			}
			for i := range r.instances {
				r.instances[i].Rates = model.Rates{}
				for k := range r.instances[i].Partitions {
					p := &r.instances[i].Partitions[k]
					p.Position, p.End = 0, new(int64)
				}
			}
		}},
		{"lag is not known", func(r *rig) { r.observed.Source[1].End = -1 }},
	}
}

// What is said of each state of the world, word by word. Events flow at 300 a second unless that is what is wrong.
func TestSentences(t *testing.T) {
	var said strings.Builder
	for _, c := range scenes() {
		r := newRig(t)
		c.set(r)
		events := 100
		if c.name == "no event yet" || strings.HasPrefix(c.name, "starting") {
			events = 0
		}
		trouble, pause := r.observed.Troubles, r.pause
		r.pass(7, events, func() { r.observed.Troubles, r.pause = trouble, pause })
		fmt.Fprintf(&said, "# %s\n%s\n\n", c.name, r.told())
	}
	for _, c := range flows() {
		fmt.Fprintf(&said, "# %s\n%s\n\n", c.name, c.run(newRig(t)))
	}
	golden := "testdata/sentences.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(said.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if said.String() != string(want) {
		t.Errorf("other sentences; look at them and run with -update:\n%s", said.String())
	}
}

// told is all that a status says in words, and the numbers that belong to it.
func (r *rig) told() string {
	s := r.Status()
	text := fmt.Sprintf("%s: %s. %s\nsince %s", s.Level, s.Title, s.Reason, s.Since.Format(time.RFC3339))
	if s.Attempts != nil {
		text += fmt.Sprintf(", %d attempts", *s.Attempts)
	}
	if s.NextRetryAt != nil {
		text += fmt.Sprintf(", next at %s", s.NextRetryAt.Format(time.RFC3339))
	}
	if s.Restore != nil {
		text += fmt.Sprintf(", %v restored", s.Restore.Done)
		if s.Restore.Left != nil {
			text += fmt.Sprintf(", %v s left", *s.Restore.Left)
		}
	}
	return text
}

type flow struct {
	name string
	run  func(r *rig) string
}

// flows are states that take time to be seen.
func flows() []flow {
	growing := func(r *rig) string {
		lag := int64(0)
		r.pass(40, 1000, func() { lag += 2317; r.behindBy(lag) })
		return r.told()
	}
	return []flow{
		{"falling behind", growing},
		{"falling behind, evenly", func(r *rig) string {
			lag := int64(0)
			r.pass(40, 1000, func() {
				lag += 400
				r.behindBy(lag)
				for i := range r.instances {
					for k := range r.instances[i].Partitions {
						r.instances[i].Partitions[k].Lag = new(lag)
					}
				}
			})
			return r.told()
		}},
		{"falling behind with a replica for each partition", func(r *rig) string {
			r.counts = map[string]int32{"user-login": 3}
			_ = r.countOnce(r.t.Context())
			r.observed.Source = sources(0, 1)
			r.instances = []model.InstanceStatus{other("engine-2", 1, 2), other("engine-3", 2, 3)}
			return growing(r)
		}},
		{"catching up", func(r *rig) string {
			lag := int64(500_000)
			r.pass(40, 10_000, func() { lag -= 9_100; r.behindBy(lag) })
			return r.told()
		}},
		{"far behind, steadily", func(r *rig) string {
			r.pass(40, 1000, func() { r.behindBy(500_000) })
			return r.told()
		}},
		{"nothing is read", func(r *rig) string {
			r.pass(10, 100)
			for i := range r.instances {
				r.instances[i].Rates = model.Rates{}
			}
			r.behindBy(1)
			r.pass(30, 0)
			return r.told()
		}},
		{"nothing comes any more", func(r *rig) string {
			r.pass(10, 100)
			for i := range r.instances {
				r.instances[i].Rates = model.Rates{}
			}
			r.pass(70, 0)
			return r.told()
		}},
	}
}

// At a start a topic is looked for before it is made: that is no reason for an alarm, until the next look, seconds later.
func TestATopicThatHasNotBeenThereIsNotGone(t *testing.T) {
	for name, answer := range map[string]func(r *rig){
		"the source": func(r *rig) { r.counts = nil },
		"the partials": func(r *rig) {
			r.countErr = &model.Error{Subject: "user-login-partials", Code: unknownTopic, Err: errors.New("Unknown Topic Or Partition (code 3)")}
		},
	} {
		r := newRig(t)
		r.there = map[string]bool{}
		answer(r)
		_ = r.countOnce(t.Context())
		if r.gone != "" {
			t.Errorf("%s: %s is gone", name, r.gone)
		}
	}
}
