package service

import (
	"data-stream-engine/model"
	"data-stream-engine/service/expression"
	"data-stream-engine/service/projection"
)

// template writes the output of an event straight from its bytes: set, then rename, then keep or remove. Members that
// stay as they are and next to each other are copied with what stands between them.
type template struct {
	actions []action // by slot: what becomes of a field that the pipeline knows
	keep    bool     // fields that the pipeline does not know are dropped
	set     []int    // the slots of the fields that are set, in the order of the file
	growth  int      // bytes that an output may have beyond its event, as a guess
}

// action is what becomes of one field.
type action struct {
	drop  bool
	named []byte // name and colon, as they are written: "name":
	copy  bool   // name and value stay as they are
	value *step  // the expression of set; nil: the value stays
	taker int    // slot of the field that is renamed to this one's name, and so takes its place; -1: none
}

// newTemplate is the template of a transform whose expressions of set are compiled. It gives every field that it names
// a slot of the layout.
func newTemplate(t model.Transform, set []assign, layout *expression.Layout) *template {
	w := &template{keep: t.Keep != nil}
	values, renamed := map[string]*step{}, map[string]string{}
	for _, a := range set {
		values[a.name] = a.value
		w.set = append(w.set, layout.Slot(a.name))
		w.growth += len(a.name) + maxGuess
	}
	for _, r := range t.Rename {
		renamed[r.From] = r.To
		layout.Slot(r.From)
		layout.Slot(r.To)
		w.growth += len(r.To)
	}
	for _, names := range [][]string{t.Keep, t.Remove} {
		for _, name := range names {
			layout.Slot(name)
		}
	}
	kept, removed := setOf(t.Keep), setOf(t.Remove)
	for _, name := range layout.Names() {
		to, moves := renamed[name]
		if !moves {
			to = name
		}
		a := action{named: append(expression.AppendText(nil, to), ':'), value: values[name], taker: -1}
		a.drop = removed[to] || w.keep && !kept[to]
		a.copy = !moves && a.value == nil
		w.actions = append(w.actions, a)
	}
	for _, r := range t.Rename {
		if _, moves := renamed[r.To]; !moves {
			w.actions[layout.Slot(r.To)].taker = layout.Slot(r.From)
		}
	}
	return w
}

// maxGuess is how many bytes the value of an expression usually has at most.
const maxGuess = 48

// shortestRepetition is how far two members are from each other at least when one that was left out, because its key
// repeats, lies between them.
const shortestRepetition = uint32(len(`,"":1,`))

// gone tells whether the output has no such field.
func (w *template) gone(a *action, e *projection.Event) bool {
	return a.drop || a.taker >= 0 && (w.actions[a.taker].value != nil || e.Fields[a.taker].Kind != projection.Missing)
}

// append writes the output of the event that env is bound to. The step is the one that failed.
func (w *template) append(dst []byte, e *projection.Event, env *expression.Env) ([]byte, *step, error) {
	open := len(dst)
	dst = append(dst, '{')
	var from, to uint32 // what is to be copied
	for i := range e.Members {
		m := &e.Members[i]
		var a *action
		if m.Field >= 0 {
			a = &w.actions[m.Field]
			if a.copy && e.Fields[m.Field].End == m.End && !w.gone(a, e) {
				a = nil
			}
		}
		stays := a == nil && (m.Field >= 0 || !w.keep)
		if stays && to > 0 && m.Start-to < shortestRepetition {
			to = m.End
			continue
		}
		if to > 0 {
			dst = append(separated(dst, open), e.JSON[from:to]...)
			to = 0
		}
		if stays {
			from, to = m.Start, m.End
			continue
		}
		if a == nil || w.gone(a, e) {
			continue
		}
		var err error
		if dst, err = a.append(separated(dst, open), e.JSON, e.Fields[m.Field], env); err != nil {
			return dst, a.value, err
		}
	}
	if to > 0 {
		dst = append(separated(dst, open), e.JSON[from:to]...)
	}
	return w.appendNew(dst, open, e, env)
}

// appendNew writes the fields that are set and that the event does not have, and ends the output.
func (w *template) appendNew(dst []byte, open int, e *projection.Event, env *expression.Env) ([]byte, *step, error) {
	for _, slot := range w.set {
		a := &w.actions[slot]
		if e.Fields[slot].Kind != projection.Missing || w.gone(a, e) {
			continue
		}
		var err error
		if dst, err = a.append(separated(dst, open), e.JSON, projection.Field{}, env); err != nil {
			return dst, a.value, err
		}
	}
	return append(dst, '}'), nil, nil
}

// separated puts a comma behind what was written, unless it is only the brace at open.
func separated(dst []byte, open int) []byte {
	if len(dst) > open+1 {
		return append(dst, ',')
	}
	return dst
}

func (a *action) append(dst, json []byte, f projection.Field, env *expression.Env) ([]byte, error) {
	dst = append(dst, a.named...)
	if a.value == nil {
		return append(dst, json[f.Start:f.End]...), nil
	}
	return a.value.program.AppendJSON(env, dst)
}
