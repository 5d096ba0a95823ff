package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"data-stream-engine/test/harness"
)

func TestCrashesLoseDoubleAndReorderNothing(t *testing.T) {
	t.Logf("CHAOS_SEED=%d", wanted.seed)
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
	began := time.Now()
	st := suite.NewStream(t, harness.Partitions(6, 5))
	st.Logins.Users = 200
	c := &chaos{t: t, stream: st, dir: dir, random: rand.New(rand.NewPCG(wanted.seed, 2))}
	t.Cleanup(c.killAll)
	c.slots = []*slot{
		{name: "static-0", id: "static-0", env: longTransactions}, {name: "static-1", id: "static-1"}, {name: "dynamic", env: longTransactions},
	}
	for _, s := range c.slots {
		c.start(s)
	}
	stop := st.FeedFor(wanted.rate)
	c.progress(time.Minute)
	c.rampage()
	c.wait()
	sent := stop()
	loaded := time.Since(began)
	st.AwaitDone(3 * time.Minute)
	drained := time.Since(began) - loaded
	for _, s := range c.slots {
		s.Stop(t)
	}
	report := st.Check()
	commits, aborts, err := st.Client.Markers(t.Context(), st.Output)
	if err != nil {
		t.Fatal(err)
	}
	c.table(report, sent, loaded, drained, commits, aborts)
	if c.kills < wanted.kills || c.brokerKills < wanted.brokerKills || c.zombies < wanted.zombies {
		t.Errorf("only %d of %d kills, %d of %d broker kills, %d of %d zombies", c.kills, wanted.kills, c.brokerKills, wanted.brokerKills, c.zombies, wanted.zombies)
	}
	if report.Forwarded == 0 || report.DeadLetters == 0 {
		t.Errorf("there was nothing to lose: %s", report)
	}
}

// longTransactions are open nearly all the time, so that a crash at any moment is one in the middle of a transaction.
// With the defaults one would be open for ten milliseconds of a hundred.
var longTransactions = harness.Env{"COMMIT_INTERVAL": "1s", "KAFKA_FETCH_MAX_BYTES": "64KiB"}

// chaos is a run under way.
type chaos struct {
	t      *testing.T
	stream *harness.Stream
	dir    string
	random *rand.Rand
	slots  []*slot
	starts int

	all         []*harness.Instance
	background  []chan struct{}
	kills       int // of a running engine
	early       int // of them before it had processed anything
	zombies     int // that stood still for longer than their session
	replaced    int // of them while a new process had their INSTANCE_ID
	brokerKills int
	brokerStops int
	visits      int
}

// slot is the place of one engine, which is started again after each crash.
type slot struct {
	*harness.Instance
	name, id string
	env      harness.Env
	busy     bool // it stands still at the moment
}

func (c *chaos) start(s *slot) {
	c.t.Helper()
	c.starts++
	i, err := suite.Spawn(c.dir, fmt.Sprintf("%02d-%s", c.starts, s.name), c.stream.Env.With(harness.Env{"INSTANCE_ID": s.id}).With(s.env))
	if err != nil {
		c.t.Fatal(err)
	}
	s.Instance = i
	c.all = append(c.all, i)
}

func (c *chaos) killAll() {
	for _, i := range c.all {
		i.Kill()
		if crash := i.Crash(); crash != "" {
			c.t.Errorf("%s crashed:\n%s", i.Name, crash)
		}
	}
}

// rampage does everything that is planned, in an order that the seed decides.
func (c *chaos) rampage() {
	var acts []func()
	for range wanted.kills {
		acts = append(acts, c.kill)
	}
	for range wanted.zombies {
		acts = append(acts, c.zombie)
	}
	for range wanted.brokerKills {
		acts = append(acts, func() { c.restartBroker(suite.Cluster.Kill, &c.brokerKills) })
	}
	for range wanted.brokerStops {
		acts = append(acts, func() { c.restartBroker(suite.Cluster.Down, &c.brokerStops) })
	}
	for range wanted.visits {
		acts = append(acts, c.visit)
	}
	c.random.Shuffle(len(acts), func(i, j int) { acts[i], acts[j] = acts[j], acts[i] })
	for _, act := range acts {
		c.sleep(0, 1000)
		act()
		if c.t.Failed() {
			return
		}
	}
}

// kill crashes an engine: mostly one that works, now and then one that has just begun.
func (c *chaos) kill() {
	s := c.free()
	if c.random.IntN(4) > 0 {
		c.working(s)
	}
	if !c.hasWorked(s) {
		c.early++
	}
	if fate := s.Fate(); fate != "running" {
		c.t.Errorf("%s ended by itself: %s\n%s", s.Name, fate, s.Tail(30))
		return
	}
	s.Kill()
	c.kills++
	if c.random.IntN(2) == 0 {
		c.sleep(0, 1000)
	}
	c.start(s)
}

// zombie stops an engine for longer than its session, beside everything else. A static member may meet a new process
// with its INSTANCE_ID when it wakes up.
func (c *chaos) zombie() {
	s := c.free()
	c.working(s)
	old, replace := s.Instance, s.id != "" && c.random.IntN(2) == 0
	old.Pause()
	c.zombies++
	pause := time.Duration(7000+c.random.IntN(4000)) * time.Millisecond
	done := make(chan struct{})
	c.background = append(c.background, done)
	if replace {
		c.replaced++
		c.sleep(0, 500)
		c.start(s)
	} else {
		s.busy = true
	}
	go func() {
		defer close(done)
		time.Sleep(pause)
		old.Resume()
		if replace { // both go on for a while
			time.Sleep(3 * time.Second)
			old.Kill()
		}
	}()
	if !replace { // the others are crashed meanwhile
		c.release(s, done)
	}
}

// release makes a slot a victim again once it is awake.
func (c *chaos) release(s *slot, done chan struct{}) {
	c.sleep(0, 2000)
	if c.awake() > 1 {
		c.kill()
	}
	<-done
	s.busy = false
}

// visit is one more engine that joins, works, and leaves as it should: partitions move while everybody is well.
func (c *chaos) visit() {
	visitor := &slot{name: "visitor"}
	c.start(visitor)
	c.working(visitor)
	c.sleep(0, 1000)
	visitor.Stop(c.t)
	c.visits++
}

func (c *chaos) restartBroker(end func(int) error, count *int) {
	node := 1 + c.random.IntN(suite.Cluster.Brokers())
	c.progress(time.Minute)
	c.sleep(0, 300)
	if err := end(node); err != nil {
		c.t.Fatal(err)
	}
	*count++
	if c.random.IntN(2) == 0 {
		c.sleep(0, 2000)
	}
	if err := suite.Cluster.Up(node); err != nil {
		c.t.Fatal(err)
	}
}

// free chooses a victim that does not stand still.
func (c *chaos) free() *slot {
	for {
		if s := c.slots[c.random.IntN(len(c.slots))]; !s.busy {
			return s
		}
	}
}

func (c *chaos) awake() (n int) {
	for _, s := range c.slots {
		if !s.busy {
			n++
		}
	}
	return n
}

// working waits until the engine has processed something since its start, but not for ever: it may have no partition.
func (c *chaos) working(s *slot) {
	began := time.Now()
	for time.Since(began) < 20*time.Second && !c.hasWorked(s) {
		time.Sleep(50 * time.Millisecond)
	}
	c.sleep(0, 300)
}

func (c *chaos) hasWorked(s *slot) bool {
	return strings.Contains(s.Log(), "first events are in the output topic")
}

// progress waits until the group commits more than it has.
func (c *chaos) progress(timeout time.Duration) {
	c.t.Helper()
	first := int64(-1)
	harness.Until(c.t, timeout, "work goes on", func(ctx context.Context) error {
		committed, err := c.stream.Client.Committed(ctx, c.stream.Group, c.stream.Source)
		if err != nil {
			return err
		}
		sum := int64(0)
		for _, offset := range committed {
			sum += offset
		}
		if first < 0 {
			first = sum
		}
		if sum <= first {
			return errors.New("nothing was committed")
		}
		return nil
	})
}

func (c *chaos) wait() {
	for _, done := range c.background {
		<-done
	}
}

func (c *chaos) sleep(from, to int) {
	time.Sleep(time.Duration(from+c.random.IntN(to-from)) * time.Millisecond)
}

func (c *chaos) table(report *harness.Report, sent int, loaded, drained time.Duration, commits, aborts int) {
	logs, _ := filepath.Glob(filepath.Join(c.dir, "*.log"))
	table(c.t, []row{
		{"target", fmt.Sprintf("%s, %d broker(s)", suite.Target, suite.Cluster.Brokers())},
		{"seed", wanted.seed},
		{"kill -9 of an engine", fmt.Sprintf("%d, %d of them before its first commit", c.kills, c.early)},
		{"SIGSTOP beyond the session", fmt.Sprintf("%d, %d of them replaced meanwhile", c.zombies, c.replaced)},
		{"kill -9 of a broker", c.brokerKills},
		{"SIGTERM of a broker", c.brokerStops},
		{"engines that came and left", c.visits},
		{"engine processes", len(logs)},
		{"events sent", fmt.Sprintf("%d in %s under load, %s to drain", sent, loaded.Round(time.Second), drained.Round(100*time.Millisecond))},
		{"markers in the output", fmt.Sprintf("%d commits, %d aborts", commits, aborts)},
		{"left hanging by the broker", fmt.Sprintf("%d transactions, ended as their coordinator had decided", suite.Cluster.Mended())},
		{"forwarded", report.Forwarded},
		{"filtered", report.Filtered},
		{"dead letters", report.DeadLetters},
		{"lost", report.Lost.Count},
		{"duplicated", report.Duplicated.Count},
		{"out of order", report.Reordered.Count},
		{"wrong or unknown", report.Wrong.Count + report.Unknown.Count},
	})
}

// row is one line of a table of what happened.
type row struct {
	what  string
	value any
}

func table(t *testing.T, rows []row) {
	t.Helper()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%v\n", r.what, r.value)
	}
	_ = w.Flush()
	t.Log("\n" + b.String())
}
