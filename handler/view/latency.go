package view

import (
	"cmp"
	"math"
	"slices"

	"data-stream-engine/model"
)

// merged is the latencies of several instances in one list, the shortest first.
func merged(lists ...[]model.Latency) []model.Latency {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b model.Latency) int { return cmp.Compare(a.Seconds, b.Seconds) })
	return all
}

// quantile is the latency that a part of the events does not exceed; nil without events. list is sorted.
func quantile(list []model.Latency, part float64) *float64 {
	total := 0.0
	for _, l := range list {
		total += l.Events
	}
	if total <= 0 {
		return nil
	}
	rank, sum := part*total, 0.0
	for _, l := range list {
		if sum += l.Events; sum >= rank {
			return new(rounded(float64(l.Seconds), 4))
		}
	}
	return new(float64(list[len(list)-1].Seconds))
}

// rounded is x with so many digits behind the point.
func rounded(x float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(x*scale) / scale
}

// round shortens the numbers of a document: nobody reads more.
func round(r model.Rates) model.Rates {
	for _, x := range []*float64{&r.In, &r.Forwarded, &r.Filtered, &r.DeadLetter, &r.Late} {
		*x = rounded(*x, 2)
	}
	short := make(map[string]float64, len(r.Edges))
	for way, n := range r.Edges {
		short[way] = rounded(n, 2)
	}
	r.Edges = short
	return r
}
