package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"data-stream-engine/model"
)

// The kinds of marks.
const (
	markRebalance = "rebalance"
	markReload    = "reload"
	markPause     = "pause"
	markBroker    = "broker"
)

const (
	// oneRebalance is how far apart the signs of one rebalance may be: statuses come every few seconds.
	oneRebalance = 15 * time.Second
	// recently is for how long it is worth saying who joined or left.
	recently = time.Minute
)

// news finds out what has happened from one look to the next, and marks it.
type news struct {
	members      map[string]bool // of the group; nil: not known yet
	rebalanced   time.Time
	joined, left []string // with the rebalance of then
}

func (n *news) look(h *history, before, now *sight) {
	first := before.at.IsZero()
	if !first {
		n.broker(h, before, now)
		n.pause(h, before.paused, now)
		if !now.loadedAt.Equal(before.loadedAt) {
			h.mark(now.loadedAt, markReload, "pipeline file loaded")
		}
	}
	n.group(h, before, now)
}

func (n *news) broker(h *history, before, now *sight) {
	switch {
	case before.away.IsZero() && !now.away.IsZero():
		h.mark(now.away, markBroker, "broker away")
	case !before.away.IsZero() && now.away.IsZero():
		h.mark(now.at, markBroker, fmt.Sprintf("broker back after %s", span(now.at.Sub(before.away))))
	}
}

func (n *news) pause(h *history, before *model.Pause, now *sight) {
	switch p := now.paused; {
	case p != nil && before == nil:
		text := "paused by " + plain(p.By)
		if p.Reason != "" {
			text += ": " + plain(p.Reason)
		}
		h.mark(p.At, markPause, text)
	case p == nil && before != nil:
		h.mark(now.at, markPause, "resumed")
	}
}

// group marks rebalances, with who caused them as far as that is seen. Generations and statuses do not come at one time.
func (n *news) group(h *history, before, now *sight) {
	if now.at.Sub(n.rebalanced) >= recently {
		n.joined, n.left = nil, nil
	}
	if now.own.Generations == 0 || !now.away.IsZero() {
		return
	}
	members := map[string]bool{now.own.Instance: true}
	for i := range now.others {
		members[now.others[i].Instance] = true
	}
	known := n.members
	n.members = members
	if known == nil {
		return
	}
	came, went := missing(known, members), missing(members, known)
	if len(came)+len(went) == 0 && now.own.Generations == before.own.Generations {
		return
	}
	if now.at.Sub(n.rebalanced) >= oneRebalance {
		n.joined, n.left, n.rebalanced = nil, nil, now.at
		h.mark(now.at, markRebalance, "")
	}
	n.joined, n.left = append(n.joined, came...), append(n.left, went...)
	for i := range slices.Backward(h.marks) {
		if h.marks[i].Kind == markRebalance {
			h.marks[i].Text = n.text()
			return
		}
	}
}

// missing are the names of b that are not in a, in order.
func missing(a, b map[string]bool) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if !a[name] {
			names = append(names, name)
		}
	}
	return names
}

func (n *news) text() string {
	var parts []string
	if len(n.joined) > 0 {
		parts = append(parts, list(n.joined)+" joined")
	}
	if len(n.left) > 0 {
		parts = append(parts, list(n.left)+" left")
	}
	if len(parts) == 0 {
		return "rebalance"
	}
	return strings.Join(parts, ", ")
}
