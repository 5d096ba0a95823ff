package aggregate

import "time"

// idleness turns what is known of the source partitions into the watermark of a partials partition: the lowest of those
// that are not idle. One that was never heard of holds everything open. When all are idle, time itself goes on from the
// highest: otherwise the last windows of a stream that ends would never close. It is measured on the monotonic clock and
// counted only while nothing is left to merge, so that an old log closes its windows as a new one does.
type idleness struct {
	ticked time.Time
	passed time.Duration // since all became idle
}

func (i *idleness) watermark(all map[int32]Progress, sources int32, now time.Time, caughtUp bool) int64 {
	low, high, idle := int64(NoWatermark), int64(NoWatermark), true
	first := true
	for q := range sources {
		p, heard := all[q]
		if !heard {
			i.ticked, i.passed = now, 0
			return NoWatermark
		}
		high = max(high, p.Watermark)
		if p.Idle {
			continue
		}
		idle = false
		if first || p.Watermark < low {
			low, first = p.Watermark, false
		}
	}
	if !idle || sources == 0 {
		i.ticked, i.passed = now, 0
		return low
	}
	if caughtUp && !i.ticked.IsZero() {
		i.passed += now.Sub(i.ticked)
	}
	i.ticked = now
	if high == NoWatermark {
		return NoWatermark
	}
	return high + i.passed.Milliseconds()
}
