package app

import (
	"fmt"
	"strconv"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// aggregateText tells a person what an aggregate works out: titles and texts.
func aggregateText(a *service.AggregateDescription) (lines [][2]string) {
	say := func(title, text string) {
		if text != "" {
			lines = append(lines, [2]string{title, text})
		}
	}
	if a.Of == "source" {
		say("of", "the event as it came")
	}
	say("where", oneLine(a.Where))
	say("group by", groupsText(a.GroupBy))
	say("window", windowText(a.Window))
	var measures []string
	for _, m := range a.Measures {
		measures = append(measures, m.Name+": "+oneLine(m.Call))
	}
	say("measures", strings.Join(measures, ", "))
	say("emits", emitsText(a))
	say("detects", detectText(a.Detect))
	return lines
}

func groupsText(list []service.GroupDescription) string {
	var parts []string
	for _, g := range list {
		text := g.Name
		if g.Expression != g.Name {
			text += ": " + oneLine(g.Expression)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "nothing: one group of everything"
	}
	return strings.Join(parts, ", ")
}

func windowText(w service.WindowDescription) string {
	switch w.Kind {
	case model.Session:
		return "session, until no event comes for " + w.Gap + "; grace " + w.Grace
	case model.Hopping:
		return "hopping, " + w.Size + " every " + w.Every + "; grace " + w.Grace
	case model.Tumbling:
	}
	return "tumbling, " + w.Size + "; grace " + w.Grace
}

func emitsText(a *service.AggregateDescription) string {
	text := "updates and the final value"
	if a.Emit == model.EmitFinal {
		text = "the final value"
	}
	late := "is a dead letter"
	if a.Late == model.PolicyDrop {
		late = "is dropped"
	}
	return fmt.Sprintf("%s, corrected for %s; what is late %s; %d groups a window at most", text, a.Retention, late, a.MaxGroups)
}

func detectText(d *service.DetectDescription) string {
	if d == nil {
		return ""
	}
	var parts []string
	if d.Sigma > 0 {
		parts = append(parts, fmt.Sprintf("%s sigma from what is usual, after %d windows", plainNumber(d.Sigma), d.MinWindows))
	}
	if d.Above != nil {
		parts = append(parts, "above "+plainNumber(*d.Above))
	}
	if d.Below != nil {
		parts = append(parts, "below "+plainNumber(*d.Below))
	}
	return d.Measure + " " + strings.Join(parts, ", or ")
}

func plainNumber(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
