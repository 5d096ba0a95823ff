package pipelinetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// Outcome is how a case went.
type Outcome struct {
	Name string
	At   string   // file:line of the case
	Diff []string // what differs, as lines for a person; none: it passed
}

// Passed tells whether everything came as expected.
func (o *Outcome) Passed() bool { return len(o.Diff) == 0 }

// Run runs all cases with the pipeline file that the test file names. pipeline is what messages call that file. The
// error is a *model.Error of class Misconfigured: the pipeline file is wrong, or the test file does not fit it.
func (f *File) Run(pipeline string, src []byte) ([]Outcome, error) {
	asked := map[string]bool{}
	spec, err := service.ParsePipeline(pipeline, src, func(name string) (string, bool) {
		asked[name] = true
		v, ok := f.environment[name]
		return v.value, ok && v.value != "" // set to nothing is not set, as in the settings
	})
	if err != nil {
		return nil, err
	}
	p, err := service.NewProcessor(spec, service.Options{HashKey: f.hashKey})
	if err != nil {
		return nil, err
	}
	for name, v := range f.environment {
		if !asked[name] {
			f.doc.Problem(v.at, "the pipeline has no variable %s%s; it has %s", name, nearest(name, slices.Collect(maps.Keys(asked))), orNone(slices.Sorted(maps.Keys(asked))))
		}
	}
	f.fit(p.Topics())
	f.fitInsights(spec.Aggregates)
	if err := f.doc.Err(); err != nil {
		return nil, err
	}
	list := make([]Outcome, len(f.cases))
	for i := range f.cases {
		c := &f.cases[i]
		list[i] = Outcome{Name: c.name, At: fmt.Sprintf("%s:%d", f.Name, c.at.Line), Diff: f.run(c, p, spec.Source.Topic)}
	}
	return list, nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// fit checks that the topics in the test file are those of the pipeline, and fills the only one in where none is named.
func (f *File) fit(topics []string) {
	outputs := topics[model.DeadLetters+1:]
	for name, n := range f.partitions {
		if !slices.Contains(topics, name) {
			f.doc.Problem(n.at, "the pipeline does not write to %s%s; it writes to %s", name, nearest(name, topics), strings.Join(topics, ", "))
		}
	}
	for i := range f.cases {
		for j := range f.cases[i].output {
			e := &f.cases[i].output[j]
			switch {
			case e.topic == "" && len(outputs) > 1:
				f.doc.Problem(e.at, "topic is missing: the pipeline writes to %s", strings.Join(outputs, ", "))
			case e.topic == "":
				e.topic = outputs[0]
			case !slices.Contains(outputs, e.topic):
				f.doc.Problem(e.at, "the pipeline does not write to %s%s; it writes to %s", e.topic, nearest(e.topic, outputs), strings.Join(outputs, ", "))
			}
		}
	}
}

func (f *File) partitionsOf(topic string) int32 {
	if n, ok := f.partitions[topic]; ok {
		return n.count
	}
	return f.everywhere
}

// run gives what differs. Records are compared topic by topic: between topics Kafka knows no order.
func (f *File) run(c *testCase, p *service.Processor, source string) []string {
	input := slices.Clone(c.input)
	for i := range input {
		input[i].Topic = source
	}
	simulation := service.NewSimulation(p, f.partitionsOf)
	records, result := simulation.Process(input, f.now)
	insights, err := simulation.End()
	records = append(records, insights.Letters...)
	d := diff{exact: c.exact}
	if err != nil {
		d.add("the aggregates could not be merged: %v", err)
	}
	topics := p.Topics()
	for _, topic := range topics[model.DeadLetters+1:] {
		if !c.anyOutput {
			d.records(topic, byTopic(c.output, topic), written(records, topic))
		}
	}
	d.records("", byTopic(c.letters, ""), written(records, topics[model.DeadLetters]))
	if c.filtered != nil && *c.filtered != result.Filtered {
		d.add("filtered: expected %d, got %d", *c.filtered, result.Filtered)
	}
	if c.insightsAt != nil {
		d.insights(c, &insights)
	}
	if len(d.lines) > 0 {
		d.fates(input, p, f.now)
	}
	return d.lines
}

func byTopic(all []expected, topic string) []*expected {
	var list []*expected
	for i := range all {
		if all[i].topic == topic {
			list = append(list, &all[i])
		}
	}
	return list
}

func written(all []service.Written, topic string) []*service.Written {
	var list []*service.Written
	for i := range all {
		if all[i].Topic == topic {
			list = append(list, &all[i])
		}
	}
	return list
}
