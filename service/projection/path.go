package projection

import "unicode/utf8"

// KindAt is the kind of the value that raw begins with. Of what begins no value it is Missing.
func KindAt(raw []byte) Kind {
	if len(raw) == 0 {
		return Missing
	}
	switch raw[0] {
	case '{':
		return Object
	case '[':
		return List
	}
	_, kind := scalarEnd(raw, 0)
	return kind
}

// MemberOf is the value of the last member of that name. The object is the whole of a value that is known to be valid; of
// any other value there is no member.
func MemberOf(object []byte, name string) (raw []byte, ok bool) {
	if len(object) == 0 || object[0] != '{' {
		return nil, false
	}
	i := skipSpace(object, 1)
	for i < len(object) && object[i] == '"' {
		start := i + 1
		end, kind := stringEnd(object, start)
		if end < 0 {
			return nil, false
		}
		at := skipSpace(object, skipSpace(object, end)+1) // over the colon
		i = validEnd(object, at)
		if i < 0 {
			return nil, false
		}
		if isName(object[start:end-1], kind, name) {
			raw, ok = object[at:i], true
		}
		i = skipSpace(object, skipSpace(object, i)+1) // over the comma
	}
	return raw, ok
}

// isName says whether the bytes between the quotes of a key are that name.
func isName(key []byte, kind Kind, name string) bool {
	if kind != Escaped && string(key) == name {
		return utf8.ValidString(name)
	}
	for len(key) > 0 {
		r, size := decodeRune(key)
		key = key[size:]
		other, size := utf8.DecodeRuneInString(name)
		if r != other || size == 0 || other == utf8.RuneError && size == 1 {
			return false
		}
		name = name[size:]
	}
	return name == ""
}

// ElementOf is the element with that index, from 0; a negative one counts from the end: -1 is the last. The list is the
// whole of a value that is known to be valid; of any other value there is no element.
func ElementOf(list []byte, index int) (raw []byte, ok bool) {
	if len(list) == 0 || list[0] != '[' {
		return nil, false
	}
	if index < 0 {
		for _, end := nextElement(list, 1); end > 0; _, end = nextElement(list, end) {
			index++
		}
	}
	if index < 0 {
		return nil, false
	}
	at, end := nextElement(list, 1)
	for ; end > 0 && index > 0; index-- {
		at, end = nextElement(list, end)
	}
	if end <= 0 {
		return nil, false
	}
	return list[at:end], true
}

// nextElement is where the next element begins and ends; i is behind the opening bracket or behind the element before.
// There is no more if the end is -1.
func nextElement(list []byte, i int) (start, end int) {
	i = skipSpace(list, i)
	if i < len(list) && list[i] == ',' {
		i = skipSpace(list, i+1)
	}
	return i, validEnd(list, i)
}

// validEnd is the end of a value that is known to be valid, -1 if there is none.
func validEnd(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	if b[i] != '{' && b[i] != '[' {
		end, _ := scalarEnd(b, i)
		return end
	}
	for depth := 0; i < len(b); {
		switch b[i] {
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
			if depth == 0 {
				return i
			}
		case '"':
			if i, _ = stringEnd(b, i+1); i < 0 {
				return -1
			}
		default:
			i++
		}
	}
	return -1
}
