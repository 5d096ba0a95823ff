package model

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The headers that a dead letter has besides those of its message. Most are Kafka Connect's (KIP-298), so that tools
// which know its dead letters know ours. They stand behind the message's own, and HeaderTopic is always the first of them:
// see SplitLetter.
const (
	HeaderTopic     = "__connect.errors.topic" // of the event, also when it was replayed
	HeaderPartition = "__connect.errors.partition"
	HeaderOffset    = "__connect.errors.offset"
	HeaderPipeline  = "__connect.errors.connector.name"
	HeaderStage     = "__connect.errors.stage"
	HeaderCode      = "__connect.errors.class.name"
	HeaderMessage   = "__connect.errors.exception.message"
	// HeaderFailedAt is the time of the failure, RFC 3339 in UTC.
	HeaderFailedAt = "stream-engine.failed-at"
	// HeaderTruncated is there when the value was too large, and says how many bytes it had.
	HeaderTruncated = "stream-engine.truncated"
	// HeaderLastOffset is there when a dead letter stands for a range of offsets, and is the last of them.
	HeaderLastOffset = "stream-engine.last-offset"
	// HeaderLateFor names the aggregates that an event came too late for, with commas between them. The event counts in all
	// others, and its outputs are written.
	HeaderLateFor = "stream-engine.late-for"
	// HeaderRefusedBy names the outputs whose brokers refused the event, with commas between them; "*" stands for all. The
	// event is in all others, and counts in its aggregates.
	HeaderRefusedBy = "stream-engine.refused-by"
	// HeaderReplays says how often the event had been replayed before.
	HeaderReplays = "stream-engine.replays"
	// HeaderSource is where a replayed event came from: topic/partition/offset. It is the first of the headers that a replay
	// adds: see SplitReplay.
	HeaderSource = "stream-engine.source"
)

// AllOutputs is what HeaderRefusedBy says when it cannot name them.
const AllOutputs = "*"

// MostReplays is how often one event may be replayed.
const MostReplays = 5

// SplitLetter parts the headers of a dead letter into those that its event came with and those that were added. added is
// empty for a message that is no dead letter.
func SplitLetter(headers []Header) (own, added []Header) { return split(headers, HeaderTopic) }

// SplitReplay parts the headers of a replayed event likewise.
func SplitReplay(headers []Header) (own, added []Header) { return split(headers, HeaderSource) }

// split cuts in front of the last header of a name.
func split(headers []Header, first string) (own, added []Header) {
	for i, h := range slices.Backward(headers) {
		if string(h.Key) == first {
			return headers[:i:i], headers[i:]
		}
	}
	return headers, nil
}

// HeaderValue is the last value under a name.
func HeaderValue(headers []Header, name string) (value []byte, ok bool) {
	for _, h := range slices.Backward(headers) {
		if string(h.Key) == name {
			return h.Value, true
		}
	}
	return nil, false
}

// ParseDeadLetter reads what a dead letter says about itself: a message of the dead-letter topic. What it does not say, or
// not in a form that can be read, is the zero value; offsets are -1 then. Its texts are copies.
func ParseDeadLetter(m *Message) DeadLetter {
	_, added := SplitLetter(m.Headers)
	text := func(name string) string {
		value, _ := HeaderValue(added, name)
		return string(value)
	}
	number := func(name string, none int64) int64 {
		if n, err := strconv.ParseInt(text(name), 10, 64); err == nil {
			return n
		}
		return none
	}
	d := DeadLetter{
		At:    TopicOffset{TopicPartition: TopicPartition{Topic: m.Topic, Partition: m.Partition}, Offset: m.Offset},
		Stage: Stage(text(HeaderStage)), Code: text(HeaderCode), Reason: text(HeaderMessage), Bytes: len(m.Value),
		Truncated: int(number(HeaderTruncated, 0)), Replays: int(number(HeaderReplays, 0)),
	}
	d.Source.Topic, d.Source.Partition, d.Source.Offset = text(HeaderTopic), int32(number(HeaderPartition, -1)), number(HeaderOffset, -1)
	d.LastInSet = number(HeaderLastOffset, d.Source.Offset)
	if at, err := time.Parse(time.RFC3339, text(HeaderFailedAt)); err == nil {
		d.FailedAt = at
	}
	if names := text(HeaderLateFor); names != "" {
		d.LateFor = strings.Split(names, ",")
	}
	return d
}

// Replay is what the added headers of a replayed event say.
type Replay struct {
	Own       []Header // those that the event came with
	Source    TopicOffset
	Count     int    // how often it has been replayed, this time included
	LateFor   []byte // as in the header; nil: the event takes the whole way
	RefusedBy []byte // likewise
}

// ParseReplay reads a message of the replay topic. ok is false for one that no replay has written. Its slices lie in the
// message.
func ParseReplay(m *Message) (r Replay, ok bool) {
	own, added := SplitReplay(m.Headers)
	if len(added) == 0 {
		return r, false
	}
	at := added[0].Value
	second := bytes.LastIndexByte(at, '/')
	first := bytes.LastIndexByte(at[:max(second, 0)], '/')
	if first < 1 {
		return r, false
	}
	partition, err := strconv.ParseInt(string(at[first+1:second]), 10, 32)
	offset, wrong := strconv.ParseInt(string(at[second+1:]), 10, 64)
	if err != nil || wrong != nil || partition < 0 || offset < 0 {
		return r, false
	}
	r.Own, r.Source = own, TopicOffset{TopicPartition: TopicPartition{Topic: string(at[:first]), Partition: int32(partition)}, Offset: offset}
	if value, found := HeaderValue(added, HeaderReplays); found {
		n, _ := strconv.Atoi(string(value)) // 0: nobody has counted
		r.Count = max(n, 0)
	}
	r.LateFor, _ = HeaderValue(added, HeaderLateFor)
	r.RefusedBy, _ = HeaderValue(added, HeaderRefusedBy)
	return r, true
}
