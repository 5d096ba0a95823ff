package api

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"data-stream-engine/model"
)

// painter makes the bytes of events. It is for one goroutine.
type painter struct {
	api   *API
	lists func() lists

	last     lists // what frames have shown already
	marks    []model.Mark
	loaded   time.Time // the pipeline that they have shown
	openings []byte    // nil: not made since the last frame
}

// history is what flowed in the last minutes.
type history struct {
	Step   int           `json:"step_seconds"`
	Points []model.Point `json:"points"`
	Marks  []model.Mark  `json:"marks"`
}

func newPainter(a *API, current func() lists) *painter {
	_, _, _, loaded := a.Pipelines.Loaded()
	_, marks := a.Rates.History()
	return &painter{api: a, lists: current, last: current(), loaded: loaded, marks: marks}
}

// frame is what changes each second, and of the rest what has changed.
func (p *painter) frame() []byte {
	p.openings = nil // what is told now would be missing in it, and is not told again
	var b bytes.Buffer
	if _, _, _, at := p.api.Pipelines.Loaded(); !at.Equal(p.loaded) {
		p.loaded = at
		event(&b, "pipeline", p.api.Pictures.Pipeline())
	}
	event(&b, "status", p.api.Pictures.Status())
	event(&b, "rates", p.api.Rates.Rates())
	event(&b, "partitions", p.api.Pictures.Partitions())
	if _, marks := p.api.Rates.History(); !slices.Equal(marks, p.marks) {
		p.marks = marks
		event(&b, "marks", marks)
	}
	now := p.lists()
	if now.anomalies != nil && !bytes.Equal(now.anomalies, p.last.anomalies) {
		raw(&b, "anomalies", now.anomalies)
	}
	if now.deadLetters != nil && !bytes.Equal(now.deadLetters, p.last.deadLetters) {
		raw(&b, "dead_letters", now.deadLetters)
	}
	p.last = now
	return b.Bytes()
}

// opening is everything, for a page that has nothing yet. The lists in it are those of the last frame: what is newer comes
// with the next one to everybody.
func (p *painter) opening() []byte {
	if p.openings != nil {
		return p.openings
	}
	var b bytes.Buffer
	event(&b, "pipeline", p.api.Pictures.Pipeline())
	event(&b, "status", p.api.Pictures.Status())
	h := history{Step: 1}
	h.Points, h.Marks = p.api.Rates.History()
	if h.Points == nil {
		h.Points = []model.Point{}
	}
	if h.Marks == nil {
		h.Marks = []model.Mark{}
	}
	event(&b, "history", h)
	event(&b, "partitions", p.api.Pictures.Partitions())
	if p.last.anomalies != nil {
		raw(&b, "anomalies", p.last.anomalies)
	}
	if p.last.deadLetters != nil {
		raw(&b, "dead_letters", p.last.deadLetters)
	}
	p.openings = b.Bytes()
	return p.openings
}

// event writes one server-sent event. A document that cannot be encoded is left out: the others do not suffer.
func event(b *bytes.Buffer, name string, v any) {
	if data, err := json.Marshal(v); err == nil {
		raw(b, name, data)
	}
}

func raw(b *bytes.Buffer, name string, data []byte) {
	b.WriteString("event: " + name + "\ndata: ")
	b.Write(data)
	b.WriteString("\n\n")
}
