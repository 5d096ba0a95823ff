package aggregate

import "time"

// idleness turns what is known of the source partitions into the watermark of a partials partition: the lowest of those
// that are not idle. One that was never heard of holds everything open. When all are idle, time itself goes on from the
// highest: otherwise the last windows of a stream that ends would never close. It is measured on the monotonic clock and
// counted only while nothing is left to merge, so that an old log closes its windows as a new one does. A new owner goes on
// where the watermark already was.
type idleness struct {
	ticked time.Time
	from   int64         // where time goes on from at least
	passed time.Duration // since all became idle
}

// watermark is the one of now, given the one before.
func (i *idleness) watermark(before int64, all map[int32]Progress, sources int32, now time.Time, caughtUp bool) int64 {
	low, high, idle := lowest(all, sources)
	fresh := i.ticked.IsZero()
	switch {
	case !idle || high == NoWatermark:
		i.from, i.passed = NoWatermark, 0
	case fresh:
		i.from = before
	case caughtUp:
		i.passed += now.Sub(i.ticked)
	}
	i.ticked = now
	if !idle || high == NoWatermark {
		return low
	}
	return max(high, i.from) + i.passed.Milliseconds()
}

// lowest is the lowest watermark of the source partitions that are not idle, the highest of all, and whether all are idle.
func lowest(all map[int32]Progress, sources int32) (low, high int64, idle bool) {
	low, high, idle = NoWatermark, NoWatermark, sources > 0
	first := true
	for q := range sources {
		p, heard := all[q]
		if !heard {
			return NoWatermark, NoWatermark, false
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
	return low, high, idle
}
