package service

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// schema is a JSON Schema (draft 2020-12), of which it knows the keywords that check needs. Any other keyword is an
// error, so that nothing in pipeline.schema.json goes unchecked.
type schema struct{ root map[string]any }

func readSchema(src []byte) (schema, error) {
	var s schema
	err := json.Unmarshal(src, &s.root)
	return s, err
}

// check gives what is wrong with a value, each with its path.
func (s schema) check(value any) []string { return s.node(s.root, value, "$") }

func (s schema) node(rules map[string]any, value any, path string) []string {
	var wrong []string
	say := func(format string, args ...any) {
		wrong = append(wrong, path+": "+fmt.Sprintf(format, args...))
	}
	for _, keyword := range slices.Sorted(maps.Keys(rules)) {
		rule := rules[keyword]
		switch keyword {
		case "$schema", "$comment", "$defs", "title", "description", "examples", "default":
		case "$ref":
			wrong = append(wrong, s.node(s.find(rule.(string)), value, path)...)
		case "type":
			if !isOneOf(value, rule) {
				say("is no %v", rule)
			}
		case "enum":
			if !slices.ContainsFunc(rule.([]any), func(v any) bool { return v == value }) {
				say("is not one of %v", rule)
			}
		case "pattern":
			if text, ok := value.(string); ok && !regexp.MustCompile(rule.(string)).MatchString(text) {
				say("%q does not match %s", text, rule)
			}
		case "anyOf", "oneOf":
			fit := 0
			for _, r := range rule.([]any) {
				if len(s.node(r.(map[string]any), value, path)) == 0 {
					fit++
				}
			}
			if fit == 0 {
				say("is none of what it may be")
			} else if fit > 1 && keyword == "oneOf" {
				say("is more than one of what it may be")
			}
		case "not":
			if len(s.node(rule.(map[string]any), value, path)) == 0 {
				say("is what it must not be: %v", rule)
			}
		case "maxLength":
			if text, ok := value.(string); ok && float64(utf8.RuneCountInString(text)) > rule.(float64) {
				say("is longer than %v", rule)
			}
		case "minimum", "exclusiveMinimum", "maximum":
			if x, ok := numeric(value); ok && outside(keyword, x, rule.(float64)) {
				say("%v is beyond the %s of %v", value, keyword, rule)
			}
		case "items", "minItems", "maxItems":
			wrong = append(wrong, s.list(keyword, rule, value, path)...)
		case "properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties", "dependentRequired":
			wrong = append(wrong, s.object(keyword, rule, rules, value, path)...)
		default:
			say("the schema uses %s, which this check does not know", keyword)
		}
	}
	return wrong
}

func (s schema) list(keyword string, rule, value any, path string) (wrong []string) {
	list, ok := value.([]any)
	if !ok {
		return nil
	}
	switch keyword {
	case "minItems":
		if float64(len(list)) < rule.(float64) {
			wrong = append(wrong, path+": has too few items")
		}
		return wrong
	case "maxItems":
		if float64(len(list)) > rule.(float64) {
			wrong = append(wrong, path+": has too many items")
		}
		return wrong
	}
	for i, item := range list {
		wrong = append(wrong, s.node(rule.(map[string]any), item, fmt.Sprintf("%s[%d]", path, i))...)
	}
	return wrong
}

func (s schema) object(keyword string, rule any, rules map[string]any, value any, path string) (wrong []string) {
	object, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	properties, _ := rules["properties"].(map[string]any)
	switch keyword {
	case "minProperties":
		if float64(len(object)) < rule.(float64) {
			return []string{path + ": has too few properties"}
		}
	case "maxProperties":
		if float64(len(object)) > rule.(float64) {
			return []string{path + ": has too many properties"}
		}
	case "dependentRequired":
		for name, needs := range rule.(map[string]any) {
			if _, has := object[name]; has {
				wrong = append(wrong, s.object("required", needs, rules, value, path)...)
			}
		}
	case "required":
		for _, name := range rule.([]any) {
			if _, ok := object[name.(string)]; !ok {
				wrong = append(wrong, path+": has no "+name.(string))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		own, known := properties[name].(map[string]any)
		at := path + "." + name
		switch keyword {
		case "properties":
			if known {
				wrong = append(wrong, s.node(own, object[name], at)...)
			}
		case "propertyNames":
			wrong = append(wrong, s.node(rule.(map[string]any), name, at)...)
		case "additionalProperties":
			if each, ok := rule.(map[string]any); ok && !known {
				wrong = append(wrong, s.node(each, object[name], at)...)
			} else if rule == false && !known {
				wrong = append(wrong, at+": is not known")
			}
		}
	}
	return wrong
}

func numeric(value any) (float64, bool) {
	switch value := value.(type) {
	case float64:
		return value, true
	case int:
		return float64(value), true
	case int64:
		return float64(value), true
	case uint64:
		return float64(value), true
	}
	return 0, false
}

func outside(keyword string, x, bound float64) bool {
	switch keyword {
	case "minimum":
		return x < bound
	case "exclusiveMinimum":
		return x <= bound
	}
	return x > bound
}

// find follows a reference such as #/$defs/name.
func (s schema) find(reference string) map[string]any {
	at := s.root
	for name := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
		at, _ = at[name].(map[string]any)
	}
	if at == nil {
		return map[string]any{"reference to nothing, " + reference: true}
	}
	return at
}

func isOneOf(value, rule any) bool {
	if list, ok := rule.([]any); ok {
		return slices.ContainsFunc(list, func(r any) bool { return isOneOf(value, r) })
	}
	switch value := value.(type) {
	case nil:
		return rule == "null"
	case bool:
		return rule == "boolean"
	case string:
		return rule == "string"
	case []any:
		return rule == "array"
	case map[string]any:
		return rule == "object"
	case float64:
		return rule == "number" || rule == "integer" && value == math.Trunc(value)
	}
	return rule == "number" || rule == "integer" // the whole numbers of a YAML library
}
