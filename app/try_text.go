package app

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

const (
	stageWidth = 11  // the column of the stages' names
	longest    = 160 // characters of a value beside others; the record is shown in full
	widest     = 60  // characters of a column that others stand behind
)

// explainText writes an explanation for a person. name is what it is of.
func explainText(w io.Writer, name string, input []byte, e *service.Explanation) {
	t := stages{w: w}
	say(w, "%s: %s\n", name, headline(e))
	t.stage("input", []string{short(service.Printable(string(input)))})
	if e.Fields > 0 || e.Stage != model.StageDecode {
		t.stage("decode", []string{fmt.Sprintf("%s, %s", count(e.Fields, "field"), count(e.Bytes, "byte"))})
	}
	if e.Filter != nil {
		t.stage("filter", condition(e.Filter))
	}
	if e.EventTime != nil {
		t.stage("time", timed(e.EventTime))
	}
	t.stage("transform", changes(e.Transform))
	for i := range e.Outputs {
		t.stage("output", routed(&e.Outputs[i]))
	}
	for i := range e.Aggregates {
		t.stage("aggregate", gauged(&e.Aggregates[i]))
	}
	if len(e.Records) > 0 { // all outputs get the same value
		t.stage("record", record(&e.Records[0]))
		if last := &e.Records[len(e.Records)-1]; last.DeadLetter && len(e.Records) > 1 { // it is late
			t.stage("record", record(last))
		}
	}
	say(w, "\n")
}

// stages writes the lines of one stage below each other, behind its name.
type stages struct{ w io.Writer }

func (s *stages) stage(name string, lines []string) {
	for i, line := range lines {
		if i > 0 {
			name = ""
		}
		say(s.w, "  %-*s%s\n", stageWidth, name, strings.TrimRight(line, " "))
	}
}

func headline(e *service.Explanation) string {
	switch e.Outcome {
	case service.Filtered:
		return fmt.Sprintf("filtered (%s): %s%s", e.Stage, service.Printable(oneLine(e.Why)), lateFor(e))
	case service.DeadLettered:
		return fmt.Sprintf("DEAD LETTER (%s, %s): %s", e.Stage, e.Code, service.Printable(oneLine(e.Why)))
	case service.Forwarded:
	}
	var topics []string
	for _, r := range e.Records {
		if !r.DeadLetter {
			topics = append(topics, r.Topic)
		}
	}
	return "forwarded to " + strings.Join(topics, ", ") + lateFor(e)
}

func lateFor(e *service.Explanation) string {
	var names []string
	for i := range e.Aggregates {
		if e.Aggregates[i].Late {
			names = append(names, e.Aggregates[i].Aggregate)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; LATE for " + strings.Join(names, ", ")
}

// condition is a line for each operand: what it came to, and what it read.
func condition(c *service.Condition) []string {
	rows := make([][]string, 0, len(c.Parts))
	for i, part := range c.Parts {
		join := c.Joined
		if i == 0 {
			join = ""
		}
		result := string(part.Result)
		if part.Result != service.True {
			result = strings.ToUpper(result)
		}
		what := reads(part.Reads)
		if part.Error != "" {
			what = failure(part.Error, part.Reads)
		}
		if part.Result == service.NotEvaluated {
			result = "-"
		}
		rows = append(rows, []string{result, join, service.Printable(oneLine(part.Expression)), what})
	}
	return columns(rows)
}

func timed(t *service.Timed) []string {
	if t.Error != "" && t.Time != "" {
		return []string{"REFUSED  " + t.Time + "  " + service.Printable(oneLine(t.Expression))}
	}
	if t.Error != "" {
		return []string{"UNREADABLE  " + service.Printable(oneLine(t.Expression)) + "  " + reads(t.Reads)}
	}
	return []string{t.Time + "  " + service.Printable(oneLine(t.Expression))}
}

func changes(list []service.Change) []string {
	rows := make([][]string, 0, len(list))
	for _, c := range list {
		row := []string{c.Field, value(c.Before), "->", value(c.After), service.Printable(oneLine(c.Expression))}
		if c.To != "" {
			row[0] = c.Field + " -> " + c.To
		}
		switch {
		case c.Action == service.ActionFail:
			row = []string{row[0], "FAILED", "", failure(c.Error, c.Reads), row[4]}
		case c.Action == service.ActionRemove:
			row[3] = "removed"
		case c.Before == nil:
			row[1] = "(new)"
		case string(c.Before) == string(c.After):
			row[3] = "the same"
		}
		rows = append(rows, row)
	}
	return columns(rows)
}

func routed(r *service.Routed) []string {
	lines := []string{r.Topic + ": no"}
	switch {
	case r.Error != "":
		lines[0] = r.Topic + ": FAILED  " + failure(r.Error, r.Reads)
	case r.Taken:
		lines[0] = fmt.Sprintf("%s: yes, partition %d, %s", r.Topic, *r.Partition, key(r.Key))
		if r.KeyOf != "" {
			lines[0] += " (" + service.Printable(oneLine(r.KeyOf)) + ")"
		}
	case r.Partition != nil:
		lines[0] = r.Topic + ": yes, were it not for what failed"
	}
	if r.When != nil {
		for _, line := range condition(r.When) {
			lines = append(lines, "  when "+line)
		}
	}
	return lines
}

func failure(text string, read []service.Read) string {
	text = service.Printable(text)
	if len(read) > 0 {
		text += "; " + reads(read)
	}
	return text
}

func key(k *string) string {
	if k == nil {
		return "no key"
	}
	return "key " + service.Printable(*k)
}

// record is the value of an output, or a dead letter with its topic.
func record(r *service.ExplainedRecord) []string {
	switch {
	case r.Value != nil:
		return []string{service.Printable(string(r.Value))}
	case r.Text != nil:
		return []string{r.Topic + ": as it came, with the reason in its headers"}
	}
	return []string{r.Topic + ": no value"}
}

func reads(list []service.Read) string {
	texts := make([]string, len(list))
	for i, r := range list {
		if texts[i] = r.Path + " is " + value(r.Value); r.Value == nil {
			texts[i] = r.Path + " is missing"
		}
	}
	return strings.Join(texts, ", ")
}

func value(raw json.RawMessage) string { return short(service.Printable(string(raw))) }

// columns puts rows below each other; a column too wide for that pushes the rest of its row aside.
func columns(rows [][]string) []string {
	var widths []int
	var used []bool
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths, used = append(widths, 0), append(used, false)
			}
			used[i] = used[i] || cell != ""
			if n := utf8.RuneCountInString(cell); n <= widest {
				widths[i] = max(widths[i], n)
			}
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		var b strings.Builder
		for j, cell := range row {
			if !used[j] {
				continue
			}
			b.WriteString(cell + strings.Repeat(" ", max(0, widths[j]-utf8.RuneCountInString(cell))) + "  ")
		}
		lines[i] = b.String()
	}
	return lines
}

// short is the beginning of a long text.
func short(s string) string {
	if utf8.RuneCountInString(s) <= longest {
		return s
	}
	runes := []rune(s)
	return string(runes[:longest]) + "... (" + strconv.Itoa(len(s)) + " bytes)"
}

// oneLine is an expression that the pipeline file has on several lines.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
