package service

import (
	"strings"
	"testing"
	"unicode/utf8"

	"data-stream-engine/model"
)

func TestADeadLetterIsTheOriginalWithReasons(t *testing.T) {
	m := model.Message{Topic: "in", Partition: 6, Offset: 42, Timestamp: 7, Key: []byte{0, 255}, Value: []byte("\x00broken"), Headers: []model.Header{{Key: []byte("trace"), Value: []byte{1}}}}
	records, _ := runMessages(t, minimal, m)
	r := records[0]
	if string(r.Key) != "\x00\xff" || string(r.Value) != "\x00broken" || r.Timestamp != 7 || r.Partition != 2 || r.header("trace") != "\x01" {
		t.Errorf("got %+v", r)
	}
	for header, want := range map[string]string{
		HeaderTopic: "in", HeaderPartition: "6", HeaderOffset: "42", HeaderPipeline: "p", HeaderStage: "decode",
		HeaderCode: "invalid_json", HeaderFailedAt: "2026-01-02T03:04:05.678Z", HeaderTruncated: "<none>",
	} {
		if got := r.header(header); got != want {
			t.Errorf("%s: got %q, want %q", header, got, want)
		}
	}
	if !strings.Contains(r.header(HeaderMessage), "invalid character") {
		t.Errorf("got %q", r.header(HeaderMessage))
	}
}

func TestALetterThatFailsAgainKeepsItsFirstReasons(t *testing.T) {
	m := model.Message{Topic: "again", Value: []byte("x"), Headers: []model.Header{{Key: []byte(HeaderTopic), Value: []byte("first")}}}
	records, _ := runMessages(t, minimal, m)
	if h := records[0].Headers; string(h[0].Value) != "first" || records[0].header(HeaderTopic) != "again" {
		t.Errorf("got %s", h)
	}
}

func TestLargeValuesAreCutOff(t *testing.T) {
	p := processor(t, minimal)
	p.limit = 10
	sink := &memory{t: t, topics: p.Topics(), partitions: 1}
	p.Process(&batch{messages: []model.Message{{Value: []byte("0123456789")}, {Value: []byte("x0123456789")}}}, sink, testNow)
	p.Process(&batch{messages: []model.Message{{Value: []byte(`{"a":"` + strings.Repeat("b", 100) + `"}`)}}}, sink, testNow)
	if r := sink.records[1]; string(r.Value) != "x012345678" || r.header(HeaderTruncated) != "11" {
		t.Errorf("got %v", r)
	}
	if r := sink.records[2]; r.Topic != "out" || len(r.Value) != 108 {
		t.Errorf("an output was cut off: %v", r)
	}
}

func TestReasonsAreBounded(t *testing.T) {
	p := processor(t, minimal)
	sink := &memory{t: t, topics: p.Topics(), partitions: 1}
	p.DeadLetter(sink, &model.Message{}, model.Reason{Stage: model.StageProduce, Code: "x", Message: strings.Repeat("ä", 5000)}, testNow)
	if got := sink.records[0].header(HeaderMessage); len(got) > maxMessage || !utf8.ValidString(got) || !strings.HasSuffix(got, "...") {
		t.Errorf("got %d bytes", len(got))
	}
}

func TestARangeIsALetterOfHeadersAlone(t *testing.T) {
	p := processor(t, minimal)
	sink := &memory{t: t, topics: p.Topics(), partitions: 4}
	p.DeadRange(sink, &model.Message{Topic: "in", Partition: 3, Offset: 10, Key: []byte("k"), Value: []byte("v")}, 19, model.Reason{Stage: model.StageDecode, Code: "corrupt_batch"}, testNow)
	r := sink.records[0]
	if r.Key != nil || r.Value != nil || r.Partition != 3 || r.header(HeaderOffset) != "10" || r.header(HeaderLastOffset) != "19" || r.header(HeaderCode) != "corrupt_batch" {
		t.Errorf("got %+v", r)
	}
}
