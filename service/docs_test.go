package service

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
	operators "github.com/expr-lang/expr/parser/operator"

	"data-stream-engine/model"
	"data-stream-engine/service/expression"
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

// example is a line such as {"a":1}  a + 1  =>  2.
type example struct{ line, event, expression, want string }

// examples are the lines of all expression blocks of the page.
func examples(t *testing.T) []example {
	t.Helper()
	var list []example
	for _, b := range blocks(t, "../docs/expressions.md") {
		if b.language != "expressions" {
			continue
		}
		for _, line := range lines(b.text) {
			decoder := json.NewDecoder(strings.NewReader(line))
			var event json.RawMessage
			if err := decoder.Decode(&event); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			text, want, ok := strings.Cut(line[decoder.InputOffset():], "  =>  ")
			if !ok {
				t.Fatalf("%s: there is no =>", line)
			}
			list = append(list, example{line, string(event), strings.TrimSpace(text), want})
		}
	}
	return list
}

func TestTheExamplesOfTheExpressionsPageAreTrue(t *testing.T) {
	list := examples(t)
	for _, e := range list {
		e.run(t)
	}
	if len(list) < 120 {
		t.Errorf("found %d examples", len(list))
	}
}

// run runs the example as users do, in a pipeline.
func (e example) run(t *testing.T) {
	t.Helper()
	file := "name: p\nsource: {topic: in}\ntransform:\n  set:\n    the_result: |-\n      " + e.expression + "\n  keep: [the_result]\noutput: [{topic: out}]\n"
	spec, err := ParsePipeline("p.yaml", []byte(file), unset)
	if message, refused := strings.CutPrefix(e.want, "refused: "); refused || err != nil {
		if !refused || err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: got %v", e.line, err)
		}
		return
	}
	p, err := NewProcessor(spec, Options{HashKey: testKey})
	if err != nil {
		t.Errorf("%s: %v", e.line, err)
		return
	}
	sink := &memory{t: t, topics: p.Topics(), partitions: 1}
	p.Process(&batch{messages: []model.Message{{Value: []byte(e.event)}}}, sink, testNow)
	if len(sink.records) != 1 {
		t.Errorf("%s: got %v", e.line, sink.records)
		return
	}
	r := sink.records[0]
	message, fails := strings.CutPrefix(e.want, "error: ")
	switch {
	case fails && (r.header(HeaderCode) != CodeExpression || !strings.Contains(r.header(HeaderMessage), message)):
		t.Errorf("%s: got %v", e.line, r)
	case !fails && string(r.Value) != `{"the_result":`+e.want+`}`:
		t.Errorf("%s: got %v", e.line, r)
	}
}

func TestTheExpressionsPageShowsEveryFunction(t *testing.T) {
	lib, err := expression.NewLibrary("")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/expressions.md")
	if err != nil {
		t.Fatal(err)
	}
	list := examples(t)
	_, tables, _ := strings.Cut(string(page), "## Functions")
	for _, name := range lib.Names() {
		if !strings.Contains(tables, "`"+name+"(") {
			t.Errorf("docs/expressions.md has no signature of %s", name)
		}
		call := regexp.MustCompile(`\b` + name + `\(`)
		if !slices.ContainsFunc(list, func(e example) bool { return e.succeeds() && call.MatchString(e.expression) }) {
			t.Errorf("docs/expressions.md has no example of %s", name)
		}
	}
}

func (e example) succeeds() bool {
	return !strings.HasPrefix(e.want, "error: ") && !strings.HasPrefix(e.want, "refused: ")
}

// The parser's own table of operators is the list, so that none can be forgotten.
func TestTheExpressionsPageShowsEveryOperator(t *testing.T) {
	shown := map[string]bool{}
	for _, e := range examples(t) {
		tokens, err := lexer.Lex(file.NewSource(e.expression))
		if err != nil {
			t.Fatalf("%s: %v", e.line, err)
		}
		for _, token := range tokens {
			if e.succeeds() && token.Kind == lexer.Operator {
				shown[token.Value] = true
			}
		}
	}
	page, err := os.ReadFile("../docs/expressions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Operators")
	table, _, _ = strings.Cut(table, "```")
	all := slices.Concat(slices.Collect(maps.Keys(operators.Binary)), slices.Collect(maps.Keys(operators.Unary)), []string{"?", "?.", "let", "if"})
	for _, name := range all {
		if !shown[name] {
			t.Errorf("docs/expressions.md has no example of the operator %s", name)
		}
		if !strings.Contains(table, strings.ReplaceAll(name, "|", `\|`)) {
			t.Errorf("docs/expressions.md does not name the operator %s", name)
		}
	}
	if len(all) < 30 {
		t.Errorf("only %d operators", len(all))
	}
}
