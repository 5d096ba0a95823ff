package api

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// blame is how a reason ends that names the expression that failed: [what it was for: expression].
const blame = `(?s)^[^\n]*?:\d+:\d+: .* \[[^\[\]]+?: (.*)\]$`

// expressions are those of a pipeline, by their text, with their lines.
func expressions(p *model.Pipeline) map[string]int {
	known := map[string]int{}
	add := func(list ...*model.Expression) {
		for _, e := range list {
			if e != nil {
				known[e.Text] = e.At.Line
			}
		}
	}
	add(p.Filter, p.Source.EventTime)
	for i := range p.Transform.Set {
		add(&p.Transform.Set[i].Value)
	}
	for i := range p.Outputs {
		add(p.Outputs[i].Key, p.Outputs[i].When)
	}
	for i := range p.Aggregates {
		add(p.Aggregates[i].Where)
		for j := range p.Aggregates[i].GroupBy {
			add(&p.Aggregates[i].GroupBy[j].Value)
		}
		for j := range p.Aggregates[i].Measures {
			add(p.Aggregates[i].Measures[j].Argument)
		}
	}
	return known
}

// blamed is the expression that a reason names, and its line now. Only one that is in the pipeline counts: what else stands
// in a reason may be from an event, and not everybody who sees this may read those.
func blamed(reason string, known map[string]int) (line *int, expression *string) {
	m := regexp.MustCompile(blame).FindStringSubmatch(reason)
	if m == nil {
		return nil, nil
	}
	at, ok := known[m[1]]
	if !ok {
		return nil, nil
	}
	return &at, &m[1]
}

// culprit are the bytes of a value that a dead letter is about, when they are known: the byte that is not JSON, or the one
// field that the expression which failed reads.
func culprit(reason string, reads []service.Read, value []byte) (from, to *int) {
	if m := regexp.MustCompile(`^byte (\d+): `).FindStringSubmatch(reason); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n >= 1 && n <= len(value) {
			return new(n - 1), new(n)
		}
		return nil, nil
	}
	if len(reads) != 1 {
		return nil, nil
	}
	name, _, _ := strings.Cut(reads[0].Path, ".")
	name, _, _ = strings.Cut(name, "[")
	return fieldSpan(value, name)
}

// fieldSpan is where the value of a top-level field lies; of a name that repeats the last one counts.
func fieldSpan(value []byte, name string) (from, to *int) {
	d := json.NewDecoder(bytes.NewReader(value))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil, nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return from, to
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return from, to
		}
		if key == name {
			end := int(d.InputOffset())
			from, to = new(end-len(raw)), new(end)
		}
	}
	return from, to
}
