package projection

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// disagreement compares a scan with encoding/json and says what differs, "" if nothing does.
func disagreement(p *Projection, names []string, e *Event, event []byte) string {
	verdict := p.Scan(event, e)
	if want := verdictOf(event); verdict != want {
		return fmt.Sprintf("verdict %d, want %d", verdict, want)
	}
	if len(e.Fields) != len(names) {
		return fmt.Sprintf("%d fields for %d names", len(e.Fields), len(names))
	}
	if verdict != IsObject {
		if len(e.Members) != 0 || slices.ContainsFunc(e.Fields, func(f Field) bool { return f != Field{} }) {
			return "found something in what is no object"
		}
		return ""
	}
	var want map[string]json.RawMessage
	if err := json.Unmarshal(event, &want); err != nil {
		return err.Error()
	}
	for i, name := range names {
		f := e.Fields[i]
		raw := want[name]
		if got := event[f.Start:f.End]; !bytes.Equal(got, raw) {
			return fmt.Sprintf("%q is %q, want %q", name, got, raw)
		}
		if d := keyDiffers(event, f, name); d != "" {
			return d
		}
		if f.Kind != kindOf(raw) {
			return fmt.Sprintf("%q has kind %d, want %d", name, f.Kind, kindOf(raw))
		}
	}
	return rebuildingDiffers(event, e, want)
}

// keyDiffers looks at what is between the key of a field and its value.
func keyDiffers(event []byte, f Field, name string) string {
	if f.Kind == Missing {
		return ""
	}
	var key string
	quoted, ok := bytes.CutSuffix(bytes.TrimRight(event[f.Key:f.Start], " \t\r\n"), []byte(":"))
	if err := json.Unmarshal(quoted, &key); err != nil || !ok || key != name {
		return fmt.Sprintf("before the value of %q is %q", name, event[f.Key:f.Start])
	}
	return ""
}

// rebuildingDiffers makes an object of the members, with the last value of each field, and compares what it decodes to.
func rebuildingDiffers(event []byte, e *Event, want map[string]json.RawMessage) string {
	again := []byte{'{'}
	for i, m := range e.Members {
		if i > 0 {
			again = append(again, ',')
		}
		if m.Field < 0 {
			again = append(again, event[m.Start:m.End]...)
			continue
		}
		f := e.Fields[m.Field]
		if first := event[m.Start:m.End]; f.End == m.End && !bytes.HasSuffix(first, event[f.Start:f.End]) {
			return "the value of a member is not at its end"
		}
		key, _ := stringEnd(event, int(m.Start)+1)
		again = append(append(append(again, event[m.Start:key]...), ':'), event[f.Start:f.End]...)
	}
	again = append(again, '}')
	var got map[string]json.RawMessage
	if err := json.Unmarshal(again, &got); err != nil {
		return fmt.Sprintf("members rebuild %q: %v", again, err)
	}
	if !maps.EqualFunc(got, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
		return fmt.Sprintf("members rebuild %q", again)
	}
	return ""
}

// membersOf is what Event.Members has to be, found by the tokens of encoding/json.
func membersOf(t *testing.T, names []string, event []byte) []Member {
	t.Helper()
	tokens := json.NewDecoder(bytes.NewReader(event))
	next := func() json.Token {
		token, err := tokens.Token()
		if err != nil {
			t.Fatalf("%q: %v", event, err)
		}
		return token
	}
	next()
	var list []Member
	run, seen := false, map[int]bool{}
	for tokens.More() {
		start := int(tokens.InputOffset())
		start += bytes.IndexByte(event[start:], '"')
		name, _ := next().(string)
		var raw json.RawMessage
		if err := tokens.Decode(&raw); err != nil {
			t.Fatalf("%q: %v", event, err)
		}
		field, end := slices.Index(names, name), uint32(tokens.InputOffset())
		switch {
		case field < 0 && run:
			list[len(list)-1].End = end
		case field < 0 || !seen[field]:
			list = append(list, Member{Field: int32(field), Start: uint32(start), End: end})
		}
		run, seen[field] = field < 0, true
	}
	return list
}

func verdictOf(event []byte) Verdict {
	switch {
	case !json.Valid(event):
		return Invalid
	case bytes.TrimLeft(event, " \t\r\n")[0] == '{':
		return IsObject
	}
	return NotObject
}

func kindOf(raw []byte) Kind {
	if len(raw) == 0 {
		return Missing
	}
	switch raw[0] {
	case 'n':
		return Null
	case 't':
		return True
	case 'f':
		return False
	case '[':
		return List
	case '{':
		return Object
	case '"':
		if bytes.IndexByte(raw, '\\') >= 0 {
			return Escaped
		}
		if bytes.ContainsFunc(raw, func(r rune) bool { return r > unicode.MaxASCII }) {
			return Unicode
		}
		return Text
	}
	if strings.ContainsAny(string(raw), ".eE") {
		return Number
	}
	return Int
}
