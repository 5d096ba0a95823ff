package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"data-stream-engine/test/harness"
)

// What a window holds is a function of the source log: not of the engines that died or stood still, of the brokers that
// were restarted, of the partitions that came later, or of the pipeline file that one engine had before the others.
func TestCrashesChangeNoWindow(t *testing.T) {
	t.Logf("CHAOS_SEED=%d", wanted.seed)
	began := time.Now()
	w := newWindows(t)
	stop := w.stream.FeedTraffic(w.traffic, w.plan.rate)
	w.progress(time.Minute)
	w.rampage()
	w.wait()
	w.other.wait()
	sent := stop()
	loaded := time.Since(began)

	w.stream.SendTraffic(w.traffic.Closing(time.Now().Add(time.Minute))...)
	w.closing = time.Now()
	w.stream.AwaitDone(3 * time.Minute)
	w.other.stream.AwaitDone(3 * time.Minute)
	drained := time.Since(began) - loaded
	results := []result{
		w.judge("first group", w.chaos, harness.Hearing{Aggregates: harness.ChangedTrafficAggregates(w.since), Young: []int32{6, 7}}),
		w.judge("second group", w.other, harness.Hearing{Aggregates: harness.ChangedTrafficAggregates(nil)}),
	}
	w.report(results, sent, loaded, drained)
	w.complete()
}

// windows is a run with two groups on one source topic.
type windows struct {
	*chaos
	other   *chaos
	plan    plan
	traffic *harness.Traffic
	changed string          // the pipeline file that comes later
	since   harness.Offsets // where it begins to count for everybody
	closing time.Time       // when all windows could close
	pauses  int
}

func newWindows(t *testing.T) *windows {
	t.Helper()
	dir, err := os.MkdirTemp("", "stream-engine-chaos-") //nolint:usetesting // a failure leaves the logs behind
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("CHAOS_SEED=%d; the logs of the engines are in %s", wanted.seed, dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	st := suite.NewStream(t, harness.Partitions(6, 5))
	st.Aggregated(harness.TrafficPipeline, nil)
	random := rand.New(rand.NewPCG(wanted.seed, 4))
	w := &windows{
		chaos: &chaos{t: t, stream: st, dir: dir, random: random}, plan: wanted.windows(),
		traffic: harness.NewTraffic(wanted.seed, 6, time.Now), changed: st.PipelineFile(harness.ChangedTrafficPipeline()),
	}
	t.Cleanup(w.killAll)
	w.slots = []*slot{
		{name: "static-0", id: "static-0", env: longTransactions}, {name: "static-1", id: "static-1", env: harness.Env{"EMIT_INTERVAL": "300ms"}},
		{name: "dynamic", env: longTransactions},
	}
	for _, s := range w.slots {
		w.start(s)
	}
	beside := st.Beside("second")
	beside.Env["PIPELINE_FILE"] = w.changed
	w.other = &chaos{t: t, stream: beside, dir: dir, random: random}
	t.Cleanup(w.other.killAll)
	return w
}

// windows is a plan that takes about two minutes when nothing else is asked for.
func (p plan) windows() plan {
	p.kills, p.zombies, p.visits = (2*p.kills+4)/5, (p.zombies+1)/2, (p.visits+4)/5
	p.brokerKills, p.brokerStops, p.rate = (p.brokerKills+2)/3, (p.brokerStops+2)/3, (p.rate+1)/2
	return p
}

// rampage does everything that is planned, in an order that the seed decides, and in between what changes for all.
func (w *windows) rampage() {
	var acts []func()
	for range w.plan.kills {
		acts = append(acts, w.kill)
	}
	for range w.plan.zombies {
		acts = append(acts, w.zombie)
	}
	for range w.plan.visits {
		acts = append(acts, w.visit)
	}
	for range w.plan.brokerKills {
		acts = append(acts, func() { w.restartBroker(suite.Cluster.Kill, &w.brokerKills) }, w.pauseBroker)
	}
	for range w.plan.brokerStops {
		acts = append(acts, func() { w.restartBroker(suite.Cluster.Down, &w.brokerStops) })
	}
	w.random.Shuffle(len(acts), func(i, j int) { acts[i], acts[j] = acts[j], acts[i] })
	quarter := (len(acts) + 3) / 4
	parts := slices.Collect(slices.Chunk(acts, max(quarter, 1)))
	for i, between := range []func(){func() {}, w.grow, w.mix, w.change} {
		between()
		w.sleep(1000, 3000)
		if i >= len(parts) {
			continue
		}
		for _, act := range parts[i] {
			if w.sleep(0, 1000); w.t.Failed() {
				return
			}
			act()
		}
		if i >= 2 {
			w.other.kill()
		}
	}
	w.sleep(2000, 4000)
}

// grow adds source partitions. The second group begins then, at the beginning of the topic.
func (w *windows) grow() {
	w.stream.Grow(8)
	w.traffic.Spread(8)
	w.other.slots = []*slot{{name: "second", id: "second-0", env: harness.Env{"EMIT_INTERVAL": "300ms"}}}
	w.other.start(w.other.slots[0])
}

// mix gives one engine the changed pipeline file, beside others with the old one.
func (w *windows) mix() { w.give(w.free()) }

// change gives it to all. From then on nobody counts by the old one: those who stood still with it have ended.
func (w *windows) change() {
	w.wait()
	for _, s := range w.slots {
		w.give(s)
	}
	w.stream.Env["PIPELINE_FILE"] = w.changed // of visitors
	w.since = w.stream.Ends()
}

func (w *windows) give(s *slot) {
	if s.env["PIPELINE_FILE"] == w.changed {
		return
	}
	s.AwaitReady(w.t, time.Minute) // before that, SIGTERM might find no one who listens
	s.Stop(w.t)
	s.env = s.env.With(harness.Env{"PIPELINE_FILE": w.changed})
	w.start(s)
}

func (w *windows) pauseBroker() {
	node := 1 + w.random.IntN(suite.Cluster.Brokers())
	w.progress(time.Minute)
	if err := suite.Cluster.Pause(node); err != nil {
		w.t.Fatal(err)
	}
	w.pauses++
	w.sleep(500, 4000)
	if err := suite.Cluster.Resume(node); err != nil {
		w.t.Fatal(err)
	}
}

// result is what became of one group.
type result struct {
	name    string
	stream  *harness.Stream
	verdict *harness.Verdict
	report  *harness.Report
}

// judge waits until all windows are closed, stops the engines, and checks everything that they wrote.
func (w *windows) judge(name string, c *chaos, h harness.Hearing) result {
	w.t.Helper()
	h.Judge.Refuse = harness.RefusedByTraffic
	replay := c.stream.Replay(h)
	if _, err := c.stream.AwaitWindows(h, replay, 2*time.Minute); err != nil {
		w.t.Errorf("%s: %v", name, err)
	}
	r := result{name: name, stream: c.stream}
	for _, s := range c.slots {
		s.AwaitReady(w.t, time.Minute)
		s.Stop(w.t)
	}
	var err error
	if r.verdict, err = c.stream.AwaitWindows(h, replay, 0); err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	if r.report, err = c.stream.CompareLate(h, replay); err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	for _, err := range []error{r.verdict.Err(), r.report.Err()} {
		if err != nil {
			w.t.Errorf("%s: %v", name, err)
		}
	}
	if v := r.verdict; v.Right < 100 || v.Sessions < 20 || v.Late < 20 {
		w.t.Errorf("%s: there was little to get wrong: %s", name, v)
	}
	return r
}

func (w *windows) report(results []result, sent int, loaded, drained time.Duration) {
	rows := []row{
		{"target", fmt.Sprintf("%s, %d broker(s)", suite.Target, suite.Cluster.Brokers())},
		{"seed", wanted.seed},
		{"kill -9 of an engine", fmt.Sprintf("%d, %d of them before its first commit; %d in the second group", w.kills, w.early, w.other.kills)},
		{"SIGSTOP beyond the session", fmt.Sprintf("%d, %d of them replaced meanwhile", w.zombies, w.replaced)},
		{"kill -9, SIGTERM, SIGSTOP of a broker", fmt.Sprintf("%d, %d, %d", w.brokerKills, w.brokerStops, w.pauses)},
		{"engines that came and left", w.visits},
		{"engine processes", len(w.all) + len(w.other.all)},
		{"events sent", fmt.Sprintf("%d in %s under load, %s to drain", sent, loaded.Round(time.Second), drained.Round(100*time.Millisecond))},
		{"of them", w.traffic.Kinds()},
		{"left hanging by the broker", fmt.Sprintf("%d transactions, ended as their coordinator had decided", suite.Cluster.Mended())},
	}
	for _, r := range results {
		v := r.verdict
		length := func(topic string) int64 { return r.stream.Client.Length(w.t.Context(), r.stream.Group+topic) }
		rows = append(rows,
			row{"", ""}, row{r.name, ""},
			row{"windows, sessions", fmt.Sprintf("%d, %d; the last insight was written after %s", v.Windows, v.Sessions, v.Last.Sub(w.closing).Round(100*time.Millisecond))},
			row{"late events", v.Late},
			row{"partials, changelog, insights", fmt.Sprintf("%d, %d, %d records with markers", length("-partials"), length("-changelog"), length("-insights"))},
			row{"right", v.Right},
			row{"missing, not final, wrong, extra", fmt.Sprintf("%d, %d, %d, %d", v.Missing.Count, v.Open.Count, v.Wrong.Count, v.Extra.Count)},
			row{"finals that changed", fmt.Sprintf("%d, and %d for new partitions; %d written again", v.Changed.Count, v.Revised, v.Repeated)},
			row{"odd records", v.Odd.Count},
			row{"windows of two pipeline files", v.Unsure},
			row{"forwarded and dead letters", r.report},
		)
	}
	table(w.t, rows)
}

func (w *windows) complete() {
	p := w.plan
	if w.kills < p.kills || w.zombies < p.zombies || w.visits < p.visits || w.brokerKills < p.brokerKills || w.brokerStops < p.brokerStops || w.since == nil {
		w.t.Errorf("not everything that was planned has happened")
	}
}
