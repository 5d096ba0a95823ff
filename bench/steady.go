package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// pacing is one way to run a contestant at a steady rate.
type pacing struct {
	contestant

	interval time.Duration
}

// pacings are those of the engine, and the peers at its default commit interval.
func pacings() []pacing {
	var list []pacing
	for _, c := range contestants() {
		if c.name != "engine" {
			list = append(list, pacing{c, commitInterval})
			continue
		}
		once := c
		once.title, once.environment = "engine, at least once", []string{"DELIVERY_GUARANTEE=at_least_once"}
		list = append(list, pacing{c, commitInterval}, pacing{c, 25 * time.Millisecond}, pacing{once, commitInterval})
	}
	return list
}

// steadySample is a contestant at a steady rate. Latencies are in milliseconds, from the moment at which an event was due
// to be sent until a read_committed consumer had its output.
type steadySample struct {
	Name     string  `json:"name"`
	Title    string  `json:"title"`
	Interval int64   `json:"commit_interval_ms"`
	Events   int64   `json:"events"`  // sent in the time measured
	Outputs  int     `json:"outputs"` // of them
	CPU      float64 `json:"cpu_us_per_event"`
	Broker   float64 `json:"broker_cpu_us_per_event"`
	Peak     int64   `json:"peak_rss_bytes"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	P999     float64 `json:"p99_9_ms"`
	Max      float64 `json:"max_ms"`
	LateP99  float64 `json:"sent_late_p99_ms"` // how late the load itself was; part of the latencies
	LateMax  float64 `json:"sent_late_max_ms"`
}

// warmUp is how long a contestant runs at its rate before it is measured, from its first output on.
const warmUp = 5 * time.Second

func (r *race) steadily(ctx context.Context) error {
	for _, p := range pacings() {
		if !r.wants(p.name) || p.asked && r.only == "" {
			continue
		}
		s, err := r.pace(ctx, p)
		if err != nil {
			return fmt.Errorf("steady: %w", err)
		}
		fmt.Printf("steady %-8s %4d ms  %.2f us/event CPU, p50 %.1f ms, p99 %.1f, p99.9 %.1f, max %.1f\n", s.Name, s.Interval, s.CPU, s.P50, s.P99, s.P999, s.Max)
		r.report.Steady = append(r.report.Steady, s)
	}
	return nil
}

// pace runs one contestant over a topic that is written at a steady rate, and reads its output as it comes.
func (r *race) pace(ctx context.Context, p pacing) (steadySample, error) {
	ctx, cancel := context.WithTimeout(ctx, r.steady+2*time.Minute)
	defer cancel()
	s := steadySample{Name: p.name, Title: p.title, Interval: p.interval.Milliseconds()}
	source, forgetSource, err := r.newTopic(ctx, r.partitions)
	if err != nil {
		return s, err
	}
	defer forgetSource()
	output, _, forget, err := r.topics(ctx)
	if err != nil {
		return s, err
	}
	defer forget()
	w, err := r.watch(ctx, output)
	if err != nil {
		return s, err
	}
	defer w.close()
	l, err := r.start(p.contestant, p.interval, source, output)
	if err != nil {
		return s, err
	}
	err = l.during(ctx, func(ctx context.Context) error { return r.window(ctx, &s, l, p, source, w) })
	s.Peak = l.peak()
	if _, err = l.stop(err); err == nil {
		l.tell(os.Stderr)
	}
	return s, err
}

// window is the time that is measured: from some time after the first output on, for as long as was asked for.
func (r *race) window(ctx context.Context, s *steadySample, l *life, p pacing, source string, w *watcher) error {
	feed, err := r.feed(ctx, source)
	if err != nil {
		return err
	}
	defer feed.close()
	if err := w.atLeast(ctx, 1); err != nil {
		return err
	}
	if err := wait(ctx, warmUp); err != nil {
		return err
	}
	begin, cpu, broker := time.Now(), used(l.command.Process.Pid), used(r.brokerPID)
	if err := wait(ctx, r.steady); err != nil {
		return err
	}
	cpu, broker = used(l.command.Process.Pid)-cpu, used(r.brokerPID)-broker
	end := time.Now()
	sent, err := feed.stop()
	if err != nil {
		return err
	}
	want := sent.Forwarded
	if p.copies {
		want = int64(sent.Events)
	}
	if err := w.atLeast(ctx, want); err != nil {
		return err
	}
	took := w.took(begin, end)
	s.Events, s.Outputs = feed.between(begin, end), len(took)
	if s.Outputs == 0 || int64(s.Outputs) > s.Events || w.count() != want {
		return fmt.Errorf("%d outputs of %d events in the window, %d outputs in all instead of %d", s.Outputs, s.Events, w.count(), want)
	}
	s.CPU, s.Broker = micros(cpu)/float64(s.Events), micros(broker)/float64(s.Events)
	slices.Sort(took)
	s.P50, s.P99, s.P999, s.Max = at(took, 0.5), at(took, 0.99), at(took, 0.999), took[len(took)-1]
	late := feed.late(begin, end)
	slices.Sort(late)
	s.LateP99, s.LateMax = at(late, 0.99), at(late, 1)
	return nil
}

// at is percentile for values that are sorted.
func at(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
