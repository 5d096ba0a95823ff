package service

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Insight is a record of the insights topic, read.
type Insight struct {
	Document  json.RawMessage // as it is written
	Aggregate string
	Kind      string // one of the kinds below
	Start     time.Time
	End       time.Time
	Group     []Member // in the order of group_by
	Measures  []Member // in the order of the pipeline file; of an anomaly the one that stands out
	Sentence  string   // of an anomaly
	Final     bool
}

// The kinds of insights.
const (
	KindWindow  = "window"
	KindSession = "session"
	KindAnomaly = "anomaly"
)

// Member is a member of a JSON object.
type Member struct {
	Name  string
	Value json.RawMessage
}

// ReadInsight reads the value of a record of the insights topic.
func ReadInsight(document []byte) (Insight, error) {
	var d struct {
		Aggregate, Kind string
		Window          struct{ Start, End time.Time }
		Group, Measures json.RawMessage
		Anomaly         *struct {
			Measure  string
			Value    json.RawMessage
			Sentence string
		}
		Final bool
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return Insight{}, err
	}
	i := Insight{Document: document, Aggregate: d.Aggregate, Kind: d.Kind, Start: d.Window.Start.UTC(), End: d.Window.End.UTC(), Final: d.Final}
	var err error
	if i.Group, err = members(d.Group); err != nil {
		return Insight{}, err
	}
	if a := d.Anomaly; a != nil {
		i.Sentence, i.Measures = a.Sentence, []Member{{a.Measure, a.Value}}
		return i, nil
	}
	i.Measures, err = members(d.Measures)
	return i, err
}

func members(raw json.RawMessage) ([]Member, error) {
	o, err := readObject(raw)
	if err != nil {
		return nil, err
	}
	list := make([]Member, len(o.names))
	for i, name := range o.names {
		list[i] = Member{name, o.values[name]}
	}
	return list, nil
}

// insights are those that the topic has now, in the order of the pipeline file, of time and of groups.
func (s *Simulation) insights() []Insight {
	place := map[string]int{}
	for i, d := range s.processor.Definitions() {
		place[d.Name] = i
	}
	list := make([]Insight, 0, len(s.latest))
	for _, document := range s.latest {
		i, err := ReadInsight(document)
		if err != nil {
			s.err = err
			continue
		}
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b Insight) int {
		return cmp.Or(cmp.Compare(place[a.Aggregate], place[b.Aggregate]), a.Start.Compare(b.Start), a.End.Compare(b.End),
			cmp.Compare(b.Kind, a.Kind), slices.CompareFunc(a.Group, b.Group, func(x, y Member) int { return bytes.Compare(x.Value, y.Value) }), bytes.Compare(a.Document, b.Document))
	})
	return list
}

// reached leaves the anomalies out that lie behind the messages: that nothing comes after the last one is the end of the
// input, not silence.
func (s *Simulation) reached(list []Insight) []Insight {
	var last time.Time
	for _, source := range s.order {
		if at := time.UnixMilli(source.Watermark); at.After(last) {
			last = at
		}
	}
	for _, i := range list {
		if i.Kind != KindAnomaly && i.Start.After(last) {
			last = i.Start
		}
	}
	return slices.DeleteFunc(list, func(i Insight) bool { return i.Kind == KindAnomaly && i.Start.After(last) })
}
