// Command dashboards writes Grafana's dashboards into deploy/grafana/dashboards: go run -C tools ./dashboards
// A table of rows is easier to read, and to change, than three thousand lines of JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// panel is one picture. legend is for each query; the units are Grafana's.
type panel struct {
	title, about string
	kind         string // timeseries when empty
	unit         string
	width        int // of 24; 8 when 0
	queries      []query
	thresholds   []threshold // for stat
	stacked      bool
}

type query struct{ expr, legend string }

// threshold is a colour from a value on.
type threshold struct {
	from  *float64
	color string
}

type row struct {
	title  string
	panels []panel
}

type object = map[string]any

const (
	job      = `job=~"$job"`
	instance = `job=~"$job",instance=~"$instance"`
)

func main() {
	dir := "../deploy/grafana/dashboards"
	if err := write(dir, "overview", "data-stream-engine: overview", overview()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := write(dir, "internals", "data-stream-engine: internals", internals()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(dir, name, title string, rows []row) error {
	text, err := json.MarshalIndent(dashboard(name, title, rows), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o644) //nolint:gosec // Grafana reads it as another user
}

const (
	wide   = 24
	height = 8
	low    = 4
)

func dashboard(name, title string, rows []row) object {
	var panels []object
	id, y := 1, 0
	for _, r := range rows {
		panels = append(panels, object{"id": id, "type": "row", "title": r.title, "collapsed": false, "panels": []object{}, "gridPos": object{"x": 0, "y": y, "w": wide, "h": 1}})
		id, y = id+1, y+1
		x, tallest := 0, 0
		for _, p := range r.panels {
			w, h := p.width, height
			if w == 0 {
				w = 8
			}
			if p.kind == "stat" {
				h = low
			}
			if x+w > wide {
				x, y, tallest = 0, y+tallest, 0
			}
			panels = append(panels, p.json(id, object{"x": x, "y": y, "w": w, "h": h}))
			id, x, tallest = id+1, x+w, max(tallest, h)
		}
		y += tallest
	}
	return object{
		"uid": "data-stream-engine-" + name, "title": title, "tags": []string{"kafka", "data-stream-engine"}, "timezone": "utc",
		"schemaVersion": 41, "version": 1, "editable": true, "graphTooltip": 1, "refresh": "10s", "time": object{"from": "now-1h", "to": "now"},
		"links": []object{{"type": "dashboards", "tags": []string{"data-stream-engine"}, "title": "data-stream-engine", "icon": "external link", "tooltip": "", "asDropdown": false, "includeVars": true, "keepTime": true, "targetBlank": false}},
		"templating": object{"list": []object{
			variable("datasource", object{"type": "datasource", "query": "prometheus", "label": "Data source"}),
			variable("job", labels("stream_engine_build_info", "job", "Job")),
			variable("instance", labels(`stream_engine_build_info{job=~"$job"}`, "instance", "Replica")),
		}},
		"annotations": object{"list": []object{}},
		"panels":      panels,
	}
}

func variable(name string, more object) object {
	more["name"] = name
	return more
}

func labels(metric, label, title string) object {
	return object{"type": "query", "label": title, "datasource": source(), "query": object{"query": "label_values(" + metric + ", " + label + ")", "refId": "A"},
		"definition": "label_values(" + metric + ", " + label + ")", "includeAll": true, "multi": true, "refresh": 2, "sort": 1, "current": object{"text": []string{"All"}, "value": []string{"$__all"}}}
}

func source() object { return object{"type": "prometheus", "uid": "${datasource}"} }

func (p panel) json(id int, at object) object {
	kind := p.kind
	if kind == "" {
		kind = "timeseries"
	}
	var targets []object
	for i, q := range p.queries {
		targets = append(targets, object{"refId": string(rune('A' + i)), "datasource": source(), "expr": q.expr, "legendFormat": q.legend, "range": true})
	}
	defaults := object{"unit": p.unit}
	options := object{}
	switch kind {
	case "stat":
		var steps []object
		for _, t := range append([]threshold{{nil, "text"}}, p.thresholds...) {
			steps = append(steps, object{"value": t.from, "color": t.color})
		}
		defaults["thresholds"] = object{"mode": "absolute", "steps": steps}
		options = object{"reduceOptions": object{"calcs": []string{"lastNotNull"}}, "colorMode": "value", "graphMode": "area", "textMode": "auto"}
	case "timeseries":
		custom := object{"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": false}
		if p.stacked {
			custom["fillOpacity"], custom["stacking"] = 40, object{"mode": "normal", "group": "A"}
		}
		defaults["custom"], defaults["min"] = custom, 0
		options = object{"legend": object{"displayMode": "list", "placement": "bottom", "showLegend": true}, "tooltip": object{"mode": "multi", "sort": "desc"}}
	}
	return object{"id": id, "type": kind, "title": p.title, "description": p.about, "datasource": source(), "gridPos": at, "targets": targets,
		"fieldConfig": object{"defaults": defaults, "overrides": []object{}}, "options": options}
}

func at(x float64) *float64 { return &x }
