package api

import (
	"fmt"
	"net/http"
	"time"

	"data-stream-engine/handler/guard"
	"data-stream-engine/handler/problem"
	"data-stream-engine/model"
	"data-stream-engine/service"
)

// opened is a dead letter with everything that is known of it.
type opened struct {
	letter
	Headers    []header       `json:"headers"`
	At         *int           `json:"at"`    // first byte of the value that it is about; null: not known
	Until      *int           `json:"until"` // the byte after the last
	Expression *string        `json:"expression"`
	Line       *int           `json:"line"`
	Inputs     []service.Read `json:"inputs"` // of the expression
	Replay     verdict        `json:"replay"`
}

type header struct {
	Name        string  `json:"name"`
	Value       *string `json:"value"`
	ValueBase64 *string `json:"value_base64,omitempty"`
}

// verdict is what a replay would make of a letter now.
type verdict struct {
	Outcome string `json:"outcome"`
	Text    string `json:"text"`
}

func headersOf(m *model.Message) []header {
	list := make([]header, 0, len(m.Headers))
	for _, h := range m.Headers {
		one := header{Name: problem.Shown(string(h.Key))}
		one.Value, one.ValueBase64 = content(h.Value)
		list = append(list, one)
	}
	return list
}

func (a *API) deadLetter(w http.ResponseWriter, r *http.Request) error {
	if err := none(r); err != nil {
		return err
	}
	at, ok := a.placeOf(r.PathValue("id"))
	if !ok {
		return wrong(mistake{"id", "is partition-offset in " + a.DeadLetterTopic + ", as in 0-17"})
	}
	found, ok, err := a.Letters.DeadLetter(r.Context(), at)
	if err != nil {
		return err
	}
	if !ok {
		return problem.Missing(fmt.Sprintf("no dead letter %s is kept", idOf(at)))
	}
	m, err := a.Contents.Letter(r.Context(), at)
	if err != nil {
		return err
	}
	done, err := a.busy(r)
	if err != nil {
		return err
	}
	defer done()
	return answer(w, a.opened(r, &found, m))
}

func (a *API) opened(r *http.Request, found *model.DeadLetter, m *model.Message) opened {
	o := opened{letter: letterOf(found, guard.Rights{Read: true}), Headers: headersOf(m), Inputs: []service.Read{}}
	o.text = textOf(m)
	o.Replay.Outcome, o.Replay.Text = a.Contents.Verdict(r.Context(), m)
	spec, processor, _, _ := a.Pipelines.Loaded()
	o.Line, o.Expression = blamed(found.Reason, expressions(spec))
	if o.Expression != nil && m.Value != nil {
		explanation := service.NewExplainer(processor, a.partitions()).Explain(m, time.Now())
		o.Inputs = inputs(&explanation, *o.Expression)
	}
	o.At, o.Until = culprit(found.Reason, o.Inputs, m.Value)
	return o
}

// inputs are what an expression reads of an event, according to an explanation of it.
func inputs(e *service.Explanation, expression string) []service.Read {
	list := []service.Read{}
	seen := map[string]bool{}
	add := func(reads []service.Read) {
		for _, one := range reads {
			if !seen[one.Path] {
				list = append(list, one)
			}
			seen[one.Path] = true
		}
	}
	condition := func(c *service.Condition) {
		if c != nil && c.Expression == expression {
			for _, part := range c.Parts {
				add(part.Reads)
			}
		}
	}
	condition(e.Filter)
	if e.EventTime != nil && e.EventTime.Expression == expression {
		add(e.EventTime.Reads)
	}
	for _, c := range e.Transform {
		if c.Expression == expression {
			add(c.Reads)
		}
	}
	for _, out := range e.Outputs {
		condition(out.When)
		if out.KeyOf == expression {
			add(out.Reads)
		}
	}
	for _, g := range e.Aggregates {
		condition(g.Where)
		for _, in := range append(g.Group, g.Measures...) {
			add(in.Reads)
		}
	}
	return list
}

// partitions tells, for one answer, how many partitions topics have; 1 where that is not known. Each topic is asked for once,
// and none any more when that takes long: a pipeline that somebody tries may name hundreds that nobody has.
func (a *API) partitions() func(topic string) int32 {
	known, slow := map[string]int32{}, false
	return func(topic string) int32 {
		if n, ok := known[topic]; ok || slow {
			return max(1, n)
		}
		began := time.Now()
		known[topic] = a.Topics.Partitions(topic)
		slow = time.Since(began) > time.Second || len(known) > maxTopics
		return max(1, known[topic])
	}
}

// maxTopics is how many topics are asked for with one answer.
const maxTopics = 100
