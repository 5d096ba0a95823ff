package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"data-stream-engine/test/harness"
)

func TestBrokenPipelineFileStopsTheStart(t *testing.T) {
	cases := []struct {
		name, pipeline string
		want           []string // in the message
	}{
		{"unknown key", "name: p\nsource:\n  topic: ${KAFKA_SOURCE_TOPIC}\n  topick: x\noutput:\n  - topic: out\n", []string{"pipeline.yaml:4:3", "topick"}},
		{"unknown function", "name: p\nsource:\n  topic: t\nfilter: nonsense(user_id)\noutput:\n  - topic: out\n", []string{"pipeline.yaml:4:", "nonsense"}},
		{"syntax of an expression", "name: p\nsource:\n  topic: t\nfilter: user_id ==\noutput:\n  - topic: out\n", []string{"pipeline.yaml:4:"}},
		{"not YAML", "name: p\nsource: [\n", []string{"pipeline.yaml:"}},
		{"variable that is not set", "name: p\nsource:\n  topic: ${NO_SUCH_VARIABLE}\noutput:\n  - topic: out\n", []string{"pipeline.yaml:3:", "NO_SUCH_VARIABLE"}},
		{"no output", "name: p\nsource:\n  topic: t\n", []string{"pipeline.yaml:", "output"}},
		{"half an aggregate", "name: p\nsource:\n  topic: t\noutput:\n  - topic: out\naggregates:\n  - name: a\n", []string{"pipeline.yaml:7:5", "an aggregate has no window"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			st := suite.NewStream(t, harness.NoTopics())
			file := filepath.Join(t.TempDir(), "pipeline.yaml")
			if err := os.WriteFile(file, []byte(c.pipeline), 0o600); err != nil {
				t.Fatal(err)
			}
			engine := st.Start("one", harness.Env{"PIPELINE_FILE": file, "KAFKA_AUTO_CREATE_TOPICS": "true"})
			if code := engine.Exit(t, soon); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			for _, want := range c.want {
				if !strings.Contains(engine.Log(), want) {
					t.Errorf("the message does not have %q:\n%s", want, engine.Log())
				}
			}
			missing(t, st, st.Source, "out", "t", st.DeadLetters)
		})
	}
}

func TestWrongSettingsAreListedTogether(t *testing.T) {
	st := suite.NewStream(t, harness.NoTopics())
	engine := st.Start("one", harness.Env{
		"KAFKA_COMPRESSION": "brotli", "COMMIT_INTERVAL": "soon", "KAFKA_PARTITIONS": "-7", "DELIVERY_GUARANTEE": "perhaps",
		"HASH_KEY": "tooshort", "KAFKA_AUTO_CREATE_TOPICS": "maybe", "KAFKA_BOOTSTRAP_SERVERS": "localhost:port:9092", "SESSION_TIMEOUT": "1ms",
	})
	if code := engine.Exit(t, soon); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	for _, want := range []string{
		"KAFKA_COMPRESSION", "brotli", "zstd", "COMMIT_INTERVAL", "KAFKA_PARTITIONS", "DELIVERY_GUARANTEE", "at_least_once",
		"KAFKA_AUTO_CREATE_TOPICS", "KAFKA_BOOTSTRAP_SERVERS", "host:port", "SESSION_TIMEOUT",
	} {
		if !strings.Contains(engine.Log(), want) {
			t.Errorf("the message does not name %s", want)
		}
	}
	if strings.Contains(engine.Log(), "tooshort") {
		t.Error("a secret is printed")
	}
	missing(t, st, st.Source, st.Output)
}

func TestSettingsThatOnlyAreWrongTogether(t *testing.T) {
	for name, c := range map[string]struct {
		env  harness.Env
		want []string
	}{
		"short hash key":     {harness.Env{"HASH_KEY": "tooshort"}, []string{"HASH_KEY", "16"}},
		"no hash key":        {harness.Env{"HASH_KEY": ""}, []string{"HASH_KEY"}},
		"no brokers":         {harness.Env{"KAFKA_BOOTSTRAP_SERVERS": ""}, []string{"KAFKA_BOOTSTRAP_SERVERS"}},
		"mechanism is open":  {harness.Env{"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, []string{"KAFKA_SASL_MECHANISM"}},
		"no pipeline file":   {harness.Env{"PIPELINE_FILE": "/does/not/exist.yaml"}, []string{"/does/not/exist.yaml", "PIPELINE_FILE"}},
		"address is invalid": {harness.Env{"HTTP_ADDR": "somewhere"}, []string{"HTTP_ADDR"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := suite.NewStream(t, harness.NoTopics())
			engine := st.Start("one", c.env)
			if code := engine.Exit(t, soon); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			for _, want := range c.want {
				if !strings.Contains(engine.Log(), want) {
					t.Errorf("the message does not have %q:\n%s", want, engine.Log())
				}
			}
		})
	}
}

// A session timeout that the broker refuses is a wrong setting that only the broker can see.
func TestSessionTimeoutOutsideTheBrokersBoundsStopsTheStart(t *testing.T) {
	st := suite.NewStream(t)
	engine := st.Start("one", harness.Env{"SESSION_TIMEOUT": "30m", "MAX_POLL_INTERVAL": "1h"})
	engine.AwaitReady(t, soon) // the upper bound is one
	engine.Stop(t)
	if suite.IsEmbedded() {
		return // its lower bound is the settings' own
	}
	engine = st.Start("one", harness.Env{"SESSION_TIMEOUT": "5s"})
	if code := engine.Exit(t, soon); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	if log := engine.Log(); !strings.Contains(log, "SESSION_TIMEOUT") || !strings.Contains(log, "6s") {
		t.Errorf("the message does not name SESSION_TIMEOUT and what is accepted:\n%s", log)
	}
}
