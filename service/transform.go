package service

import (
	"data-stream-engine/model"
	"data-stream-engine/service/expression"
)

// transform makes the output record from the event: set, then rename, then keep or remove. Every expression of set
// sees the event as it came.
func (p *Processor) transform() *model.Reason {
	p.out.clear()
	p.scratch = p.scratch[:0]
	for _, f := range p.event.fields {
		p.out.add(f)
	}
	for i := range p.plan.set {
		a := &p.plan.set[i]
		value, why := p.assigned(a)
		if why != nil {
			return why
		}
		if at := p.out.find(a.name); at >= 0 {
			p.out.fields[at].value = value
		} else {
			p.out.add(field{name: a.plain, quoted: a.quoted, value: value})
		}
	}
	if len(p.plan.rename) > 0 || p.plan.keep != nil || len(p.plan.remove) > 0 {
		p.reshape()
	}
	return nil
}

// assigned is the JSON of a set expression. A field that is taken over as it is keeps its bytes.
func (p *Processor) assigned(a *assign) ([]byte, *model.Reason) {
	if name, ok := a.value.program.Field(); ok {
		if raw, ok := p.event.Field(name); ok {
			return raw, nil
		}
	}
	v, err := a.value.program.Run(p.env)
	if err != nil {
		return nil, p.failed(model.StageTransform, a.value, err)
	}
	start := len(p.scratch)
	if p.scratch, err = expression.AppendJSON(p.scratch, v); err != nil {
		return nil, p.failed(model.StageTransform, a.value, err)
	}
	return p.scratch[start:len(p.scratch):len(p.scratch)], nil
}

// reshape renames and drops fields. All renames happen at once, so that two fields can swap their names; a field whose
// name another one takes is gone.
func (p *Processor) reshape() {
	var taken map[string]bool
	for i := range p.out.fields {
		if r, ok := p.plan.rename[string(p.out.fields[i].name)]; ok {
			if taken == nil {
				taken = map[string]bool{}
			}
			taken[r.to] = true
		}
	}
	fields := p.out.fields
	p.kept = p.kept[:0]
	for _, f := range fields {
		if r, ok := p.plan.rename[string(f.name)]; ok {
			f.name, f.quoted = r.plain, r.quoted
		} else if taken[string(f.name)] {
			continue
		}
		if p.plan.remove[string(f.name)] || p.plan.keep != nil && !p.plan.keep[string(f.name)] {
			continue
		}
		p.kept = append(p.kept, f)
	}
	p.out.clear()
	for _, f := range p.kept {
		p.out.add(f)
	}
}
