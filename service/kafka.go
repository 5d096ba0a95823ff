// Package service holds the decisions of the stream: which events pass, what becomes of them, where they go. It turns
// a batch of messages into output records and a count of fates, and it never does I/O: no network, no files, no
// clock, no environment. What it needs from outside comes in through the two interfaces below and through arguments.
package service

import (
	"time"

	"data-stream-engine/model"
)

// Messages yields the messages of one source partition in offset order.
type Messages interface {
	// Next fills m with the next message and reports whether there was one. The slices of m are valid until the
	// next call.
	Next(m *model.Message) bool
}

// Sink takes output records, one Open and one Close a record. A record that was opened and not closed is dropped by
// the next Open.
type Sink interface {
	// Partitions is the partition count of Processor.Topics()[topic], at least 1.
	Partitions(topic int) int32
	// Open starts a record for a partition of a topic, with m's timestamp and origin, and returns an empty slice with
	// room for bound bytes. The value is appended to it. A nil key is Kafka's null.
	Open(topic int, partition int32, m *model.Message, key []byte, bound int) []byte
	// Close ends the record. value is what Open returned, grown by append; nil is Kafka's null. The headers are
	// written as they are and may be reused by the caller afterwards.
	Close(value []byte, headers []model.Header)
}

// Options are what a pipeline needs from its surroundings.
type Options struct {
	// Group is the identity of the deployment: the dead-letter topic is <Group>-dead-letter. Empty: the pipeline's name.
	Group string
	// HashKey is the key of hash(): "secret" or "k2:secret,k1:secret", each secret at least 16 bytes. The first one
	// signs. It may be empty when no expression calls hash.
	HashKey string
	// DeadLetterBytes is the size beyond which the value of a dead letter is cut off. 0: 900,000.
	DeadLetterBytes int
}

// Processor runs one pipeline. It reuses its scratch memory and is for one goroutine; Clone makes one for another.
type Processor struct {
	topics []string
}

// NewProcessor compiles a pipeline. The error names file, line and column of everything that is wrong.
func NewProcessor(spec *model.Pipeline, o Options) (*Processor, error) {
	group := o.Group
	if group == "" {
		group = spec.Name
	}
	p := &Processor{topics: []string{group + "-dead-letter"}}
	for _, out := range spec.Outputs {
		p.topics = append(p.topics, out.Topic)
	}
	return p, nil
}

// Clone is a Processor of the same pipeline for another goroutine.
func (p *Processor) Clone() *Processor { return &Processor{topics: p.topics} }

// Topics are the topics that Process writes to, each once: the dead-letter topic first, then the outputs' topics in
// the order of the pipeline file.
func (p *Processor) Topics() []string { return p.topics }

// Process runs the messages of one batch through the pipeline. now is the time of the whole batch: now() and the
// dead letters' failure time. Every message has exactly one fate.
func (p *Processor) Process(in Messages, out Sink, now time.Time) model.Result {
	var r model.Result
	var m model.Message
	for in.Next(&m) {
		r.Consumed++
		p.DeadLetter(out, &m, model.Reason{Stage: model.StageDecode, Code: "unsupported", Message: "the pipeline is not built yet"}, now)
		r.DeadLetters++
	}
	return r
}
