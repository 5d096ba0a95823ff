package replay

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/service"
)

// late is the outcome of a letter that only lacks aggregates; the others are those of package service.
const late = "late"

// Verdict says what a replay would make of a letter now, in a sentence without any value of the event: forwarded, filtered,
// dead_letter or late. Nothing is produced.
func (r *Replayer) Verdict(_ context.Context, letter *model.Message) (outcome, text string) {
	_, processor, _, _ := r.cfg.Pipelines.Loaded()
	m, why := processor.ReplayOf(letter)
	if why != "" {
		return string(service.DeadLettered), "It cannot be replayed: " + why + "."
	}
	p := processor.Clone()
	records, result := service.Collect(p, []model.Message{m}, r.now(), r.cfg.Partitions)
	var tally model.Tally
	p.TakeTally(&tally)
	before := model.ParseDeadLetter(letter)
	switch {
	case result.DeadLetters > 0:
		return string(service.DeadLettered), rejected(&before, records[len(records)-1].Headers)
	case result.Recounted > 0:
		return late, fmt.Sprintf("Its outputs are not touched. A replay feeds only %s, which it missed, and makes a new final revision of that window, if it is still kept.", list(counted(tally)))
	case result.Forwarded > 0 && before.Stage == model.StageProduce:
		return string(service.Forwarded), fmt.Sprintf("It is in its aggregates already. A replay only writes it to %s again, which may refuse it again.", list(topics(records)))
	case result.Forwarded > 0:
		return string(service.Forwarded), fmt.Sprintf("If replayed now: forwarded to %s%s.", list(topics(records)), counts(counted(tally)))
	case len(before.LateFor) > 0:
		return string(service.Filtered), fmt.Sprintf("If replayed now: counted nowhere. %s, which it missed, is not in the pipeline any more or does not take it.", list(before.LateFor))
	}
	return string(service.Filtered), "If replayed now: filtered out, since " + filtered(processor, &m, r.now()) + counts(counted(tally)) + "."
}

// filtered is why an event goes nowhere.
func filtered(processor *service.Processor, m *model.Message, now time.Time) string {
	event := *m
	event.Topic = "" // not as a replay
	if why := processor.Explain(&event, now).Why; why != "" {
		return why
	}
	return "none of the outputs that lack it takes it"
}

// place is how the reason of an expression that failed begins: file:line:column.
const place = `^[^\n]*?:(\d+):\d+: `

// rejected compares the letter with the one that its replay would make.
func rejected(before *model.DeadLetter, headers []model.Header) string {
	after := model.ParseDeadLetter(&model.Message{Headers: headers})
	line := ""
	if found := regexp.MustCompile(place).FindStringSubmatch(after.Reason); found != nil {
		line = found[1]
	}
	text := fmt.Sprintf("If replayed now: rejected at the stage %s with %s.", after.Stage, after.Code)
	if after.Stage == before.Stage && after.Code == before.Code {
		text = "If replayed now: rejected again for the same reason."
	}
	switch {
	case line != "":
		return text + " Change line " + line + " of the pipeline file, reload, then replay."
	case after.Code == service.CodeInvalidJSON:
		return text + " The bytes themselves are broken; mend the producer."
	}
	return text
}

func topics(records []service.Written) (names []string) {
	seen := map[string]bool{}
	for i := range records {
		if name := records[i].Topic; !seen[name] {
			names = append(names, name)
			seen[name] = true
		}
	}
	return names
}

func counted(t model.Tally) (names []string) {
	for _, a := range t.Aggregates {
		if a.N > 0 {
			names = append(names, a.Name)
		}
	}
	return names
}

func counts(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", and counted in " + list(names)
}

// list is a list of names as a sentence has it.
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
