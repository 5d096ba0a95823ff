package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"data-stream-engine/utils"
)

func TestHelpNamesEveryCommand(t *testing.T) {
	p := newPlace(t)
	for _, arg := range []string{"help", "-h", "--help"} {
		p.out = &output{}
		if code := p.main(t, arg); code != exitOK {
			t.Errorf("%s: exit code %d", arg, code)
		}
		for _, c := range commands() {
			if !has(p.out.String(), c.name, c.summary) {
				t.Errorf("%s does not name %s", arg, c.name)
			}
		}
	}
}

func TestWrongCommandLines(t *testing.T) {
	for _, args := range [][]string{{"nonsense"}, {"run", "now"}, {"validate", "a", "b"}, {"generate", "--rate", "x"}, {"generate", "--count", "-1"}, {"health", "--dead"}, {"version", "2"}} {
		p := newPlace(t)
		if code := p.main(t, args...); code != exitMisconfigured || p.err.String() == "" {
			t.Errorf("%v: exit code %d: %s", args, code, p.err)
		}
	}
}

func TestFlagsHelpIsNoError(t *testing.T) {
	p := newPlace(t)
	if code := p.main(t, "generate", "-h"); code != exitOK || !has(p.err.String(), "-seed") {
		t.Errorf("exit code %d: %s", code, p.err)
	}
}

func TestWrongSettingsAreListedAndEndWithCode2(t *testing.T) {
	p := newPlace(t)
	p.settings["COMMIT_INTERVAL"], p.settings["KAFKA_COMPRESSION"], p.settings["LOG_FORMAT"] = "soon", "zip", "console"
	for _, command := range []string{"run", "generate", "settings"} {
		p.err = &output{}
		if code := p.main(t, command); code != exitMisconfigured || !has(p.err.String(), `COMMIT_INTERVAL="soon"`, `KAFKA_COMPRESSION="zip"`, "none, lz4, snappy, zstd, gzip") {
			t.Errorf("%s: exit code %d: %s", command, code, p.err)
		}
	}
}

func TestAJSONLogEndsInJSON(t *testing.T) {
	for name, value := range map[string]string{"COMMIT_INTERVAL": "soon", "PIPELINE_FILE": "nope.yaml", "HASH_KEY_FILE": "nope"} {
		p := newPlace(t)
		p.settings[name] = value
		var line struct {
			Level string `json:"level"`
			Error string `json:"error"`
			Code  int    `json:"exit_code"`
		}
		code := p.main(t)
		if err := json.Unmarshal([]byte(p.err.String()), &line); err != nil {
			t.Errorf("%s: %v: %s", name, err, p.err)
			continue
		}
		if code != exitMisconfigured || line.Code != code || line.Level != "error" || !strings.Contains(line.Error, value) {
			t.Errorf("%s: exit code %d, line %+v", name, code, line)
		}
	}
}

func TestAddressesToOpen(t *testing.T) {
	for listen, want := range map[string]string{":8080": "localhost:8080", "[::]:8080": "localhost:8080", "0.0.0.0:1": "localhost:1", "127.0.0.1:8080": "127.0.0.1:8080", "engine:8080": "engine:8080"} {
		if got := reachable(listen); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	p := newPlace(t)
	if code := p.main(t, "validate"); code != exitOK || !has(p.out.String(), "pipeline.yaml is right", "user-login-processed", "user-login-dead-letter") {
		t.Errorf("exit code %d: %s%s", code, p.out, p.err)
	}
	p.write(t, "bad.yaml", "name: x\nsource: {topic: in}\noutputs: []\n")
	if code := p.main(t, "validate", "bad.yaml"); code != exitMisconfigured || !has(p.err.String(), "bad.yaml:3:") {
		t.Errorf("exit code %d: %s", code, p.err)
	}
	if code := p.main(t, "validate", "nowhere.yaml"); code != exitMisconfigured || !has(p.err.String(), "nowhere.yaml") {
		t.Errorf("exit code %d: %s", code, p.err)
	}
}

func TestVersion(t *testing.T) {
	p := newPlace(t)
	if code := p.main(t, "version"); code != exitOK || !has(p.out.String(), "data-stream-engine ", "go1.") {
		t.Errorf("exit code %d: %s", code, p.out)
	}
}

func TestSettingsListsValuesAndNoSecret(t *testing.T) {
	p := newPlace(t)
	p.settings["HASH_KEY"] = "do-not-show-this-key"
	if code := p.main(t, "settings"); code != exitOK || !has(p.out.String(), "KAFKA_PARTITIONS", "[secret]") || has(p.out.String(), "do-not-show") {
		t.Errorf("exit code %d: %s", code, p.out)
	}
	p.out = &output{}
	if code := p.main(t, "settings", "--markdown"); code != exitOK || p.out.String() != utils.Markdown() {
		t.Errorf("exit code %d: %s", code, p.out)
	}
}

func TestHealthAsksTheRunningInstance(t *testing.T) {
	p := newPlace(t)
	p.settings["HTTP_ADDR"] = closedPort(t)
	if code := p.main(t, "health"); code != exitFailed || !has(p.err.String(), "nobody answers") {
		t.Errorf("nobody there: exit code %d: %s", code, p.err)
	}
	a, _ := p.start(t)
	p.eventually(t, "readiness", func() bool { return ready(t, a) })
	if code := p.main(t, "health"); code != exitOK || !has(p.out.String(), `"ready":true`) {
		t.Errorf("ready: exit code %d: %s", code, p.err)
	}
	a.watch.Readiness.Set("broker", "it is gone")
	if code := p.main(t, "health"); code != exitFailed || !has(p.err.String(), "it is gone") {
		t.Errorf("not ready: exit code %d: %s", code, p.err)
	}
	if code := p.main(t, "health", "--live"); code != exitOK {
		t.Errorf("alive: exit code %d: %s", code, p.err)
	}
}

func TestHealthFindsItsWayFromAListeningAddress(t *testing.T) {
	for addr, want := range map[string]string{":8080": "localhost:8080", "0.0.0.0:1": "localhost:1", "[::]:1": "localhost:1", "10.1.2.3:9": "10.1.2.3:9", "": "127.0.0.1:8080"} {
		p := newPlace(t)
		p.settings["HTTP_ADDR"] = addr
		if got, err := httpAddr(p.process()); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", addr, got, err, want)
		}
	}
	p := newPlace(t)
	if _, err := httpAddr(p.process()); err == nil {
		t.Error("port 0 cannot be asked")
	}
}

func TestCleanupsRunBackwardsAndAll(t *testing.T) {
	var c cleanups
	var order []string
	for _, name := range []string{"first", "second", "third"} {
		c.add(name, func(context.Context) error {
			order = append(order, name)
			if name == "second" {
				return errors.New("broken")
			}
			return nil
		})
	}
	err := c.run(t.Context())
	if !slices.Equal(order, []string{"third", "second", "first"}) || err == nil || err.Error() != "close second: broken" {
		t.Errorf("order %v, error %v", order, err)
	}
	if err := c.run(t.Context()); err != nil || len(order) != 3 {
		t.Errorf("ran again: %v, %v", order, err)
	}
}

// The shipped .env is right, explains each of its settings, and gives way to the real environment.
func TestShippedDotenv(t *testing.T) {
	s, err := utils.Load("..", nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Warnings) > 0 || !s.Kafka.IsEmbedded() || !s.Kafka.AutoCreateTopics || s.Around.GeneratorRate == 0 {
		t.Errorf("settings of the shipped .env: %+v, warnings %q", s.Kafka, s.Warnings)
	}
	s, err = utils.Load("..", []string{"KAFKA_BOOTSTRAP_SERVERS=kafka.example:9092"})
	if err != nil || s.Kafka.BootstrapServers.String() != "kafka.example:9092" {
		t.Errorf("the real environment does not win: %v", err)
	}
	text, err := os.ReadFile(filepath.Join("..", ".env"))
	if err != nil {
		t.Fatal(err)
	}
	for paragraph := range strings.SplitSeq(string(bytes.TrimSpace(text)), "\n\n") {
		if !strings.HasPrefix(paragraph, "#") {
			t.Errorf("no comment above %q", paragraph)
		}
	}
}
