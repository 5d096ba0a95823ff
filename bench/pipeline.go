package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"time"
)

// contestant is a service that does the pipeline's work, or copies bytes.
type contestant struct {
	name        string // for -only
	title       string
	binary      string
	environment []string
	copies      bool   // what comes out is what came in
	aggregates  bool   // it runs the shipped pipeline as a whole; otherwise without its aggregates
	file        string // "": the shipped pipeline
	asked       bool   // it runs only when -only names it
	traced      bool   // to a collector
}

// rawCopy is what all are held against: it moves the bytes and looks at none.
var rawCopy = contestant{name: "raw", title: "raw copy, at least once", binary: "rawcopy", copies: true}

func contestants() []contestant {
	return []contestant{
		rawCopy,
		{name: "engine", title: "engine without aggregates, exactly once", binary: "engine"},
		{name: "insights", title: "engine, the shipped pipeline with its aggregate, exactly once", binary: "engine", aggregates: true},
		{name: "unstored", title: "the same, STORAGE_URL=none", binary: "engine", aggregates: true, asked: true, environment: []string{"STORAGE_URL=none"}},
		{name: "traced", title: "the same, told to a collector on loopback", binary: "engine", aggregates: true, asked: true, traced: true},
		{name: "plain", title: "kafka-go Reader and Writer, encoding/json, at least once", binary: "plain"},
		{name: "franz", title: "franz-go, go-json, exactly once", binary: "franz"},
	}
}

// lifeSample is the whole life of a process that works off a topic.
type lifeSample struct {
	CPU    float64 `json:"cpu_us_per_event"`        // start and stop included
	Broker float64 `json:"broker_cpu_us_per_event"` // of the broker in that time; 0: nobody knows
	Rate   float64 `json:"events_per_second"`       // from the start of the process to the last commit
	Peak   int64   `json:"peak_rss_bytes"`          // 0: this system does not tell
}

// race is the state of the pipeline's suite.
type race struct {
	*bench

	report *pipelineReport
	seed   maphash.Seed
	source string
	load   load
	found  *outcome // what the first contestant made of the load
}

// pipeline compares whole services that do the work of the shipped pipeline.yaml.
func (b *bench) pipeline(ctx context.Context) (err error) {
	if b.collector, err = newCollector(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.collector.close(err == nil && b.only != "" && b.wants("traced"))) }()
	r := &race{bench: b, seed: maphash.MakeSeed(), report: &pipelineReport{header: newHeader(b.options), Partitions: b.partitions, Rate: b.rate}}
	if err := b.build(ctx); err != nil {
		return err
	}
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	if b.steady > 0 {
		if err := r.steadily(ctx); err != nil {
			return err
		}
	}
	r.report.finish()
	return write(b.out, r.report)
}

// catchUp lets every contestant work off the same topic, round by round.
func (r *race) catchUp(ctx context.Context) error {
	source, forget, err := r.newTopic(ctx, r.partitions)
	if err != nil {
		return err
	}
	defer forget()
	fmt.Printf("%d events go to %s\n", r.events, source)
	if r.load, err = r.fill(ctx, source, r.seed); err != nil {
		return fmt.Errorf("fill topic: %w", err)
	}
	r.source, r.report.Load = source, r.load
	var list []contestant
	for _, c := range contestants() {
		if r.wants(c.name) && (!c.asked || r.only != "") {
			list = append(list, c)
			r.report.CatchUp = append(r.report.CatchUp, standing{Name: c.name, Title: c.title})
		}
	}
	// Round 0 is not counted: after its start a broker takes a while to compile what it does all day.
	for round := range r.rounds + 1 {
		for i, c := range list {
			if round == 0 && !c.copies && c.name != "engine" {
				continue
			}
			s, err := r.life(ctx, c)
			if err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
			fmt.Printf("round %d  %-8s %.3f us/event CPU, broker %.3f, %.0f events/s, peak %d MiB\n", round, c.name, s.CPU, s.Broker, s.Rate, s.Peak>>20)
			if round > 0 {
				r.report.CatchUp[i].Samples = append(r.report.CatchUp[i].Samples, s)
			}
		}
	}
	return nil
}

// topics makes the topics of one run.
func (r *race) topics(ctx context.Context) (output, dead string, forget func(), err error) {
	output, forgetOutput, err := r.newTopic(ctx, r.partitions)
	if err != nil {
		return "", "", nil, err
	}
	dead = output + "-dead-letter" // of the group, which has the output topic's name
	forgetDead, err := r.create(ctx, dead, r.partitions)
	if err != nil {
		forgetOutput()
		return "", "", nil, err
	}
	return output, dead, func() {
		forgetOutput()
		forgetDead()
		r.forgetDerived(ctx, output)
		_ = wait(ctx, 2*time.Second) // until the broker has deleted the files
	}, nil
}

// life runs one contestant from an empty group to the end of the topic, and looks at what it made.
func (r *race) life(ctx context.Context, c contestant) (lifeSample, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	output, dead, forget, err := r.topics(ctx)
	if err != nil {
		return lifeSample{}, err
	}
	defer forget()
	broker := used(r.brokerPID)
	l, err := r.start(c, commitInterval, r.source, output)
	if err != nil {
		return lifeSample{}, err
	}
	defer r.profileProcess(c, l)()
	err = l.during(ctx, func(ctx context.Context) error {
		if err := r.committed(ctx, output, r.source, r.events); err != nil || !c.aggregates {
			return err
		}
		return r.merged(ctx, output)
	})
	took, peak := time.Since(l.started), l.peak()
	cpu, err := l.stop(err)
	broker = used(r.brokerPID) - broker
	if err == nil {
		err = r.verify(ctx, c, output, dead, l.started)
	}
	if err == nil && c.aggregates {
		err = r.counted(ctx, output)
	}
	if err == nil {
		l.tell(os.Stderr)
	}
	n := float64(r.events)
	return lifeSample{CPU: micros(cpu) / n, Broker: micros(broker) / n, Rate: n / took.Seconds(), Peak: peak}, err
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// verify holds what a contestant made against the load, and against what the first one made.
func (r *race) verify(ctx context.Context, c contestant, output, dead string, since time.Time) error {
	if c.copies {
		found, err := r.measureOutcome(ctx, output, asItCame(r.seed))
		if err == nil && found != r.load.all {
			err = fmt.Errorf("%s copied %+v, there was %+v", c.name, found, r.load.all)
		}
		return err
	}
	found, err := r.measureOutcome(ctx, dead, asItCame(r.seed))
	if err != nil {
		return err
	}
	if found != r.load.dead {
		return fmt.Errorf("%s wrote the dead letters %+v, broken are %+v", c.name, found, r.load.dead)
	}
	if found, err = r.measureOutcome(ctx, output, processed(r.seed, since)); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	if found.Records != r.load.Forwarded {
		return fmt.Errorf("%s wrote %d records, it should have been %d", c.name, found.Records, r.load.Forwarded)
	}
	if r.found == nil {
		r.found, r.report.Outcome = &found, found
	}
	if found != *r.found {
		return fmt.Errorf("%s wrote %+v, the first contestant wrote %+v", c.name, found, *r.found)
	}
	return nil
}
