package model

import (
	"reflect"
	"testing"
	"time"
)

func headers(list ...string) (all []Header) {
	for i := 0; i+1 < len(list); i += 2 {
		all = append(all, Header{Key: []byte(list[i]), Value: []byte(list[i+1])})
	}
	return all
}

// What an event brings along under our names is its own, also when it comes from somebody else's dead-letter topic.
func TestOnlyWhatWasAddedLastSpeaksOfALetter(t *testing.T) {
	m := Message{Topic: "g-dead-letter", Partition: 3, Offset: 9, Value: []byte("abc"), Headers: headers(
		HeaderTopic, "theirs", HeaderOffset, "1", HeaderReplays, "99", HeaderLateFor, "x", HeaderTruncated, "77", "trace", "t",
		HeaderTopic, "in", HeaderPartition, "6", HeaderOffset, "42", HeaderStage, "late", HeaderCode, "late_event", HeaderMessage, "why",
		HeaderFailedAt, "2026-01-02T03:04:05.678Z", HeaderLateFor, "a,b")}
	want := DeadLetter{
		At: TopicOffset{TopicPartition{"g-dead-letter", 3}, 9}, Stage: StageLate, Code: "late_event", Reason: "why",
		Source: TopicOffset{TopicPartition{"in", 6}, 42}, LastInSet: 42, FailedAt: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), Bytes: 3, LateFor: []string{"a", "b"},
	}
	if got := ParseDeadLetter(&m); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	own, added := SplitLetter(m.Headers)
	if len(own) != 6 || len(added) != 8 {
		t.Errorf("%d of its own, %d added", len(own), len(added))
	}
}

func TestLettersThatSayNothingAreRead(t *testing.T) {
	for name, h := range map[string][]Header{
		"none":     nil,
		"no title": headers(HeaderOffset, "7", HeaderStage, "late"),
		"nonsense": headers(HeaderTopic, "in", HeaderPartition, "x", HeaderOffset, "", HeaderFailedAt, "yesterday", HeaderTruncated, "-", HeaderReplays, "1e9"),
	} {
		d := ParseDeadLetter(&Message{Headers: h})
		if d.Source.Offset != -1 || d.Source.Partition != -1 || d.LastInSet != -1 || d.Replays != 0 || d.Truncated != 0 || d.Stage != "" || !d.FailedAt.IsZero() {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestAReplayedEventSaysWhereItCameFrom(t *testing.T) {
	m := Message{Headers: headers(HeaderSource, "user's own", "trace", "t", HeaderReplays, "88", HeaderSource, "a/b/6/42", HeaderReplays, "2", HeaderLateFor, "x,y")}
	r, ok := ParseReplay(&m)
	if !ok || r.Source != (TopicOffset{TopicPartition{"a/b", 6}, 42}) || r.Count != 2 || string(r.LateFor) != "x,y" || r.RefusedBy != nil || len(r.Own) != 3 {
		t.Errorf("got %+v", r)
	}
	for _, at := range []string{"", "/", "//", "in/1", "/1/2", "in//2", "in/1/", "in/1/x", "in/-1/2", "in/1/-2", "in/99999999999/1", "in/1/99999999999999999999"} {
		if r, ok := ParseReplay(&Message{Headers: headers(HeaderSource, at)}); ok {
			t.Errorf("%q was read as %+v", at, r)
		}
	}
}
