package repository

import (
	"math"
	"testing"

	"data-stream-engine/model"
)

// Committed offsets outlive releases: what is written stays as it is.
func TestNotesAreWrittenAsBefore(t *testing.T) {
	for want, n := range map[string]model.Note{
		"v1;t=;n=0":                         {Watermark: model.NoWatermark},
		"v1;t=ab;n=3":                       {TopicID: "ab", Partitions: 3, Watermark: model.NoWatermark},
		"v1;t=ab;n=3;w=1700000000123;i=1":   {TopicID: "ab", Partitions: 3, Watermark: 1_700_000_000_123, Idle: true},
		"v1;t=ab;n=3;i=1":                   {TopicID: "ab", Partitions: 3, Watermark: model.NoWatermark, Idle: true},
		"v1;t=ab;n=3;w=0":                   {TopicID: "ab", Partitions: 3},
		"v1;t=ab;n=3;w=-1":                  {TopicID: "ab", Partitions: 3, Watermark: -1},
		"v1;t=ab;n=3;s=9223372036854775807": {TopicID: "ab", Partitions: 3, Watermark: model.NoWatermark, Sequence: math.MaxInt64},
	} {
		if got := *noteText(n); got != want {
			t.Errorf("%+v is written %q, want %q", n, got, want)
		}
		if got := parseNote(want); got != n {
			t.Errorf("%q is read %+v, want %+v", want, got, n)
		}
	}
}

func TestWhatANoteDoesNotSayIsNotKnown(t *testing.T) {
	none := model.Note{Watermark: model.NoWatermark}
	known := model.Note{TopicID: "ab", Partitions: 3, Watermark: model.NoWatermark}
	for text, want := range map[string]model.Note{
		"":                                 none,
		"v1":                               none,
		"v2;t=ab;n=3;w=5":                  none,
		"v1x;t=ab":                         none,
		"somebody else's":                  none,
		"v1;n=3;t=ab;new=thing;;x=y":       known,
		"v1;t=ab;n=3;w=soon;i=yes;s=first": known,
		"v1;t=ab;n=3;w=;i=0;s":             known,
		"v1;t=ab;n=many":                   {TopicID: "ab", Watermark: model.NoWatermark},
		"v1;t=ab;n=3;w=99999999999999999999;s=-1x": known,
	} {
		if got := parseNote(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func BenchmarkNoteText(b *testing.B) {
	n := model.Note{TopicID: "0123456789abcdef0123456789abcdef", Partitions: 16, Watermark: 1_700_000_000_123, Idle: true}
	for b.Loop() {
		if len(*noteText(n)) < 60 {
			b.Fatal("short")
		}
	}
}
