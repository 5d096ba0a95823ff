package handler

import (
	"math"
	"testing"
	"time"

	"data-stream-engine/model"
)

// below is the part of all events that took less than a time.
func below(list []model.Latency, limit time.Duration) float64 {
	under, all := 0.0, 0.0
	for _, l := range list {
		all += l.Events
		if float64(l.Seconds) < limit.Seconds() {
			under += l.Events
		}
	}
	return under / all
}

func TestLatenciesAreSpreadBetweenTheOldestAndTheNewestEvent(t *testing.T) {
	var l latencies
	now := time.Unix(1_700_000_000, 0)
	ms := now.UnixMilli()
	l.add(now, []span{{oldest: ms - 1000, newest: ms, events: 900}, {oldest: ms - 5000, newest: ms - 5000, events: 100}})
	got := l.recent(now)
	for limit, want := range map[time.Duration]float64{100 * time.Millisecond: 0.09, 500 * time.Millisecond: 0.45, 1100 * time.Millisecond: 0.9, 4700 * time.Millisecond: 0.9, 5300 * time.Millisecond: 1} {
		if part := below(got, limit); math.Abs(part-want) > 0.03 {
			t.Errorf("%.3f of the events took less than %s, want %.2f", part, limit, want)
		}
	}
	sum := 0.0
	for _, e := range got {
		sum += e.Events
	}
	if math.Abs(sum-1000) > 1 {
		t.Errorf("%f events", sum)
	}
}

func TestLatenciesAreOfTheLastSeconds(t *testing.T) {
	var l latencies
	now := time.Unix(1_700_000_000, 0)
	l.add(now, []span{{now.UnixMilli() - 10, now.UnixMilli() - 10, 1}})
	if got := l.recent(now.Add(9 * time.Second)); len(got) != 1 || got[0].Events != 1 || math.Abs(float64(got[0].Seconds)-0.01) > 0.0005 {
		t.Errorf("%v", got)
	}
	if got := l.recent(now.Add(10 * time.Second)); len(got) != 0 {
		t.Errorf("%v", got)
	}
	l.add(now.Add(10*time.Second), []span{{now.UnixMilli(), now.UnixMilli(), 1}}) // the same slot again
	if got := l.recent(now.Add(10 * time.Second)); len(got) != 1 || got[0].Events != 1 {
		t.Errorf("%v", got)
	}
}

// What clocks and producers may do: no timestamp, one of the future, one of long ago.
func TestLatenciesOfOddTimestamps(t *testing.T) {
	var l latencies
	now := time.Unix(1_700_000_000, 0)
	ms := now.UnixMilli()
	l.add(now, []span{{-1, ms, 5}, {ms + 1000, ms + 2000, 1}, {ms - 1000, ms + 1000, 1}, {1, ms, 1}, {math.MaxInt64, math.MaxInt64, 1}})
	sum := 0.0
	for _, e := range l.recent(now) {
		if e.Events < 0 || math.IsNaN(e.Events) || e.Seconds < 0 {
			t.Errorf("%v", e)
		}
		sum += e.Events
	}
	if math.Abs(sum-4) > 0.1 {
		t.Errorf("%f events, want the four that have timestamps", sum)
	}
}

func TestSpansOfABatchAreBounded(t *testing.T) {
	var all []span
	for i := range int64(3 * mostSpans) {
		all = join(all, []span{{i + 1, i + 1, 1}})
	}
	events := 0
	for _, s := range all {
		events += s.events
	}
	if last := all[len(all)-1]; len(all) != mostSpans || events != 3*mostSpans || last.oldest != mostSpans || last.newest != 3*mostSpans {
		t.Errorf("%d spans, %d events, the last one %+v", len(all), events, last)
	}
}
