package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// contest is one piece of work that several clients do, each with its own means.
type contest struct {
	name    string
	target  float64 // CPU microseconds per event that ours should stay below; 0: none
	events  int
	clients []client // the first ones are ours
	// topic is what a run works on; forget is called behind it.
	topic func(context.Context) (name string, forget func(), err error)
	// check looks at a run's result; nil: nobody does.
	check func(ctx context.Context, topic string) error
}

// client is one of them.
type client struct {
	name string
	run  func(ctx context.Context, topic string) error
}

func (c client) ours() bool { return strings.HasPrefix(c.name, "ours") }

// sample is what one run took.
type sample struct {
	CPU     float64 `json:"cpu_us_per_event"` // user and system time of the whole process
	Rate    float64 `json:"events_per_second"`
	Mallocs float64 `json:"allocations_per_event"`
}

// hold runs a contest round by round, A B C A B C: a bad minute of the machine hits all of them.
func (b *bench) hold(ctx context.Context, c contest) error {
	samples := make([][]sample, len(c.clients))
	for round := range b.rounds {
		for i, client := range c.clients {
			s, err := b.once(ctx, c, client, round)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", c.name, client.name, err)
			}
			fmt.Printf("%-16s %-22s round %d  %.3f us/event CPU\n", c.name, client.name, round+1, s.CPU)
			samples[i] = append(samples[i], s)
		}
	}
	b.report.contest(c, samples)
	return nil
}

func (b *bench) once(ctx context.Context, c contest, client client, round int) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	topic, forget, err := c.topic(ctx)
	if err != nil {
		return sample{}, err
	}
	defer forget()
	stop, err := b.profile(c, client, round)
	if err != nil {
		return sample{}, err
	}
	s, err := measure(c.events, func() error { return client.run(ctx, topic) })
	stop()
	if err == nil && c.check != nil {
		err = c.check(ctx, topic)
	}
	return s, err
}

// measure runs f after what others left behind has been cleared away.
func measure(events int, f func() error) (sample, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, started := cpuTime(), time.Now()
	err := f()
	cpu, took := cpuTime()-cpu, time.Since(started)
	runtime.ReadMemStats(&after)
	n := float64(events)
	return sample{
		CPU:     float64(cpu.Nanoseconds()) / 1000 / n,
		Rate:    n / took.Seconds(),
		Mallocs: float64(after.Mallocs-before.Mallocs) / n,
	}, err
}

// cpuTime is what this process has used so far, in user and system mode: with other work on the machine it says more
// than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // cannot happen: the arguments are constants
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// median of the values that get takes from the samples.
func median[S any](samples []S, get func(S) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = get(s)
	}
	return percentile(values, 0.5)
}

// percentile is the smallest value that is not below the share of all values.
func percentile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
