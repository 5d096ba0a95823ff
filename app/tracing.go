package app

import (
	"context"

	"data-stream-engine/handler/tracing"
)

// trace sends the story of each batch to a collector when the settings name one.
func (a *App) trace(ctx context.Context, _ Process) error {
	around := a.settings.Around
	if around.OTLPEndpoint == "" {
		return nil
	}
	headers, err := around.TracingHeaders()
	if err != nil {
		return err
	}
	tracer, err := tracing.New(ctx, tracing.Config{
		Endpoint: around.OTLPEndpoint, Headers: headers,
		Version: version(), Instance: a.settings.Engine.InstanceID, Group: a.group, Source: a.spec().Source.Topic, ClientID: a.settings.Kafka.ClientID,
		Registry: a.metrics.Registerer(), Log: a.log,
	})
	if err != nil {
		return err
	}
	a.engine.TraceWith(tracer)
	a.cleanups.add("tracing", tracer.Close)
	a.log.Info().Str("endpoint", around.OTLPEndpoint).Msg("tracing each batch")
	return nil
}
