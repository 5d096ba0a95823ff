package handler

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"data-stream-engine/service/aggregate"
)

// windowMetrics are the numbers of aggregates. Those with a partition are of the partials topic, and of the partitions that
// this instance merges.
type windowMetrics struct {
	lateEvents prometheus.Counter
	open       *prometheus.GaugeVec
	groups     *prometheus.GaugeVec
	watermark  *prometheus.GaugeVec
	stateBytes *prometheus.GaugeVec
	idle       *prometheus.GaugeVec
	insights   *prometheus.CounterVec
	revisions  *prometheus.CounterVec
	merged     prometheus.Counter
	expired    prometheus.Counter
	overlaps   prometheus.Counter
	overflow   prometheus.Counter
	held       prometheus.Counter
	restore    prometheus.Histogram
}

func newWindowMetrics(r *prometheus.Registry) windowMetrics {
	w := windowMetrics{
		lateEvents: counter(r, "stream_engine_window_late_total", "Events that came too late for a window."),
		open:       gauges(r, "stream_engine_windows_open", "Windows that are not final yet; of sessions each one.", "partition"),
		groups:     gauges(r, "stream_engine_groups", "Groups of all windows that are kept.", "partition"),
		watermark:  gauges(r, "stream_engine_window_watermark_seconds", "Event time up to which windows are complete, seconds since 1970.", "partition"),
		stateBytes: gauges(r, "stream_engine_window_state_bytes", "Memory that the state of windows takes, about.", "partition"),
		idle:       gauges(r, "stream_engine_source_idle", "1 for a source partition of this instance that holds no window open, since it had no event for IDLE_TIMEOUT.", "partition"),
		insights:   counters(r, "stream_engine_insights_total", "Insights written.", "kind"),
		revisions:  counters(r, "stream_engine_window_revisions_total", "Finals that replaced an earlier final.", "reason"),
		merged:     counter(r, "stream_engine_partials_total", "Partials merged."),
		expired:    counter(r, "stream_engine_partials_expired_total", "Partials that came when nothing of their window was kept any more: dead letters."),
		overlaps:   counter(r, "stream_engine_partials_overlap_total", "Times that events were read again that had counted: somebody moved offsets back."),
		overflow:   counter(r, "stream_engine_groups_overflow_total", "Partials that counted in the group (other), beyond max_groups."),
		held:       counter(r, "stream_engine_partials_unreadable_total", "Records of the partials topic that this version cannot read: their partition waits."),
		restore: histogram(r, "stream_engine_restore_seconds", "Time to restore the windows of one partition.",
			[]float64{.01, .05, .1, .5, 1, 2.5, 5, 10, 30, 60, 300}),
	}
	for _, kind := range []string{"update", "final", "anomaly"} {
		w.insights.WithLabelValues(kind)
	}
	w.revisions.WithLabelValues("late_partial")
	return w
}

func gauges(r *prometheus.Registry, name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	r.MustRegister(g)
	return g
}

// windows shows one partition.
func (w *windowMetrics) windows(number int32, p *aggregate.Partition) {
	label := strconv.Itoa(int(number))
	w.open.WithLabelValues(label).Set(float64(p.Open()))
	w.groups.WithLabelValues(label).Set(float64(p.Groups()))
	w.stateBytes.WithLabelValues(label).Set(float64(p.Bytes()))
	if at := p.Watermark(); at != aggregate.NoWatermark {
		w.watermark.WithLabelValues(label).Set(float64(at) / 1000)
	}
}

// partials adds what happened since before.
func (w *windowMetrics) partials(now, before aggregate.Counts) {
	w.merged.Add(float64(now.Partials - before.Partials))
	w.expired.Add(float64(now.Expired - before.Expired))
	w.overlaps.Add(float64(now.Overlaps - before.Overlaps))
	w.overflow.Add(float64(now.Overflowed - before.Overflowed))
}

func (w *windowMetrics) dropWindows(number int32) {
	label := strconv.Itoa(int(number))
	for _, g := range []*prometheus.GaugeVec{w.open, w.groups, w.watermark, w.stateBytes} {
		g.DeleteLabelValues(label)
	}
}

// Idle shows whether a source partition of this instance is idle.
func (w *windowMetrics) Idle(partition int32, idle bool) {
	value := 0.0
	if idle {
		value = 1
	}
	w.idle.WithLabelValues(strconv.Itoa(int(partition))).Set(value)
}

// DropIdle forgets a source partition that another instance has now.
func (w *windowMetrics) DropIdle(partition int32) {
	w.idle.DeleteLabelValues(strconv.Itoa(int(partition)))
}
