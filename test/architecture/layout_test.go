package architecture

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// top is everything that may lie at the top of the repository. Whoever adds a name explains in docs/architecture.md what
// it is for.
var top = []string{
	// the service
	"main.go", "app", "handler", "service", "model", "repository", "utils",
	// what it is given
	".env", "pipeline.yaml", "pipeline.schema.json", "pipeline_test.yaml", "examples",
	// what proves it
	"test", "bench", ".ci", ".golangci.yml", "tools", "scripts", "Makefile",
	// what runs it
	"dockerfile", "docker-compose.yml", ".dockerignore", "deploy",
	// what explains it
	"README.md", "docs", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE",
	"go.mod", "go.sum", "default.pgo", ".gitignore",
}

func TestTopLevelHoldsWhatItShould(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	ignored := ignored(t)
	for _, entry := range entries {
		if name := entry.Name(); !slices.Contains(top, name) && !slices.Contains(ignored, name) {
			t.Errorf("%s lies at the top of the repository: it belongs in one of the folders there, or into the list of this test", name)
		}
	}
}

// ignored are the top-level names that git leaves out, and the folders of git and of editors.
func ignored(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	list := []string{".git", ".idea", ".vscode", ".DS_Store"}
	for line := range strings.Lines(string(text)) {
		list = append(list, strings.Trim(strings.TrimSpace(line), "/"))
	}
	return list
}

func TestFrontDoorsExist(t *testing.T) {
	for _, name := range []string{"main.go", "handler/kafka.go", "service/kafka.go", "model/message.go", "utils/kafka.go"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Errorf("%s is where a reader begins: %v", name, err)
		}
	}
}

func TestMainIsOneFile(t *testing.T) {
	for _, f := range files(t) {
		if f.dir() == "." && f.path != "main.go" {
			t.Errorf("%s: main.go is the only Go file of package main, so that `go run main.go` is the whole service", f.path)
		}
	}
}
