// Package tracing sends the story of each batch to an OpenTelemetry collector: OTLP over HTTP, in protobuf. It must never
// hold the stream up: what cannot be sent is dropped and counted. Nothing of it runs when no endpoint is set.
package tracing

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

const (
	service = "data-stream-engine" // unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say otherwise
	scope   = "data-stream-engine/handler"

	mostWaiting   = 2048 // spans
	mostAtOnce    = 512
	sendEvery     = 2 * time.Second
	uploadTimeout = 10 * time.Second
	closeTimeout  = time.Second
)

// Config says where traces go and what they are about.
type Config struct {
	Endpoint string            // URL of the collector; /v1/traces is added to its path
	Headers  map[string]string // of each request: credentials, mostly

	Version  string // of the program
	Instance string // empty: a random name
	Group    string // consumer group
	Source   string // topic
	ClientID string

	Registry prometheus.Registerer
	Log      zerolog.Logger
}

// Tracer implements handler.Tracer.
type Tracer struct {
	config   Config
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New returns a tracer. No connection is made yet. What else there is to choose - the sampler, the limits of a span, the
// resource's attributes - the SDK reads from the OTEL_ variables of the process. The caller ends it with Close.
func New(ctx context.Context, c Config) (*Tracer, error) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { c.Log.Warn().Err(err).Msg("tracing") }))
	about, err := describe(ctx, c)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptrace.New(ctx, newUpload(c.Endpoint, c.Headers))
	if err != nil {
		return nil, fmt.Errorf("tracing to OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	count, err := newCounting(exporter, c)
	if err != nil {
		return nil, err
	}
	provider := sdk.NewTracerProvider(sdk.WithResource(about), sdk.WithSpanProcessor(count))
	return &Tracer{config: c, provider: provider, tracer: provider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))}, nil
}

func describe(ctx context.Context, c Config) (*resource.Resource, error) {
	if c.Instance == "" {
		c.Instance = rand.Text()
	}
	// What comes later wins.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(semconv.ServiceName(service), semconv.ServiceVersion(c.Version), semconv.ServiceInstanceID(c.Instance)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return about, nil
}

// Close sends what is waiting, for a moment: a collector that is away is no reason for a stop to take longer, or to fail.
func (t *Tracer) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.config.Log.Warn().Err(err).Msg("the last traces could not be sent")
	}
	return nil
}
