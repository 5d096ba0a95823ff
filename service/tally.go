package service

import "data-stream-engine/model"

// tally counts which ways the events of a processor have gone since the counts were taken last. What is counted for each
// event is one number in a slice that is there already, and where there is only one way, nothing.
type tally struct {
	several  bool // output topics
	unrouted int
	outputs  []int       // records, by topic
	counted  []int       // events, by aggregate
	letters  model.Tally // its Letters alone
}

func newTally(plan *plan) tally {
	return tally{several: len(plan.topics) > model.DeadLetters+2, outputs: make([]int, len(plan.topics)), counted: make([]int, len(plan.gauges))}
}

// sent counts the records of an event, when there are several topics that they may be in.
func (t *tally) sent(targets []target) {
	if !t.several {
		return
	}
	for i := range targets {
		t.outputs[targets[i].topic]++
	}
}

// records counts the records of a batch, when all of them are in one topic.
func (t *tally) records(n int) {
	if !t.several {
		t.outputs[model.DeadLetters+1] += n
	}
}

func (t *tally) letter(stage model.Stage, code string) {
	t.letters.Letter(model.DeadLetterKind{Stage: stage, Code: code}, 1)
}

// TakeTally adds the counts since it was called last to a sum, and begins anew. Every output and every aggregate of the
// pipeline is in the sum, be it with 0.
func (p *Processor) TakeTally(sum *model.Tally) {
	t := &p.tally
	sum.Unrouted += t.unrouted
	for i, n := range t.outputs[model.DeadLetters+1:] {
		sum.Output(p.plan.topics[model.DeadLetters+1+i], n)
	}
	for i, n := range t.counted {
		sum.Aggregate(p.plan.gauges[i].name, n)
	}
	sum.Add(t.letters)
	t.unrouted, t.letters.Letters = 0, t.letters.Letters[:0]
	clear(t.outputs)
	clear(t.counted)
}
