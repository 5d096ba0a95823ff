package handler

import (
	"github.com/prometheus/client_golang/prometheus"

	"data-stream-engine/model"
)

// wayMetrics count the events on each way through the pipeline. Their labels are names of the pipeline file and fixed words.
type wayMetrics struct {
	outputs    *prometheus.CounterVec
	aggregated *prometheus.CounterVec
	letters    *prometheus.CounterVec
}

func newWayMetrics(r *prometheus.Registry) wayMetrics {
	return wayMetrics{
		outputs:    counters(r, "stream_engine_outputs_total", "Records written to the outputs of the pipeline.", "topic"),
		aggregated: counters(r, "stream_engine_aggregated_total", "Events that counted in an aggregate.", "aggregate"),
		letters:    counters(r, "stream_engine_dead_letters_total", "Dead letters by what was wrong, those of late events and of expired partials too.", "stage", "code"),
	}
}

func (w *wayMetrics) ways(t model.Tally) {
	for _, c := range t.Outputs {
		w.outputs.WithLabelValues(c.Name).Add(float64(max(c.N, 0)))
	}
	for _, c := range t.Aggregates {
		w.aggregated.WithLabelValues(c.Name).Add(float64(c.N))
	}
	for _, c := range t.Letters {
		w.letters.WithLabelValues(string(c.Stage), c.Code).Add(float64(c.N))
	}
}
