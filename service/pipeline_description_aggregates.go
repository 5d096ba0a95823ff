package service

import "data-stream-engine/model"

// AggregateDescription is one aggregate, its expressions as they are written, its durations as 5m or 7d.
type AggregateDescription struct {
	Name      string               `json:"name"`
	Of        string               `json:"of"` // event: the transformed one; source: as it came
	Where     string               `json:"where,omitempty"`
	GroupBy   []GroupDescription   `json:"group_by,omitempty"`
	Window    WindowDescription    `json:"window"`
	Measures  []MeasureDescription `json:"measures"`
	Emit      model.Emit           `json:"emit"`
	Retention string               `json:"retention"`
	Late      model.Policy         `json:"late"`
	MaxGroups int                  `json:"max_groups"`
	Detect    *DetectDescription   `json:"detect,omitempty"`
}

// GroupDescription is one of the values that groups are told apart by.
type GroupDescription struct {
	Name       string `json:"name"`
	Expression string `json:"expression"`
}

// WindowDescription is the shape of windows. Size and Every are not those of a session, Gap is its own.
type WindowDescription struct {
	Kind  model.WindowKind `json:"kind"`
	Size  string           `json:"size,omitempty"`
	Every string           `json:"every,omitempty"`
	Gap   string           `json:"gap,omitempty"`
	Grace string           `json:"grace"`
}

// MeasureDescription is a measure and its call.
type MeasureDescription struct {
	Name string `json:"name"`
	Call string `json:"call"` // distinct(user_id)
}

// DetectDescription says which values are anomalies.
type DetectDescription struct {
	Measure    string   `json:"measure"`
	Sigma      float64  `json:"sigma,omitempty"`
	MinWindows int      `json:"min_windows,omitempty"`
	Above      *float64 `json:"above,omitempty"`
	Below      *float64 `json:"below,omitempty"`
}

func describeAggregate(a *model.Aggregate) AggregateDescription {
	d := AggregateDescription{
		Name: a.Name, Of: "event", Where: wordsOf(a.Where), Window: describeWindow(a.Window),
		Emit: a.Emit, Retention: durationText(a.Retention), Late: a.Late, MaxGroups: a.MaxGroups,
	}
	if a.OfSource {
		d.Of = "source"
	}
	for _, g := range a.GroupBy {
		d.GroupBy = append(d.GroupBy, GroupDescription{Name: g.Name, Expression: wordsOf(&g.Value)})
	}
	for _, m := range a.Measures {
		d.Measures = append(d.Measures, MeasureDescription{Name: m.Name, Call: m.Text})
	}
	if a.Detect != nil {
		d.Detect = &DetectDescription{Measure: a.Detect.Measure, Sigma: a.Detect.Sigma, MinWindows: a.Detect.MinWindows, Above: a.Detect.Above, Below: a.Detect.Below}
	}
	return d
}

func describeWindow(w model.Window) WindowDescription {
	d := WindowDescription{Kind: w.Kind, Grace: durationText(w.Grace)}
	switch w.Kind {
	case model.Session:
		d.Gap = durationText(w.Gap)
	case model.Hopping:
		d.Size, d.Every = durationText(w.Size), durationText(w.Every)
	case model.Tumbling:
		d.Size = durationText(w.Size)
	}
	return d
}
