package app

import (
	"context"
	"time"
)

// reportEvery is how often the log says what the stream does.
const reportEvery = 10 * time.Second

// report tells the log at each interval what became of the events since the last time.
func (a *App) report(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	last, at := a.metrics.Totals(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, since := a.metrics.Totals(), time.Since(at)
		consumed := now.Consumed - last.Consumed
		line := a.log.Info().Int("in", consumed).Int("out", now.Outputs-last.Outputs).Int("filtered", now.Filtered-last.Filtered).
			Int("dead", now.DeadLetters-last.DeadLetters)
		if now.Partitions > 0 { // an instance without partitions has no lag, and during an outage it is not known
			line.Int64("lag", now.Lag)
		}
		if now.Late > last.Late {
			line.Int("late", now.Late-last.Late)
		}
		line.Int("per_second", int(float64(consumed)/since.Seconds()+0.5)).Msg("events")
		last, at = now, time.Now()
		a.insights()
	}
}

// insights tells the log what stands out in the latest window of each aggregate.
func (a *App) insights() {
	var name, span string
	var groups []string
	tell := func() {
		if name != "" {
			a.log.Info().Str("aggregate", name).Str("window", span).Strs("top", groups).Msg("insights")
		}
	}
	for _, h := range a.watch.Highlights() {
		if h.Aggregate != name {
			tell()
			name, span, groups = h.Aggregate, h.Span(), nil
		}
		if len(groups) < topGroups {
			groups = append(groups, h.String())
		}
	}
	tell()
}

// topGroups is how many groups of an aggregate the log names.
const topGroups = 3
