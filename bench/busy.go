package main

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/repository/broker"
)

// busyWatch stands between the client and its connections, and notes how long the client waits after an answer with
// code 51 (CONCURRENT_TRANSACTIONS) before it asks again. The calls of one producer come one after the other.
type busyWatch struct {
	kafka.RoundTripper
	since time.Time // of an answer with code 51 that was not followed by a request yet
	waits []float64 // milliseconds
}

// RoundTrip implements kafka.RoundTripper.
func (w *busyWatch) RoundTrip(ctx context.Context, addr net.Addr, request kafka.Request) (kafka.Response, error) {
	if !w.since.IsZero() {
		w.waits = append(w.waits, millis(time.Since(w.since)))
		w.since = time.Time{}
	}
	answer, err := w.RoundTripper.RoundTrip(ctx, addr, request)
	if f, ok := request.(*broker.Frame); ok && err == nil && isBusy(f) {
		w.since = time.Now()
	}
	return answer, err
}

// isBusy tells whether the answer in a frame has code 51 in a place where a producer may meet it.
func isBusy(f *broker.Frame) bool {
	answer := kmsg.ResponseForKey(f.Key)
	switch answer.(type) {
	case *kmsg.AddPartitionsToTxnResponse, *kmsg.AddOffsetsToTxnResponse, *kmsg.TxnOffsetCommitResponse, *kmsg.EndTxnResponse, *kmsg.InitProducerIDResponse:
	default:
		return false
	}
	answer.SetVersion(f.Version)
	if answer.ReadFrom(f.Answer) != nil {
		return false
	}
	var codes []int16
	switch r := answer.(type) {
	case *kmsg.InitProducerIDResponse:
		codes = append(codes, r.ErrorCode)
	case *kmsg.AddOffsetsToTxnResponse:
		codes = append(codes, r.ErrorCode)
	case *kmsg.EndTxnResponse:
		codes = append(codes, r.ErrorCode)
	case *kmsg.AddPartitionsToTxnResponse:
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				codes = append(codes, p.ErrorCode)
			}
		}
	case *kmsg.TxnOffsetCommitResponse:
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				codes = append(codes, p.ErrorCode)
			}
		}
	}
	return slices.Contains(codes, broker.ConcurrentTransactions)
}
