package service

import (
	"slices"

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
	fields  int      // of the transformed event that somebody reads
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
	made  int    // its field in the transformed event, as far as somebody reads it; -1: nobody does
}

// pieces are the members of one output, by slot.
type pieces struct {
	list [][]byte // name and value; empty: the field is not in the output
	made []byte   // those that are not in the event
}

// newTemplate is the template of a transform whose expressions of set are compiled. It gives every field that it names
// a slot of the layout, and every field of made, which somebody reads in the transformed event.
func newTemplate(t model.Transform, set []assign, layout, made *expression.Layout) *template {
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
	order = slices.Concat(order, t.Keep, t.Remove, layout.Names(), made.Names())
	w.fields = len(made.Names())
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
		a := action{slot: layout.Slot(name), named: append(expression.AppendText(nil, to), ':'), value: values[name], taker: -1, made: -1}
		if slices.Contains(made.Names(), to) {
			a.made = made.Slot(to)
		}
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

// append writes the output of the event that env is bound to, and notes in made where the fields of it are that somebody
// reads, as scanning it would. The step is the one that failed.
func (w *template) append(dst []byte, e *projection.Event, env *expression.Env, p *pieces, made *projection.Event) ([]byte, *step, error) {
	if failed, err := w.make(e, env, p); err != nil {
		return dst, failed, err
	}
	made.Begin(w.fields)
	open := len(dst)
	var end uint32 // of what was copied last
	for i := range e.Members {
		m := &e.Members[i]
		from, to := m.Start, m.End
		if m.Field >= 0 {
			piece := p.list[m.Field]
			if len(piece) > 0 {
				dst = append(append(dst, ','), piece...)
				w.actions[w.bySlot[m.Field]].note(made, dst[open:], piece)
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
		if m.Field >= 0 && w.fields > 0 {
			w.actions[w.bySlot[m.Field]].moved(made, len(dst)-open, e.Fields[m.Field])
		}
	}
	dst, failed, err := w.add(dst, open, e, env, made)
	if err != nil {
		return dst, failed, err
	}
	if len(dst) == open {
		dst = append(dst, "{}"...)
	} else {
		dst[open] = '{' // in place of the first comma
		dst = append(dst, '}')
	}
	made.JSON = dst[open:]
	return dst, nil, nil
}

// add writes what is set and new.
func (w *template) add(dst []byte, open int, e *projection.Event, env *expression.Env, made *projection.Event) (_ []byte, failed *step, err error) {
	for i := range w.actions[:w.set] {
		a := &w.actions[i]
		if e.Fields[a.slot].Kind != projection.Missing || w.gone(a, e) {
			continue
		}
		from := len(dst) + 1
		if dst, err = a.append(append(dst, ','), e, env); err != nil {
			return dst, a.value, err
		}
		a.note(made, dst[open:], dst[from:])
	}
	return dst, nil, nil
}

// moved says where a field is that was copied as the last thing of so many bytes.
func (a *action) moved(made *projection.Event, size int, f projection.Field) {
	if a.made < 0 {
		return
	}
	by := uint32(size) - f.End
	made.Fields[a.made] = projection.Field{Key: f.Key + by, Start: f.Start + by, End: f.End + by, Kind: f.Kind}
}

// note says where a field is that was written as the last thing of out: its piece, name and value.
func (a *action) note(made *projection.Event, out, piece []byte) {
	if a.made < 0 {
		return
	}
	end := uint32(len(out))
	start := end - uint32(len(piece)-len(a.named))
	made.Fields[a.made] = projection.Field{Key: end - uint32(len(piece)), Start: start, End: end, Kind: projection.KindAt(out[start:end])}
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
