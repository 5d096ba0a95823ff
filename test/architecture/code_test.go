package architecture

import (
	"go/ast"
	"go/token"
	"testing"
)

// A file reads in one sitting and a function fits a screen; the limits leave room around what is aimed at (120 and 60).
const (
	longestFile     = 400
	longestFunction = 70
	widestInterface = 3
)

func TestFilesReadInOneSitting(t *testing.T) {
	for _, f := range files(t) {
		if f.lines > longestFile {
			t.Errorf("%s has %d lines, more than %d: which of the things in it has a name of its own?", f.path, f.lines, longestFile)
		}
	}
}

func TestFunctionsFitAScreen(t *testing.T) {
	eachFunction(t, func(f file, fn *ast.FuncDecl) {
		if lines := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1; lines > longestFunction {
			t.Errorf("%s: %s has %d lines, more than %d", f.at(fn), fn.Name.Name, lines, longestFunction)
		}
	})
}

func TestNothingHappensBeforeMain(t *testing.T) {
	eachFunction(t, func(f file, fn *ast.FuncDecl) {
		if fn.Name.Name == "init" && fn.Recv == nil {
			t.Errorf("%s: init: call it from where its result is needed", f.at(fn))
		}
	})
}

func eachFunction(t *testing.T, check func(file, *ast.FuncDecl)) {
	t.Helper()
	for _, f := range files(t) {
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && !f.test {
				check(f, fn)
			}
		}
	}
}

// A port says what its caller needs of others, and no caller needs much.
func TestHandlersPortsAreSmall(t *testing.T) {
	for _, f := range files(t) {
		if f.layer() != "handler" || f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if port, ok := n.(*ast.InterfaceType); ok && port.Methods.NumFields() > widestInterface {
				t.Errorf("%s: an interface of %d methods: split it by what its callers need", f.at(port), port.Methods.NumFields())
			}
			return true
		})
	}
}

// Tables are welcome at the top of a file; state is not: it would be shared by every instance and every test.
func TestPackageVariablesNeverChange(t *testing.T) {
	packages := map[string][]file{}
	for _, f := range files(t) {
		if !f.test {
			packages[f.dir()] = append(packages[f.dir()], f)
		}
	}
	for _, list := range packages {
		variables := map[string]*ast.ValueSpec{}
		for _, f := range list {
			packageVariables(f, func(name *ast.Ident, spec *ast.ValueSpec) {
				variables[name.Name] = spec
				if stateful(spec) {
					t.Errorf("%s: %s is made to change: give it to a value with an owner", f.at(name), name.Name)
				}
			})
		}
		for _, f := range list {
			changes(f, variables, func(name *ast.Ident) {
				t.Errorf("%s: changes the package variable %s, or hands out its address", f.at(name), name.Name)
			})
		}
	}
}

func packageVariables(f file, found func(*ast.Ident, *ast.ValueSpec)) {
	for _, decl := range f.ast.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, spec := range group.Specs {
			values, ok := spec.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for _, name := range values.Names {
				if name.Name != "_" {
					found(name, values)
				}
			}
		}
	}
}

// stateful says whether a variable is of a type that exists to change: a lock, an atomic, a channel.
func stateful(spec *ast.ValueSpec) bool {
	state := false
	for _, part := range append([]ast.Expr{spec.Type}, spec.Values...) {
		if part == nil {
			continue
		}
		ast.Inspect(part, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				return false // what a function does inside is its own
			case *ast.ChanType:
				state = true
			case *ast.SelectorExpr:
				if from, ok := n.X.(*ast.Ident); ok && (from.Name == "sync" || from.Name == "atomic") && n.Sel.Name != "OnceValue" {
					state = true
				}
			}
			return true
		})
	}
	return state
}

// changes finds assignments to package variables or parts of them, deletions from them, and their addresses.
func changes(f file, variables map[string]*ast.ValueSpec, found func(*ast.Ident)) {
	report := func(target ast.Expr) {
		name := base(target)
		if name == nil || variables[name.Name] == nil {
			return
		}
		// The parser resolves names within a file: one that it bound to something else is a local of the same name.
		if name.Obj != nil && name.Obj.Decl != variables[name.Name] {
			return
		}
		found(name)
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, target := range n.Lhs {
					report(target)
				}
			}
		case *ast.IncDecStmt:
			report(n.X)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				report(n.X)
			}
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && (fn.Name == "delete" || fn.Name == "clear") && len(n.Args) > 0 {
				report(n.Args[0])
			}
		}
		return true
	})
}

// base is the variable at the left of a[i].b: a.
func base(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.IndexExpr:
		return base(e.X)
	case *ast.SelectorExpr:
		return base(e.X)
	case *ast.StarExpr:
		return base(e.X)
	case *ast.ParenExpr:
		return base(e.X)
	default:
		return nil
	}
}
