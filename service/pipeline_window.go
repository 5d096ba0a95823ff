package service

import (
	"time"

	"data-stream-engine/model"
)

// What windows may be. The least is for tests, the most a year.
const (
	leastWindow  = 100 * time.Millisecond
	mostWindow   = 366 * day
	mostPanes    = 10_000
	mostBehind   = 7 * day // of grace and retention: as long as the partials are kept
	leastRetains = 5 * time.Minute
)

// window reads the shape of windows. Its kind is only set when there is nothing wrong with it.
func (p *pipelineFile) window(n *node, w *model.Window) {
	if n.shape == textShape {
		p.problem(n.at, "window says of which kind it is: {tumbling: 1m}, {hopping: {size: 5m, every: 1m}} or {session: 15m}")
		return
	}
	before := len(p.problems)
	var graceGiven bool
	p.mapping(n, "a window", []section{
		{"tumbling", false, func(n *node) { w.Size, _ = p.duration(n, "tumbling", leastWindow, mostWindow) }},
		{"hopping", false, func(n *node) { p.hopping(n, w) }},
		{"session", false, func(n *node) { w.Gap, _ = p.duration(n, "session", leastWindow, mostWindow) }},
		{"grace", false, func(n *node) {
			w.Grace, _ = p.duration(n, "grace", 0, mostBehind)
			graceGiven = true
		}},
	})
	if n.shape != mappingShape {
		return
	}
	kind := p.windowKind(n)
	if len(p.problems) > before {
		return
	}
	w.Kind = kind
	if kind == model.Session && !graceGiven {
		w.Grace = min(w.Gap, mostBehind)
	}
}

// windowKind is the one kind that a window has.
func (p *pipelineFile) windowKind(n *node) (kind model.WindowKind) {
	for _, pair := range n.pairs {
		switch this := model.WindowKind(pair.key); this {
		case model.Tumbling, model.Hopping, model.Session:
			if kind != "" {
				p.problem(pair.at, "a window is of one kind, and this one is %s already; write a second aggregate for %s", kind, this)
				continue
			}
			kind = this
		}
	}
	if kind == "" && len(n.pairs) > 0 {
		p.problem(n.at, "a window is of one kind: tumbling: 1m, hopping: {size: 5m, every: 1m} or session: 15m")
	}
	return kind
}

func (p *pipelineFile) hopping(n *node, w *model.Window) {
	var size, every bool
	p.mapping(n, "hopping", []section{
		{"size", true, func(n *node) { w.Size, size = p.duration(n, "size", leastWindow, mostWindow) }},
		{"every", true, func(n *node) { w.Every, every = p.duration(n, "every", leastWindow, mostWindow) }},
	})
	if !size || !every {
		return
	}
	if w.Every > w.Size {
		p.problem(n.at, "windows of %s that begin every %s leave out what happens between them; every is %[1]s at most", durationText(w.Size), durationText(w.Every))
		return
	}
	pane := w.Size // the greatest common divisor: windows are unions of panes
	for rest := w.Every; rest > 0; {
		pane, rest = rest, pane%rest
	}
	if panes := w.Size / pane; panes > mostPanes {
		p.problem(n.at, "windows of %s that begin every %s are put together from %d panes of %s, and %d is the most; choose a larger every, or one that divides size",
			durationText(w.Size), durationText(w.Every), panes, durationText(pane), mostPanes)
	}
}

// retention is the default: as long as a window, and at least five minutes.
func retention(w model.Window) time.Duration {
	return min(max(w.Size, w.Gap, leastRetains), mostBehind)
}
