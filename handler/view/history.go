package view

import (
	"time"

	"data-stream-engine/model"
)

const (
	historyPoints = 900 // a second each
	historyKept   = historyPoints * time.Second
)

// history is the group's rates of the last 15 minutes, a point a second, and what happened meanwhile. Its owner guards it.
type history struct {
	ring  [historyPoints]model.Point
	next  int
	count int
	marks []model.Mark
}

// add appends a point. The ways of the pipeline are of the moment only: 900 times all of them is more than anybody wants.
func (h *history) add(p model.Point) {
	p.Rates = round(p.Rates)
	p.Edges = nil
	h.ring[h.next] = p
	h.next = (h.next + 1) % historyPoints
	h.count = min(h.count+1, historyPoints)
	for len(h.marks) > 0 && p.At-h.marks[0].At.UnixMilli() > historyKept.Milliseconds() {
		h.marks = h.marks[1:]
	}
}

// back is the point so many before the latest.
func (h *history) back(n int) (p model.Point, ok bool) {
	if n >= h.count {
		return p, false
	}
	return h.ring[(h.next-1-n+historyPoints)%historyPoints], true
}

// points are all of them, the earliest first.
func (h *history) points() []model.Point {
	list := make([]model.Point, 0, h.count)
	for n := h.count - 1; n >= 0; n-- {
		p, _ := h.back(n)
		list = append(list, p)
	}
	return list
}

func (h *history) mark(at time.Time, kind, text string) {
	h.marks = append(h.marks, model.Mark{At: stamp(at), Kind: kind, Text: text})
}

// The windows over which lag is compared: means of five seconds, the ends of which lie 20 seconds apart.
const (
	trendMean = 5
	trendSpan = 20
)

// trend is how fast the group falls behind, in messages a second, negative while it catches up. steadily tells that it has
// been so over the whole time. ok is false while that is not known.
func (h *history) trend() (slope float64, steadily, ok bool) {
	var means [3]float64 // of now, of the middle, of 20 seconds ago
	for i, from := range []int{0, (trendSpan - trendMean) / 2, trendSpan - trendMean} {
		for n := range trendMean {
			p, known := h.back(from + n)
			if !known || p.Lag == nil {
				return 0, false, false
			}
			means[i] += float64(*p.Lag) / trendMean
		}
	}
	slope = (means[0] - means[2]) / (trendSpan - trendMean)
	return slope, means[0] > means[1] == (means[1] > means[2]), true
}

// stamp is a time as documents have it.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// stamped is a time that may not be known.
func stamped(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(stamp(t))
}

func seconds(d time.Duration) model.Seconds { return model.Seconds(d.Seconds()) }
