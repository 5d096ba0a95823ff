package handler

import "github.com/prometheus/client_golang/prometheus"

// readinessMetrics shows readiness to Prometheus, as it is when somebody asks.
type readinessMetrics struct {
	readiness *Readiness
	ready     *prometheus.Desc
	waiting   *prometheus.Desc
	noted     *prometheus.Desc
}

// Tell makes readiness part of the metrics.
func (m *Metrics) Tell(readiness *Readiness) {
	m.registry.MustRegister(&readinessMetrics{
		readiness: readiness,
		ready:     prometheus.NewDesc("stream_engine_ready", "1 when the instance does its work, as /readyz says.", nil, nil),
		waiting:   prometheus.NewDesc("stream_engine_waiting_since_seconds", "Since when a condition keeps the instance from being ready, seconds since 1970. Not there when the condition is met.", []string{"condition"}, nil),
		noted:     prometheus.NewDesc("stream_engine_note_since_seconds", "Since when there is something that an operator should see though the instance does its work: paused, storage. Seconds since 1970.", []string{"note"}, nil),
	})
}

// Describe is prometheus.Collector's.
func (m *readinessMetrics) Describe(all chan<- *prometheus.Desc) {
	all <- m.ready
	all <- m.waiting
	all <- m.noted
}

// Collect is prometheus.Collector's.
func (m *readinessMetrics) Collect(all chan<- prometheus.Metric) {
	report, ready := m.readiness.Report(), 0.0
	if report.Ready {
		ready = 1
	}
	all <- prometheus.MustNewConstMetric(m.ready, prometheus.GaugeValue, ready)
	for _, c := range report.Waiting {
		all <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, seconds(c), c.Name)
	}
	for _, c := range report.Notes {
		all <- prometheus.MustNewConstMetric(m.noted, prometheus.GaugeValue, seconds(c), c.Name)
	}
}

func seconds(c Condition) float64 { return float64(c.Since.UnixMilli()) / 1000 }
