package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"data-stream-engine/handler"
	"data-stream-engine/model"
)

// collector receives traces as a real one does, and answers what a test wants.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	spans    []*tracepb.Span
	resource map[string]string
	status   int    // 0: 200
	answer   []byte // of a 200
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var data tracepb.TracesData
	if err == nil {
		err = proto.Unmarshal(body, &data)
	}
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r)
	if c.status != 0 {
		http.Error(w, "no", c.status)
		return
	}
	for _, rs := range data.ResourceSpans {
		c.resource = texts(rs.Resource.Attributes)
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
	_, _ = w.Write(c.answer)
}

func texts(list []*commonpb.KeyValue) map[string]string {
	all := map[string]string{}
	for _, kv := range list {
		switch v := kv.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			all[kv.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			all[kv.Key] = kv.Value.String()
		}
	}
	return all
}

// rig is a tracer, its log and its metrics.
type rig struct {
	*Tracer
	log      *bytes.Buffer
	registry *prometheus.Registry
}

func newRig(t *testing.T, endpoint string, headers map[string]string) rig {
	t.Helper()
	r := rig{log: &bytes.Buffer{}, registry: prometheus.NewRegistry()}
	tracer, err := New(t.Context(), Config{Endpoint: endpoint, Headers: headers, Version: "1.2", Instance: "one", Group: "g", Source: "in",
		ClientID: "id", Registry: r.registry, Log: zerolog.New(zerolog.SyncWriter(r.log))})
	if err != nil {
		t.Fatal(err)
	}
	r.Tracer = tracer
	return r
}

func (r rig) counted(t *testing.T, exported, dropped string) {
	t.Helper()
	want := "# HELP stream_engine_spans_total Spans of OpenTelemetry tracing by what became of them.\n# TYPE stream_engine_spans_total counter\n" +
		`stream_engine_spans_total{outcome="dropped"} ` + dropped + "\n" + `stream_engine_spans_total{outcome="exported"} ` + exported + "\n"
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(want), "stream_engine_spans_total"); err != nil {
		t.Error(err)
	}
}

// story is a batch that had trouble and was committed.
func story() *handler.BatchTrace {
	began := time.Now().Add(-time.Second)
	return &handler.BatchTrace{
		Began: began, Processed: began.Add(100 * time.Millisecond), Ended: began.Add(200 * time.Millisecond), Outcome: handler.BatchCommitted,
		Result: model.Result{Consumed: 7, Forwarded: 6, DeadLetters: 1}, Bytes: 700, Took: time.Millisecond,
		Partitions: []model.TopicPartition{{Topic: "in", Partition: 3}},
		Links: []string{
			"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			"00-00000000000000000000000000000000-b7ad6b7169203331-01", // not valid
			"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203332-01",
		},
		Parts: []handler.TracePart{
			{Name: handler.PartSend, Began: began, Ended: began.Add(time.Millisecond)},
			{Name: handler.PartCommit, Began: began.Add(100 * time.Millisecond), Ended: began.Add(200 * time.Millisecond)},
		},
		Retries: []handler.TraceRetry{{At: began.Add(time.Millisecond), Op: "produce", Err: &model.Error{Class: model.Transient, Op: "produce", Err: errors.New("away")}}},
	}
}

func TestBatchIsOneSpanWithLinksPartsAndRetries(t *testing.T) {
	c := newCollector(t)
	r := newRig(t, c.URL, map[string]string{"api-key": "k"})
	r.Trace(story())
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.counted(t, "3", "0")
	spans := map[string]*tracepb.Span{}
	for _, s := range c.spans {
		spans[s.Name] = s
	}
	if got := slices.Sorted(maps.Keys(spans)); !slices.Equal(got, []string{"commit in", "process in", "send"}) {
		t.Fatalf("spans %q", got)
	}
	root := spans["process in"]
	if root.Kind != tracepb.Span_SPAN_KIND_CONSUMER || len(root.ParentSpanId) != 0 || root.EndTimeUnixNano-root.StartTimeUnixNano != 200e6 {
		t.Errorf("%v", root)
	}
	for _, child := range []string{"send", "commit in"} {
		if s := spans[child]; !bytes.Equal(s.ParentSpanId, root.SpanId) || !bytes.Equal(s.TraceId, root.TraceId) || s.Kind != tracepb.Span_SPAN_KIND_CLIENT {
			t.Errorf("%v", s)
		}
	}
	if len(root.Links) != 2 || fmt.Sprintf("%x %x", root.Links[1].TraceId, root.Links[1].SpanId) != "0af7651916cd43dd8448eb211c80319c b7ad6b7169203332" {
		t.Errorf("links %v", root.Links)
	}
	if len(root.Events) != 2 || root.Events[0].Name != "processed" && root.Events[1].Name != "processed" {
		t.Errorf("events %v", root.Events)
	}
	about := texts(root.Attributes)
	for name, want := range map[string]string{
		"messaging.system": "kafka", "messaging.operation.name": "process", "messaging.operation.type": "process", "messaging.destination.name": "in",
		"messaging.consumer.group.name": "g", "messaging.client.id": "id", "messaging.destination.partition.id": "3", "stream_engine.outcome": "committed",
		"messaging.batch.message_count": "int_value:7", "stream_engine.events.dead_letter": "int_value:1", "stream_engine.bytes": "int_value:700",
	} {
		if about[name] != want {
			t.Errorf("%s is %q, want %q", name, about[name], want)
		}
	}
	if c.resource["service.name"] != service || c.resource["service.instance.id"] != "one" || c.resource["service.version"] != "1.2" || c.resource["telemetry.sdk.language"] != "go" {
		t.Errorf("resource %v", c.resource)
	}
	if c.requests[0].Header.Get("Api-Key") != "k" {
		t.Error("the header is missing")
	}
}

func TestFailedBatchIsAnError(t *testing.T) {
	c := newCollector(t)
	r := newRig(t, c.URL+"/", nil)
	b := story()
	b.Outcome, b.Err, b.Processed = handler.BatchFailed, &model.Error{Class: model.Fenced, Op: "commit", Err: errors.New("PRODUCER_FENCED")}, time.Time{}
	b.Partitions = []model.TopicPartition{{Topic: "in", Partition: 1}, {Topic: "in", Partition: 0}}
	r.Trace(b)
	_ = r.Close(t.Context())
	root := c.spans[slices.IndexFunc(c.spans, func(s *tracepb.Span) bool { return s.Name == "process in" })]
	if about := texts(root.Attributes); root.Status.Code != tracepb.Status_STATUS_CODE_ERROR || !strings.Contains(root.Status.Message, "PRODUCER_FENCED") || about["error.type"] != "fenced" {
		t.Errorf("%v", root)
	}
}

func TestVariablesOfTheSDKAreHeard(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "shop")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	c := newCollector(t)
	r := newRig(t, c.URL, nil)
	r.Trace(story())
	_ = r.Close(t.Context())
	if c.resource["service.name"] != "shop" || c.resource["deployment.environment.name"] != "test" {
		t.Errorf("resource %v", c.resource)
	}
}

func TestUnsampledBatchesAreNeitherSentNorCounted(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	c := newCollector(t)
	r := newRig(t, c.URL, nil)
	r.Trace(story())
	_ = r.Close(t.Context())
	r.counted(t, "0", "0")
	if len(c.requests) != 0 {
		t.Errorf("%d requests", len(c.requests))
	}
}

func TestCollectorThatIsAwayCostsSpansAndALineNowAndThen(t *testing.T) {
	c := newCollector(t)
	c.Close()
	r := newRig(t, c.URL, map[string]string{"api-key": "hidden-value"})
	for range 3 {
		r.Trace(story())
		if err := r.provider.ForceFlush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	began := time.Now()
	if err := r.Close(t.Context()); err != nil || time.Since(began) > 10*closeTimeout {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	r.counted(t, "0", "9")
	if log := r.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "OTEL_EXPORTER_OTLP_ENDPOINT") || strings.Contains(log, "hidden-value") {
		t.Errorf("%s", log)
	}
}

func TestCollectorThatHangsFillsTheQueueAndNoMore(t *testing.T) {
	release := make(chan struct{})
	c := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(c.Close)
	t.Cleanup(func() { close(release) })
	r := newRig(t, c.URL, nil)
	b := story()
	b.Parts = nil
	began := time.Now()
	for range mostWaiting + 100 {
		r.Trace(b)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	r.counted(t, "0", "100")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_ = r.Close(ctx)
}

func TestWhatTheCollectorRefusesIsCounted(t *testing.T) {
	c := newCollector(t)
	partial := protowire.AppendTag(nil, 1, protowire.VarintType)
	partial = protowire.AppendVarint(partial, 2)
	partial = protowire.AppendTag(partial, 2, protowire.BytesType)
	partial = protowire.AppendBytes(partial, []byte("quota"))
	c.answer = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
	r := newRig(t, c.URL, nil)
	r.Trace(story())
	_ = r.provider.ForceFlush(t.Context())
	r.counted(t, "1", "2")
	c.mu.Lock()
	c.answer, c.status = nil, http.StatusUnauthorized
	c.mu.Unlock()
	r.Trace(story())
	_ = r.provider.ForceFlush(t.Context())
	r.counted(t, "1", "5")
	c.mu.Lock()
	c.status = 0
	c.mu.Unlock()
	r.Trace(story())
	_ = r.Close(t.Context())
	r.counted(t, "4", "5")
	if log := r.log.String(); !strings.Contains(log, "quota") || !strings.Contains(log, "can be sent again") || strings.Count(log, "\n") != 2 {
		t.Errorf("%s", log)
	}
}

// Credentials are for the collector of the settings and nobody else.
func TestRedirectsAreNotFollowed(t *testing.T) {
	c := newCollector(t)
	elsewhere := httptest.NewServer(http.RedirectHandler(c.URL+"/v1/traces", http.StatusTemporaryRedirect))
	t.Cleanup(elsewhere.Close)
	r := newRig(t, elsewhere.URL, map[string]string{"api-key": "k"})
	r.Trace(story())
	_ = r.Close(t.Context())
	r.counted(t, "0", "3")
	if len(c.requests) != 0 {
		t.Error("the redirect was followed")
	}
}

func TestAnswersOfACollectorAreHostile(t *testing.T) {
	for _, answer := range [][]byte{nil, {0xff}, {0x0a, 0xff}, {0x0a, 0x02, 0x08}, bytes.Repeat([]byte{0x80}, 100), {0x0a, 0x0a, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}} {
		if n, _ := rejected(answer); n < 0 || n > mostAtOnce {
			t.Errorf("%x: %d", answer, n)
		}
	}
}
