package utils

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Setting describes one setting to a person.
type Setting struct {
	Name     string
	Default  string // empty: none
	Accepted string
	Meaning  string
	Secret   bool // also read from the file that <Name>_FILE names
	Required bool
}

// Table lists every setting in the order in which they are documented.
func Table() []Setting {
	var rows []Setting
	for _, f := range fieldsOf(&Settings{}) {
		rows = append(rows, f.Setting)
	}
	return rows
}

// Row is one setting with the value that is in force.
type Row struct {
	Setting
	Value string // a Secret prints as "[secret]"
}

// Rows lists every setting with its value.
func (s *Settings) Rows() []Row {
	var rows []Row
	for _, f := range fieldsOf(s) {
		value := fmt.Sprint(f.value.Interface())
		if d, ok := reflect.TypeAssert[time.Duration](f.value); ok && d%time.Minute == 0 {
			value = strings.TrimSuffix(value, "0s") // 5m0s
			if d%time.Hour == 0 {
				value = strings.TrimSuffix(value, "0m") // 24h0m0s
			}
		}
		rows = append(rows, Row{Setting: f.Setting, Value: value})
	}
	return rows
}

// Markdown is the table of settings as the README shows it.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| Setting | Default | Accepted | Meaning |\n|---|---|---|---|\n")
	for _, s := range Table() {
		name, def := "`"+s.Name+"`", ""
		if s.Secret {
			name += " (or `" + s.Name + "_FILE`)"
		}
		switch {
		case s.Required:
			def = "required"
		case s.Default != "":
			def = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, def, s.Accepted, s.Meaning)
	}
	return b.String()
}

// field is one setting and its place in a Settings.
type field struct {
	Setting
	goName string
	tag    reflect.StructTag
	value  reflect.Value
}

func fieldsOf(s *Settings) []field {
	var list []field
	root := reflect.ValueOf(s).Elem()
	for _, group := range root.Fields() {
		if group.Kind() == reflect.Struct {
			for sf, value := range group.Fields() {
				list = append(list, newField(sf, value))
			}
		}
	}
	return list
}

func newField(sf reflect.StructField, v reflect.Value) field {
	_, secret := reflect.TypeAssert[Secret](v)
	return field{
		Setting: Setting{
			Name:     sf.Tag.Get("env"),
			Default:  sf.Tag.Get("envDefault"),
			Accepted: accepted(sf.Tag, v),
			Meaning:  sf.Tag.Get("doc"),
			Secret:   secret,
			Required: sf.Tag.Get("required") == "true",
		},
		goName: sf.Name, tag: sf.Tag, value: v,
	}
}

// accepted says in words what the other tags and the type demand.
func accepted(tag reflect.StructTag, v reflect.Value) string {
	if words := tag.Get("accepted"); words != "" {
		return words
	}
	if list := tag.Get("oneof"); list != "" {
		return strings.ReplaceAll(list, ",", ", ")
	}
	if lo := tag.Get("min"); lo != "" {
		return lo + " to " + tag.Get("max")
	}
	if tag.Get("pattern") == "name" {
		return "letters, digits, dot, dash, underscore; at most " + fmt.Sprint(maxName)
	}
	if v.Kind() == reflect.Bool {
		return "true, false"
	}
	return "text"
}

// Default is the default of a setting.
func Default(name string) string {
	for _, s := range Table() {
		if s.Name == name {
			return s.Default
		}
	}
	return ""
}
