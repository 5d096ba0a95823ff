package app_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/handler/view"
	"data-stream-engine/model"
)

// viewPipeline has all ways that events can go.
const viewPipeline = `
name: engine
source: {topic: in, event_time: 1700000000000 + n * 10}
filter: kind != "noise"
transform:
  set: {twice: n * 2}
output:
  - {topic: out, key: user}
aggregates:
  - name: users
    group_by: [user]
    window: {tumbling: 1s}
    measures: {n: count(), s: sum(n)}
`

// Two instances show the same group: what flows, how far it is, who has what.
func TestInstancesShowTheWholeGroup(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	r.pipeline = viewPipeline
	one := r.watching("INSTANCE_ID=one", "KAFKA_CLIENT_ID=one")
	r.eventually("a group that waits for its first event", func() bool {
		s := one.app.View().Status()
		return s.Title == "Waiting for the first event" && s.Level == model.LevelWait && s.Ready
	})
	two := r.watching("INSTANCE_ID=two", "KAFKA_CLIENT_ID=two")
	both := []*view.View{one.app.View(), two.app.View()}
	r.eventually("two replicas that share the partitions", func() bool {
		for _, v := range both {
			if s := v.Status(); s.Replicas != 2 || len(s.Instances) != 2 || !shared(v.Partitions()) {
				return false
			}
		}
		return true
	})

	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				r.feed(10)
				r.feed(2, func(e *event) { e.Kind = "noise" })
			}
		}
	}()
	for i, v := range both {
		r.eventually(fmt.Sprintf("rates at instance %d", i), func() bool {
			p := v.Rates()
			return p.In > 100 && p.Filtered > 10 && p.Forwarded > 50 && p.Lag != nil && p.P50 != nil && p.P99 != nil && *p.P50 <= *p.P99 && p.Edges["aggregate:users"] > 50 && p.Edges["output:out"] > 50
		})
		requireSums(t, v.Rates())
		r.eventually(fmt.Sprintf("watermarks, positions and groups at instance %d", i), func() bool {
			parts := v.Partitions()
			return shared(parts) && flowing(parts)
		})
	}
	close(stop)
	<-done
	r.caughtUp()

	for i, v := range both {
		r.eventually(fmt.Sprintf("the same offsets at instance %d", i), func() bool {
			read := int64(0)
			for _, p := range v.Partitions().Source {
				if p.Lag == nil || *p.Lag != 0 || p.Position == nil {
					return false
				}
				read += *p.Position
			}
			return read == int64(r.sent) && v.Status().Level == model.LevelOK
		})
	}
	points, marks := both[0].History()
	joined := false
	for _, m := range marks {
		joined = joined || m.Kind == "rebalance" && m.Text == "two joined"
	}
	if !joined || len(points) < 3 {
		t.Errorf("%d points; marks %+v", len(points), marks)
	}
	_, err := json.Marshal([]any{both[0].Status(), both[0].Pipeline(), both[0].Partitions(), points})
	must(t, err)

	one.requireDocumented()
	must(t, two.stop())
	r.eventually("one replica that has everything", func() bool {
		s, parts := both[0].Status(), both[0].Partitions()
		for _, p := range parts.Source {
			if p.Owner == nil || *p.Owner != "one" {
				return false
			}
		}
		return s.Replicas == 1 && len(parts.Source) == partitions
	})
}

// shared tells whether every partition has an owner, and each of the two some.
func shared(p view.Partitions) bool {
	has := map[string]int{}
	for _, s := range p.Source {
		if s.Owner == nil {
			return false
		}
		has[*s.Owner]++
	}
	for _, s := range p.State {
		if s.Owner == nil {
			return false
		}
		has["state of "+*s.Owner]++
	}
	return len(p.Source) == partitions && len(p.State) == partitions && has["one"] > 0 && has["two"] > 0 && has["state of one"] > 0 && has["state of two"] > 0
}

func flowing(p view.Partitions) bool {
	for _, s := range p.Source {
		if s.Rate <= 0 || s.Watermark == nil || s.End == nil || s.State != "active" {
			return false
		}
	}
	for _, s := range p.State {
		if s.Watermark == nil || s.Restored != 1 {
			return false
		}
	}
	return true
}

// requireSums holds that on every way as many come out as go in.
func requireSums(t *testing.T, p model.Point) {
	t.Helper()
	e := p.Edges
	for what, pair := range map[string][2]float64{
		"in":            {p.In, p.Forwarded + p.Filtered + p.DeadLetter},
		"source":        {p.In, e["source>filter"] + e["source>dead"]},
		"filter":        {e["source>filter"], e["filter>transform"] + e["filter>filtered"]},
		"transform":     {e["filter>transform"], p.Forwarded + e["transform>filtered"] + e["transform>dead"]},
		"filtered":      {p.Filtered, e["filter>filtered"] + e["transform>filtered"]},
		"dead letters":  {p.DeadLetter, e["source>dead"] + e["transform>dead"]},
		"one output":    {p.Forwarded, e["output:out"]},
		"the aggregate": {p.Forwarded - p.Late, e["aggregate:users"]},
	} {
		if math.Abs(pair[0]-pair[1]) > 0.1 {
			t.Errorf("%s: %v is not %v of %+v", what, pair[0], pair[1], p)
		}
	}
}

// Without a broker everything that is known stays, and it is said since when, how often it was tried, and when it is next.
func TestBrokerThatIsAwayIsShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("INSTANCE_ID=one")
	v := e.app.View()
	r.feed(100)
	r.caughtUp()
	r.eventually("health", func() bool { return v.Status().Level == model.LevelOK && v.Rates().Lag != nil })
	r.wire.every(func(kmsg.Key) deed { return deed{drop: true} })
	r.eventually("the trouble", func() bool {
		s := v.Status()
		return s.Level == model.LevelBad && !s.Ready && s.Attempts != nil && *s.Attempts > 1 && s.NextRetryAt != nil && s.LastCommit != nil && s.Title == "Broker away"
	})
	if p := v.Rates(); p.Lag != nil {
		t.Errorf("lag is said to be %d", *p.Lag)
	}
	for _, p := range v.Partitions().Source {
		if p.State != "away" || p.Lag != nil || p.Position == nil || p.Owner == nil {
			t.Errorf("%+v", p)
		}
	}
	r.wire.every(nil)
	r.eventually("health again", func() bool { return v.Status().Level == model.LevelOK && v.Rates().Lag != nil })
	_, marks := v.History()
	kinds := map[string]int{}
	for _, m := range marks {
		kinds[m.Kind]++
	}
	if kinds["broker"] != 2 {
		t.Errorf("%+v", marks)
	}
}
