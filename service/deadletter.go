package service

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"data-stream-engine/model"
)

// The headers of dead letters: see package model.
const (
	HeaderTopic      = model.HeaderTopic
	HeaderPartition  = model.HeaderPartition
	HeaderOffset     = model.HeaderOffset
	HeaderPipeline   = model.HeaderPipeline
	HeaderStage      = model.HeaderStage
	HeaderCode       = model.HeaderCode
	HeaderMessage    = model.HeaderMessage
	HeaderFailedAt   = model.HeaderFailedAt
	HeaderTruncated  = model.HeaderTruncated
	HeaderLastOffset = model.HeaderLastOffset
	HeaderLateFor    = model.HeaderLateFor
	HeaderRefusedBy  = model.HeaderRefusedBy
	HeaderReplays    = model.HeaderReplays
)

// maxMessage is how many bytes the reason in a dead letter may have.
const maxMessage = 1 << 10

// DeadLetter writes m, as it came, to the dead-letter topic with headers that say why. The added headers stand behind
// those of the message, so that of a letter that failed twice the last ones count. It is in the tally; as a fate, the caller
// counts it.
func (p *Processor) DeadLetter(out Sink, m *model.Message, why model.Reason, now time.Time) {
	p.letter(out, m, why, now)
}

// Refused is DeadLetter for an event that brokers refuse as a record of the given outputs. It counts in aggregates all the
// same, so that a replay feeds these outputs and nothing else.
func (p *Processor) Refused(out Sink, m *model.Message, outputs []string, why model.Reason, now time.Time) {
	p.letter(out, m, why, now, note{HeaderRefusedBy, strings.Join(outputs, ",")})
}

// note is a header that only some dead letters have.
type note struct{ name, value string }

func (p *Processor) letter(out Sink, m *model.Message, why model.Reason, now time.Time, notes ...note) {
	p.reasons(m, why, now)
	for _, n := range notes {
		p.note(n.name, n.value)
	}
	value := m.Value
	if len(value) > p.limit {
		p.note(HeaderTruncated, strconv.Itoa(len(value)))
		value = value[:p.limit]
	}
	dst := out.Open(model.DeadLetters, m.Partition%out.Partitions(model.DeadLetters), m, m.Key, len(value))
	if value == nil {
		dst = nil
	}
	out.Close(append(dst, value...), p.headers)
}

// DeadRange writes one dead letter without key and value for the offsets from m.Offset to last of m's partition: a
// batch that cannot be read. m gives topic, partition, first offset and timestamp; the caller counts.
func (p *Processor) DeadRange(out Sink, m *model.Message, last int64, why model.Reason, now time.Time) {
	first := model.Message{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Timestamp: m.Timestamp}
	p.reasons(&first, why, now)
	p.note(HeaderLastOffset, strconv.FormatInt(last, 10))
	out.Open(model.DeadLetters, m.Partition%out.Partitions(model.DeadLetters), &first, nil, 0)
	out.Close(nil, p.headers)
}

func (p *Processor) reasons(m *model.Message, why model.Reason, now time.Time) {
	p.tally.letter(why.Stage, why.Code)
	again, replayed := p.replayed(m)
	p.headers, p.notes = append(p.headers[:0], again.Own...), p.notes[:0]
	p.note(HeaderTopic, again.Source.Topic)
	p.note(HeaderPartition, strconv.Itoa(int(again.Source.Partition)))
	p.note(HeaderOffset, strconv.FormatInt(again.Source.Offset, 10))
	p.note(HeaderPipeline, p.plan.spec.Name)
	p.note(HeaderStage, string(why.Stage))
	p.note(HeaderCode, why.Code)
	p.note(HeaderMessage, cut(why.Message, maxMessage))
	p.note(HeaderFailedAt, now.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
	if !replayed {
		return
	}
	p.note(HeaderReplays, strconv.Itoa(again.Count))
	if len(again.LateFor) > 0 { // what it lacks is still all that it lacks
		p.note(HeaderLateFor, string(again.LateFor))
	}
	if len(again.RefusedBy) > 0 && why.Stage != model.StageProduce {
		p.note(HeaderRefusedBy, string(again.RefusedBy))
	}
}

func (p *Processor) note(key, value string) {
	start := len(p.notes)
	p.notes = append(append(p.notes, key...), value...)
	middle, end := start+len(key), len(p.notes)
	p.headers = append(p.headers, model.Header{Key: p.notes[start:middle:middle], Value: p.notes[middle:end:end]})
}

// cut is s with at most n bytes, cut between characters.
func cut(s string, n int) string {
	const dots = "..."
	if len(s) <= n {
		return s
	}
	end := n - len(dots)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + dots
}
