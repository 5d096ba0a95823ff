package tracing

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// repeatLog is the least time between two log lines about spans that are lost.
const repeatLog = time.Minute

// counting stands on both sides of the SDK's queue: it lets in no more than the queue takes, and hears what becomes of
// each export. So every span is counted once, as exported or dropped, and errors reach our log instead of the SDK's.
type counting struct {
	sdk.SpanProcessor // the queue
	exporter          sdk.SpanExporter
	url               string
	exported, dropped prometheus.Counter
	waiting           atomic.Int64
	log               zerolog.Logger

	mu      sync.Mutex
	failing bool
	lost    int       // since the last line
	logged  time.Time // zero: never
}

func newCounting(exporter sdk.SpanExporter, c Config) (*counting, error) {
	spans := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stream_engine_spans_total",
		Help: "Spans of OpenTelemetry tracing by what became of them."}, []string{"outcome"})
	if err := c.Registry.Register(spans); err != nil {
		return nil, fmt.Errorf("metrics of tracing: %w", err)
	}
	n := &counting{exporter: exporter, url: c.Endpoint, log: c.Log, exported: spans.WithLabelValues("exported"), dropped: spans.WithLabelValues("dropped")}
	n.SpanProcessor = sdk.NewBatchSpanProcessor(exports{n}, sdk.WithMaxQueueSize(mostWaiting), sdk.WithMaxExportBatchSize(mostAtOnce),
		sdk.WithBatchTimeout(sendEvery), sdk.WithExportTimeout(uploadTimeout))
	return n, nil
}

// OnEnd implements sdk.SpanProcessor.
func (n *counting) OnEnd(s sdk.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() { // the queue takes none of these
		return
	}
	if n.waiting.Add(1) > mostWaiting {
		n.waiting.Add(-1)
		n.drop(1, nil)
		return
	}
	n.SpanProcessor.OnEnd(s)
}

// exports is the exporter that the queue sees.
type exports struct{ *counting }

// ExportSpans implements sdk.SpanExporter. Its errors end here.
func (e exports) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.exporter.ExportSpans(ctx, spans)
	e.waiting.Add(-int64(len(spans)))
	lost := 0
	if err != nil {
		lost = lostOf(err, len(spans))
		e.drop(lost, err)
	} else {
		e.works()
	}
	e.exported.Add(float64(len(spans) - lost))
	return nil
}

// Shutdown implements sdk.SpanExporter.
func (e exports) Shutdown(ctx context.Context) error { return e.exporter.Shutdown(ctx) }

// drop counts, and tells the log now and then. Without an error the queue was full, of which an export that failed or
// takes long will tell.
func (n *counting) drop(spans int, err error) {
	n.dropped.Add(float64(spans))
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failing = true
	n.lost += spans
	if err == nil || !n.logged.IsZero() && time.Since(n.logged) < repeatLog {
		return
	}
	n.log.Warn().Err(err).Str("endpoint", n.url).Int("spans", n.lost).
		Msg("traces cannot be sent and are dropped, the stream goes on: check OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS")
	n.logged, n.lost = time.Now(), 0
}

func (n *counting) works() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failing && !n.logged.IsZero() {
		n.log.Info().Str("endpoint", n.url).Int("dropped", n.lost).Msg("traces can be sent again")
		n.logged, n.lost = time.Time{}, 0
	}
	n.failing = false
}
