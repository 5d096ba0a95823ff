package service

import (
	"data-stream-engine/model"
	"data-stream-engine/service/expression"
	"data-stream-engine/service/projection"
)

// template writes the output of an event straight from its bytes: set, then rename, then keep or remove. First it makes
// the pieces of all fields that it knows, always in the same order, which processors learn whatever the order of the
// event's fields; then it lays them down in the order of the event. What it does not know is copied as it came.
type template struct {
	actions []action // those of set first, in the order of the file
	bySlot  []int    // in actions
	keep    bool     // fields that the pipeline does not know are dropped
	set     int      // how many of the actions have a value
	growth  int      // bytes that an output may have beyond its event, as a guess
}

// action is what becomes of one field.
type action struct {
	slot  int
	drop  bool
	named []byte // name and colon, as they are written: "name":
	copy  bool   // name and value stay as they are
	value *step  // the expression of set; nil: the value stays
	taker int    // slot of the field that is renamed to this one's name, and so takes its place; -1: none
}

// pieces are the members of one output, by slot.
type pieces struct {
	list [][]byte // name and value; empty: the field is not in the output
	made []byte   // those that are not in the event
}

// newTemplate is the template of a transform whose expressions of set are compiled. It gives every field that it names
// a slot of the layout.
func newTemplate(t model.Transform, set []assign, layout *expression.Layout) *template {
	w := &template{keep: t.Keep != nil, set: len(set)}
	values, renamed := map[string]*step{}, map[string]string{}
	var order []string
	for _, a := range set {
		values[a.name] = a.value
		order = append(order, a.name)
		w.growth += len(a.name) + maxGuess
	}
	for _, r := range t.Rename {
		renamed[r.From] = r.To
		order = append(order, r.From, r.To)
		w.growth += len(r.To)
	}
	order = append(append(append(order, t.Keep...), t.Remove...), layout.Names()...)
	for _, name := range order {
		layout.Slot(name)
	}
	w.bySlot = make([]int, len(layout.Names()))
	kept, removed, done := setOf(t.Keep), setOf(t.Remove), map[string]bool{}
	for _, name := range order {
		if done[name] {
			continue
		}
		done[name] = true
		to, moves := renamed[name]
		if !moves {
			to = name
		}
		a := action{slot: layout.Slot(name), named: append(expression.AppendText(nil, to), ':'), value: values[name], taker: -1}
		a.drop = removed[to] || w.keep && !kept[to]
		a.copy = !moves && a.value == nil
		w.bySlot[a.slot] = len(w.actions)
		w.actions = append(w.actions, a)
	}
	for _, r := range t.Rename {
		if _, moves := renamed[r.To]; !moves {
			w.actions[w.bySlot[layout.Slot(r.To)]].taker = layout.Slot(r.From)
		}
	}
	return w
}

// maxGuess is how many bytes the value of an expression usually has at most.
const maxGuess = 48

// between is less than what a member takes with its commas, so that there is none between two that are closer.
const between = uint32(len(`,"":1,`))

// gone tells whether the output has no such field.
func (w *template) gone(a *action, e *projection.Event) bool {
	return a.drop || a.taker >= 0 && (w.actions[w.bySlot[a.taker]].value != nil || e.Fields[a.taker].Kind != projection.Missing)
}

// append writes the output of the event that env is bound to. The step is the one that failed.
func (w *template) append(dst []byte, e *projection.Event, env *expression.Env, p *pieces) ([]byte, *step, error) {
	if failed, err := w.make(e, env, p); err != nil {
		return dst, failed, err
	}
	open := len(dst)
	var end uint32 // of what was copied last
	for i := range e.Members {
		m := &e.Members[i]
		from, to := m.Start, m.End
		if m.Field >= 0 {
			piece := p.list[m.Field]
			if len(piece) > 0 {
				dst = append(append(dst, ','), piece...)
			}
			if piece != nil {
				continue
			}
			if f := &e.Fields[m.Field]; f.End != to { // its last value counts
				from, to = f.Key, f.End
			}
		} else if w.keep {
			continue
		}
		if from-end < between && end > 0 {
			from = end // with the comma and the white space that came
		} else {
			dst = append(dst, ',')
		}
		dst, end = append(dst, e.JSON[from:to]...), to
	}
	var err error
	for i := range w.actions[:w.set] { // what is set and new
		a := &w.actions[i]
		if e.Fields[a.slot].Kind != projection.Missing || w.gone(a, e) {
			continue
		}
		if dst, err = a.append(append(dst, ','), e, env); err != nil {
			return dst, a.value, err
		}
	}
	if len(dst) == open {
		return append(dst, "{}"...), nil, nil
	}
	dst[open] = '{' // in place of the first comma
	return append(dst, '}'), nil, nil
}

// make puts together the pieces of the fields that the event has.
func (w *template) make(e *projection.Event, env *expression.Env, p *pieces) (*step, error) {
	if len(p.list) < len(w.actions) {
		p.list = make([][]byte, len(w.actions))
	}
	made := p.made[:0]
	for i := range w.actions {
		a := &w.actions[i]
		f := &e.Fields[a.slot]
		switch {
		case f.Kind == projection.Missing: // so nobody asks for it
		case w.gone(a, e):
			p.list[a.slot] = []byte{}
		case a.copy:
			p.list[a.slot] = nil
		default:
			from := len(made)
			var err error
			if made, err = a.append(made, e, env); err != nil {
				return a.value, err
			}
			p.list[a.slot] = made[from:]
		}
	}
	p.made = made
	return nil, nil
}

// append writes the name and the value.
func (a *action) append(dst []byte, e *projection.Event, env *expression.Env) ([]byte, error) {
	dst = append(dst, a.named...)
	if a.value == nil {
		f := &e.Fields[a.slot]
		return append(dst, e.JSON[f.Start:f.End]...), nil
	}
	return a.value.program.AppendJSON(env, dst)
}
