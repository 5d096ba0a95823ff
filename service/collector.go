package service

import (
	"bytes"
	"slices"
	"time"

	"data-stream-engine/model"
)

// Written is an output record of a Collector.
type Written struct {
	Message   int // the place of the message that it came from in its batch, from 0
	Topic     string
	Partition int32
	Timestamp int64 // milliseconds since 1970
	Key       []byte
	Value     []byte
	Headers   []model.Header
}

// Header is the value of the last header of that name: of a record that failed twice, the one that counts.
func (w *Written) Header(name string) (string, bool) {
	for _, h := range slices.Backward(w.Headers) {
		if string(h.Key) == name {
			return string(h.Value), true
		}
	}
	return "", false
}

// Collect runs messages through p as one batch and keeps what it writes, as the engine would produce it, in memory.
// partitions gives the partition count of a topic; nil: one each. What p collects for aggregates stays in it; see
// Simulation for what becomes of that.
func Collect(p *Processor, messages []model.Message, now time.Time, partitions func(topic string) int32) ([]Written, model.Result) {
	c := collector{topics: p.Topics(), partitions: partitions, messages: messages, end: len(messages)}
	result := p.Process(&c, &c, now)
	return c.records, result
}

// collector is the two ends of a Processor: the messages that go in, and the records that come out.
type collector struct {
	topics     []string
	partitions func(topic string) int32
	messages   []model.Message
	next, end  int // of the messages that go in
	open       Written
	records    []Written
}

// Next is Messages.
func (c *collector) Next(m *model.Message) bool {
	if c.next == c.end {
		return false
	}
	*m = c.messages[c.next]
	c.next++
	return true
}

// Partitions is Sink.
func (c *collector) Partitions(topic int) int32 {
	if c.partitions == nil {
		return 1
	}
	return max(c.partitions(c.topics[topic]), 1)
}

// Open is Sink.
func (c *collector) Open(topic int, partition int32, m *model.Message, key []byte, bound int) []byte {
	c.open = Written{Message: c.next - 1, Topic: c.topics[topic], Partition: partition, Timestamp: m.Timestamp, Key: bytes.Clone(key)}
	return make([]byte, 0, bound)
}

// Close is Sink.
func (c *collector) Close(value []byte, headers []model.Header) {
	c.open.Value = bytes.Clone(value)
	for _, h := range headers {
		c.open.Headers = append(c.open.Headers, model.Header{Key: bytes.Clone(h.Key), Value: bytes.Clone(h.Value)})
	}
	c.records = append(c.records, c.open)
}
