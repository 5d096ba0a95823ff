package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"data-stream-engine/handler/problem"
)

const (
	maxBody  = 1 << 20
	maxDepth = 32 // of a body; none of ours needs more than 3
)

// body reads the one JSON object of a request into the given variables, by the names of its members. A member that is not
// known, comes twice, is null or of another type is refused by its name.
func body(w http.ResponseWriter, r *http.Request, members map[string]any) error {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return &problem.Document{Status: http.StatusUnsupportedMediaType, Type: problem.MediaType, Title: "Needs JSON", Detail: "send one JSON object with Content-Type: application/json"}
	}
	if err := none(r); err != nil {
		return err
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return &problem.Document{Status: http.StatusRequestEntityTooLarge, Type: problem.TooLarge, Title: "Too large", Detail: fmt.Sprintf("a body has %d bytes at most", maxBody)}
	}
	if err != nil {
		return wrong(mistake{"body", "it ended early, or came too slowly"})
	}
	if !utf8.Valid(raw) {
		return wrong(mistake{"body", "it is not UTF-8"})
	}
	if depth(raw) > maxDepth {
		return wrong(mistake{"body", fmt.Sprintf("it is nested deeper than %d", maxDepth)})
	}
	return object(raw, members)
}

// object reads the members of a JSON object one by one: encoding/json alone would take them in any case, and the last of two.
func object(raw []byte, members map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	first, err := d.Token()
	if err != nil || first != json.Delim('{') {
		return wrong(mistake{"body", "it is not a JSON object"})
	}
	seen := map[string]bool{}
	var mistakes []mistake
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return wrong(mistake{"body", "it is not JSON: " + err.Error()})
		}
		name, _ := key.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return wrong(mistake{"body", "it is not JSON: " + err.Error()})
		}
		if m, ok := member(name, value, members, seen[name]); !ok {
			mistakes = append(mistakes, m)
		}
		seen[name] = true
	}
	if _, err := d.Token(); err != nil {
		return wrong(mistake{"body", "it is not JSON: " + err.Error()})
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return wrong(mistake{"body", "something follows the JSON object"})
	}
	if len(mistakes) > 0 {
		return wrong(mistakes...)
	}
	return nil
}

func member(name string, value json.RawMessage, members map[string]any, again bool) (mistake, bool) {
	into, known := members[name]
	switch {
	case !known && len(members) == 0:
		return mistake{problem.Shown(name), "there is no such member here; the object is empty"}, false
	case !known:
		return mistake{problem.Shown(name), "there is no such member here; there are: " + strings.Join(slices.Sorted(maps.Keys(members)), ", ")}, false
	case again:
		return mistake{name, "is given twice"}, false
	case holdsNull(value):
		return mistake{name, "is null; leave it out instead"}, false
	}
	if err := json.Unmarshal(value, into); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return mistake{name, fmt.Sprintf("is %s where %s is needed", e.Value, typeName(e.Type.Kind().String()))}, false
		}
		return mistake{name, err.Error()}, false
	}
	return mistake{}, true
}

// holdsNull tells of null itself, and of a list with null in it, which encoding/json takes for an empty text.
func holdsNull(value json.RawMessage) bool {
	var list []json.RawMessage
	if json.Unmarshal(value, &list) == nil && slices.ContainsFunc(list, func(e json.RawMessage) bool { return string(e) == "null" }) {
		return true
	}
	return string(value) == "null"
}

func typeName(kind string) string {
	switch kind {
	case "slice":
		return "a list"
	case "string":
		return "a text"
	}
	return "a whole number"
}

// depth is how deep lists and objects lie in each other.
func depth(raw []byte) int {
	deepest, at, text := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			at++
			deepest = max(deepest, at)
		case c == '}' || c == ']':
			at--
		}
	}
	return deepest
}
