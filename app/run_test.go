package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
	"data-stream-engine/service/generator"
	"data-stream-engine/utils"
)

func TestFirstMinute(t *testing.T) {
	p := newPlace(t)
	p.settings["GENERATOR_RATE"] = "500"
	a, stop := p.start(t)
	p.eventually(t, "events in the output topic", func() bool { return a.metrics.Totals().Forwarded > 100 })
	if !ready(t, a) {
		t.Error("events flow and it is not ready")
	}
	if status, body := fetch(t, a.Addr(), "/livez"); status != http.StatusOK {
		t.Errorf("livez: %d %s", status, body)
	}
	if _, body := fetch(t, a.Addr(), "/metrics"); !has(body, `kafka_consumergroup_lag{consumergroup="user-login",partition="2",topic="user-login"}`) {
		t.Error("no lag of partition 2 in the metrics")
	}
	if got := len(records(t, a.Brokers(), "user-login-processed")); got < 100 {
		t.Errorf("%d records in the output topic", got)
	}
	stop()
	for _, line := range []string{"started", "NOT for production", "kcat -b " + a.Brokers()[0], "created topic", "generating user logins", "joined", "first events are in the output topic", "stopped"} {
		if !strings.Contains(p.err.String(), line) {
			t.Errorf("the log does not say %q:\n%s", line, p.err)
		}
	}
}

// Every generated event is found exactly once where its kind belongs, across a stop and a start.
func TestRestartContinuesWhereItStopped(t *testing.T) {
	const count = 20_000
	p := newPlace(t)
	if code := p.main(t, "generate", "--count", "20000", "--seed", "11", "--start", "2026-01-02T03:04:05Z"); code != 0 {
		t.Fatalf("generate: exit code %d: %s", code, p.err)
	}
	p.settings["COMMIT_MAX_RECORDS"] = "500"
	a, stop := p.start(t)
	p.eventually(t, "first events", func() bool { return a.metrics.Totals().Consumed > 0 })
	stop()
	first := a.metrics.Totals()
	a, _ = p.start(t)
	p.eventually(t, "the rest of the events", func() bool { return first.Consumed+a.metrics.Totals().Consumed >= count })

	events := generator.Default()
	events.Seed, events.Step = 11, time.Millisecond
	events.Start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	g, logins, broken := generator.New(events), 0, 0
	for range count {
		switch e := g.Next(nil); {
		case e.Kind == generator.Login:
			logins++
		case e.Kind.Broken():
			broken++
		}
	}
	if got := len(records(t, a.Brokers(), "user-login-processed")); got != logins {
		t.Errorf("%d records in the output topic, %d logins were generated", got, logins)
	}
	if got := len(records(t, a.Brokers(), "user-login-dead-letter")); got != broken {
		t.Errorf("%d dead letters, %d broken events were generated", got, broken)
	}
	if got := first.Consumed + a.metrics.Totals().Consumed; got != count {
		t.Errorf("%d events consumed, want %d", got, count)
	}
}

func TestGenerateFeedsTheEmbeddedBrokerThatRuns(t *testing.T) {
	p := newPlace(t)
	a, _ := p.start(t)
	p.eventually(t, "readiness", func() bool { return ready(t, a) })
	if code := p.main(t, "generate", "--count", "300", "--rate", "3000"); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.err)
	}
	p.eventually(t, "300 events", func() bool { return a.metrics.Totals().Consumed == 300 })
}

func TestStartThatIsNoTimeIsRefused(t *testing.T) {
	p := newPlace(t)
	if code := p.main(t, "generate", "--start", "yesterday"); code != exitMisconfigured || !has(p.err.String(), "--start") {
		t.Errorf("exit code %d: %s", code, p.err)
	}
}

func TestUnreachableBrokerIsWaitedForAndNamed(t *testing.T) {
	p := newPlace(t)
	p.settings["KAFKA_BOOTSTRAP_SERVERS"], p.settings["HASH_KEY"] = closedPort(t), "0123456789abcdef"
	a, stop := p.start(t)
	p.eventually(t, "a reason that names the broker", func() bool {
		status, body := fetch(t, a.Addr(), "/readyz")
		return status == http.StatusServiceUnavailable && has(body, p.settings["KAFKA_BOOTSTRAP_SERVERS"], `"topics"`)
	})
	if status, body := fetch(t, a.Addr(), "/livez"); status != http.StatusOK {
		t.Errorf("livez: %d %s", status, body)
	}
	begin := time.Now()
	stop()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the stop took %s", took)
	}
}

// closedPort is an address on which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestMissingTopicIsNamedWithTheSettingThatCreatesIt(t *testing.T) {
	p := newPlace(t)
	p.settings["KAFKA_AUTO_CREATE_TOPICS"] = "false"
	if code := p.main(t); code != exitMisconfigured {
		t.Errorf("exit code %d", code)
	}
	if !has(p.err.String(), "user-login", "does not exist", "KAFKA_AUTO_CREATE_TOPICS") {
		t.Errorf("output:\n%s", p.err)
	}
}

func TestBrokenPipelineFileTouchesNothing(t *testing.T) {
	p := newPlace(t)
	p.write(t, "pipeline.yaml", "name: x\nsource: {topic: in}\nfilter: user_id ==\noutput: [{topic: out}]\n")
	if code := p.main(t); code != exitMisconfigured || !has(p.err.String(), "pipeline.yaml:3:") {
		t.Errorf("exit code %d:\n%s", code, p.err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "data")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data directory was made: %v", err)
	}
}

func TestHashKeyIsDemandedOutsideTheEmbeddedMode(t *testing.T) {
	p := newPlace(t)
	p.settings["KAFKA_BOOTSTRAP_SERVERS"] = closedPort(t)
	if code := p.main(t); code != exitMisconfigured || !has(p.err.String(), "HASH_KEY") {
		t.Errorf("exit code %d:\n%s", code, p.err)
	}
}

func TestEmbeddedModeKeepsItsHashKey(t *testing.T) {
	p, s := newPlace(t), &utils.Settings{}
	s.Kafka.BootstrapServers = utils.Addresses{utils.Embedded}
	first, err := hashKey(s, p.dir)
	if err != nil || len(first) < 16 {
		t.Fatalf("key of %d bytes, %v", len(first), err)
	}
	if again, err := hashKey(s, p.dir); err != nil || again != first {
		t.Errorf("another key after a restart: %v", err)
	}
	info, err := os.Stat(filepath.Join(p.dir, "hash-key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	s.Engine.HashKey = "chosen-by-the-user"
	if chosen, _ := hashKey(s, p.dir); chosen.Reveal() != "chosen-by-the-user" {
		t.Error("HASH_KEY does not win")
	}
}

func TestFailedStartRollsBack(t *testing.T) {
	p := newPlace(t)
	a, stop := p.start(t)
	second := newPlace(t)
	second.settings["DATA_DIR"] = filepath.Join(p.dir, "data") // in use
	second.settings["HTTP_ADDR"] = closedPort(t)
	if code := second.main(t); code != exitMisconfigured || !has(second.err.String(), "DATA_DIR", a.Brokers()[0]) {
		t.Errorf("exit code %d:\n%s", code, second.err)
	}
	l, err := net.Listen("tcp", second.settings["HTTP_ADDR"])
	if err != nil {
		t.Fatalf("the start failed and its port is still taken: %v", err)
	}
	l.Close()
	stop()
	if code := second.stopAtOnce(t); code != exitOK {
		t.Errorf("exit code %d after the directory is free:\n%s", code, second.err)
	}
}

// stopAtOnce runs the service with a signal that has come already.
func (p *place) stopAtOnce(t *testing.T) int {
	t.Helper()
	a, err := New(t.Context(), p.process())
	if err != nil {
		return p.process().exit(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return p.process().exit(errors.Join(a.Run(ctx), a.Close()))
}

func TestTakenHTTPPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := newPlace(t)
	p.settings["HTTP_ADDR"] = l.Addr().String()
	a, stop := p.start(t)
	if a.Addr() == l.Addr().String() || !has(p.err.String(), "is taken") {
		t.Errorf("embedded mode listens on %s:\n%s", a.Addr(), p.err)
	}
	stop()
	p.settings["KAFKA_BOOTSTRAP_SERVERS"], p.settings["HASH_KEY"] = closedPort(t), "0123456789abcdef"
	if code := p.main(t); code != exitMisconfigured || !has(p.err.String(), "HTTP_ADDR", "in use") {
		t.Errorf("exit code %d:\n%s", code, p.err)
	}
}

func TestStopIsBoundedByShutdownTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &App{settings: &utils.Settings{Engine: utils.Engine{ShutdownTimeout: 10 * time.Second}}, log: zerolog.Nop()}
		ctx, cancel := context.WithCancel(t.Context())
		released := make(chan struct{})
		defer close(released)
		begin := time.Now()
		time.AfterFunc(time.Minute, cancel)
		err := a.bounded(ctx, func(context.Context) error {
			<-released
			return nil
		})
		if took := time.Since(begin); err == nil || !strings.Contains(err.Error(), "SHUTDOWN_TIMEOUT") || took != time.Minute+10*time.Second+overrun {
			t.Errorf("ended after %s with %v", took, err)
		}
	})
}

func TestReportTellsWhatHappenedSinceTheLastOne(t *testing.T) {
	p := newPlace(t)
	a, stop := p.start(t)
	stop()
	a.log = zerolog.New(p.err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go a.report(ctx, 50*time.Millisecond)
	time.Sleep(10 * time.Millisecond)
	a.metrics.Batch(model.Result{Consumed: 5, Forwarded: 2, Outputs: 3, Filtered: 2, DeadLetters: 1}, model.Tally{}, 0)
	p.eventually(t, "a line with the numbers, no partition and so no lag", func() bool { return has(p.err.String(), `"in":5,"out":3,"filtered":2,"dead":1,"per_second"`) })
	a.metrics.Lag(model.TopicPartition{Topic: "t", Partition: 1}, 7)
	p.eventually(t, "a line with the lag", func() bool { return has(p.err.String(), `"dead":0,"lag":7`) })
	p.eventually(t, "a line that begins at zero again", func() bool { return has(p.err.String(), `"in":0,"out":0,"filtered":0,"dead":0`) })
}
