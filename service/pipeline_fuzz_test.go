package service

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"data-stream-engine/model"
)

// A pipeline file, whatever is in it, is a pipeline that can be run or a list of problems that lie within it.
func FuzzParsePipeline(f *testing.F) {
	for _, glob := range []string{"testdata/problems/*.yaml", "../pipeline.yaml", "../examples/*/pipeline.yaml"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	for _, seed := range []string{
		minimal + plainAggregate, aggregateWith("group_by", "[a.b, 'event[\"x-y\"]', {day: 'rfc3339(truncate_time(at, \"24h\"))'}]"), aggregateWith("where", "x == ${X:-1}"), aggregateWith("of", "source"),
		aggregateWith("window", "{hopping: {size: 1d12h, every: 90s}, grace: 500ms}"), aggregateWith("window", "{session: 15m}"), aggregateWith("measures", "{n: 'percentile(lower(x) in [\"a,b)\", 1] ? 1 : 2, 99.9)'}"), aggregateWith("measures", "\n      n: |\n        top(x +\n          y, 5)"),
		aggregateWith("detect", "{measure: n, sigma: 4, above: 1e3, below: -1}"), aggregateWith("max_groups", "${N:-5}"), aggregateWith("retention", "0s"), aggregateWith("late", "drop"), aggregateWith("emit", "final"),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		started := time.Now()
		spec, description, err := DescribePipeline("f", src, unset)
		if took := time.Since(started); took > 20*time.Second {
			t.Fatalf("%d bytes took %s", len(src), took)
		}
		if err != nil {
			checkProblems(t, src, err)
			return
		}
		if len(description.Outputs) == 0 || description.Name == "" || description.Source == "" {
			t.Fatalf("parsed, but: %+v", description)
		}
		if _, err := NewProcessor(spec, Options{HashKey: testKey}); err != nil && !strings.Contains(err.Error(), "dead-letter") {
			t.Fatalf("parsed, but: %v", err)
		}
	})
}

// checkProblems wants problems with a place in the file, one a line, that no terminal takes for commands.
func checkProblems(t *testing.T, src []byte, err error) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 || model.ClassOf(err) != model.Misconfigured {
		t.Fatalf("%v is not a list of problems", err)
	}
	place := regexp.MustCompile(`^f:(\d+):(\d+): `)
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(src), "\ufeff"))
	lines := strings.Split(text, "\n")
	if len(src) > MaxPipelineBytes {
		lines = []string{""}
	}
	for _, p := range problems[:min(len(problems), 1000)] {
		m := place.FindStringSubmatch(p.Error())
		if m == nil {
			t.Fatalf("%v has no place", p)
		}
		line, _ := strconv.Atoi(m[1])
		column, _ := strconv.Atoi(m[2])
		if line < 1 || line > len(lines) || column < 1 || column > utf8.RuneCountInString(lines[line-1])+1 {
			t.Fatalf("%v is outside of the file", p)
		}
		if strings.Count(p.Error(), "\n") > 2 || strings.ContainsAny(p.Error(), "\x1b\x00\r") {
			t.Fatalf("%q", p.Error())
		}
	}
	if shown := strings.Count(problems.Error(), "\n") + 1; shown > 3*MaxShown+1 {
		t.Fatalf("%d problems are shown in %d lines", len(problems), shown)
	}
}

// As large as a file may be, and as hard as it can be made for whoever reads it.
func TestNoPipelineFileTakesLong(t *testing.T) {
	fill := func(begin, part, end string) string {
		return begin + strings.Repeat(part, (MaxPipelineBytes-len(begin)-len(end))/len(part)) + end
	}
	const head = "name: p\nsource: {topic: in}\n"
	var keys strings.Builder
	for i := 0; keys.Len() < MaxPipelineBytes-20; i++ {
		keys.WriteString("k" + strconv.Itoa(i) + ": v\n")
	}
	for name, src := range map[string]string{
		"one long name":        fill("name: ", "a", "\n"),
		"text in quotes":       fill("name: \"", "\\u0041", "\"\n"),
		"many lines of text":   fill("name: |\n", "  a\n", ""),
		"a list on one line":   fill(head+"transform: {remove: [", "ä,", "b]}\n"),
		"a list of lines":      fill(head+"transform:\n  remove:\n", "  - a\n", ""),
		"keys":                 keys.String(),
		"lists in lists":       fill("a: ", "[", ""),
		"mappings":             fill("a: ", "{a: ", ""),
		"closed lists":         "a: " + strings.Repeat("[", MaxPipelineBytes/2-2) + strings.Repeat("]", MaxPipelineBytes/2-2),
		"dashes":               fill("", "- ", "a"),
		"question marks":       fill("", "? ", "a"),
		"anchors":              fill("a: ", "&a ", "b"),
		"tags":                 fill("a: ", "!a ", "b"),
		"blank lines":          fill("", "\n", "name: p"),
		"carriage returns":     fill("", "\r", "name: p"),
		"comments":             fill("", "#\n", "name: p"),
		"an expression":        fill(head+"filter: ", "(", "\n"),
		"a long expression":    fill(head+"filter: a == 1", " && a == 1", "\n"),
		"unknown functions":    fill(head+"output: [{topic: out}]\ntransform:\n  set:\n", "    a: lowr(b)\n", ""),
		"variables":            fill(head+"filter: ", "${X:-a} ", "\n"),
		"variables, all gone":  fill(head+"filter: ", "${X}", "\n"),
		"aggregates":           fill(minimal+"aggregates:\n", "  - {name: a, where: lowr(b), group_by: [lowr(b)], window: {hopping: {size: 366d, every: 100ms}}, measures: {n: sum(lowr(b), lowr(b))}}\n", ""),
		"groups":               fill(minimal+"aggregates:\n  - group_by: [", "a.b.c, ", "a]\n"),
		"measures":             fill(minimal+"aggregates:\n  - measures:\n", "      b: sum(lowr(x))\n", ""),
		"a measure":            fill(minimal+"aggregates:\n  - measures:\n      b: sum(x", ",y", ")\n"),
		"an open measure":      fill(minimal+"aggregates:\n  - measures:\n      b: |\n        ", "sum(\n        ", "\n"),
		"an argument":          fill(minimal+"aggregates:\n  - measures:\n      b: sum(x", " + lowr(x)", ")\n"),
		"a duration":           fill(minimal+"aggregates:\n  - retention: ", "1h", "\n"),
		"a number":             fill(minimal+"aggregates:\n  - max_groups: ", "1", "\n"),
		"not UTF-8 at its end": fill("name: ", "a", "\xff"),
		"too large":            strings.Repeat("name: p\n", 10<<20/8),
	} {
		t.Run(name, func(t *testing.T) {
			if len(src) > MaxPipelineBytes && name != "too large" {
				t.Fatalf("%d bytes are more than a file may have, so that this tests nothing else", len(src))
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			started := time.Now()
			_, err := ParsePipeline("f", []byte(src), unset)
			took := time.Since(started)
			runtime.ReadMemStats(&after)
			if allocated := after.TotalAlloc - before.TotalAlloc; took > 30*time.Second || allocated > 2<<30 {
				t.Errorf("took %s and %d MiB", took, allocated>>20)
			}
			t.Logf("took %s and %d MiB", took, (after.TotalAlloc-before.TotalAlloc)>>20)
			checkProblems(t, []byte(src), err)
		})
	}
}
