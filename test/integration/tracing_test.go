package integration

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"data-stream-engine/test/harness"
)

// traced are headers of record i: those of a trace that is recorded, or not.
func traced(i int, sampled bool) (traceID string, headers []kgo.RecordHeader) {
	flags := "00"
	if sampled {
		flags = "01"
	}
	traceID = fmt.Sprintf("%032x", 1000+i)
	return traceID, []kgo.RecordHeader{
		{Key: "tracestate", Value: []byte("vendor=opaque")},
		{Key: "traceparent", Value: fmt.Appendf(nil, "00-%s-%016x-%s", traceID, 1000+i, flags)},
	}
}

func TestBatchesAreTracedAndTracesGoOnInTheOutputs(t *testing.T) {
	collector := harness.NewCollector(t)
	st := suite.NewStream(t)
	want := map[string]bool{}
	var records []*kgo.Record
	for i := range 20 {
		r := st.Logins.Next()
		id, headers := traced(i, i%2 == 0)
		r.Headers = append(r.Headers, headers...)
		want[id] = i%2 == 0
		records = append(records, r)
	}
	st.Send(records...)
	engine := st.Start("one", harness.Env{
		"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20key", "OTEL_SERVICE_NAME": "logins",
	})
	engine.AwaitReady(t, soon)
	st.Finish(soon)

	linked := map[string]bool{}
	harness.Until(t, soon, "every sampled message is linked", func(context.Context) error {
		clear(linked)
		for _, s := range collector.Spans() {
			for _, l := range s.Links {
				linked[hex.EncodeToString(l.TraceId)] = true
			}
		}
		for id, sampled := range want {
			if sampled && !linked[id] {
				return fmt.Errorf("%s is missing of %v", id, slices.Sorted(maps.Keys(linked)))
			}
		}
		return nil
	})
	if len(linked) != 10 {
		t.Errorf("linked with %v", linked)
	}
	spans := map[string]int{}
	for _, s := range collector.Spans() {
		spans[s.Name]++
		if s.Name == "process "+st.Source && s.Kind != tracepb.Span_SPAN_KIND_CONSUMER {
			t.Errorf("%v", s)
		}
	}
	if spans["process "+st.Source] == 0 || spans["send"] == 0 || spans["commit "+st.Source] == 0 || !collector.From("logins") || collector.Header("Api-Key") != "a key" {
		t.Errorf("spans %v", spans)
	}
	for _, topic := range []string{st.Output, st.DeadLetters} {
		out, err := st.Client.ReadAll(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out {
			carried := map[string]string{}
			for _, h := range r.Headers {
				carried[h.Key] = string(h.Value)
			}
			if carried["tracestate"] != "vendor=opaque" || len(carried["traceparent"]) != 55 || !known(want, carried["traceparent"][3:35]) {
				t.Errorf("a record of %s has %v", topic, carried)
			}
		}
	}
	engine.Stop(t)
}

func known(all map[string]bool, key string) bool {
	_, ok := all[key]
	return ok
}

// A collector that is away, or takes connections and never answers, costs spans and nothing else.
func TestStreamDoesNotCareForTheCollector(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	for name, endpoint := range map[string]string{"away": "http://127.0.0.1:1", "hung": "http://" + hung.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			st := suite.NewStream(t)
			engine := st.Start("one", harness.Env{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
			engine.AwaitReady(t, soon)
			st.Feed(300)
			st.Finish(soon)
			harness.Until(t, soon, "lost spans are counted", func(context.Context) error {
				if n := engine.Metric(t, `stream_engine_spans_total{outcome="dropped"}`); n == 0 {
					return fmt.Errorf("%v", n)
				}
				return nil
			})
			if log := engine.Says(t, soon, "traces cannot be sent", endpoint); log == "" {
				t.Error("not said")
			}
			engine.AwaitReady(t, soon)
			began := time.Now()
			engine.Stop(t)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s to stop", took)
			}
		})
	}
}

func TestWithoutAnEndpointNothingIsTraced(t *testing.T) {
	st := suite.NewStream(t)
	engine := st.Start("one", nil)
	engine.AwaitReady(t, soon)
	if _, body, err := engine.Get(t.Context(), "/metrics"); err != nil || slices.Contains(metricNames(body), "stream_engine_spans_total") {
		t.Errorf("spans are counted (%v)", err)
	}
}

func metricNames(text string) (names []string) {
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, "{")
		names = append(names, name)
	}
	return names
}
