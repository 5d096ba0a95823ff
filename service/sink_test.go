package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"
)

// written is a record that the memory sink was given.
type written struct {
	Topic     string
	Partition int32
	Timestamp int64
	Key       []byte
	Value     []byte
	Headers   []model.Header
}

func (w written) header(key string) string {
	for _, h := range slices.Backward(w.Headers) {
		if string(h.Key) == key {
			return string(h.Value)
		}
	}
	return "<none>"
}

func (w written) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%d %q: %s", w.Topic, w.Partition, w.Key, w.Value)
	for _, h := range w.Headers {
		fmt.Fprintf(&b, "\n\t%s: %s", h.Key, h.Value)
	}
	return b.String()
}

// memory is a Sink that keeps copies, as the real one does, and notices misuse.
type memory struct {
	t          testing.TB
	topics     []string
	partitions int32
	records    []written
	open       *written
}

func (s *memory) Partitions(int) int32 { return s.partitions }

func (s *memory) Open(topic int, partition int32, m *model.Message, key []byte, bound int) []byte {
	if partition < 0 || partition >= s.partitions {
		s.t.Errorf("partition %d of %d", partition, s.partitions)
	}
	s.open = &written{Topic: s.topics[topic], Partition: partition, Timestamp: m.Timestamp, Key: clone(key)}
	return make([]byte, 0, bound)
}

func (s *memory) Close(value []byte, headers []model.Header) {
	if s.open == nil {
		s.t.Fatal("Close without Open")
	}
	s.open.Value = clone(value)
	for _, h := range headers {
		s.open.Headers = append(s.open.Headers, model.Header{Key: clone(h.Key), Value: clone(h.Value)})
	}
	s.records, s.open = append(s.records, *s.open), nil
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

// batch is a Messages over a slice.
type batch struct {
	messages []model.Message
	at       int
}

func (b *batch) Next(m *model.Message) bool {
	if b.at == len(b.messages) {
		return false
	}
	*m = b.messages[b.at]
	b.at++
	return true
}

const testKey = "0123456789abcdef"

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 678_912_345, time.UTC)

func processor(t testing.TB, file string) *Processor {
	t.Helper()
	spec, err := ParsePipeline("pipeline.yaml", []byte(file), unset)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProcessor(spec, Options{HashKey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func unset(string) (string, bool) { return "", false }

// run gives what the pipeline makes of some values.
func run(t testing.TB, file string, values ...string) ([]written, model.Result) {
	t.Helper()
	var in batch
	for i, v := range values {
		in.messages = append(in.messages, model.Message{Topic: "in", Partition: 5, Offset: int64(100 + i), Timestamp: 1700000000000 + int64(i), Value: []byte(v)})
	}
	return runMessages(t, file, in.messages...)
}

func runMessages(t testing.TB, file string, messages ...model.Message) ([]written, model.Result) {
	t.Helper()
	p := processor(t, file)
	sink := &memory{t: t, topics: p.Topics(), partitions: 4}
	result := p.Process(&batch{messages: messages}, sink, testNow)
	if result.Consumed != result.Forwarded+result.Filtered+result.DeadLetters || result.Consumed != len(messages) {
		t.Errorf("not every message has one fate: %+v", result)
	}
	return sink.records, result
}
