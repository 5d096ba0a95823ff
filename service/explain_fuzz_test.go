package service

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

// Taken apart, a condition comes to what the engine says of the whole, whatever it is and whatever the event.
func FuzzConditionsAreWhatTheirPartsSay(f *testing.F) {
	for _, text := range []string{
		`a > 1 && b == "x" || c`, `(a || b) && !(c and d)`, `1 < a < 3 && b`, `a ?? b || c == nil`, `let x = a; x && b`, `any(l, # > 1 && a) or "x" in event`,
		`a.b[0]?.c["d e"] == 1 && event["x"] != nil`, `a ? b && c : d || e`, `a && (b, c)`, `größe matches "ü|é" and not (a in [1, 2])`, `a == 'it''s' && b`, `a == "&&" || b`,
	} {
		f.Add(text, []byte(`{"a":1,"b":true,"c":null,"l":[1,2],"x":"y"}`))
		f.Add(text, []byte(`{"a":true,"b":false,"größe":"ü"}`))
		f.Add(text, []byte(`{"a":{"b":[{"c":{"d e":1}}]},"a":true}`))
	}
	f.Fuzz(func(t *testing.T, text string, event []byte) {
		if !utf8.ValidString(text) {
			return // a pipeline file is text
		}
		lib, err := expression.NewLibrary(testKey)
		if err != nil {
			t.Fatal(err)
		}
		spec := &model.Pipeline{File: "p.yaml", Name: "p", Source: model.Source{Topic: "in", Tombstones: model.PolicyDrop, NotObjects: model.PolicyDrop}, Filter: &model.Expression{Text: text, At: model.Place{Line: 1, Column: 1}}, Outputs: []model.Output{{Topic: "out"}}}
		plan, problems := compile(spec, lib)
		if len(problems) > 0 {
			return
		}
		m := model.Message{Topic: "in", Value: bytes.Clone(event)}
		p := newProcessor(plan, 1000)
		e := p.Explain(&m, testNow)
		if e.Filter == nil {
			return
		}
		if want := map[Outcome]Result{Forwarded: True, Filtered: False, DeadLettered: Failed}[e.Outcome]; e.Filter.Result != want {
			t.Errorf("%q of %s: %s, but the event was %s", text, event, e.Filter.Result, e.Outcome)
		}
		last := Part{Result: e.Filter.Result}
		for _, part := range e.Filter.Parts {
			if part.Result != NotEvaluated {
				last = part
			}
		}
		if last.Result != e.Filter.Result {
			t.Errorf("%q of %s: %s, but its last part %q is %s %s", text, event, e.Filter.Result, last.Expression, last.Result, last.Error)
		}
	})
}
