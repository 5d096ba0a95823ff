package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// top is the working directory of somebody who follows the README.
func top(t *testing.T) *place {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return &place{dir: dir, settings: map[string]string{}, out: &output{}, err: &output{}}
}

func TestTheShippedPipelineAndTheExamplesDoWhatTheirTestsSay(t *testing.T) {
	p := top(t)
	if code := p.main(t, "test", "pipeline_test.yaml", "examples"); code != exitOK {
		t.Errorf("exit code %d:\n%s%s", code, p.out, p.err)
	}
	if cases := strings.Count(p.out.String(), "ok    "); cases < 25 {
		t.Errorf("ran %d cases only:\n%s", cases, p.out)
	}
}

func examples(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("../examples")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	if len(names) < 5 {
		t.Fatalf("found the examples %q", names)
	}
	return names
}

// Every example shows its good side and its bad one.
func TestTheEventsOfTheExamplesHaveEveryFate(t *testing.T) {
	for _, name := range examples(t) {
		lines, err := os.ReadFile("../examples/" + name + "/events.ndjson")
		if err != nil {
			t.Fatal(err)
		}
		p := top(t)
		process := p.process("try", "--json", "examples/"+name+"/pipeline.yaml")
		process.Stdin = strings.NewReader(string(lines))
		if code := Main(t.Context(), process); code != exitOK {
			t.Errorf("%s: exit code %d: %s", name, code, p.err)
		}
		fates, topics := map[string]int{}, map[string]bool{}
		for line := range strings.Lines(p.out.String()) {
			var e struct {
				Outcome string
				Filter  *struct{ Parts []struct{ Result string } }
				Records []struct{ Topic string }
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%s: %v: %s", name, err, line)
			}
			fates[e.Outcome]++
			for _, r := range e.Records {
				topics[r.Topic] = true
			}
			if e.Outcome == "filtered" && e.Filter != nil && !strings.Contains(line, `"result":"false"`) {
				t.Errorf("%s: filtered, and no part of the filter is false: %s", name, line)
			}
		}
		if fates["forwarded"] < 2 || fates["filtered"] < 1 || fates["dead_letter"] < 2 || len(topics) < 3 {
			t.Errorf("%s: %v, %v", name, fates, topics)
		}
		if events := strings.Count(strings.TrimSpace(string(lines)), "\n") + 1; fates["forwarded"]+fates["filtered"]+fates["dead_letter"] != events {
			t.Errorf("%s: %d events, %v", name, events, fates)
		}
	}
}

// The commands in an example's README are the ones that work from the top of the repository.
func TestTheReadmesOfTheExamplesNameWhatIsThere(t *testing.T) {
	for _, name := range examples(t) {
		text, err := os.ReadFile("../examples/" + name + "/README.md")
		if err != nil {
			t.Fatal(err)
		}
		if !has(string(text), "go run main.go try", " examples/"+name+"/pipeline.yaml < examples/"+name+"/events.ndjson") {
			t.Errorf("examples/%s/README.md does not say how to try it", name)
		}
		list, err := os.ReadFile("../examples/README.md")
		if err != nil || !has(string(list), "]("+name+")") {
			t.Errorf("examples/README.md does not list %s: %v", name, err)
		}
	}
}
