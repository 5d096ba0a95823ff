package projection

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// fuzzNames makes distinct names of the fuzzer's text: one a comma.
func fuzzNames(text string) []string {
	names := strings.Split(text, ",")
	slices.Sort(names)
	return slices.Compact(names)
}

func FuzzScan(f *testing.F) {
	for _, sample := range samples {
		f.Add([]byte(sample), strings.Join(wanted, ","))
	}
	f.Add([]byte(login), "user_id,timestamp,none")
	e := new(Event) // what one event leaves behind must not matter to the next
	f.Fuzz(func(t *testing.T, event []byte, text string) {
		names := fuzzNames(text)
		event = slices.Clip(event)
		if d := disagreement(New(names), names, e, event); d != "" {
			t.Fatalf("%q: %s", event, d)
		}
		if verdictOf(event) != IsObject {
			return
		}
		if want := membersOf(t, names, event); !slices.Equal(e.Members, want) {
			t.Fatalf("%q: members %v, want %v", event, e.Members, want)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, sample := range samples {
		f.Add([]byte(sample), "ip", 0)
		f.Add([]byte(sample), "\uFFFD", -1)
	}
	f.Add([]byte(`[1, "a]" , [2,[]], {"a":[","]} ,null]`), "a", -2)
	f.Fuzz(func(t *testing.T, raw []byte, name string, index int) {
		raw = slices.Clip(bytes.Trim(raw, " \t\r\n"))
		if d := pathDisagreement(raw, name, index); d != "" {
			t.Fatalf("%q, %q, %d: %s", raw, name, index, d)
		}
	})
}

// pathDisagreement compares KindAt, MemberOf and ElementOf with encoding/json. Of what is not valid it only asks them.
func pathDisagreement(raw []byte, name string, index int) string {
	kind := KindAt(raw)
	member, isMember := MemberOf(raw, name)
	element, isElement := ElementOf(raw, index)
	if !json.Valid(raw) {
		return ""
	}
	if kind != kindOf(raw) {
		return "kind"
	}
	var members map[string]json.RawMessage
	if kind == Object && json.Unmarshal(raw, &members) != nil {
		return "no object"
	}
	if want, ok := members[name]; ok != isMember || !bytes.Equal(member, want) {
		return "member " + string(member) + ", want " + string(want)
	}
	var list []json.RawMessage
	if kind == List && json.Unmarshal(raw, &list) != nil {
		return "no list"
	}
	if index < 0 {
		index += len(list)
	}
	var want []byte
	inside := index >= 0 && index < len(list)
	if inside {
		want = list[index]
	}
	if inside != isElement || !bytes.Equal(element, want) {
		return "element " + string(element) + ", want " + string(want)
	}
	return ""
}
