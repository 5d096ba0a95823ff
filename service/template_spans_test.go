package service

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"data-stream-engine/service/projection"
)

// Expressions that read the transformed event go by what the template has noted while it wrote it. That has to be what a
// scan of the output finds, whatever the transform and the event.
func TestTemplateNotesWhatAScanOfTheOutputFinds(t *testing.T) {
	g := rand.New(rand.NewPCG(5, 13))
	tried, compared := 0, 0
	for range 6000 {
		file := randomReaders(g)
		spec, err := ParsePipeline("p.yaml", []byte(file), unset)
		if err != nil {
			continue // it reads what it removes, or renames two fields to one name
		}
		p, err := NewProcessor(spec, Options{HashKey: testKey})
		if err != nil || p.plan.template == nil || len(p.plan.made) == 0 {
			continue
		}
		tried++
		scanned := projection.New(p.plan.made)
		var want projection.Event
		for range 5 {
			object := richObject(g)
			if p.plan.fields.Scan([]byte(object), &p.event) != projection.IsObject {
				continue
			}
			p.env.Bind(&p.event)
			if why := p.transform(); why != nil {
				continue
			}
			compared++
			if verdict := scanned.Scan(p.scratch, &want); verdict != projection.IsObject {
				t.Fatalf("%s\nof %s:\nwrote %s", file, object, p.scratch)
			}
			if !slices.Equal(p.result.Fields, want.Fields) || !bytes.Equal(p.result.JSON, p.scratch) {
				t.Fatalf("%s\nof %s:\nwrote %s\nnoted %v of %v\nthere is %v\n%s", file, object, p.scratch, p.result.Fields, p.plan.made, want.Fields, p.result.JSON)
			}
		}
	}
	if tried < 1000 || compared < 3000 {
		t.Errorf("only %d transforms of %d events were compared", tried, compared)
	}
}

var readerNames = []string{"a", "b", "c", "d", "e", "f", "g", "h"}

// randomReaders is a pipeline whose transform is random, and whose output and aggregate read the transformed event.
func randomReaders(g *rand.Rand) string {
	names := func(n int) []string {
		list := slices.Clone(readerNames)
		g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list[:g.IntN(n+1)]
	}
	some := func(list ...string) string { return list[g.IntN(len(list))] }
	field := func() string { return `event["` + some(readerNames...) + `"]` } // which may name what is not there any more
	var b strings.Builder
	b.WriteString("name: p\nsource: {topic: in}\ntransform:\n")
	set, rename := names(3), names(3)
	for i, name := range set {
		if i == 0 {
			b.WriteString("  set:\n")
		}
		fmt.Fprintf(&b, "    %s: |\n      %s\n", name, some(field(), field(), `to_json(`+field()+`)`, `"é"`, `"\n\"x"`, `[`+field()+`, 1.50]`, `{"k": `+field()+`}`, `"x" + to_json(`+field()+`)`, "nil", "1e300", "-7"))
	}
	var renamed []string
	for i, name := range rename {
		if i == 0 {
			b.WriteString("  rename:\n")
		}
		renamed = append(renamed, some(readerNames...))
		fmt.Fprintf(&b, "    %s: %s\n", name, renamed[i])
	}
	switch list := names(3); g.IntN(4) {
	case 0:
		fmt.Fprintf(&b, "  keep: [%s]\n", strings.Join(merged(list, set, renamed), ", "))
	case 1:
		if list = without(list, set, rename, renamed); len(list) > 0 {
			fmt.Fprintf(&b, "  remove: [%s]\n", strings.Join(list, ", "))
		}
	}
	key := ""
	if g.IntN(2) == 0 {
		key = ", key: 'to_json(" + field() + ")'"
	}
	fmt.Fprintf(&b, "output: [{topic: out%s}]\naggregates:\n  - name: x\n    window: {tumbling: 1m}\n    measures: {n: count()}\n    group_by:\n", key)
	for i := range 1 + g.IntN(4) {
		fmt.Fprintf(&b, "      - g%d: %s\n", i, field())
	}
	return b.String()
}

func merged(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return append(slices.Compact(all), "zz")
}

func without(list []string, others ...[]string) []string {
	return slices.DeleteFunc(list, func(name string) bool { return slices.Contains(slices.Concat(others...), name) })
}

// richObject is an event with everything that JSON has: white space, escapes, names that repeat, unknown fields, lists.
func richObject(g *rand.Rand) string {
	some := func(list ...string) string { return list[g.IntN(len(list))] }
	var b strings.Builder
	b.WriteString(some("{", " {", "{ "))
	for i := range g.IntN(10) {
		if i > 0 {
			b.WriteString(some(",", ", ", " ,\n", ",\t"))
		}
		name := some(append(slices.Clone(readerNames), "x", "y", "", "é")...)
		if g.IntN(8) == 0 && len(name) == 1 {
			name = fmt.Sprintf("\\u%04x", name[0])
		}
		fmt.Fprintf(&b, `"%s"%s:%s%s`, name, some("", " "), some("", " ", "\n"),
			some("1", "-0", "2.50", "1e5", `"x"`, `""`, `"é"`, `"\u00e9"`, `"\ud800"`, "\"\xff\"", "null", "true", "false", "[1, {}]", "[]", `{"a": {"a":1}}`, `{"a":1,"a":2}`, "12345678901234567890"))
	}
	b.WriteString(some("}", "}", " }", "} "))
	return b.String()
}
