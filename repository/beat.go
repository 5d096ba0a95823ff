package repository

import "time"

// beat is the time at which all brokers of a stream answer, unless they have enough before. Each would otherwise answer
// at a time of its own, and whoever commits what came would have to commit for each of them, or let what the others
// brought wait for another interval.
type beat struct {
	interval time.Duration // from one to the next at most
	next     time.Time
	until    map[int32]time.Time // by broker: the end of the wait that it was asked for
}

// beatSlack is how far from a beat an answer may come and still belong to it, as a part of the interval.
const beatSlack = 10

// ask is how long a broker is to wait from now on, in whole milliseconds, which is what a request can say.
func (b *beat) ask(node int32, now time.Time) time.Duration {
	if !b.next.After(now) {
		b.next = now.Add(b.interval)
	}
	b.until[node] = b.next
	return (b.next.Sub(now) + time.Millisecond - 1).Truncate(time.Millisecond)
}

// answered takes note of an answer and tells whether it is the last one that was to come about now.
func (b *beat) answered(node int32, now time.Time) (last bool) {
	delete(b.until, node)
	for _, end := range b.until {
		if end.Before(now.Add(b.interval / beatSlack)) {
			return false
		}
	}
	return true
}
