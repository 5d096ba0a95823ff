// Package model holds the nouns of the stream: messages, partitions, assignments, results and error classes.
// It imports nothing but the standard library and does no I/O, so that every layer can speak its words.
package model

import "bytes"

// Message is one record of a topic. Its slices lie in the fetched bytes: they are valid until the next message is
// read, and nobody may change them. A nil Key or Value is Kafka's null, an empty one is an empty value.
type Message struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp int64 // milliseconds since 1970, as the producer or the broker set it
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Clone is the message in memory of its own.
func (m *Message) Clone() *Message {
	c := *m
	c.Key, c.Value, c.Headers = bytes.Clone(m.Key), bytes.Clone(m.Value), nil
	for _, h := range m.Headers {
		c.Headers = append(c.Headers, Header{Key: bytes.Clone(h.Key), Value: bytes.Clone(h.Value)})
	}
	return &c
}

// Header is one record header. Kafka allows a key to repeat and keeps their order.
type Header struct {
	Key   []byte
	Value []byte
}

// TopicPartition names one partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Origin is the place of a source message. A record that is derived from a message keeps it, so that an output that
// the broker refuses can be traced back to the event it came from.
type Origin struct {
	TopicPartition
	Offset int64
}

// DeadLetters is the index of the dead-letter topic in the list of topics that a pipeline writes to; its outputs
// follow in the order of the pipeline file, from 1 on.
const DeadLetters = 0
