package expression

import (
	"strings"

	"github.com/expr-lang/expr/ast"

	"data-stream-engine/service/projection"
)

// path is the way to a part of the event: a.b[0].
type path struct {
	slot  int
	steps []any // string: a member of an object; int64: an element of a list
}

// pathOf is the path that a lowered tree is, or nil.
func pathOf(n ast.Node, layout *Layout) *path {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if name, ok := strings.CutPrefix(n.Value, fieldPrefix); ok {
			return &path{slot: layout.Slot(name)}
		}
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); !ok || callee.Value != "get" {
			return nil
		}
		step, ok := constantValue(n.Arguments[1])
		base := pathOf(n.Arguments[0], layout)
		if base != nil && ok {
			base.steps = append(base.steps, step)
			return base
		}
	}
	return nil
}

// find gives the JSON at the end of the path, null when it is not there. It knows nothing of paths that are errors.
func (p *path) find(env *Env) (raw []byte, ok bool) {
	f := env.slot(p.slot)
	raw, kind := env.event.JSON[f.Start:f.End], f.Kind
	for _, step := range p.steps {
		if raw, ok = down(raw, kind, step); !ok {
			return nil, false
		}
		kind = projection.KindAt(raw)
	}
	if kind == projection.Missing {
		return []byte("null"), true
	}
	return raw, true
}

// down is one step of a path; ok is false where get would be an error.
func down(raw []byte, kind projection.Kind, step any) (next []byte, ok bool) {
	switch step := step.(type) {
	case string:
		if kind == projection.Object {
			next, _ = projection.MemberOf(raw, step)
			return next, true
		}
	case int64:
		if kind == projection.List && int64(int(step)) == step {
			next, _ = projection.ElementOf(raw, int(step))
			return next, true
		}
	}
	return nil, kind == projection.Missing || kind == projection.Null
}
