package service

import (
	"data-stream-engine/model"
	"data-stream-engine/service/expression"
	"data-stream-engine/service/measure"
)

// readingsOfAggregate are its expressions: where, the values of the group, the arguments of the measures.
func readingsOfAggregate(a *model.Aggregate) []reading {
	of := " of " + a.Name
	all := []reading{{what: "where" + of, spec: a.Where, subject: "where", takes: expression.Bool}}
	for i := range a.GroupBy {
		g := &a.GroupBy[i]
		all = append(all, reading{what: "group_by " + g.Name + of, spec: &g.Value, subject: "a value of group_by", takes: expression.Scalars})
	}
	for _, m := range a.Measures {
		f, _ := measure.Find(m.Function)
		all = append(all, reading{what: m.Name + of, spec: m.Argument, subject: m.Function, takes: expression.Nil | kindsOf(f)})
	}
	for i := range all {
		all[i].aggregate, all[i].after = a, !a.OfSource
	}
	return all
}

// measures tells whether it is the argument of a measure.
func (r reading) measures() bool {
	_, ok := measure.Find(r.subject)
	return ok && r.aggregate != nil
}

// aggregated reports what is wrong with the expressions of aggregates, one by one.
func (p *pipelineFile) aggregated(readings []reading) {
	for _, r := range readings {
		switch {
		case r.aggregate == nil:
		case r.err != nil:
			p.add(p.explained(faults(p.spec.File, *r.spec, r.err))...)
		case r.program.Kind()&r.takes == 0:
			hint := ""
			if r.program.Kind() == expression.Time && r.takes&expression.Text != 0 {
				hint = "; rfc3339(...) makes text of it"
			}
			p.problem(r.spec.At, "%s takes %s, this is %s%s", r.subject, r.takes, r.program.Kind(), hint)
		}
	}
}
