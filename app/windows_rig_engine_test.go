package app_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// What the windows of these tests are made of.
const (
	partialsTopic  = groupID + "-partials"
	changelogTopic = groupID + "-changelog"
	insightsTopic  = groupID + "-insights"

	epoch      = int64(1_700_000_000_000) // the time of event 0
	step       = 10                       // milliseconds from one event to the next
	windowSize = 1000                     // milliseconds

	windowPipeline = `
name: engine
source: {topic: in, event_time: 1700000000000 + n * 10}
filter: kind != "noise"
output:
  - topic: out
    key: user
aggregates:
  - name: users
    group_by: [user]
    window: {tumbling: 1s}
    measures: {n: count(), s: sum(n)}
    max_groups: 1000
`
)

func newWindowRig(t *testing.T, opts ...kfake.Opt) *rig {
	t.Helper()
	r := newRig(t, opts...)
	r.pipeline = windowPipeline
	return r
}

// watching starts an instance that is quick to write insights and to believe that a partition is idle.
func (r *rig) watching(settings ...string) *engine {
	r.t.Helper()
	return r.start(append([]string{"KAFKA_AUTO_CREATE_TOPICS=true", "EMIT_INTERVAL=100ms", "IDLE_TIMEOUT=1s", "SHUTDOWN_TIMEOUT=2s"}, settings...)...)
}

// crash ends an instance without a word to anybody. It has a client id of its own.
func (r *rig) crash(e *engine, client string) {
	r.t.Helper()
	r.wire.cut(client)
	_ = e.stop() // it says that it could not finish
}

// insight is a record of the insights topic.
type insight struct {
	Aggregate string
	Kind      string
	Window    struct{ Start, End time.Time }
	Group     map[string]any
	Measures  map[string]json.RawMessage
	Final     bool
	Overflow  bool
	Revision  int

	key, document string
}

func (i *insight) String() string { return i.key + " " + i.document }

// insights is what the insights topic holds, by key, each in the order of writing; nil documents are tombstones.
func (r *rig) insights() map[string][]*insight {
	r.t.Helper()
	all := map[string][]*insight{}
	for _, m := range r.committed(insightsTopic) {
		i := &insight{key: string(m.Key), document: string(m.Value)}
		if m.Value != nil {
			must(r.t, json.Unmarshal(m.Value, i))
		}
		all[i.key] = append(all[i.key], i)
	}
	return all
}

// counted is what the aggregate users has to say of what was fed, a line each.
func (r *rig) counted() map[string]string {
	type total struct{ n, s int }
	all := map[string]total{}
	for user, list := range r.want {
		for _, n := range list {
			key := fmt.Sprintf("%d %s", int64(n)*step/windowSize, user)
			all[key] = total{all[key].n + 1, all[key].s + n}
		}
	}
	lines := map[string]string{}
	for key, x := range all {
		lines[key] = fmt.Sprintf("n=%d s=%d", x.n, x.s)
	}
	return lines
}

// latest is the last word on each window and user of an aggregate, as counted has it, with those that are not final.
func latest(all map[string][]*insight, aggregate string) (lines map[string]string, open int) {
	lines = map[string]string{}
	for _, list := range all {
		i := list[len(list)-1]
		if i.Aggregate != aggregate || i.Kind == "anomaly" {
			continue
		}
		if !i.Final {
			open++
		}
		key := fmt.Sprintf("%d %v", (i.Window.Start.UnixMilli()-epoch)/windowSize, i.Group["user"])
		lines[key] = fmt.Sprintf("n=%s s=%s", i.Measures["n"], i.Measures["s"])
	}
	return lines, open
}

// requireWindows waits until every window is final, and holds the insights against what was fed.
func (r *rig) requireWindows() map[string][]*insight {
	r.t.Helper()
	var all map[string][]*insight
	var why string
	want := r.counted()
	r.eventually("the finals of all windows", func() bool {
		all = r.insights()
		got, open := latest(all, "users")
		why = fmt.Sprintf("%d are open; %s", open, differences(got, want))
		return open == 0 && len(got) == len(want) && maps.Equal(got, want)
	}, &why)
	for key, list := range all {
		for n := 1; n < len(list); n++ {
			if list[n].Revision != list[n-1].Revision+1 {
				r.t.Errorf("%s: revision %d comes after %d", key, list[n].Revision, list[n-1].Revision)
			}
		}
	}
	return all
}

// requireFinalsStand holds that no final was ever followed by another one.
func (r *rig) requireFinalsStand(all map[string][]*insight) {
	r.t.Helper()
	for _, list := range all {
		for n := 1; n < len(list); n++ {
			if list[n-1].Final {
				r.t.Errorf("a final was written over:\n%s\n%s", list[n-1], list[n])
			}
		}
	}
}

// differences are the first few lines that two lists do not share.
func differences(got, want map[string]string) string {
	var found []string
	for key, line := range want {
		if got[key] != line {
			found = append(found, fmt.Sprintf("%s: %s, want %s", key, cmp.Or(got[key], "nothing"), line))
		}
	}
	for key, line := range got {
		if want[key] == "" {
			found = append(found, fmt.Sprintf("%s: %s, want nothing", key, line))
		}
	}
	slices.Sort(found)
	return fmt.Sprintf("%d differ: %s", len(found), strings.Join(found[:min(len(found), 5)], "; "))
}

// sum adds a metric over all its labels.
func (e *engine) sum(name string) (total float64) {
	e.t.Helper()
	_, body := e.get("/metrics")
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, name); ok && (rest[0] == ' ' || rest[0] == '{') {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
			must(e.t, err)
			total += value
		}
	}
	return total
}
