package tracing

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"data-stream-engine/handler"
	"data-stream-engine/model"
)

// mostPartitions bounds the list of partitions of a span.
const mostPartitions = 64

// Trace implements handler.Tracer: one span for the batch, with a link to each trace that a sampled message is part of,
// and a child for each of its parts. The names are those of OpenTelemetry's conventions for messaging; what these do not
// know is under stream_engine.
func (t *Tracer) Trace(b *handler.BatchTrace) {
	ctx, span := t.tracer.Start(context.Background(), "process "+t.config.Source,
		trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(b.Began), trace.WithLinks(links(b.Links)...),
		trace.WithAttributes(t.messaging("process", semconv.MessagingOperationTypeProcess)...), trace.WithAttributes(counts(b)...))
	if !span.IsRecording() {
		return
	}
	if !b.Processed.IsZero() {
		span.AddEvent("processed", trace.WithTimestamp(b.Processed))
	}
	for _, r := range b.Retries {
		span.AddEvent("retry", trace.WithTimestamp(r.At), trace.WithAttributes(
			attribute.String("stream_engine.operation", r.Op), semconv.ErrorTypeKey.String(model.ClassOf(r.Err).String()),
			semconv.ExceptionMessage(r.Err.Error())))
	}
	for _, p := range b.Parts {
		t.part(ctx, p)
	}
	end(span, b.Ended, b.Err)
}

func (t *Tracer) part(ctx context.Context, p handler.TracePart) {
	name, attributes := p.Name, t.messaging(p.Name, semconv.MessagingOperationTypeSend)
	if p.Name == handler.PartCommit {
		name, attributes = p.Name+" "+t.config.Source, t.messaging(p.Name, semconv.MessagingOperationTypeSettle)
	}
	_, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(p.Began), trace.WithAttributes(attributes...))
	end(span, p.Ended, p.Err)
}

func (t *Tracer) messaging(operation string, kind attribute.KeyValue) []attribute.KeyValue {
	list := []attribute.KeyValue{
		semconv.MessagingSystemKafka, semconv.MessagingOperationName(operation), kind,
		semconv.MessagingConsumerGroupName(t.config.Group), semconv.MessagingClientID(t.config.ClientID),
	}
	if operation != handler.PartSend { // a parcel goes to several topics
		list = append(list, semconv.MessagingDestinationName(t.config.Source))
	}
	return list
}

func counts(b *handler.BatchTrace) []attribute.KeyValue {
	list := []attribute.KeyValue{
		semconv.MessagingBatchMessageCount(b.Result.Consumed),
		attribute.String("stream_engine.outcome", b.Outcome),
		attribute.Int("stream_engine.events.forwarded", b.Result.Forwarded),
		attribute.Int("stream_engine.events.filtered", b.Result.Filtered),
		attribute.Int("stream_engine.events.dead_letter", b.Result.DeadLetters),
		attribute.Int("stream_engine.events.late", b.Result.Late),
		attribute.Int("stream_engine.outputs", b.Result.Outputs),
		attribute.Int("stream_engine.bytes", b.Bytes),
		attribute.Float64("stream_engine.process_seconds", b.Took.Seconds()),
		attribute.Int("stream_engine.partitions.count", len(b.Partitions)),
	}
	if len(b.Partitions) == 1 {
		return append(list, semconv.MessagingDestinationPartitionID(strconv.Itoa(int(b.Partitions[0].Partition))))
	}
	var names []string
	for _, tp := range b.Partitions {
		names = append(names, fmt.Sprintf("%s-%d", tp.Topic, tp.Partition))
	}
	slices.Sort(names)
	return append(list, attribute.StringSlice("stream_engine.partitions", names[:min(len(names), mostPartitions)]))
}

// links are the contexts that are valid. A span can have their tracestate too, but the exporter leaves it out.
func links(parents []string) []trace.Link {
	var list []trace.Link
	for _, p := range parents {
		carrier := propagation.MapCarrier{"traceparent": p}
		remote := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
		if remote.IsValid() {
			list = append(list, trace.Link{SpanContext: remote})
		}
	}
	return list
}

func end(span trace.Span, at time.Time, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		span.SetAttributes(semconv.ErrorTypeKey.String(model.ClassOf(err).String()))
	}
	span.End(trace.WithTimestamp(at))
}
