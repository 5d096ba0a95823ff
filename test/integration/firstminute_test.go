package integration

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/test/harness"
)

// One process, no Kafka, no files of its own: broker, generator and engine. It is the same for every target.
func TestFirstMinuteNeedsNothing(t *testing.T) {
	dir := t.TempDir()
	env := harness.Env{
		"KAFKA_BOOTSTRAP_SERVERS": harness.Embedded, "KAFKA_AUTO_CREATE_TOPICS": "true", "GENERATOR_RATE": "2000", "DATA_DIR": dir,
		"PIPELINE_FILE": suite.Root + "/pipeline.yaml", "HTTP_ADDR": "127.0.0.1:0", "LOG_FORMAT": "json",
	}
	began := time.Now()
	engine := suite.Start(t, "first", env)
	engine.Says(t, soon, "first events are in the output topic")
	t.Logf("first events after %s", time.Since(began).Round(time.Millisecond))
	engine.Says(t, soon, "kcat -b ")
	engine.AwaitReady(t, soon)
	first := outputs(t, engine)
	if first == 0 {
		t.Error("nothing is in the output topic")
	}
	engine.Stop(t)

	// Again, without the generator: nothing is new, and what was there is there. Then a kill, and again.
	for range 2 {
		engine = suite.Start(t, "again", env.With(harness.Env{"GENERATOR_RATE": "0"}))
		engine.AwaitReady(t, soon)
		kept := outputs(t, engine)
		if kept < first {
			t.Errorf("%d events were in the output topic, %d after a restart", first, kept)
		}
		time.Sleep(time.Second)
		if now := outputs(t, engine); now != kept {
			t.Errorf("%d events were processed again", now-kept)
		}
		engine.Kill()
	}
}

// outputs counts the events in the output topic of an engine's own broker.
func outputs(t *testing.T, engine *harness.Instance) int {
	t.Helper()
	found := regexp.MustCompile(`"address":"(127\.0\.0\.1:\d+)"`).FindStringSubmatch(engine.Says(t, soon, "embedded broker", `"address"`))
	if found == nil {
		t.Fatal("it does not say where its broker is")
	}
	client := suite.Cluster.Client(t, kgo.SeedBrokers(found[1]))
	ends, err := client.Admin.ListCommittedOffsets(t.Context(), "user-login-processed")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(ends["user-login-processed"]); n != 4 {
		t.Errorf("the output topic has %d partitions, want 4", n)
	}
	records, err := client.ReadAll(t.Context(), "user-login-processed")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range records {
		seen[fmt.Sprint(r.Partition, r.Offset)] = true
		if p := harness.Partition(r.Key, 4); p != r.Partition {
			t.Fatalf("key %s lies in partition %d, not %s", r.Key, r.Partition, strconv.Itoa(int(p)))
		}
	}
	return len(seen)
}
