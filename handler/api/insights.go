package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"data-stream-engine/model"
)

// insights are the records of the insights topic as they are.
func (a *API) insights(w http.ResponseWriter, r *http.Request) error {
	p := paramsOf(r)
	q := model.InsightQuery{
		Aggregate: p.text("aggregate"), Kind: model.InsightKind(p.oneOf("kind", string(model.InsightWindow), string(model.InsightSession), string(model.InsightAnomaly))),
		From: p.time("from"), To: p.time("to"), Group: p.prefixed("group."), Final: p.boolean("final"), Limit: p.limit(), Cursor: p.text("cursor"),
	}
	if err := p.err(); err != nil {
		return err
	}
	found, err := a.Insights.Insights(r.Context(), q)
	if err != nil {
		return err
	}
	items := make([]json.RawMessage, len(found.Items))
	for i := range found.Items {
		items[i] = found.Items[i].Document
	}
	return answer(w, pageOf(items, found.Next))
}

const (
	defaultWindows = 30
	maxWindows     = 100
	// maxCells bounds how many windows a table has in all.
	maxCells = 30_000
)

// table is a table of groups for people.
type table struct {
	Aggregate string  `json:"aggregate"`
	Groups    int64   `json:"groups"`
	Matched   int64   `json:"matched"`
	Window    *string `json:"window"`    // by which it is ordered
	ClosesAt  *string `json:"closes_at"` // the latest window of the table, by the clock of the events; null: no window is open
	Rows      []row   `json:"rows"`
}

type row struct {
	Group   json.RawMessage `json:"group"`
	Windows []window        `json:"windows"`
}

type window struct {
	Start    *string         `json:"start"`
	End      *string         `json:"end"`
	Final    bool            `json:"final"`
	Revision int64           `json:"revision"`
	Measures json.RawMessage `json:"measures"`
}

func (a *API) groups(w http.ResponseWriter, r *http.Request) error {
	p := paramsOf(r)
	q := model.GroupQuery{Aggregate: p.text("aggregate"), Measure: p.text("measure"), Search: p.text("search"), Window: p.time("window"),
		Windows: int(p.integer("windows", 1, maxWindows, defaultWindows)), Limit: p.limit()}
	if q.Aggregate == "" {
		p.wrong("aggregate", "is missing")
	}
	if q.Windows*q.Limit > maxCells {
		p.wrong("limit", "times windows is at most %d", maxCells)
	}
	if names := a.measures(q.Aggregate); q.Measure != "" && len(names) > 0 && !slices.Contains(names, q.Measure) {
		p.wrong("measure", "is none of %s: %s", q.Aggregate, strings.Join(names, ", "))
	}
	if err := p.err(); err != nil {
		return err
	}
	body, err := a.tables.get(r.Context(), r.URL.RawQuery, func() ([]byte, error) {
		found, err := a.Insights.Groups(r.Context(), q)
		if err != nil {
			return nil, err
		}
		return encoded(a.table(q.Aggregate, found))
	})
	if err != nil {
		return err
	}
	write(w, body)
	return nil
}

// measures are the names of an aggregate's measures; none when the pipeline in use does not have it, or no more.
func (a *API) measures(aggregate string) (names []string) {
	spec, _, _, _ := a.Pipelines.Loaded()
	for i := range spec.Aggregates {
		if spec.Aggregates[i].Name == aggregate {
			for _, m := range spec.Aggregates[i].Measures {
				names = append(names, m.Name)
			}
		}
	}
	return names
}

func (a *API) table(aggregate string, found model.GroupTable) table {
	t := table{Aggregate: aggregate, Groups: found.Groups, Matched: found.Matched, Window: stamp(found.Window), Rows: make([]row, 0, len(found.Rows))}
	var latest *model.Insight
	for i := range found.Rows {
		line := row{Group: found.Rows[i].Group, Windows: make([]window, 0, len(found.Rows[i].Windows))}
		for j := range found.Rows[i].Windows {
			in := &found.Rows[i].Windows[j]
			line.Windows = append(line.Windows, window{Start: stamp(in.Start), End: stamp(in.End), Final: in.Final, Revision: in.Revision, Measures: measures(in.Document)})
			if latest == nil || in.End.After(latest.End) {
				latest = in
			}
		}
		t.Rows = append(t.Rows, line)
	}
	if latest != nil && !latest.Final {
		t.ClosesAt = a.closesAt(aggregate, latest.End)
	}
	return t
}

// measures are those of an insight record.
func measures(document json.RawMessage) json.RawMessage {
	var record struct {
		Measures json.RawMessage `json:"measures"`
	}
	if err := json.Unmarshal(document, &record); err != nil || record.Measures == nil {
		return json.RawMessage("{}")
	}
	return record.Measures
}

// closesAt is when a window that ends at end closes: its grace later. Nothing is known of aggregates that are not in the
// pipeline any more.
func (a *API) closesAt(aggregate string, end time.Time) *string {
	spec, _, _, _ := a.Pipelines.Loaded()
	for i := range spec.Aggregates {
		if spec.Aggregates[i].Name == aggregate {
			return stamp(end.Add(spec.Aggregates[i].Window.Grace))
		}
	}
	return nil
}

// anomalyPoints is how many windows are shown with an anomaly.
const anomalyPoints = 24

// maxAnomalies is how many a part of their list has at most: each asks the store for its windows.
const maxAnomalies = 100

func (a *API) anomalies(w http.ResponseWriter, r *http.Request) error {
	p := paramsOf(r)
	q := model.InsightQuery{Kind: model.InsightAnomaly, Aggregate: p.text("aggregate"), Limit: int(p.integer("limit", 1, maxAnomalies, defaultLimit)), Cursor: p.text("cursor")}
	if err := p.err(); err != nil {
		return err
	}
	done, err := admit(r, a.listing, "others list anomalies at the moment")
	if err != nil {
		return err
	}
	defer done()
	found, err := a.Insights.Insights(r.Context(), q)
	if err != nil {
		return err
	}
	items, err := a.anomalyItems(r.Context(), found.Items)
	if err != nil {
		return err
	}
	return answer(w, pageOf(items, found.Next))
}

// point is the value that an anomaly is about in one window.
type point struct {
	Start *string         `json:"start"`
	Value json.RawMessage `json:"value"`
}

// anomalyItems are the records of anomalies, each with the windows of its group around it.
func (a *API) anomalyItems(ctx context.Context, list []model.Insight) ([]json.RawMessage, error) {
	items := make([]json.RawMessage, 0, len(list))
	for i := range list {
		item, err := a.anomalyItem(ctx, list[i])
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func (a *API) anomalyItem(ctx context.Context, anomaly model.Insight) (json.RawMessage, error) {
	var record struct {
		Anomaly struct{ Measure string }
	}
	if err := json.Unmarshal(anomaly.Document, &record); err != nil {
		return nil, unreadable("the anomaly "+anomaly.Key, err)
	}
	around, err := a.Insights.Points(ctx, anomaly, anomalyPoints)
	if err != nil {
		return nil, err
	}
	points := make([]point, 0, len(around))
	for i := range around {
		var values map[string]json.RawMessage
		if err := json.Unmarshal(measures(around[i].Document), &values); err != nil {
			return nil, unreadable("the insight "+around[i].Key, err)
		}
		value := values[record.Anomaly.Measure]
		if value == nil {
			value = json.RawMessage("null")
		}
		points = append(points, point{stamp(around[i].Start), value})
	}
	added, err := json.Marshal(points)
	if err != nil {
		return nil, err
	}
	return with(anomaly.Document, "points", added)
}

// with is a JSON object with one member more.
func with(object json.RawMessage, name string, value []byte) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	end := len(object) - 1
	for end > 0 && object[end] != '}' {
		end--
	}
	out := append(json.RawMessage{}, object[:end]...)
	if len(members) > 0 {
		out = append(out, ',')
	}
	out = append(out, `"`+name+`":`...)
	return append(append(out, value...), '}'), nil
}
