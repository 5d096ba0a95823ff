package service

import (
	"unicode/utf8"

	"data-stream-engine/service/expression"
)

// record is a JSON object as the list of its top-level fields, in their order. A key that repeats is there once, at
// its first place with its last value.
type record struct {
	fields []field
	byName map[string]int // only for records with many fields
}

// field is a top-level field. Its slices lie in the message or in scratch memory.
type field struct {
	name   []byte // without escapes
	quoted []byte // as it stands in the JSON
	value  []byte
}

// many is the number of fields from which on a map finds them faster than looking at each.
const many = 24

// read takes a valid JSON object apart.
func (r *record) read(object []byte) error {
	r.clear()
	i := skipSpace(object, skipSpace(object, 0)+1)
	for object[i] != '}' {
		end := skipValue(object, i)
		f := field{quoted: object[i:end]}
		i = skipSpace(object, skipSpace(object, end)+1)
		end = skipValue(object, i)
		f.value = object[i:end]
		var err error
		if f.name, err = plainName(f.quoted); err != nil {
			return err
		}
		if at := r.find(string(f.name)); at >= 0 {
			r.fields[at].value = f.value
		} else {
			r.add(f)
		}
		if i = skipSpace(object, end); object[i] == ',' {
			i = skipSpace(object, i+1)
		}
	}
	return nil
}

func plainName(quoted []byte) ([]byte, error) {
	name := quoted[1 : len(quoted)-1]
	for _, c := range name {
		if c == '\\' || c >= utf8.RuneSelf {
			text, err := expression.DecodeText(quoted)
			return []byte(text), err
		}
	}
	return name, nil
}

func (r *record) clear() {
	r.fields = r.fields[:0]
	clear(r.byName)
}

func (r *record) add(f field) {
	r.fields = append(r.fields, f)
	if len(r.fields) < many {
		return
	}
	if len(r.byName) == 0 {
		if r.byName == nil {
			r.byName = map[string]int{}
		}
		for i := range r.fields {
			r.byName[string(r.fields[i].name)] = i
		}
	}
	r.byName[string(f.name)] = len(r.fields) - 1
}

// find is the place of a field, -1 when there is none.
func (r *record) find(name string) int {
	if len(r.fields) >= many {
		if i, ok := r.byName[name]; ok {
			return i
		}
		return -1
	}
	for i := range r.fields {
		if string(r.fields[i].name) == name {
			return i
		}
	}
	return -1
}

// Field is the value of a field, for expressions.
func (r *record) Field(name string) ([]byte, bool) {
	if i := r.find(name); i >= 0 {
		return r.fields[i].value, true
	}
	return nil, false
}

// Names are the names of all fields, for expressions.
func (r *record) Names() []string {
	names := make([]string, len(r.fields))
	for i := range r.fields {
		names[i] = string(r.fields[i].name)
	}
	return names
}

// size is how many bytes the JSON of the record has.
func (r *record) size() int {
	n := len("{}")
	for i := range r.fields {
		n += len(r.fields[i].quoted) + len(r.fields[i].value) + len(":,")
	}
	return n
}

// append writes the record without white space between its fields; inside of a value everything stays as it is.
func (r *record) append(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range r.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, r.fields[i].quoted...)
		dst = append(dst, ':')
		dst = append(dst, r.fields[i].value...)
	}
	return append(dst, '}')
}

// skipSpace is the first place from i on that is not white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue is the end of the value that begins at i. b is valid JSON.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipText(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return i
		}
		i++
	}
	return i
}

func skipText(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipNested(b []byte, i int) int {
	for depth := 0; ; {
		switch b[i] {
		case '"':
			i = skipText(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if i++; depth == 0 {
			return i
		}
	}
}
