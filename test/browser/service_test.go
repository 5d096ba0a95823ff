package browser

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/test/harness"
)

// service is an engine with its own topics on the cluster of the suite.
type service struct {
	*harness.Instance
	env    harness.Env
	url    string
	group  string
	source string // topic
	output string
	client *harness.Client
}

// serve starts a service with a pipeline file; more are further settings.
func serve(t testing.TB, pipeline string, more harness.Env) *service {
	t.Helper()
	name := harness.Unique(t)
	s := &service{group: name, source: name + "-in", output: name + "-out", client: suite.Cluster.Client(t), url: "http://" + freeAddress(t) + "/"}
	s.client.CreateTopic(t, s.source, 2)
	file := filepath.Join(t.TempDir(), "pipeline.yaml")
	write(t, file, pipeline)
	s.env = harness.Env{
		"KAFKA_BOOTSTRAP_SERVERS": strings.Join(suite.Cluster.Bootstrap, ","), "KAFKA_AUTO_CREATE_TOPICS": "true", "KAFKA_PARTITIONS": "2",
		"KAFKA_SOURCE_TOPIC": s.source, "KAFKA_OUTPUT_TOPIC": s.output, "KAFKA_GROUP_ID": s.group, "INSTANCE_ID": "one", "DATA_DIR": t.TempDir(),
		"HASH_KEY": "0123456789abcdef", "PIPELINE_FILE": file, "HTTP_ADDR": strings.Trim(strings.TrimPrefix(s.url, "http:"), "/"), "IDLE_TIMEOUT": "2s",
	}.With(more)
	s.start(t)
	return s
}

// start starts it, for the first time or again.
func (s *service) start(t testing.TB) {
	t.Helper()
	s.Instance = suite.Start(t, "engine", s.env)
	harness.Until(t, soon, "the page is served", func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", s.url, answer.Status)
		}
		return nil
	})
	s.Says(t, soon, "recording insights") // before that tables are refused, which browsers put on the console
}

// send writes events to the source topic and says where they are.
func (s *service) send(t testing.TB, events ...string) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	records := make([]*kgo.Record, len(events))
	for i, e := range events {
		records[i] = &kgo.Record{Key: []byte("k"), Value: []byte(e)}
	}
	if err := s.client.Send(ctx, s.source, records...); err != nil {
		t.Fatal(err)
	}
	return records
}

// login is an event of the shipped pipeline, of now unless a time is given.
func login(user, device, ip, locale string, at ...time.Time) string {
	when := append(at, time.Now())[0]
	return fmt.Sprintf(`{"user_id":%s,"app_version":"2.3.0","device_type":%s,"ip":%s,"locale":%s,"device_id":"593-47-5928","timestamp":%d}`,
		quoted(user), quoted(device), quoted(ip), quoted(locale), when.Unix())
}

// outputs are the values in the output topic.
func (s *service) outputs(t testing.TB) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	records, err := s.client.ReadAll(ctx, s.output)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]string, len(records))
	for i, r := range records {
		values[i] = string(r.Value)
	}
	return values
}

// comesOut waits for an event with these words in the output topic.
func (s *service) comesOut(t testing.TB, words ...string) {
	t.Helper()
	harness.Until(t, late, "an event comes out", func(context.Context) error {
		all := s.outputs(t)
		for _, value := range all {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(value, w) }) {
				return nil
			}
		}
		return fmt.Errorf("outputs: %s", all)
	})
}

// shipped is the pipeline file of the repository.
func shipped(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(suite.Root, "pipeline.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// write replaces a file at once, as an editor or a mounted volume does.
func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// freeAddress is an address of this machine that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
