package service

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"data-stream-engine/model"
)

// ReplayTopic is where dead letters go that are to be processed again. It is read like the source, but what comes from it
// moves no watermark and is never late.
func (p *Processor) ReplayTopic() string { return p.plan.replay }

// replayed is what the headers of a message say of its replay. Of a message that was not replayed it holds the message's own
// headers and place.
func (p *Processor) replayed(m *model.Message) (r model.Replay, ok bool) {
	if m.Topic == p.plan.replay {
		if r, ok = model.ParseReplay(m); ok {
			return r, true
		}
	}
	at := model.TopicPartition{Topic: m.Topic, Partition: m.Partition}
	return model.Replay{Own: m.Headers, Source: model.TopicOffset{TopicPartition: at, Offset: m.Offset}}, false
}

// again is Process for one message of the replay topic. An event that lacks only a part of the way takes only that: nothing
// may be written or counted twice.
func (p *Processor) again(m *model.Message, out Sink, now time.Time, r *model.Result) {
	replay, _ := p.replayed(m)
	source := p.gauges.source
	p.replay, p.gauges.source, p.gauges.counted = &replay, nil, p.gauges.counted[:0]
	event := *m
	event.Headers = replay.Own
	written, why := p.one(&event, out)
	r.Replayed++
	switch {
	case why != nil:
		p.DeadLetter(out, m, *why, now)
		r.DeadLetters++
	case written > 0:
		r.Forwarded++
		r.Outputs += written
		p.tally.sent(p.targets)
	case len(replay.LateFor) > 0 && len(p.gauges.counted) > 0:
		r.Recounted++
	default:
		r.Filtered++
	}
	p.replay, p.gauges.source = nil, source
}

// outputLacks tells whether the replayed event is to be written to an output.
func (p *Processor) outputLacks(topic string) bool {
	r := p.replay
	return len(r.LateFor) == 0 && (len(r.RefusedBy) == 0 || string(r.RefusedBy) == model.AllOutputs || among(r.RefusedBy, topic))
}

// aggregateLacks tells whether the replayed event is to count in an aggregate.
func (p *Processor) aggregateLacks(name string) bool {
	r := p.replay
	return len(r.RefusedBy) == 0 && (len(r.LateFor) == 0 || among(r.LateFor, name))
}

// among tells whether a name is in a list with commas.
func among(list []byte, name string) bool {
	for item := range bytes.SplitSeq(list, []byte(",")) {
		if string(item) == name {
			return true
		}
	}
	return false
}

// ReplayOf is the message of the replay topic that a dead letter becomes. It shares the letter's memory. why is empty, or
// says to a person why the letter cannot be replayed.
func (p *Processor) ReplayOf(letter *model.Message) (m model.Message, why string) {
	own, added := model.SplitLetter(letter.Headers)
	d := model.ParseDeadLetter(letter)
	_, isRange := model.HeaderValue(added, HeaderLastOffset)
	switch {
	case len(added) == 0:
		return m, "it is no dead letter of this service: it has no header " + HeaderTopic
	case isRange:
		return m, fmt.Sprintf("it stands for the offsets %d to %d, which could not be read: there is no content", d.Source.Offset, d.LastInSet)
	case d.Truncated > 0:
		return m, fmt.Sprintf("it was cut off: %d bytes of %d are left", d.Bytes, d.Truncated)
	case d.Source.Partition < 0 || d.Source.Offset < 0:
		return m, "it is no event: it does not say at which offset it was"
	case d.Replays >= model.MostReplays:
		return m, fmt.Sprintf("it has been replayed %d times, which is the most", d.Replays)
	}
	m = model.Message{Topic: p.plan.replay, Partition: d.Source.Partition, Timestamp: letter.Timestamp, Key: letter.Key, Value: letter.Value}
	header := func(name, value string) {
		m.Headers = append(m.Headers, model.Header{Key: []byte(name), Value: []byte(value)})
	}
	m.Headers = slices.Clip(own)
	header(model.HeaderSource, fmt.Sprintf("%s/%d/%d", d.Source.Topic, d.Source.Partition, d.Source.Offset))
	header(HeaderReplays, strconv.Itoa(d.Replays+1))
	if len(d.LateFor) > 0 {
		header(HeaderLateFor, strings.Join(d.LateFor, ","))
	}
	if outputs, _ := model.HeaderValue(added, HeaderRefusedBy); len(outputs) > 0 {
		header(HeaderRefusedBy, string(outputs))
	} else if d.Stage == model.StageProduce { // of a version that did not say by which
		header(HeaderRefusedBy, model.AllOutputs)
	}
	return m, ""
}
