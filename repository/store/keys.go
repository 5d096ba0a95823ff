package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strings"

	"data-stream-engine/model"
)

// digest is 64 bits of SHA-256 over parts: short keys for indexes, whatever length a value of a group has. Where two texts
// that differ must never be taken for one, they are compared as well.
func digest(parts ...string) int64 {
	h := sha256.New()
	var length [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write([]byte(p))
	}
	return int64(binary.BigEndian.Uint64(h.Sum(nil)))
}

// groupID tells the groups of all aggregates apart. What is beyond max_groups is counted by each partition for itself.
func groupID(in *model.Insight) int64 {
	part := ""
	if string(field(in.Document, "overflow")) == "true" {
		part = string(field(in.Document, "partition"))
	}
	return digest("group", in.Aggregate, in.Definition, string(in.Group), part)
}

// member is one value of a group.
type member struct {
	name  string
	value json.RawMessage
}

// members takes a group apart.
func members(group []byte) []member {
	var list []member
	fields(group, func(name, value []byte) bool {
		if text, ok := asText(name); ok {
			list = append(list, member{text, value})
		}
		return true
	})
	return list
}

// terms are what the members of a group are found by.
func terms(aggregate string, group []byte) []int64 {
	var list []int64
	for _, m := range members(group) {
		list = append(list, term(aggregate, m.name, m.value))
	}
	return list
}

// term stands for one value of a group. A text is the same however it was escaped.
func term(aggregate, name string, value []byte) int64 {
	if text, ok := asText(value); ok {
		return digest("text", aggregate, name, text)
	}
	return digest("json", aggregate, name, string(bytes.TrimSpace(value)))
}

// wanted are the terms that a value in a question may mean: the text, or the JSON.
func wanted(aggregate, name, value string) []int64 {
	list := []int64{digest("text", aggregate, name, value)}
	if json.Valid([]byte(value)) {
		if t := term(aggregate, name, []byte(value)); t != list[0] {
			list = append(list, t)
		}
	}
	return list
}

func asText(value []byte) (string, bool) {
	value = bytes.TrimSpace(value)
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	var text string
	return text, json.Unmarshal(value, &text) == nil
}

// words are the values of a group as a search sees them: lower case, each on a line of its own.
func words(dst []byte, group []byte) []byte {
	for _, m := range members(group) {
		text, ok := asText(m.value)
		if !ok {
			text = string(m.value)
		}
		dst = append(append(dst, strings.ToLower(text)...), '\n')
	}
	return dst
}

// storable is text that both databases take: valid, and without the byte 0, which PostgreSQL refuses.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
