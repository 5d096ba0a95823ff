package handler

import (
	"math"
	"sync"
	"time"

	"data-stream-engine/model"
)

// span is so many events of one partition that were processed at a time: the timestamps of the oldest record and of the
// last one, which is the newest unless a producer's clock went back, in milliseconds.
type span struct {
	oldest, newest int64
	events         int
}

// mostSpans is how many spans a batch has at most; what comes then is joined with the last one.
const mostSpans = 1024

// join adds spans to those of a batch.
func join(spans, more []span) []span {
	for _, s := range more {
		if len(spans) < mostSpans {
			spans = append(spans, s)
			continue
		}
		last := &spans[mostSpans-1]
		last.oldest, last.newest = min(last.oldest, s.oldest), max(last.newest, s.newest)
		last.events += s.events
	}
	return spans
}

const (
	latencySeconds = 10   // that the latencies of the moment are of
	latencyStep    = 1.05 // from one bucket to the next
	latencyBuckets = 420  // from 1 ms to nine days
)

// latencies are how long the events of the last seconds took, from the timestamp of their record to the commit of what
// they became. Nobody looks at each event for that: the events of a span are taken to have come evenly between the oldest
// and the newest one. It is safe for concurrent use.
type latencies struct {
	mu    sync.Mutex
	slots [latencySeconds]latencySlot
}

// latencySlot is one second.
type latencySlot struct {
	second int64
	events [latencyBuckets]float64
}

// add counts the events of a batch that was committed at a time.
func (l *latencies) add(now time.Time, spans []span) {
	if len(spans) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	slot := &l.slots[now.Unix()%latencySeconds]
	if slot.second != now.Unix() {
		*slot = latencySlot{second: now.Unix()}
	}
	ms := now.UnixMilli()
	for _, s := range spans {
		if s.oldest <= 0 { // a record may have no timestamp
			continue
		}
		slot.spread(float64(max(ms-s.newest, 0)), float64(max(ms-s.oldest, 0)), float64(s.events))
	}
}

// spread shares events out evenly between two latencies in milliseconds.
func (s *latencySlot) spread(from, to, events float64) {
	first, last := latencyBucket(from), latencyBucket(to)
	if first == last {
		s.events[first] += events
		return
	}
	for at, i := from, first; i <= last; i++ {
		end := to
		if i < last {
			end = latencyEnd(i)
		}
		s.events[i] += events * (end - at) / (to - from)
		at = end
	}
}

// latencyBucket is the bucket of a latency in milliseconds. The first one is of all up to 1 ms.
func latencyBucket(ms float64) int {
	if ms <= 1 {
		return 0
	}
	return min(int(math.Ceil(math.Log(ms)/math.Log(latencyStep))), latencyBuckets-1)
}

func latencyEnd(bucket int) float64 { return math.Pow(latencyStep, float64(bucket)) }

// recent are the latencies of the last ten seconds, the shortest first. A bucket's time is its middle.
func (l *latencies) recent(now time.Time) (list []model.Latency) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range latencyBuckets {
		n := 0.0
		for s := range l.slots {
			if age := now.Unix() - l.slots[s].second; age >= 0 && age < latencySeconds {
				n += l.slots[s].events[i]
			}
		}
		if n = math.Round(100*n) / 100; n > 0 {
			middle := latencyEnd(i) / math.Sqrt(latencyStep)
			list = append(list, model.Latency{Seconds: model.Seconds(math.Round(100*middle) / 100 / 1000), Events: n})
		}
	}
	return list
}
