package api

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"data-stream-engine/handler/problem"
	"data-stream-engine/model"
	"data-stream-engine/service"
)

// busy takes a place among the requests that keep a processor busy, as soon as there is one.
func (a *API) busy(r *http.Request) (done func(), err error) {
	return admit(r, a.heavy, "others explain and try events at the moment")
}

// admit waits for one of a few places. Why says what is done in the others.
func admit(r *http.Request, places chan struct{}, why string) (done func(), err error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-r.Context().Done():
		return nil, &problem.Document{Status: http.StatusServiceUnavailable, Type: problem.Unavailable, Title: "Too busy", Detail: why, RetryAfter: retryAfter}
	}
}

// record is a record of the source topic.
type record struct {
	place
	Timestamp *string  `json:"timestamp"`
	Headers   []header `json:"headers"`
	*text
}

// explained is what the pipeline makes of a record.
type explained struct {
	Record      record              `json:"record"`
	Explanation service.Explanation `json:"explanation"`
	Sentence    string              `json:"sentence"`
}

func (a *API) explain(w http.ResponseWriter, r *http.Request) error {
	spec, processor, _, _ := a.Pipelines.Loaded()
	p := paramsOf(r)
	partition, offset := p.integer("partition", 0, 1<<31-1, -1), p.integer("offset", 0, 1<<63-1, -1)
	topic := p.text("topic")
	for _, name := range []string{"partition", "offset"} {
		if !p.given(name) {
			p.wrong(name, "is missing")
		}
	}
	if err := p.err(); err != nil {
		return err
	}
	if topic != "" && topic != spec.Source.Topic {
		return problem.Missing("events of " + spec.Source.Topic + " are explained, the source of this pipeline, and of no other topic")
	}
	m, err := a.Source.Record(r.Context(), int32(partition), offset)
	if err != nil {
		return err
	}
	done, err := a.busy(r)
	if err != nil {
		return err
	}
	defer done()
	e := explained{Record: record{place: place{m.Topic, m.Partition, m.Offset}, Headers: headersOf(m), text: textOf(m)}}
	if m.Timestamp >= 0 {
		e.Record.Timestamp = stamp(time.UnixMilli(m.Timestamp))
	}
	e.Explanation = service.NewExplainer(processor, a.partitions()).Explain(m, time.Now())
	e.Sentence = fate(&e.Explanation)
	return answer(w, e)
}

// fate says in a sentence what becomes of an event.
func fate(e *service.Explanation) string {
	switch e.Outcome {
	case service.Filtered:
		return strings.TrimSuffix("Filtered out: "+e.Why, ".") + "." + counted(e)
	case service.DeadLettered:
		return fmt.Sprintf("Rejected at the stage %s: %s.", e.Stage, strings.TrimSuffix(e.Why, "."))
	case service.Forwarded:
	}
	var topics []string
	for _, out := range e.Outputs {
		if out.Taken {
			topics = append(topics, out.Topic)
		}
	}
	return "Forwarded to " + list(topics) + "." + counted(e)
}

func counted(e *service.Explanation) string {
	if len(e.Aggregates) == 0 {
		return ""
	}
	n := 0
	for _, g := range e.Aggregates {
		if g.Counted {
			n++
		}
	}
	return fmt.Sprintf(" Counted in %d of %d aggregates.", n, len(e.Aggregates))
}

// list is a list of names as a sentence has it.
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// maxEvents is how many events can be tried at a time.
const maxEvents = 1000

// tried is an event and what the pipeline makes of it.
type tried struct {
	service.Explanation
	Input string `json:"input"`
}

// try runs events through the pipeline in use or another one, without any broker. It counts as reading: hash() and
// mask functions would tell whoever asks what a value of an event has become.
func (a *API) try(w http.ResponseWriter, r *http.Request) error {
	var events []string
	var pipeline string
	if err := body(w, r, map[string]any{"events": &events, "pipeline": &pipeline}); err != nil {
		return err
	}
	if len(events) < 1 || len(events) > maxEvents {
		return wrong(mistake{"events", fmt.Sprintf("has 1 to %d events", maxEvents)})
	}
	done, err := a.busy(r)
	if err != nil {
		return err
	}
	defer done()
	spec, processor, _, _ := a.Pipelines.Loaded()
	if pipeline != "" {
		if processor, err = a.Compiler.Compile(pipeline); err != nil {
			return err
		}
	}
	explainer := service.NewExplainer(processor, a.partitions())
	items := make([]tried, 0, len(events))
	now := time.Now()
	for i, event := range events {
		if err := r.Context().Err(); err != nil {
			return err
		}
		m := model.Message{Topic: spec.Source.Topic, Offset: int64(i), Timestamp: now.UnixMilli(), Value: []byte(event)}
		items = append(items, tried{Explanation: explainer.Explain(&m, now), Input: event})
	}
	return answer(w, struct {
		Items []tried `json:"items"`
	}{items})
}
