package integration

import (
	"context"
	"regexp"
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
	first, _ := read(t, engine)
	if first == 0 {
		t.Error("nothing is in the output topic")
	}
	engine.Stop(t)

	// Again, without the generator: at most what was generated at the end is new, and what was there is there. Then a
	// kill, and again.
	for range 2 {
		engine = suite.Start(t, "again", env.With(harness.Env{"GENERATOR_RATE": "0"}))
		engine.AwaitReady(t, soon)
		harness.Until(t, soon, "it has processed everything", func(c ctx) error { return noLag(c, engine) })
		time.Sleep(500 * time.Millisecond)
		out, in := read(t, engine)
		if out < first || out < in*7/10 || out > in {
			t.Errorf("%d events in the output topic, %d after a restart, of %d in the source", first, out, in)
		}
		first = out
		engine.Kill()
	}
}

// read counts the events in the output topic and in the source topic of an engine's own broker.
func read(t *testing.T, engine *harness.Instance) (out, in int) {
	t.Helper()
	found := regexp.MustCompile(`"address":"(127\.0\.0\.1:\d+)"`).FindStringSubmatch(engine.Says(t, soon, "embedded broker", `"address"`))
	if found == nil {
		t.Fatal("it does not say where its broker is")
	}
	client := suite.Cluster.Client(t, kgo.SeedBrokers(found[1]))
	c, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	records, err := client.ReadAll(c, "user-login-processed")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if p := harness.Partition(r.Key, 4); p != r.Partition {
			t.Fatalf("key %s lies in partition %d, not %d", r.Key, r.Partition, p)
		}
	}
	source, err := client.ReadAll(c, "user-login")
	if err != nil {
		t.Fatal(err)
	}
	return len(records), len(source)
}
