package handler

import "github.com/prometheus/client_golang/prometheus"

// The outcomes of a reload of the pipeline file.
const (
	ReloadChanged   = "changed"
	ReloadUnchanged = "unchanged" // the file says the same
	ReloadRefused   = "refused"   // the file is wrong, or needs a restart
	ReloadFailed    = "failed"    // something else kept it from being taken over
)

func (m *Metrics) reloadMetrics(r *prometheus.Registry) {
	m.paused = prometheus.NewGauge(prometheus.GaugeOpts{Name: "stream_engine_paused", Help: "1 while the group is asked to stand still."})
	m.reloads = counters(r, "stream_engine_pipeline_reloads_total", "Times that the pipeline file was read again, by what came of it.", "outcome")
	m.pipeline = gauges(r, "stream_engine_pipeline_info", "Always 1; the labels say which pipeline file is in use.", "pipeline", "hash")
	for _, outcome := range []string{ReloadChanged, ReloadUnchanged, ReloadRefused, ReloadFailed} {
		m.reloads.WithLabelValues(outcome)
	}
	r.MustRegister(m.paused)
}

// Reloaded counts a reload by one of the outcomes above.
func (m *Metrics) Reloaded(outcome string) { m.reloads.WithLabelValues(outcome).Inc() }

// Pipeline says which file is in use.
func (m *Metrics) Pipeline(name, hash string) {
	m.pipeline.Reset()
	m.pipeline.WithLabelValues(name, hash).Set(1)
}
