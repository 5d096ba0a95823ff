package app

import (
	"time"

	"github.com/schollz/progressbar/v3"

	"data-stream-engine/utils"
)

// progress is a bar for a person at a terminal, and nothing anywhere else.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress begins a bar for so many things; 0: nobody knows how many.
func newProgress(p Process, count int, unit string) progress {
	if !utils.IsTerminal(p.Stderr) {
		return progress{}
	}
	limit := int64(count)
	if limit == 0 {
		limit = -1 // a spinner
	}
	return progress{newBar(p, limit, progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit), progressbar.OptionThrottle(100*time.Millisecond))}
}

func newBar(p Process, limit int64, options ...progressbar.Option) *progressbar.ProgressBar {
	return progressbar.NewOptions64(limit, append(options, progressbar.OptionSetWriter(p.Stderr), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())...)
}

func (p progress) add(n int) {
	if p.bar != nil {
		_ = p.bar.Add(n)
	}
}

// clear takes the bar away, before something else is written.
func (p progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
