package app

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// gauged is what one aggregate makes of an event: whether it counts, in which windows, and what it takes from it.
func gauged(g *service.Gauged) []string {
	lines := []string{g.Aggregate + ": no"}
	switch {
	case g.Error != "":
		lines[0] = g.Aggregate + ": FAILED  " + service.Printable(g.Error)
	case g.Late:
		lines[0] = fmt.Sprintf("%s: LATE for %s; the watermark is %s, grace %s", g.Aggregate, spans(g), g.Lateness.Watermark.Format(time.RFC3339Nano), g.Lateness.Grace)
	case g.Counted:
		lines[0] = g.Aggregate + ": yes, " + spans(g)
	case g.Where == nil || g.Where.Result == service.True:
		lines[0] = g.Aggregate + ": yes, were it not for what failed"
	}
	if g.Where != nil {
		for _, line := range condition(g.Where) {
			lines = append(lines, "  where "+line)
		}
	}
	rows := inputs(inputs(nil, "group", g.Group), "measure", g.Measures)
	for _, line := range columns(rows) {
		lines = append(lines, "  "+line)
	}
	return lines
}

// inputs appends a row for each value that a group or measures take.
func inputs(rows [][]string, title string, list []service.Input) [][]string {
	for _, in := range list {
		row := []string{title, service.Printable(in.Name), value(in.Value), ""}
		if in.Expression != in.Name {
			row[3] = service.Printable(oneLine(in.Expression))
		}
		if in.Error != "" {
			row[2] = "FAILED  " + failure(in.Error, in.Reads)
		}
		rows, title = append(rows, row), ""
	}
	return rows
}

// spans is where an event counts, or would.
func spans(g *service.Gauged) string {
	switch len(g.Windows) {
	case 0:
		return "a session of events at most " + g.Gap + " apart"
	case 1:
		return span(g.Windows[0])
	}
	last := g.Windows[len(g.Windows)-1]
	if g.Of > len(g.Windows) {
		return fmt.Sprintf("%d windows, the first %s", g.Of, span(g.Windows[0]))
	}
	return fmt.Sprintf("%d windows, %s the first, %s the last", g.Of, span(g.Windows[0]), span(last))
}

func span(s service.Span) string {
	return s.Start.Format(time.RFC3339Nano) + " to " + s.End.Format(time.RFC3339Nano)
}

// insightsJSON writes each insight as one line.
func insightsJSON(w io.Writer, _ *model.Pipeline, list []service.Insight) {
	for i := range list {
		say(w, "{\"insight\":%s}\n", list[i].Document)
	}
}

// insightsText writes a table for each aggregate: a line for each group and window, and below it what stands out.
func insightsText(w io.Writer, spec *model.Pipeline, list []service.Insight) {
	for i := range spec.Aggregates {
		a := &spec.Aggregates[i]
		rows := [][]string{heading(a)}
		var anomalies []string
		for k := range list {
			switch in := &list[k]; {
			case in.Aggregate != a.Name:
			case in.Kind == service.KindAnomaly:
				anomalies = append(anomalies, in.Sentence)
			default:
				rows = append(rows, insightRow(a, in))
			}
		}
		if len(rows) == 1 {
			say(w, "insights of %s: none\n\n", a.Name)
			continue
		}
		say(w, "insights of %s\n", a.Name)
		for _, line := range columns(rows) {
			say(w, "  %s\n", strings.TrimRight(line, " "))
		}
		for _, sentence := range anomalies {
			say(w, "  ANOMALY  %s\n", service.Printable(sentence))
		}
		say(w, "\n")
	}
}

func heading(a *model.Aggregate) []string {
	row := []string{"window"}
	if a.Window.Kind == model.Session {
		row[0] = "session"
	}
	for _, g := range a.GroupBy {
		row = append(row, service.Printable(g.Name))
	}
	for _, m := range a.Measures {
		row = append(row, m.Name)
	}
	return row
}

func insightRow(a *model.Aggregate, in *service.Insight) []string {
	row := []string{span(service.Span{Start: in.Start, End: in.End})}
	for _, g := range a.GroupBy {
		row = append(row, value(memberOf(in.Group, g.Name)))
	}
	for _, m := range a.Measures {
		row = append(row, measured(memberOf(in.Measures, m.Name)))
	}
	return row
}

func memberOf(list []service.Member, name string) json.RawMessage {
	for _, m := range list {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// measured is the value of a measure; of the most frequent values each with how often it came.
func measured(raw json.RawMessage) string {
	var top []struct {
		Value json.RawMessage `json:"value"`
		Count int64           `json:"count"`
		Error int64           `json:"error"`
	}
	if json.Unmarshal(raw, &top) != nil || len(top) == 0 {
		return value(raw)
	}
	texts := make([]string, len(top))
	for i, t := range top {
		texts[i] = fmt.Sprintf("%s %d", value(t.Value), t.Count)
		if t.Error > 0 {
			texts[i] += fmt.Sprintf(" (%d too many at most)", t.Error)
		}
	}
	return strings.Join(texts, ", ")
}
