package app_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// documented is a line of docs/metrics.md.
type documented struct {
	kind   string
	labels []string
}

func documentedMetrics(t *testing.T) map[string]documented {
	t.Helper()
	text, err := os.ReadFile("../docs/metrics.md")
	must(t, err)
	all := map[string]documented{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		name := strings.Trim(cells[1], " `")
		if _, twice := all[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		labels := strings.FieldsFunc(cells[3], func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(labels)
		all[name] = documented{strings.TrimSpace(cells[2]), labels}
	}
	return all
}

// The table names the metrics that the program can have, all of them and no others.
func TestEveryMetricIsDocumented(t *testing.T) {
	name := regexp.MustCompile(`^(stream_engine|kafka_consumergroup)_[a-z_]+$`)
	there := map[string]bool{}
	for _, layer := range []string{"../handler", "../app", "../repository", "../utils"} {
		must(t, filepath.WalkDir(layer, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					if text, err := strconv.Unquote(literal.Value); err == nil && name.MatchString(text) {
						there[text] = true
					}
				}
				return true
			})
			return nil
		}))
	}
	docs := documentedMetrics(t)
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if _, ok := docs[name]; !ok {
			t.Errorf("docs/metrics.md does not have %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		if !there[name] {
			t.Errorf("docs/metrics.md has %s, which is none", name)
		}
	}
}

// requireDocumented holds what the instance serves against the table: the kind of each metric, and its labels.
func (e *engine) requireDocumented() {
	e.t.Helper()
	_, body := e.get("/metrics")
	docs := documentedMetrics(e.t)
	label := regexp.MustCompile(`[{,]([a-z_]+)="`)
	name, ours := "", 0
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			var kind string
			name, kind, _ = strings.Cut(strings.TrimSpace(rest), " ")
			if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "promhttp_") {
				name = ""
			} else if doc, ok := docs[name]; !ok || doc.kind != kind {
				e.t.Errorf("%s is a %s, the docs say %q", name, kind, doc.kind)
			}
			continue
		}
		if name == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var labels []string
		for _, found := range label.FindAllStringSubmatch(line, -1) {
			if found[1] != "le" {
				labels = append(labels, found[1])
			}
		}
		slices.Sort(labels)
		if !slices.Equal(labels, docs[name].labels) {
			e.t.Errorf("the docs say that %s has the labels %v: %s", name, docs[name].labels, line)
		}
		ours++
	}
	if ours < 50 {
		e.t.Errorf("%d lines of ours", ours)
	}
}
