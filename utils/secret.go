package utils

import "fmt"

// redacted is what every way of printing a Secret shows.
const redacted = "[secret]"

// Secret is a value that no log, error, page or dump may show. Only Reveal hands it out.
type Secret string

// Reveal is the value itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// Format prints "[secret]" whatever the verb, and nothing when there is none.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// String is "[secret]", or empty when there is none.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString is what %#v prints.
func (s Secret) GoString() string { return s.String() }

// MarshalText is what JSON and YAML encoders write.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
