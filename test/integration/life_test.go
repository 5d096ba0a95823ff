package integration

import (
	"fmt"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/test/harness"
)

func TestStopFinishesAndCommitsWhatHasBegun(t *testing.T) {
	st := suite.NewStream(t)
	stop := st.FeedFor(3000)
	longSession := harness.Env{"SESSION_TIMEOUT": "30s"}
	engine := st.Start("", longSession)
	engine.AwaitReady(t, soon)
	time.Sleep(1500 * time.Millisecond)
	began := time.Now()
	engine.Signal(syscall.SIGTERM)
	if code := engine.Exit(t, 12*time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	t.Logf("stopped in %s", time.Since(began).Round(time.Millisecond))
	stop()
	engine.Says(t, time.Second, "stopped")

	// What it had begun is committed, and nothing else is there.
	committed, err := st.Client.Committed(t.Context(), st.Group, st.Source)
	if err != nil {
		t.Fatal(err)
	}
	read := func(topic string) []*kgo.Record {
		records, err := st.Client.ReadAll(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		return records
	}
	var input []*kgo.Record
	for _, r := range read(st.Source) {
		if r.Offset < committed[r.Partition] {
			input = append(input, r)
		}
	}
	report := harness.Compare(harness.Records{Input: input, Output: read(st.Output), DeadLetters: read(st.DeadLetters), Partitions: st.OutputPartitions})
	if err := report.Err(); err != nil || report.Input < 1000 {
		t.Errorf("what was committed at the end: %s: %v", report, err)
	}
	// It has left the group: the next one need not wait for the session's end.
	began = time.Now()
	next := st.Start("", longSession)
	next.AwaitReady(t, soon)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the next instance was ready after %s: the first one did not leave", took)
	}
	st.Finish(soon)
}

// The broker is there and answers nothing, so that whatever a stop has to finish takes for ever.
func TestStopIsBoundedWhenTheBrokerHangs(t *testing.T) {
	st := suite.NewStream(t)
	stop := st.FeedFor(1000)
	impatient, patient := st.Start("", harness.Env{"SHUTDOWN_TIMEOUT": "60s"}), st.Start("", harness.Env{"SHUTDOWN_TIMEOUT": "3s"})
	impatient.AwaitReady(t, soon)
	patient.AwaitReady(t, soon)
	time.Sleep(time.Second)
	if err := suite.Cluster.Pause(1); err != nil {
		t.Fatal(err)
	}
	resumed := false
	resume := func() {
		if !resumed {
			resumed = true
			if err := suite.Cluster.Resume(1); err != nil {
				t.Error(err)
			}
		}
	}
	defer resume()
	began := time.Now()
	impatient.Signal(syscall.SIGTERM)
	patient.Signal(syscall.SIGTERM)
	select {
	case <-patient.Done():
		// What it could not commit is processed again: nothing is lost, and nobody has to be told of a failure.
		if fate := patient.Fate(); fate != "exit 0" {
			t.Errorf("with SHUTDOWN_TIMEOUT=3s: %s after %s", fate, time.Since(began).Round(time.Millisecond))
		}
	case <-time.After(4 * time.Second):
		t.Error("it still runs 4 s after SIGTERM, with SHUTDOWN_TIMEOUT=3s and no broker")
	}
	if fate := impatient.Fate(); fate != "running" {
		t.Fatalf("it had nothing to wait for: %s", fate)
	}
	impatient.Signal(syscall.SIGTERM)
	select {
	case <-impatient.Done():
	case <-time.After(2 * time.Second):
		t.Error("a second SIGTERM did not end it at once")
	}
	resume()
	stop()
	st.Start("", nil)
	st.Finish(late)
}

func TestOffsetsContinueAfterRestart(t *testing.T) {
	st := suite.NewStream(t)
	for round := range 3 {
		engine := st.Start("one", nil)
		engine.AwaitReady(t, soon)
		st.Feed(400)
		st.AwaitDone(soon)
		if round == 1 {
			engine.Kill()
		} else {
			engine.Stop(t)
		}
		st.Feed(100) // while nobody is there
	}
	last := st.Start("one", nil)
	st.Finish(soon)
	harness.Until(t, soon, "only what was new is processed", func(_ ctx) error {
		if sum := last.Events(t, "forwarded") + last.Events(t, "filtered") + last.Events(t, "dead_letter"); sum != 100 {
			return fmt.Errorf("%g events after the last restart, not 100", sum)
		}
		return nil
	})
}

// A group that begins at the end has its position from then on, whether or not an event came.
func TestLatestHoldsFromTheFirstStart(t *testing.T) {
	st := suite.NewStream(t)
	st.Feed(300)
	env := harness.Env{"KAFKA_AUTO_OFFSET_RESET": "latest"}
	engine := st.Start("one", env)
	engine.AwaitReady(t, soon)
	engine.Stop(t)
	st.Feed(200)
	engine = st.Start("one", env)
	st.AwaitDone(soon)
	harness.Until(t, soon, "exactly what came after the first start is processed", func(_ ctx) error {
		if sum := engine.Events(t, "forwarded") + engine.Events(t, "filtered") + engine.Events(t, "dead_letter"); sum != 200 {
			return fmt.Errorf("%g events, not 200", sum)
		}
		return nil
	})
}

func TestBrokerRestartsWhileRunning(t *testing.T) {
	st := suite.NewStream(t)
	stop := st.FeedFor(700)
	a, b := st.Start("a", nil), st.Start("", nil)
	a.AwaitReady(t, soon)
	b.AwaitReady(t, soon)
	for _, end := range []func(int) error{suite.Cluster.Down, suite.Cluster.Kill} {
		time.Sleep(time.Second)
		if err := end(1); err != nil {
			t.Fatal(err)
		}
		a.AwaitUnready(t, soon, "broker")
		if err := suite.Cluster.Up(1); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		a.AwaitReady(t, late)
		b.AwaitReady(t, late)
		t.Logf("ready %s after the broker", time.Since(began).Round(time.Millisecond))
	}
	time.Sleep(time.Second)
	stop()
	st.Finish(late)
	for _, i := range []*harness.Instance{a, b} {
		if i.Fate() != "running" {
			t.Errorf("%s: %s", i.Name, i.Fate())
		}
	}
}

// Requests get no answer for longer than they wait for one, and their late effects must not count twice.
func TestBrokerHangsAndComesBack(t *testing.T) {
	st := suite.NewStream(t)
	stop := st.FeedFor(700)
	a, b := st.Start("a", nil), st.Start("", nil)
	a.AwaitReady(t, soon)
	b.AwaitReady(t, soon)
	for _, pause := range []time.Duration{2 * time.Second, 13 * time.Second} {
		time.Sleep(700 * time.Millisecond)
		if err := suite.Cluster.Pause(1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pause)
		if err := suite.Cluster.Resume(1); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second)
	a.AwaitReady(t, late)
	b.AwaitReady(t, late)
	stop()
	st.Finish(late)
}

func TestUnreachableBrokerAtTheStart(t *testing.T) {
	st := suite.NewStream(t)
	st.Feed(300)
	if err := suite.Cluster.Down(1); err != nil {
		t.Fatal(err)
	}
	engine := st.Start("one", nil)
	engine.AwaitUnready(t, soon, suite.Cluster.Bootstrap[0])
	engine.Says(t, soon, `"warn"`, suite.Cluster.Bootstrap[0])
	if status, body, err := engine.Get(t.Context(), "/livez"); err != nil || status != http.StatusOK {
		t.Errorf("/livez answers %d %s %v while it waits for a broker", status, body, err)
	}
	time.Sleep(2 * time.Second)
	if engine.Fate() != "running" {
		t.Errorf("it did not wait: %s", engine.Fate())
	}
	if err := suite.Cluster.Up(1); err != nil {
		t.Fatal(err)
	}
	engine.AwaitReady(t, late)
	st.Finish(late)
}

// Something takes the connection and never says a word: a firewall, or a broker that hangs.
func TestBrokerThatNeverAnswersIsNamed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	st := suite.NewStream(t, harness.NoTopics())
	engine := st.Start("one", harness.Env{"KAFKA_BOOTSTRAP_SERVERS": listener.Addr().String()})
	engine.AwaitUnready(t, soon, listener.Addr().String())
	engine.Says(t, soon, `"warn"`, listener.Addr().String())
	engine.Stop(t)
}

// SIGTERM while it waits for a broker.
func TestStopWhileWaitingForABroker(t *testing.T) {
	st := suite.NewStream(t, harness.NoTopics())
	engine := st.Start("one", harness.Env{"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
	engine.AwaitUnready(t, soon, "127.0.0.1:1")
	began := time.Now()
	engine.Stop(t)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s to stop with nothing to finish", took)
	}
}
