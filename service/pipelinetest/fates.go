package pipelinetest

import (
	"fmt"
	"strings"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// mostFates is how many inputs of a case that failed are explained.
const mostFates = 50

// fates says what became of each input, and why: most often that is the answer.
func (d *diff) fates(input []model.Message, p *service.Processor, now time.Time) {
	x, simulation := service.NewExplainer(p, nil), service.NewSimulation(p, nil)
	d.add("what became of the input:")
	for i := range input {
		if i == mostFates {
			d.add("    and %d more", len(input)-i)
			return
		}
		x.From(simulation.Source(input[i].Partition)) // as the inputs before it have left it
		e := x.Explain(&input[i], now)
		simulation.Process(input[i:i+1], now)
		d.add("    %d  %s", i+1, service.Printable(fate(&e)))
	}
}

func fate(e *service.Explanation) string {
	text := string(e.Outcome)
	switch e.Outcome {
	case service.Forwarded:
		var topics []string
		for _, r := range e.Records {
			if !r.DeadLetter {
				topics = append(topics, r.Topic)
			}
		}
		text = "forwarded to " + strings.Join(topics, ", ")
	case service.Filtered:
		text = fmt.Sprintf("filtered (%s): %s", e.Stage, e.Why)
	case service.DeadLettered:
		return fmt.Sprintf("dead letter (%s, %s): %s", e.Stage, e.Code, e.Why)
	}
	var counted, late []string
	for i := range e.Aggregates {
		switch g := &e.Aggregates[i]; {
		case g.Counted:
			counted = append(counted, g.Aggregate)
		case g.Late:
			late = append(late, fmt.Sprintf("late for %s (the watermark is %s, grace %s)", g.Aggregate, g.Lateness.Watermark.Format(time.RFC3339Nano), g.Lateness.Grace))
		}
	}
	if len(counted) > 0 {
		text += "; counts in " + strings.Join(counted, ", ")
	}
	if len(late) > 0 {
		text += "; " + strings.Join(late, ", ")
	}
	if len(e.Aggregates) > 0 && e.EventTime != nil {
		text += "; its time is " + e.EventTime.Time
	}
	return text
}
