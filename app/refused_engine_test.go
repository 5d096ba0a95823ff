package app_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// header is the last header of that name: what a dead letter adds stands behind what its event had.
func header(r *kgo.Record, name string) string {
	for _, h := range slices.Backward(r.Headers) {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return "<none>"
}

// requireCounts compares the events by outcome.
func (e *engine) requireCounts(forwarded, dead float64) {
	e.t.Helper()
	f, d := e.metric(`stream_engine_events_total{outcome="forwarded"}`), e.metric(`stream_engine_events_total{outcome="dead_letter"}`)
	if f != forwarded || d != dead {
		e.t.Errorf("%v events forwarded and %v dead letters, want %v and %v", f, d, forwarded, dead)
	}
}

// letters are the dead letters; there must be n.
func (r *rig) letters(n int) []*kgo.Record {
	r.t.Helper()
	letters := r.committed(deadTopic)
	if len(letters) != n {
		r.t.Fatalf("%d dead letters, want %d", len(letters), n)
	}
	return letters
}

// poison is an event that is not counted among those to come out.
func (r *rig) poison(e event) *kgo.Record {
	m := record(e)
	m.Key = []byte("the key")
	m.Headers = []kgo.RecordHeader{{Key: "trace", Value: []byte("abc")}, {Key: "trace", Value: nil}}
	return m
}

func TestRecordTooLargeForTheOutputBecomesOneDeadLetter(t *testing.T) {
	t.Parallel()
	for _, codec := range []string{"none", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			big := r.poison(event{User: "u3", N: -1, Pad: noise(30_000)})
			r.limitTopic(outputTopic, 20_000)
			var records []*kgo.Record
			for i, e := range r.next(600) {
				if records = append(records, record(e)); i == 300 {
					records = append(records, big)
				}
			}
			r.write(records...)
			e := r.start("KAFKA_COMPRESSION=" + codec)
			r.exactlyOnce()
			if got := r.output()["u3"]; slices.Contains(got, -1) {
				t.Error("the record is in the output")
			}
			letter := r.letters(1)[0]
			if !bytes.Equal(letter.Value, big.Value) || string(letter.Key) != "the key" || letter.Timestamp.UnixMilli() != big.Timestamp.UnixMilli() {
				t.Errorf("key %q, value of %d bytes, %s", letter.Key, len(letter.Value), letter.Timestamp)
			}
			if h := letter.Headers; len(h) < 2 || h[0].Key != "trace" || string(h[0].Value) != "abc" || h[1].Key != "trace" || h[1].Value != nil {
				t.Errorf("headers %v", h)
			}
			for name, want := range map[string]string{"__connect.errors.topic": sourceTopic, "__connect.errors.partition": "3", "__connect.errors.offset": strconv.FormatInt(big.Offset, 10),
				"__connect.errors.stage": "produce", "__connect.errors.class.name": "message_too_large", "stream-engine.truncated": "<none>"} {
				if got := header(letter, name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			e.requireCounts(600, 1)
		})
	}
}

// noise is text that no codec makes much smaller.
func noise(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"[x>>26]
	}
	return string(b)
}

// limitTopic sets the max.message.bytes of a topic.
func (r *rig) limitTopic(topic string, most int) {
	r.t.Helper()
	r.alter(topic, "max.message.bytes", strconv.Itoa(most))
}

func TestDeadLetterThatIsTooLargeItselfIsTruncated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.limitTopic(outputTopic, 20_000)
	r.limitTopic(deadTopic, 20_000)
	big := r.poison(event{User: "u3", N: -1, Pad: noise(150_000)})
	broken := &kgo.Record{Topic: sourceTopic, Partition: 1, Value: []byte("not JSON " + noise(40_000))}
	r.feed(60)
	r.write(big, broken)
	r.feed(60)
	e := r.start()
	r.exactlyOnce()
	for _, letter := range r.letters(2) {
		original := big
		if header(letter, "__connect.errors.partition") == "1" {
			original = broken
		}
		if len(letter.Value) != 10_000 || !bytes.HasPrefix(original.Value, letter.Value) {
			t.Errorf("%d bytes: %.40q", len(letter.Value), letter.Value)
		}
		if got := header(letter, "stream-engine.truncated"); got != strconv.Itoa(len(original.Value)) {
			t.Errorf("truncated: %s of %d", got, len(original.Value))
		}
	}
	e.requireCounts(120, 2)
}

// Huge headers, or a huge key, must not stop the stream either.
func TestDeadLetterIsTakenWithoutKeyAndHeadersAtLast(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.limitTopic(deadTopic, 20_000)
	r.feed(24)
	r.write(&kgo.Record{Topic: sourceTopic, Partition: 0, Value: []byte("not JSON"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte(noise(40_000))}}},
		&kgo.Record{Topic: sourceTopic, Partition: 1, Value: []byte("not JSON"), Key: []byte(noise(40_000))})
	r.feed(24)
	e := r.start()
	r.exactlyOnce()
	for _, letter := range r.letters(2) {
		if header(letter, "__connect.errors.class.name") != "invalid_json" || header(letter, "__connect.errors.topic") != sourceTopic || header(letter, "stream-engine.truncated") == "<none>" {
			t.Errorf("headers %.300v", letter.Headers)
		}
		if letter.Key != nil || string(letter.Value) != "not JSON" {
			t.Errorf("key %.20q, value %.20q", letter.Key, letter.Value)
		}
	}
	e.requireCounts(48, 2)
}

// An event has one fate, however many outputs refuse it.
func TestTwoOutputsThatRefuseOneEventMakeOneDeadLetter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pipeline += "  - topic: out-2\n  - topic: out-3\n"
	r.create("out-2", 1)
	r.create("out-3", 1)
	r.limitTopic(outputTopic, 20_000)
	r.limitTopic("out-2", 20_000)
	r.feed(60)
	r.write(r.poison(event{User: "u1", N: -1, Pad: noise(30_000)}), r.poison(event{User: "u2", N: -2, Pad: noise(30_000)}))
	r.feed(60)
	e := r.start()
	r.exactlyOnce()
	r.letters(2)
	e.requireCounts(120, 2)
	var got []int
	for _, m := range r.committed("out-3") {
		var e event
		must(t, json.Unmarshal(m.Value, &e))
		got = append(got, e.N)
	}
	if len(got) != 122 || !slices.Contains(got, -1) || !slices.Contains(got, -2) {
		t.Errorf("the output that refuses nothing has %d records", len(got))
	}
	must(t, e.stop())
	if !e.says(`"message":"stopped"`, `"out":362`, `"dead":2`) {
		t.Error("the numbers at the end count what was refused as written")
	}
}
