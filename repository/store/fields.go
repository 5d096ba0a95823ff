package store

import "strconv"

// fields shows the members of a JSON object to see until it returns false: the name with its quotes, and the value as it is
// written. The text has to be valid JSON; of anything else it shows less, or nothing.
func fields(text []byte, see func(name, value []byte) bool) {
	i := space(text, 0)
	if i >= len(text) || text[i] != '{' {
		return
	}
	for i++; ; i++ {
		start := space(text, i)
		if start >= len(text) || text[start] != '"' {
			return
		}
		end := past(text, start)
		colon := space(text, end)
		if colon >= len(text) || text[colon] != ':' {
			return
		}
		from := space(text, colon+1)
		to := past(text, from)
		if to == from || !see(text[start:end], text[from:to]) {
			return
		}
		if i = space(text, to); i >= len(text) || text[i] != ',' {
			return
		}
	}
}

// field is the value of one member, nil when there is none.
func field(text []byte, name string) (found []byte) {
	fields(text, func(n, value []byte) bool {
		if string(n[1:len(n)-1]) == name {
			found = value
		}
		return found == nil
	})
	return found
}

func space(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// past is where the value that begins at i ends.
func past(text []byte, i int) int {
	depth := 0
	for i < len(text) {
		switch text[i] {
		case '"':
			i = pastText(text, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
			continue
		default:
			i = pastWord(text, i)
		}
		if depth <= 0 {
			return i
		}
	}
	return len(text)
}

func pastText(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

func pastWord(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case ',', ':', '}', ']', ' ', '\t', '\n', '\r':
			return i
		}
	}
	return len(text)
}

// number is what the groups of a measure are put in order by: the number, or how often the first value of a top list was
// there. Texts have none.
func number(value []byte) (float64, bool) {
	if len(value) == 0 {
		return 0, false
	}
	if value[0] == '[' {
		if first := space(value, 1); first < len(value) && value[first] == '{' {
			return number(field(value[first:past(value, first)], "count"))
		}
		return 0, false
	}
	n, err := strconv.ParseFloat(string(value), 64)
	return n, err == nil
}
