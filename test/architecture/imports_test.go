package architecture

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// mayImport names the layers that each layer may know besides its own folder. Only app sees everything; main sees app.
var mayImport = map[string][]string{
	".":          {"app"},
	"app":        {"handler", "model", "repository", "service", "utils"},
	"handler":    {"model", "service", "utils"},
	"repository": {"model", "utils"},
	"service":    {"model", "utils"},
	"model":      {},
	"utils":      {},
}

func TestLayersImportOnlyWhatIsBelowThem(t *testing.T) {
	for _, f := range files(t) {
		allowed, known := mayImport[f.layer()]
		if f.test || !known {
			continue
		}
		for _, name := range own(t, f) {
			if layer := first(name); layer != f.layer() && !slices.Contains(allowed, layer) {
				t.Errorf("%s imports %s: %s may import %v", f.path, name, f.layer(), allowed)
			}
		}
	}
}

func TestModelImportsTheStandardLibraryAlone(t *testing.T) {
	for _, f := range files(t) {
		if f.layer() != "model" || f.test {
			continue
		}
		for _, name := range f.imports(t) {
			if strings.Contains(first(name), ".") {
				t.Errorf("%s imports %s: model imports only the standard library", f.path, name)
			}
		}
	}
}

// Decisions do no I/O, and neither does what they import of ours: service may use a part of utils that has none.
func TestServiceReachesNoInputOrOutput(t *testing.T) {
	imports := map[string]map[string]bool{} // package folder: everything that its files import
	for _, f := range files(t) {
		if f.test {
			continue
		}
		if imports[f.dir()] == nil {
			imports[f.dir()] = map[string]bool{}
		}
		for _, name := range f.imports(t) {
			imports[f.dir()][name] = true
		}
	}
	for dir := range imports {
		if first(dir) != "service" {
			continue
		}
		for reached, way := range reach(t, imports, dir) {
			for name := range imports[reached] {
				if doesIO(name) {
					t.Errorf("%s imports %s, by way of %s", dir, name, strings.Join(way, " -> "))
				}
			}
		}
	}
}

// doesIO says whether a package talks to the outside. net/netip and net/url only parse.
func doesIO(name string) bool {
	if name == "net/netip" || name == "net/url" {
		return false
	}
	for _, outside := range []string{
		"net", "os", "database/sql", "syscall",
		"github.com/segmentio/kafka-go", "github.com/twmb/franz-go", "github.com/prometheus", "github.com/rs/zerolog",
	} {
		if name == outside || strings.HasPrefix(name, outside+"/") {
			return true
		}
	}
	return false
}

// reach lists the packages of ours that a package imports, directly or not, each with the way to it.
func reach(t *testing.T, imports map[string]map[string]bool, from string) map[string][]string {
	t.Helper()
	ways := map[string][]string{from: {from}}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, name := range slices.Sorted(maps.Keys(imports[queue[0]])) {
			dir, ours := strings.CutPrefix(name, module(t)+"/")
			if _, seen := ways[dir]; ours && !seen {
				ways[dir] = append(slices.Clone(ways[queue[0]]), dir)
				queue = append(queue, dir)
			}
		}
	}
	return ways
}

// own lists the packages of ours that a file imports, from the root.
func own(t *testing.T, f file) []string {
	t.Helper()
	var list []string
	for _, name := range f.imports(t) {
		if dir, ours := strings.CutPrefix(name, module(t)+"/"); ours {
			list = append(list, dir)
		}
	}
	return list
}

func first(name string) string {
	layer, _, _ := strings.Cut(name, "/")
	return layer
}
