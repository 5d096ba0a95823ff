package pipelinetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"data-stream-engine/service"
)

// difference is one thing of a record that is not as expected.
type difference struct{ what, expected, got string }

// absent stands for something that is not there.
const absent = "(none)"

// differences are what of a record is not as expected, of the things that the test file gives.
func differences(e *expected, w *service.Written, exact bool) []difference {
	var list []difference
	differ := func(what, expected, got string) { list = append(list, difference{what, expected, got}) }
	if e.key != nil && !same(e.key.bytes, w.Key) {
		differ("key", show(e.key.bytes), show(w.Key))
	}
	if e.partition != nil && *e.partition != w.Partition {
		differ("partition", strconv.Itoa(int(*e.partition)), strconv.Itoa(int(w.Partition)))
	}
	for _, h := range e.headers {
		got, has := w.Header(h.name)
		switch {
		case h.value == nil && has:
			differ("header "+h.name, absent, got)
		case h.value != nil && !has:
			differ("header "+h.name, *h.value, absent)
		case h.value != nil && *h.value != got:
			differ("header "+h.name, *h.value, got)
		}
	}
	for _, of := range []struct {
		what, header string
		want         *string
		same         func(got, want string) bool
	}{
		{"stage", service.HeaderStage, e.stage, equals},
		{"code", service.HeaderCode, e.code, equals},
		{"reason", service.HeaderMessage, e.reason, strings.Contains},
	} {
		if got, _ := w.Header(of.header); of.want != nil && !of.same(got, *of.want) {
			differ(of.what, *of.want, got)
		}
	}
	if e.value != nil {
		list = append(list, values(e.value.bytes, w.Value, exact)...)
	}
	return list
}

func equals(a, b string) bool { return a == b }

// same tells null from empty.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// values compares what the JSON of two values says, or their bytes when that is asked for or one of them is no JSON.
func values(want, got []byte, exact bool) []difference {
	if same(want, got) {
		return nil
	}
	a, isJSON := decode(want)
	b, alsoJSON := decode(got)
	if exact || !isJSON || !alsoJSON {
		return []difference{{"value", show(want), show(got)}}
	}
	return compare(nil, "value", a, b)
}

func decode(raw []byte) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if raw == nil || d.Decode(&v) != nil || d.More() {
		return nil, false
	}
	return v, true
}

// missing stands for a field or an element that one side does not have.
type missing struct{}

// compare appends the places below path where two JSON values differ.
func compare(list []difference, path string, want, got any) []difference {
	switch a := want.(type) {
	case map[string]any:
		if b, ok := got.(map[string]any); ok {
			for _, name := range slices.Sorted(maps.Keys(union(a, b))) {
				list = compare(list, path+member(name), field(a, name), field(b, name))
			}
			return list
		}
	case []any:
		if b, ok := got.([]any); ok {
			for i := range max(len(a), len(b)) {
				list = compare(list, fmt.Sprintf("%s[%d]", path, i), element(a, i), element(b, i))
			}
			return list
		}
	case json.Number:
		if b, ok := got.(json.Number); ok && sameNumber(a, b) {
			return list
		}
	default:
		if want == got {
			return list
		}
	}
	return append(list, difference{path, jsonText(want), jsonText(got)})
}

func union(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func field(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	return missing{}
}

func element(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return missing{}
}

// member is a field's name behind a path.
func member(name string) string {
	plain := name != "" && strings.IndexFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
	if plain {
		return "." + name
	}
	return "[" + strconv.Quote(name) + "]"
}

// sameNumber tells whether two numbers are worth the same: 1.50 and 1.5. Integers are compared exactly.
func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseInt(string(a), 10, 64)
	y, errY := strconv.ParseInt(string(b), 10, 64)
	if errX == nil && errY == nil {
		return x == y
	}
	if digits(a) && digits(b) {
		return false
	}
	f, errF := a.Float64()
	g, errG := b.Float64()
	return errF == nil && errG == nil && f == g
}

// digits tells a number without fraction and exponent.
func digits(n json.Number) bool { return !strings.ContainsAny(string(n), ".eE") }

func jsonText(v any) string {
	if _, none := v.(missing); none {
		return absent
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}

// show is a key or a value for a person.
func show(b []byte) string {
	if b == nil {
		return "null"
	}
	return string(b)
}
