package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const oneMore = `
  - name: all
    window: {tumbling: 1s}
    measures: {n: count(), s: sum(n)}
`

// What windows hold in memory stays there: nothing is restored, and each window has what came before the reload and after.
func TestReloadInTheMiddleOfWindowsKeepsWhatTheyHold(t *testing.T) {
	t.Parallel()
	r := newWindowRig(t)
	const patient = "IDLE_TIMEOUT=10s" // or a slow machine makes partitions idle, and finals are revised
	one, two := r.watching(patient), r.watching(patient)
	r.eventually("both at work", func() bool { return one.ready() && two.ready() && len(one.partitions()) < partitions })
	r.feed(150)
	r.exactlyOnce()
	r.eventually("open windows", func() bool { return one.sum("stream_engine_windows_open")+two.sum("stream_engine_windows_open") > 0 })
	restored := one.sum("stream_engine_restore_seconds_count") + two.sum("stream_engine_restore_seconds_count")
	joins := len(asked[*kmsg.JoinGroupRequest](r))
	for n, change := range []string{"", oneMore, strings.Replace(oneMore, "sum(n)", "max(n)", 1), ""} {
		for _, e := range []*engine{one, two} { // for a while one has the new file and the other one the old
			e.rewrite(windowPipeline + change + fmt.Sprintf("# %d\n", n))
			e.reload()
			r.feed(30)
			time.Sleep(50 * time.Millisecond)
		}
	}
	r.exactlyOnce()
	r.requireFinalsStand(r.requireWindows())
	if now := one.sum("stream_engine_restore_seconds_count") + two.sum("stream_engine_restore_seconds_count"); now != restored {
		t.Errorf("%v partitions were restored", now-restored)
	}
	if now := len(asked[*kmsg.JoinGroupRequest](r)); now != joins {
		t.Errorf("the group was joined again %d times", now-joins)
	}
	for _, e := range []*engine{one, two} {
		if n := e.sum("stream_engine_partials_overlap_total"); n > 0 {
			t.Errorf("%v events were read twice", n)
		}
	}
	if _, known := latest(r.insights(), "all"); known != 0 {
		t.Errorf("%d windows of the aggregate that is none any more are open", known)
	}
	if total := 0; true {
		lines, _ := latest(r.insights(), "all")
		for _, line := range lines {
			var n, s int
			_, _ = fmt.Sscanf(line, "n=%d s=%d", &n, &s)
			total += n
		}
		if total == 0 || total >= 390 {
			t.Errorf("the aggregate that came and went counted %d events", total)
		}
	}
}

// The first aggregates need partitions of a topic that nobody had: the group is joined again.
func TestReloadBeginsAndEndsAggregates(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	settings := []string{"KAFKA_AUTO_CREATE_TOPICS=true", "EMIT_INTERVAL=100ms", "IDLE_TIMEOUT=1s"}
	one, two := r.start(settings...), r.start(settings...)
	r.eventually("both at work", func() bool { return one.ready() && two.ready() && len(one.partitions()) < partitions })
	r.feed(100) // one window, which nobody counts
	r.exactlyOnce()
	r.mu.Lock()
	before := r.want
	r.want = map[string][]int{}
	r.mu.Unlock()
	for _, e := range []*engine{one, two} {
		e.rewrite(windowPipeline)
		if done := e.reload(); len(done.Changed) != 2 || done.Changed[1].What != "aggregates.users" {
			t.Errorf("changed: %+v", done.Changed)
		}
	}
	r.feed(200)
	r.caughtUp()
	r.requireWindows()
	r.eventually("both merge", func() bool {
		return one.sum("stream_engine_partials_total") > 0 && two.sum("stream_engine_partials_total") > 0
	})
	for _, e := range []*engine{one, two} {
		r.eventually("a recorder that has found the new topic", e.hasInsights)
	}
	written := len(r.committed(insightsTopic))
	for _, e := range []*engine{one, two} {
		e.rewrite(plainPipeline)
		e.reload()
	}
	r.mu.Lock()
	for user, list := range before {
		r.want[user] = append(list, r.want[user]...)
	}
	r.mu.Unlock()
	r.feed(100)
	r.exactlyOnce()
	r.eventually("readiness", func() bool { return one.ready() && two.ready() })
	if now := len(r.committed(insightsTopic)); now != written {
		t.Errorf("%d insights were written without aggregates", now-written)
	}
	for _, e := range []*engine{one, two} {
		r.requireNothingOfWindows(e)
	}
}

// requireNothingOfWindows holds that an instance tells nothing of windows as if there were some. What was recorded stays.
func (r *rig) requireNothingOfWindows(e *engine) {
	r.t.Helper()
	for _, name := range []string{"windows_open", "groups", "window_watermark_seconds", "window_state_bytes", "source_idle"} {
		if _, body := e.get("/metrics"); strings.Contains(body, "\nstream_engine_"+name+"{") {
			r.t.Errorf("stream_engine_%s is still told", name)
		}
	}
	r.eventually("a view without windows", func() bool {
		v := e.app.View()
		return len(v.Partitions().State) == 0 && v.Status().Restore == nil
	})
	r.eventually("a recorder that goes on with the dead letters", func() bool {
		s := e.app.View().Status().Storage
		return s != nil && s.OK && s.Behind != nil && *s.Behind == 0
	})
	if !e.hasInsights() {
		r.t.Error("what was recorded is not told any more")
	}
}

// hasInsights tells whether the API has some of the aggregate.
func (e *engine) hasInsights() bool {
	status, body := e.get("/api/v1/insights?aggregate=users")
	return status == http.StatusOK && strings.Contains(body, `"aggregate":"users"`)
}
