package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"data-stream-engine/model"
)

// reference is a transform done slowly: the event as a list of members, changed step by step.
type reference []member

type member struct {
	name  string
	value string
}

func readReference(t *testing.T, object string) reference {
	t.Helper()
	var r reference
	d := json.NewDecoder(strings.NewReader(object))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		r = r.with(name.(string), string(value))
	}
	return r
}

func (r reference) with(name, value string) reference {
	if i := r.find(name); i >= 0 {
		r[i].value = value
		return r
	}
	return append(r, member{name, value})
}

func (r reference) find(name string) int {
	return slices.IndexFunc(r, func(m member) bool { return m.name == name })
}

func (r reference) transform(t model.Transform) reference {
	before := slices.Clone(r)
	for _, a := range t.Set {
		value := "null"
		if i := before.find(a.Value.Text); i >= 0 {
			value = before[i].value
		}
		r = r.with(a.Field, value)
	}
	from, to := map[string]string{}, map[string]bool{}
	for _, n := range t.Rename {
		if r.find(n.From) >= 0 {
			from[n.From], to[n.To] = n.To, true
		}
	}
	var out reference
	for _, m := range r {
		if name, ok := from[m.name]; ok {
			m.name = name
		} else if to[m.name] {
			continue
		}
		if slices.Contains(t.Remove, m.name) || t.Keep != nil && !slices.Contains(t.Keep, m.name) {
			continue
		}
		out = append(out, m)
	}
	return out
}

func TestTransformsOfAnyEventAreThoseOfTheReference(t *testing.T) {
	g := rand.New(rand.NewPCG(7, 11))
	names := []string{"a", "b", "c", "d", "e", "f"}
	some := func(n int) []string {
		list := slices.Clone(names)
		g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list[:g.IntN(n+1)]
	}
	done := 0
	for range 4000 {
		file := randomTransform(g, some)
		spec, err := ParsePipeline("p.yaml", []byte(file), unset)
		if err != nil {
			continue // such as a rename of two fields to one name
		}
		done++
		for range 5 {
			object := randomObject(g, names)
			records, result := run(t, file, object)
			if result.Forwarded != 1 {
				t.Fatalf("%s\nof %s: %+v", file, object, result)
			}
			want, got := readReference(t, object).transform(spec.Transform), readReference(t, string(records[0].Value))
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s\nof %s:\nwrote %s\n got %v\nwant %v", file, object, records[0].Value, got, want)
			}
		}
	}
	if done < 1000 {
		t.Errorf("only %d transforms were tried", done)
	}
}

func randomTransform(g *rand.Rand, some func(int) []string) string {
	var b strings.Builder
	b.WriteString("name: p\nsource: {topic: in}\ntransform:\n")
	if set := some(3); len(set) > 0 {
		b.WriteString("  set:\n")
		for _, name := range set {
			// event["x"] may name a field that is set as well.
			fmt.Fprintf(&b, "    %s: %s\n", name, append(some(6), "a")[0])
		}
	}
	if rename := some(3); len(rename) > 0 {
		b.WriteString("  rename:\n")
		for _, name := range rename {
			fmt.Fprintf(&b, "    %s: %s\n", name, append(some(6), "g")[0])
		}
	}
	switch list := some(4); {
	case len(list) == 0:
	case g.IntN(2) == 0:
		fmt.Fprintf(&b, "  keep: [%s]\n", strings.Join(append(list, "g"), ", "))
	default:
		fmt.Fprintf(&b, "  remove: [%s]\n", strings.Join(list, ", "))
	}
	b.WriteString("output: [{topic: out}]\n")
	return strings.Replace(b.String(), "transform:\noutput", "output", 1)
}

func randomObject(g *rand.Rand, names []string) string {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range g.IntN(8) {
		if i > 0 {
			b.WriteString([]string{",", ", ", " ,\n"}[g.IntN(3)])
		}
		name := names[g.IntN(len(names))]
		if g.IntN(8) == 0 {
			name = fmt.Sprintf("\\u%04x", name[0])
		}
		fmt.Fprintf(&b, `"%s"%s:%s`, name, []string{"", " "}[g.IntN(2)], []string{"1", " 2.50", `"x"`, "null", "[1, {}]"}[g.IntN(5)])
	}
	b.WriteByte('}')
	return b.String()
}
