package service

import (
	"slices"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

// changes compares the event before the transform with the one behind it, and says which line of the pipeline file did
// what.
func (x *Explainer) changes(before, after *object) []Change {
	t := x.whole.plan.spec.Transform
	var list []Change
	explained := map[string]bool{}
	for _, a := range t.Set {
		c := Change{Action: ActionSet, Field: a.Field, Expression: a.Value.Text, At: x.at(&a.Value), Before: before.values[a.Field]}
		name := a.Field
		if to := renamed(t, name); to != "" {
			c.To, name = to, to
		}
		c.After = after.values[name]
		explained[a.Field] = true
		if c.To == "" && taken(t, before, a.Field) {
			c.Action, c.After = ActionRemove, nil
		}
		list = append(list, c)
	}
	for _, r := range t.Rename {
		if value, had := before.values[r.From]; had && !explained[r.From] {
			if _, kept := after.values[r.To]; kept {
				list = append(list, Change{Action: ActionRename, Field: r.From, To: r.To, Before: value, After: after.values[r.To]})
				explained[r.From] = true
			}
		}
	}
	for _, name := range before.names {
		if _, kept := after.values[name]; !explained[name] && (!kept || taken(t, before, name)) {
			list = append(list, Change{Action: ActionRemove, Field: name, Before: before.values[name]})
		}
	}
	return list
}

// taken tells whether another field of the event gets this name.
func taken(t model.Transform, before *object, name string) bool {
	return slices.ContainsFunc(t.Rename, func(r model.Rename) bool { return r.To == name && before.values[r.From] != nil })
}

func renamed(t model.Transform, name string) string {
	for _, r := range t.Rename {
		if r.From == name {
			return r.To
		}
	}
	return ""
}

// failedTransform shows what each expression of set gives for an event that one of them fails for.
func (x *Explainer) failedTransform(event *object) []Change {
	var list []Change
	for _, a := range x.passed.plan.set {
		c := Change{Action: ActionSet, Field: a.name, Expression: a.value.spec.Text, At: x.at(&a.value.spec), Before: event.values[a.name]}
		v, err := a.value.program.Run(x.passed.env) // which still sees the event
		if err == nil {
			c.After, err = expression.AppendJSON(nil, v)
		}
		if err != nil {
			c.Action, c.After, c.Error, c.Reads = ActionFail, nil, message(err), x.reads(c.Expression, event)
		}
		list = append(list, c)
	}
	return list
}
