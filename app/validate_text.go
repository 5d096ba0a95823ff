package app

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// text tells a person what a pipeline does and needs.
func (f validated) text(w io.Writer) error {
	d := f.Pipeline
	var b strings.Builder
	say(&b, "%s is right\n", f.File)
	row := func(title, text string) {
		if text != "" {
			say(&b, "  %-12s %s\n", title, text)
		}
	}
	row("pipeline", d.Name)
	row("source", d.Source)
	for _, out := range d.Outputs {
		row("output", outputText(out))
	}
	for i := range d.Aggregates {
		row("aggregate", d.Aggregates[i].Name)
		for _, line := range aggregateText(&d.Aggregates[i]) {
			say(&b, "  %-12s   %-8s  %s\n", "", line[0], line[1])
		}
	}
	if f.Derived != nil {
		row("insights", f.Derived.Insights+", by way of "+f.Derived.Partials+" and "+f.Derived.Changelog)
	}
	row("dead letters", f.DeadLetters)
	row("stages", stagesText(d))
	row("reads", readsText(d))
	width := 0
	for _, r := range d.Reads {
		width = max(width, len(r.Expression))
	}
	for _, r := range d.Reads {
		say(&b, "  %-12s   %-*s  %s\n", "", width, r.Expression, expressionText(r))
	}
	row("passes on", passesText(d))
	row("HASH_KEY", f.hashText())
	row("environment", variablesText(d.Variables))
	row("memory", f.Memory.String())
	say(&b, "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func outputText(out service.OutputDescription) string {
	text := out.Topic
	if out.Key != "" {
		text += ", key " + oneLine(out.Key)
	}
	if out.When != "" {
		text += ", when " + oneLine(out.When)
	}
	return text
}

func stagesText(d *service.Description) string {
	var parts []string
	for _, s := range d.Stages {
		text := string(s)
		if s == model.StageTransform {
			var does []string
			for _, part := range []struct {
				what string
				n    int
			}{{"sets", len(d.Set)}, {"renames", len(d.Rename)}, {"keeps", len(d.Keep)}, {"removes", len(d.Remove)}} {
				if part.n > 0 {
					does = append(does, fmt.Sprintf("%s %d", part.what, part.n))
				}
			}
			text += " (" + strings.Join(does, ", ") + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func readsText(d *service.Description) string {
	switch {
	case d.WholeEvent:
		return "the whole event"
	case len(d.Fields) == 0:
		return "no field"
	}
	return strings.Join(d.Fields, ", ")
}

func expressionText(r service.ExpressionDescription) string {
	text := strings.Join(r.Fields, ", ")
	switch {
	case r.WholeEvent:
		text = "the whole event"
	case text == "":
		return "nothing"
	}
	if r.After {
		text += " (as transformed)"
	}
	return text
}

// passesText is what becomes of the fields that no expression sets.
func passesText(d *service.Description) string {
	var parts []string
	if len(d.Keep) > 0 {
		parts = append(parts, "only "+strings.Join(d.Keep, ", "))
	} else if len(d.Remove) > 0 {
		parts = append(parts, "every field but "+strings.Join(d.Remove, ", "))
	} else {
		parts = append(parts, "every field")
	}
	for _, from := range slices.Sorted(maps.Keys(d.Rename)) {
		parts = append(parts, from+" as "+d.Rename[from])
	}
	return strings.Join(parts, "; ")
}

func (f validated) hashText() string {
	if len(f.Pipeline.HashKeyFor) == 0 {
		return f.HashKey
	}
	return f.HashKey + "; needed by " + strings.Join(f.Pipeline.HashKeyFor, ", ")
}

// variablesText names variables, not their values, which may be secrets; defaults stand in the file anyway.
func variablesText(list []service.Variable) string {
	if len(list) == 0 {
		return "no variable is used"
	}
	var parts []string
	for _, v := range list {
		if v.Default {
			parts = append(parts, fmt.Sprintf("%s is not set, its default is %q", v.Name, v.Value))
		} else {
			parts = append(parts, v.Name+" is set")
		}
	}
	return strings.Join(parts, "; ")
}
