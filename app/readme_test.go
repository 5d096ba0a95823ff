package app

import (
	"os"
	"strings"
	"testing"

	"data-stream-engine/utils"
)

func TestReadmeListsTheSettingsAsTheyAre(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "<!-- settings: go run main.go settings --markdown -->\n\n")
	table, _, closed := strings.Cut(after, "\n<!-- end of settings -->")
	if !found || !closed {
		t.Fatal("README.md has no table of settings between its two marks")
	}
	if want := utils.Markdown(); table != want {
		t.Errorf("README.md has another table of settings than `go run main.go settings --markdown`:\n%s", want)
	}
}

func TestReadmeNamesEveryCommand(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commands() {
		if c.name != "run" && !strings.Contains(string(text), "`go run main.go "+c.name) {
			t.Errorf("README.md does not say what `go run main.go %s` does", c.name)
		}
	}
}
