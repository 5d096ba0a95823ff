package repository

import "testing"

// However few of many partitions have a backlog, they can fill what a broker is asked to wait for.
func TestPartitionsWithABacklogShareAnAnswerAmongThem(t *testing.T) {
	part := func(offset, end int64) claim { return claim{part: &part{end: end}, offset: offset} }
	atEnd := func(n int) (list []claim) {
		for range n {
			list = append(list, part(7, 7))
		}
		return list
	}
	const most = 2 << 20
	for _, c := range []struct {
		name   string
		behind []claim
		idle   int
		want   uint32
	}{
		{"all of four", []claim{part(0, 9), part(0, 9), part(0, 9), part(0, 9)}, 0, most / 4},
		{"four, beside as many that are at their end", []claim{part(0, 9), part(0, 9), part(0, 9), part(0, 9)}, 4, most / 4},
		{"one of many", []claim{part(0, 9)}, 100, most},
		{"none", nil, 8, most},
		{"not asked yet", []claim{part(0, -1), part(0, -1)}, 0, most / 2},
	} {
		if got := shareOf(most, append(c.behind, atEnd(c.idle)...)); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	many := make([]claim, 0, 1000)
	for range 1000 {
		many = append(many, part(0, 9))
	}
	if got := shareOf(most, many); got != leastShare {
		t.Errorf("a thousand: %d", got)
	}
}
