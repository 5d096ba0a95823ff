package service

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"data-stream-engine/service/expression"
	"data-stream-engine/service/projection"
)

// block is a fenced block of a Markdown file: its language and its text.
type block struct{ language, text string }

func blocks(t *testing.T, file string) []block {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []block
	for i, part := range strings.Split(string(src), "```") {
		if i%2 == 1 {
			language, text, _ := strings.Cut(part, "\n")
			list = append(list, block{language, text})
		}
	}
	return list
}

func lines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }

func TestTheExamplesOfThePipelinePageAreTrue(t *testing.T) {
	var pipeline, in string
	examples := 0
	for _, b := range blocks(t, "../docs/pipeline.md") {
		switch b.language {
		case "yaml":
			pipeline = b.text
		case "in":
			in = b.text
		case "out":
			records, _ := run(t, pipeline, lines(in)...)
			var got strings.Builder
			for _, r := range records {
				key := string(r.Key)
				if r.Key == nil {
					key = "-"
				}
				got.WriteString(r.Topic + " " + key + " " + string(r.Value) + "\n")
			}
			if got.String() != b.text {
				t.Errorf("got\n%swant\n%s", got.String(), b.text)
			}
			examples++
		}
	}
	if examples < 3 {
		t.Errorf("found %d examples", examples)
	}
}

func TestTheErrorOfThePipelinePageLooksLikeThat(t *testing.T) {
	_, err := ParsePipeline("pipeline.yaml", []byte("name: p\nsource: {topic: in}\nfilter: lowr(device_type) == \"ios\"\noutput: [{topic: out}]\n"), unset)
	if want := strings.TrimSpace(blocks(t, "../docs/pipeline.md")[0].text); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestTheExamplesOfTheExpressionsPageAreTrue(t *testing.T) {
	lib, err := expression.NewLibrary(testKey)
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for _, b := range blocks(t, "../docs/expressions.md") {
		if b.language != "expressions" {
			continue
		}
		for _, line := range lines(b.text) {
			runExample(t, lib, line)
			examples++
		}
	}
	if examples < 30 {
		t.Errorf("found %d examples", examples)
	}
}

// runExample runs a line such as {"a":1}  a + 1  =>  2.
func runExample(t *testing.T, lib *expression.Library, line string) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(line))
	var raw json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	text, want, ok := strings.Cut(line[decoder.InputOffset():], "  =>  ")
	if !ok {
		t.Fatalf("%s: there is no =>", line)
	}
	var layout expression.Layout
	program, err := lib.Compile(strings.TrimSpace(text), &layout)
	if err != nil {
		t.Errorf("%s: %v", line, err)
		return
	}
	var event projection.Event
	layout.Projection().Scan(raw, &event)
	env := expression.NewEnv()
	env.Bind(&event)
	got, err := program.Run(env)
	if message, ok := strings.CutPrefix(want, "error: "); ok {
		if err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: got %v, %v", line, got, err)
		}
		return
	}
	out, encodeErr := expression.AppendJSON(nil, got)
	if err != nil || encodeErr != nil || string(out) != want {
		t.Errorf("%s: got %s, %v", line, out, err)
	}
}

func TestTheExpressionsPageNamesEveryFunction(t *testing.T) {
	lib, err := expression.NewLibrary("")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/expressions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Functions")
	for _, name := range lib.Names() {
		if !strings.Contains(table, "`"+name+"(") {
			t.Errorf("docs/expressions.md does not name %s", name)
		}
	}
}
