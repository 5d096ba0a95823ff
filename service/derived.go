package service

import (
	"strconv"
	"time"

	"data-stream-engine/model"
)

// Derived are the topics of a group's aggregates. In the list of topics that a writer writes to they follow Topics, in this
// order.
type Derived struct {
	Partials  string // what instances have combined, on its way to who merges it
	Changelog string // the state of each partition of Partials
	Insights  string
}

// List is the topics in their order.
func (d Derived) List() []string { return []string{d.Partials, d.Changelog, d.Insights} }

// Derived are the topics of the pipeline's aggregates; ok is false when it has none.
func (p *Processor) Derived() (d Derived, ok bool) { return p.plan.derived, len(p.plan.gauges) > 0 }

// CodePartialExpired is the code of a dead letter that is no event but what several would have counted in a window of
// which nothing is kept any more.
const CodePartialExpired = "partial_expired"

// DeadPartial writes a dead letter that holds a partial as JSON.
func (p *Processor) DeadPartial(out Sink, partition int32, document []byte, now time.Time) {
	p.tally.letter(model.StageLate, CodePartialExpired)
	m := model.Message{Topic: p.plan.derived.Partials, Partition: partition, Timestamp: now.UnixMilli()}
	p.headers, p.notes = p.headers[:0], p.notes[:0]
	p.note(HeaderTopic, m.Topic)
	p.note(HeaderPartition, strconv.Itoa(int(partition)))
	p.note(HeaderPipeline, p.plan.spec.Name)
	p.note(HeaderStage, string(model.StageLate))
	p.note(HeaderCode, CodePartialExpired)
	p.note(HeaderMessage, "events counted in a window that is closed for longer than its retention: their partition was idle or new, or could not be read for long")
	p.note(HeaderFailedAt, now.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
	if len(document) > p.limit {
		p.note(HeaderTruncated, strconv.Itoa(len(document)))
		document = document[:p.limit]
	}
	dst := out.Open(model.DeadLetters, partition%out.Partitions(model.DeadLetters), &m, nil, len(document))
	out.Close(append(dst, document...), p.headers)
}
