package main

import (
	"bytes"
	"fmt"
)

// pipelineReport is everything that was measured of whole services.
type pipelineReport struct {
	header

	Partitions int            `json:"partitions"`
	Load       load           `json:"load"`
	Outcome    outcome        `json:"outcome"` // of every contestant
	CatchUp    []standing     `json:"catch_up"`
	Rate       int            `json:"steady_events_per_second"`
	Steady     []steadySample `json:"steady,omitempty"`
}

// standing is how a contestant did in all rounds.
type standing struct {
	Name     string       `json:"name"`
	Title    string       `json:"title"`
	Median   lifeSample   `json:"median"` // of each number
	ToRaw    float64      `json:"ratio_to_raw_copy,omitempty"`
	ToEngine float64      `json:"ratio_to_engine,omitempty"`
	Samples  []lifeSample `json:"rounds"`
}

// finish computes medians and ratios.
func (r *pipelineReport) finish() {
	cpu := map[string]float64{}
	for i := range r.CatchUp {
		s := &r.CatchUp[i]
		of := func(get func(lifeSample) float64) float64 {
			values := make([]float64, len(s.Samples))
			for i, one := range s.Samples {
				values[i] = get(one)
			}
			return percentile(values, 0.5)
		}
		s.Median = lifeSample{
			CPU:    of(func(s lifeSample) float64 { return s.CPU }),
			Broker: of(func(s lifeSample) float64 { return s.Broker }),
			Rate:   of(func(s lifeSample) float64 { return s.Rate }),
			Peak:   int64(of(func(s lifeSample) float64 { return float64(s.Peak) })),
		}
		cpu[s.Name] = s.Median.CPU
	}
	for i := range r.CatchUp {
		s := &r.CatchUp[i]
		s.ToRaw, s.ToEngine = ratio(s.Median.CPU, cpu["raw"]), ratio(s.Median.CPU, cpu["engine"])
	}
}

func (r *pipelineReport) markdown() []byte {
	var b bytes.Buffer
	r.head(&b, "Benchmark of the pipeline")
	fmt.Fprintf(&b, "CPU is user and system time of the whole process. Broker and services share the machine: compare the ratios.\n")
	fmt.Fprintf(&b, "\n## Catching up: %d events, values of %.0f bytes, %d partitions\n\n", r.Load.Events, r.Load.ValueBytes, r.Partitions)
	fmt.Fprintf(&b, "Medians of the rounds. %d events are forwarded, %d dropped, %d dead letters; every run's output was compared with the others', record by record.\n\n", r.Load.Forwarded, r.Load.Dropped, r.Load.Dead)
	fmt.Fprintf(&b, "| service | CPU us/event | rounds | to raw copy | to the engine | events/s | peak MiB | broker us/event |\n|---|---|---|---|---|---|---|---|\n")
	for _, s := range r.CatchUp {
		low, high := s.Samples[0].CPU, s.Samples[0].CPU
		for _, one := range s.Samples {
			low, high = min(low, one.CPU), max(high, one.CPU)
		}
		fmt.Fprintf(&b, "| %s | %.3f | %.3f to %.3f | %s | %s | %.0f | %d | %s |\n", s.Title, s.Median.CPU, low, high, known(s.ToRaw), known(s.ToEngine), s.Median.Rate, s.Median.Peak>>20, known(s.Median.Broker))
	}
	if len(r.Steady) == 0 {
		return b.Bytes()
	}
	fmt.Fprintf(&b, "\n## At %d events a second\n\n", r.Rate)
	fmt.Fprintf(&b, "Latency in ms from the moment an event was due to be sent until a read_committed consumer has its output. Sent late is how far behind the load itself was, which is part of it.\n\n")
	fmt.Fprintf(&b, "| service | commit interval ms | p50 | p99 | p99.9 | max | sent late p99, max | CPU us/event | cores | peak MiB | broker us/event |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range r.Steady {
		fmt.Fprintf(&b, "| %s | %d | %.1f | %.1f | %.1f | %.1f | %.1f, %.1f | %.2f | %.3f | %d | %s |\n", s.Title, s.Interval, s.P50, s.P99, s.P999, s.Max, s.LateP99, s.LateMax,
			s.CPU, s.CPU*float64(r.Rate)/1e6, s.Peak>>20, known(s.Broker))
	}
	return b.Bytes()
}

// ratio is 0 where the base was not measured.
func ratio(x, base float64) float64 {
	if base == 0 {
		return 0
	}
	return x / base
}

// known is a number with two digits, or a dash where it was not measured.
func known(x float64) string {
	if x == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", x)
}
