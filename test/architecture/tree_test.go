// Package architecture holds the rules that keep the code what it is: which layer may know which, what lies at the top of
// the repository, and how long a file may get. It reads the source and runs nothing of it.
package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// root is the top of the repository, seen from this package: go test runs in the package's own directory.
const root = "../.."

// module is the path before every import of ours; it stands in go.mod.
func module(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(strings.TrimPrefix(first, "module"))
}

// file is one Go file of the main module.
type file struct {
	path  string // from the root, with slashes
	lines int
	test  bool
	set   *token.FileSet
	ast   *ast.File
}

// dir is the folder of the file's package, from the root: "." for package main.
func (f file) dir() string { return path.Dir(f.path) }

// layer is the first folder: "service" for service/expression.
func (f file) layer() string {
	first, _, _ := strings.Cut(f.dir(), "/")
	return first
}

func (f file) imports(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, spec := range f.ast.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	return list
}

// at is where a node stands, as an editor takes it.
func (f file) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.set.Position(n.Pos()).Line)
}

// files are all Go files of the main module. Other modules (bench, tools), testdata and hidden folders are not part of it.
func files(t *testing.T) []file {
	t.Helper()
	var list []file
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return enter(name, entry.Name())
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		f, err := parse(name)
		list = append(list, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 20 {
		t.Fatalf("found %d Go files only: the rules would hold for nothing", len(list))
	}
	return list
}

func enter(name, base string) error {
	if name == root {
		return nil
	}
	if base == "testdata" || strings.HasPrefix(base, ".") {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func parse(name string) (file, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return file{}, err
	}
	relative, err := filepath.Rel(root, name)
	if err != nil {
		return file{}, err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, name, text, parser.ParseComments)
	return file{
		path:  filepath.ToSlash(relative),
		lines: strings.Count(string(text), "\n"),
		test:  strings.HasSuffix(name, "_test.go") || strings.HasPrefix(filepath.ToSlash(relative), "test/"),
		set:   set,
		ast:   tree,
	}, err
}
