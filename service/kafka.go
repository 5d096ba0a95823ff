// Package service holds the decisions of the stream: which events pass, what becomes of them, where they go. It turns
// a batch of messages into output records and a count of fates, and it never does I/O: no network, no files, no
// clock, no environment. What it needs from outside comes in through the two interfaces below and through arguments.
package service

import (
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
	"data-stream-engine/service/projection"
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
	plan    *plan
	limit   int              // bytes of a dead letter's value
	event   projection.Event // as it came
	env     *expression.Env  // what sees it
	pieces  pieces           // of the output
	scratch []byte           // the output, when it cannot be written to its place at once
	result  projection.Event // of the output, what expressions read
	after   *expression.Env  // what sees it, or env when that sees the same
	routes  *expression.Env  // what outputs' expressions see: one of the two
	targets []target
	gauges  gauging
	tally   tally
	replay  *model.Replay // of the message at hand; nil: it is no replayed one
	headers []model.Header
	notes   []byte // the values of a dead letter's headers
}

// NewProcessor compiles a pipeline. The error is a *model.Error of class Misconfigured; around Problems when the
// pipeline is at fault.
func NewProcessor(spec *model.Pipeline, o Options) (*Processor, error) {
	lib, err := expression.NewLibrary(o.HashKey)
	if err != nil {
		return nil, &model.Error{Class: model.Misconfigured, Op: "read", Subject: "HASH_KEY", Err: err, Hint: "a key of at least 16 bytes, or several as in k2:...,k1:..."}
	}
	plan, problems := compile(spec, lib)
	if len(problems) > 0 {
		return nil, problems.asError()
	}
	group := o.Group
	if group == "" {
		group = spec.Name
	}
	plan.topics[model.DeadLetters] = group + "-dead-letter"
	plan.replay = group + "-replay"
	plan.derived = Derived{Partials: group + "-partials", Changelog: group + "-changelog", Insights: group + "-insights"}
	if problems := plan.surroundings(); len(problems) > 0 {
		return nil, problems.asError()
	}
	if o.DeadLetterBytes <= 0 {
		o.DeadLetterBytes = 900_000
	}
	p := newProcessor(plan, o.DeadLetterBytes)
	return p, p.collect()
}

// surroundings are the problems that only show once group and hash key are known.
func (p *plan) surroundings() Problems {
	var found Problems
	for _, s := range p.steps() {
		if s.program.NeedsHashKey() && !p.lib.HasHashKey() {
			found = append(found, Problem{File: p.spec.File, At: s.spec.At, Message: s.what + " calls hash, which needs a key: set HASH_KEY to at least 16 random bytes"})
		}
	}
	own := map[string]string{p.topics[model.DeadLetters]: "dead-letter topic", p.replay: "replay topic"}
	if len(p.gauges) > 0 {
		own[p.derived.Partials], own[p.derived.Changelog], own[p.derived.Insights] = "partials topic", "changelog topic", "insights topic"
	}
	for _, topic := range append([]string{p.spec.Source.Topic}, p.topics[model.DeadLetters+1:]...) {
		if what, taken := own[topic]; taken {
			found = append(found, Problem{File: p.spec.File, At: model.Place{Line: 1, Column: 1}, Message: "the topic " + topic + " is the " + what + " of this group; use another topic or another group id"})
		}
	}
	return found
}

// Clone is a Processor of the same pipeline for another goroutine, with nothing collected.
func (p *Processor) Clone() *Processor {
	c := newProcessor(p.plan, p.limit)
	_ = c.collect() // it has worked for p
	return c
}

func newProcessor(plan *plan, limit int) *Processor {
	p := &Processor{plan: plan, limit: limit, env: expression.NewEnv(), tally: newTally(plan)}
	p.after, p.routes = p.env, p.env
	if len(plan.made) > 0 {
		p.after = expression.NewEnv()
	}
	if plan.routed {
		p.routes = p.after
	}
	return p
}

// Topics are the topics that Process writes to, each once: the dead-letter topic first, then the outputs' topics in
// the order of the pipeline file.
func (p *Processor) Topics() []string { return p.plan.topics }

// Process runs the messages of one batch through the pipeline. now is the time of the whole batch: now(), to the
// millisecond, and the dead letters' failure time. Every message has exactly one fate.
func (p *Processor) Process(in Messages, out Sink, now time.Time) model.Result {
	p.release()
	p.gauges.clock = now.UnixMilli()
	p.env.SetNow(now.Truncate(time.Millisecond))
	p.after.SetNow(now.Truncate(time.Millisecond))
	var r model.Result
	var m model.Message
	for in.Next(&m) {
		r.Consumed++
		if m.Topic == p.plan.replay {
			p.again(&m, out, now, &r)
			continue
		}
		written, why := p.one(&m, out)
		switch {
		case why != nil:
			p.DeadLetter(out, &m, *why, now)
			r.DeadLetters++
		case written == 0:
			r.Filtered++
		default:
			r.Forwarded++
			r.Outputs += written
			p.tally.sent(p.targets)
		}
		if len(p.gauges.missed) > 0 {
			r.Late++
			p.late(out, &m, now)
		}
	}
	p.tally.records(r.Outputs)
	return r
}

// keptScratch is how large a buffer may be, in bytes, to be kept for the next batch. One event of many megabytes must not
// hold as many for ever in each worker.
const keptScratch = 1 << 20

// release gives back what single events of the batches before took beyond keptScratch.
func (p *Processor) release() {
	p.event.Release(keptScratch)
	p.result.Release(keptScratch)
	p.env.Release(keptScratch)
	p.after.Release(keptScratch)
	clear(p.pieces.list)
	clear(p.targets[:cap(p.targets)])
	for _, buffer := range []*[]byte{&p.pieces.made, &p.scratch, &p.notes} {
		if cap(*buffer) > keptScratch {
			*buffer = nil
		}
	}
	p.gauges.release()
	if cap(p.headers) > keptHeaders {
		p.headers = nil
	}
	clear(p.headers[:cap(p.headers)])
}

// keptHeaders is how many headers' room is kept for the next batch's dead letters.
const keptHeaders = 1 << 10

// one is the way of one event: decode, filter, transform, route, write. It says how many records were written, or why
// the event failed; no record is closed before everything was evaluated.
func (p *Processor) one(m *model.Message, out Sink) (written int, why *model.Reason) {
	p.gauges.missed = p.gauges.missed[:0]
	fate, why := p.decode(m)
	if why != nil || fate == model.PolicyDrop {
		return 0, why
	}
	p.env.Bind(&p.event)
	if pass, why := p.filter(m); why != nil || !pass {
		return 0, why
	}
	switch {
	case p.plan.template == nil:
		why = p.forward(m, out)
	case p.plan.routed:
		why = p.transformThenRoute(m, out)
	default:
		why = p.routeThenTransform(m, out)
	}
	if why != nil {
		return 0, why
	}
	if len(p.targets) == 0 && p.replay == nil {
		p.tally.unrouted++
	}
	return len(p.targets), nil
}
