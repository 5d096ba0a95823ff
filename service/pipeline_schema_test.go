package service

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func pipelineSchema(t *testing.T) schema {
	t.Helper()
	src, err := os.ReadFile("../pipeline.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := readSchema(src)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// schemaProblems are what an editor would underline in a pipeline.
func schemaProblems(t *testing.T, s schema, pipeline string) []string {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(pipeline), &value); err != nil {
		t.Fatalf("%v in\n%s", err, pipeline)
	}
	return s.check(value)
}

// accepted are the keys that the parser takes in a section, from what it says about one that it does not.
func accepted(t *testing.T, pipeline string) []string {
	t.Helper()
	_, err := ParsePipeline("f", []byte(pipeline), unset)
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("%s is accepted", pipeline)
	}
	for _, p := range problems {
		if m := regexp.MustCompile(`^unknown key qqq; accepted are (.*)$`).FindStringSubmatch(p.Message); m != nil {
			return slices.Sorted(slices.Values(strings.Split(m[1], ", ")))
		}
	}
	t.Fatalf("no unknown key in %v", err)
	return nil
}

func TestTheSchemaHasTheKeysOfTheParser(t *testing.T) {
	s := pipelineSchema(t)
	properties := func(path ...string) []string {
		at := s.root
		for _, name := range path {
			at = at[name].(map[string]any)
		}
		return slices.Sorted(maps.Keys(at["properties"].(map[string]any)))
	}
	for pipeline, path := range sections {
		var names []string
		for name := range strings.SplitSeq(path, ".") {
			switch name {
			case "":
			case "[]":
				names = append(names, "items")
			default:
				names = append(names, "properties", name)
			}
		}
		if got, want := properties(names...), accepted(t, pipeline); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %v, the parser takes %v", pipeline, got, want)
		}
	}
}

// sections are all mappings of a pipeline file whose keys are fixed: one with an unknown key, and its way in the schema.
var sections = map[string]string{
	"qqq: 1":                                      "",
	"source: {qqq: 1}":                            "source",
	"transform: {qqq: 1}":                         "transform",
	"output: [{qqq: 1}]":                          "output.[]",
	"aggregates: [{qqq: 1}]":                      "aggregates.[]",
	"aggregates: [{window: {qqq: 1}}]":            "aggregates.[].window",
	"aggregates: [{window: {hopping: {qqq: 1}}}]": "aggregates.[].window.hopping",
	"aggregates: [{detect: {qqq: 1}}]":            "aggregates.[].detect",
}

func TestTheSchemaExplainsEveryKey(t *testing.T) {
	s, keys := pipelineSchema(t), 0
	var visit func(rules map[string]any, path string)
	visit = func(rules map[string]any, path string) {
		properties, _ := rules["properties"].(map[string]any)
		for name, p := range properties {
			own := p.(map[string]any)
			keys++
			if text, _ := own["description"].(string); len(text) < 20 {
				t.Errorf("%s.%s has no description", path, name)
			}
			examples, _ := own["examples"].([]any)
			if len(examples) == 0 {
				t.Errorf("%s.%s has no example", path, name)
			}
			for _, e := range examples {
				if wrong := s.node(own, e, path+"."+name); len(wrong) > 0 {
					t.Errorf("an example is wrong: %v", wrong)
				}
			}
			visit(own, path+"."+name)
			if items, ok := own["items"].(map[string]any); ok {
				visit(items, path+"."+name+"[]")
			}
		}
	}
	visit(s.root, "$")
	if keys < 38 {
		t.Errorf("only %d keys", keys)
	}
}

func TestThePipelinePageShowsEveryKey(t *testing.T) {
	shown := map[string]bool{}
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				shown[key] = true
				collect(value)
			}
		case []any:
			for _, item := range v {
				collect(item)
			}
		}
	}
	for _, b := range blocks(t, "../docs/pipeline.md") {
		var value any
		if b.language != "yaml" {
			continue
		}
		if err := yaml.Unmarshal([]byte(b.text), &value); err != nil {
			t.Fatal(err)
		}
		collect(value)
	}
	for section := range sections {
		for _, key := range accepted(t, section) {
			if !shown[key] {
				t.Errorf("docs/pipeline.md has no example of %s", key)
			}
		}
	}
}

func TestThePipelinesOfThePipelinePageAreRight(t *testing.T) {
	for _, b := range blocks(t, "../docs/pipeline.md") {
		if b.language != "yaml" {
			continue
		}
		if _, err := ParsePipeline("docs/pipeline.md", []byte(b.text), unset); err != nil {
			t.Errorf("%v\nin\n%s", err, b.text)
		}
	}
}

func TestTheSchemaAcceptsPipelinesThatAreRight(t *testing.T) {
	s := pipelineSchema(t)
	files, err := filepath.Glob("../examples/*/pipeline.yaml")
	if err != nil || len(files) < 3 {
		t.Fatal("no examples", files, err)
	}
	pipelines := []string{minimal, routed, "name: a-${B:-c}\nsource: {topic: \"${A}\", tombstones: \"${T:-drop}\"}\nfilter: true\noutput: [{topic: x, key: 5}]\n",
		"name: a\nsource: {topic: b}\ntransform: {set: {'event[\"a.b\"]': 1}, remove: ['event[\"c.d\"]', größe]}\noutput: [{topic: x}]\n"}
	for _, file := range append(files, "../pipeline.yaml") {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pipelines = append(pipelines, string(src))
	}
	for _, b := range blocks(t, "../docs/pipeline.md") {
		if b.language == "yaml" {
			pipelines = append(pipelines, b.text)
		}
	}
	for _, p := range pipelines {
		if wrong := schemaProblems(t, s, p); len(wrong) > 0 {
			t.Errorf("%s\nin\n%s", strings.Join(wrong, "\n"), p)
		}
	}
}

func TestTheSchemaRefusesWhatTheParserRefusesByStructure(t *testing.T) {
	s := pipelineSchema(t)
	with := func(key, value string) string {
		return regexp.MustCompile("(?m)^"+key+": .*$").ReplaceAllLiteralString(minimal, key+": "+value)
	}
	wrong := []string{
		"{}", "[]", "text", "5",
		"source: {topic: in}\noutput: [{topic: out}]\n", "name: p\noutput: [{topic: out}]\n", "name: p\nsource: {topic: in}\n",
		"name: 5\nsource: {topic: in}\noutput: [{topic: out}]\n", "name: a b\nsource: {topic: in}\noutput: [{topic: out}]\n",
		with("name", "[p]"), with("source", "in"), with("source", "{}"), with("source", "{topic: [in]}"), with("source", "{event_time: a}"),
		with("source", "{topic: in, key: a}"), with("source", "{topic: in, tombstones: ignore}"), with("source", "{topic: in, not_objects: [drop]}"),
		with("output", "out"), with("output", "[]"), with("output", "[out]"), with("output", "{topic: out}"), with("output", "[{key: a}]"), with("output", "[{topic: out, where: a == 1}]"),
		minimal + "filter: [a]\n", minimal + "filter:\n", minimal + "filters: a == 1\n", minimal + "aggregates: []\n",
		minimal + "transform: {}\n", minimal + "transform: []\n", minimal + "transform: {set: {}}\n", minimal + "transform: {set: {a: [1]}}\n", minimal + "transform: {set: [a]}\n",
		minimal + "transform: {rename: {a: 1}}\n", minimal + "transform: {rename: [a]}\n", minimal + "transform: {keep: a}\n", minimal + "transform: {keep: []}\n", minimal + "transform: {remove: [1]}\n",
		minimal + "transform: {keep: [a], remove: [b]}\n", minimal + "transform: {drop: [a]}\n", minimal + "transform: {remove: [a.b]}\n", minimal + "transform: {set: {a.b: 1}}\n", minimal + "transform: {set: {a: null}}\n",
	}
	for _, p := range wrong {
		if _, err := ParsePipeline("f", []byte(p), unset); err == nil {
			t.Errorf("the parser accepts\n%s", p)
		}
		if len(schemaProblems(t, s, p)) == 0 {
			t.Errorf("the schema accepts\n%s", p)
		}
	}
}

func TestTheShippedPipelineNamesItsSchema(t *testing.T) {
	files, err := filepath.Glob("../examples/*/pipeline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const mark = "# yaml-language-server: $schema="
	for _, file := range append(files, "../pipeline.yaml") {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(src), "\n")
		named, marked := strings.CutPrefix(first, mark)
		if file == "../pipeline.yaml" && !marked {
			t.Errorf("%s does not begin with %s", file, mark)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), named)); marked && err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// The check of schemas that these tests rest on can fail.
func TestTheCheckOfSchemasFindsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		schema string
		right  string
		wrong  string
	}{
		{`{"type":"string"}`, `a`, `5`},
		{`{"type":["number","boolean"]}`, `true`, `a`},
		{`{"type":"number"}`, `5`, `"5"`},
		{`{"type":"integer"}`, `5`, `5.5`},
		{`{"type":"null"}`, `null`, `[]`},
		{`{"enum":["a","b"]}`, `b`, `c`},
		{`{"pattern":"^a+$"}`, `aa`, `b`},
		{`{"pattern":"^a+$"}`, `5`, `ab`},
		{`{"anyOf":[{"enum":["a"]},{"type":"number"}]}`, `5`, `b`},
		{`{"not":{"required":["a","b"]}}`, `{a: 1}`, `{a: 1, b: 2}`},
		{`{"items":{"type":"string"}}`, `[a, b]`, `[a, 1]`},
		{`{"oneOf":[{"required":["a"]},{"required":["b"]}]}`, `{a: 1}`, `{a: 1, b: 1}`},
		{`{"oneOf":[{"required":["a"]},{"required":["b"]}]}`, `{b: 1}`, `{c: 1}`},
		{`{"minItems":1}`, `[a]`, `[]`},
		{`{"maxItems":1}`, `[a]`, `[a, b]`},
		{`{"maxLength":1}`, `ä`, `ab`},
		{`{"minimum":1}`, `1`, `0.5`},
		{`{"exclusiveMinimum":1}`, `1.5`, `1`},
		{`{"maximum":1}`, `1`, `2`},
		{`{"maximum":1}`, `-5`, `1.5`},
		{`{"type":"object"}`, `{}`, `[]`},
		{`{"type":"array"}`, `[]`, `{}`},
		{`{"required":["a"]}`, `{a: 1}`, `{b: 1}`},
		{`{"minProperties":1}`, `{a: 1}`, `{}`},
		{`{"maxProperties":1}`, `{a: 1}`, `{a: 1, b: 2}`},
		{`{"dependentRequired":{"a":["b"]}}`, `{a: 1, b: 2}`, `{a: 1, c: 2}`},
		{`{"dependentRequired":{"a":["b"]}}`, `{c: 1}`, `{a: 1}`},
		{`{"properties":{"a":{"type":"string"}}}`, `{a: x, b: 1}`, `{a: 1}`},
		{`{"properties":{"a":{}},"additionalProperties":false}`, `{a: x}`, `{b: 1}`},
		{`{"properties":{"a":{}},"additionalProperties":{"type":"string"}}`, `{a: 1, b: x}`, `{b: 1}`},
		{`{"propertyNames":{"pattern":"^a"}}`, `{ab: 1}`, `{b: 1}`},
		{`{"$ref":"#/$defs/x","$defs":{"x":{"type":"string"}}}`, `a`, `5`},
	} {
		s, err := readSchema([]byte(c.schema))
		if err != nil {
			t.Fatal(c.schema, err)
		}
		if wrong := schemaProblems(t, s, c.right); len(wrong) > 0 {
			t.Errorf("%s refuses %s: %v", c.schema, c.right, wrong)
		}
		if len(schemaProblems(t, s, c.wrong)) == 0 {
			t.Errorf("%s accepts %s", c.schema, c.wrong)
		}
	}
	for _, unknown := range []string{`{"multipleOf":1}`, `{"$ref":"#/$defs/none"}`} {
		s, err := readSchema([]byte(unknown))
		if err != nil || len(schemaProblems(t, s, "5")) == 0 {
			t.Errorf("%s is not noticed", unknown)
		}
	}
}
