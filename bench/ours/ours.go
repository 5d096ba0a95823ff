// Package ours connects to a cluster the way package app does, for measurements of the Kafka layer alone. It measures
// nothing.
package ours

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"data-stream-engine/model"
	"data-stream-engine/repository"
	"data-stream-engine/repository/broker"
	"data-stream-engine/utils"
)

// Cluster is the engine's way to a cluster, with connections of its own.
type Cluster struct {
	Client    *broker.Client
	Retry     repository.Retry
	Observer  *Observer
	transport *kafka.Transport
}

// Connect makes the way to a cluster. wrap, if it is not nil, stands between the client and the connections. Nothing
// is sent yet.
func Connect(bootstrap []string, wrap func(kafka.RoundTripper) kafka.RoundTripper) (*Cluster, error) {
	transport, err := utils.NewTransport(utils.Kafka{SecurityProtocol: "PLAINTEXT", ClientID: "bench"})
	if err != nil {
		return nil, err
	}
	var way kafka.RoundTripper = transport
	if wrap != nil {
		way = wrap(way)
	}
	c := &Cluster{transport: transport, Client: broker.New(way, bootstrap, "bench"), Observer: &Observer{}}
	c.Retry = repository.NewRetry(c.Observer)
	return c, nil
}

// Close ends the connections.
func (c *Cluster) Close() { c.transport.CloseIdleConnections() }

// Observer counts and names what had to be repeated, besides the codes that pass at once.
type Observer struct{ Retries atomic.Int64 }

// Retrying implements repository.Observer.
func (o *Observer) Retrying(op string, err error) {
	o.Retries.Add(1)
	fmt.Fprintf(os.Stderr, "again: %s: %v\n", op, err)
}

// Pausing implements repository.Observer.
func (*Observer) Pausing(string, time.Duration) {}

// Recovered implements repository.Observer.
func (*Observer) Recovered(string) {}

// Abandoned implements repository.Observer.
func (*Observer) Abandoned(string) {}

// Lost implements repository.Observer.
func (*Observer) Lost(tp model.TopicPartition, from, to int64) {
	fmt.Fprintf(os.Stderr, "lost: %s-%d, offsets %d to %d\n", tp.Topic, tp.Partition, from, to)
}
