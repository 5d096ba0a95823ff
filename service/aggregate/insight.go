package aggregate

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"
)

// appendTime writes milliseconds since 1970 as RFC 3339 in UTC, without zeros at the end of the fraction.
func appendTime(dst []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(dst, "2006-01-02T15:04:05.999Z07:00")
}

// appendText writes a JSON string of text that is valid UTF-8.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, `\u00`...)
			dst = append(dst, "0123456789abcdef"[r>>4], "0123456789abcdef"[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// elements yields the elements of a group: JSON scalars with commas between them. The commas within texts are none.
func elements(group []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(group) > 0 {
			end := 0
			if group[0] == '"' {
				for end = 1; end < len(group) && group[end] != '"'; end++ {
					if group[end] == '\\' {
						end++
					}
				}
				end = min(end+1, len(group))
			} else if end = bytes.IndexByte(group, ','); end < 0 {
				end = len(group)
			}
			if !yield(group[:end]) || end >= len(group) {
				return
			}
			group = group[end+1:]
		}
	}
}

// insightKey is the key of an insight: what it is about, as a JSON array. The overflow group of each partition has its own.
func (c *committing) insightKey(s *series, start, end int64, group []byte) []byte {
	b := appendText(append(c.key[:0], '['), s.def.Name)
	b = append(append(append(b, `,"`...), s.def.id.String()...), `","`...)
	b = append(append(appendTime(b, start), `","`...), appendTime(nil, end)...)
	b = append(b, '"')
	if string(group) == other {
		b = strconv.AppendInt(append(b, `,"(other)",`...), int64(c.number), 10)
	} else if len(group) > 0 {
		b = append(append(b, ','), group...)
	}
	c.key = append(b, ']')
	return c.key
}

// heading writes an insight up to its group.
func (c *committing) heading(dst []byte, s *series, kind string, start, end int64) []byte {
	dst = appendText(append(dst, `{"pipeline":`...), s.def.Pipeline)
	dst = appendText(append(dst, `,"aggregate":`...), s.def.Name)
	dst = append(append(append(dst, `,"kind":"`...), kind...), `","window":{"start":"`...)
	dst = append(appendTime(dst, start), `","end":"`...)
	return append(appendTime(dst, end), `"},"group":{`...)
}

// group writes the members of an insight's group.
func (s *series) group(dst, group []byte) []byte {
	if string(group) == other {
		for i, name := range s.def.GroupBy {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendText(dst, name), `:"(other)"`...)
		}
		return dst
	}
	i := 0
	for value := range elements(group) {
		if i > 0 {
			dst = append(dst, ',')
		}
		if i < len(s.def.GroupBy) {
			dst = append(append(appendText(dst, s.def.GroupBy[i]), ':'), value...)
		}
		i++
	}
	return dst
}

// describe writes the insight of a group in a window: see docs/aggregation.md. at keeps the beginning that all groups of
// a window share.
func (c *committing) describe(dst []byte, s *series, at *shelf, start, end int64, group, measures []byte, v *value) []byte {
	if s.def.session() {
		dst = c.heading(dst, s, "session", start, end)
	} else {
		if at.text == nil {
			at.text = c.heading(nil, s, "window", start, end)
		}
		dst = append(dst, at.text...)
	}
	dst = append(s.group(dst, group), `},"measures":{`...)
	first := len(dst)
	for i := range s.names {
		m := &s.names[i]
		state := stateOf(measures, m.id)
		if state == nil && !m.latest {
			continue
		}
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, m.name), ':')
		if state == nil {
			dst = append(dst, "null"...)
		} else {
			dst = s.functions[m.id].AppendJSON(dst, state)
		}
	}
	c.highlight(s, start, end, group, dst[first:], measures, v.final)
	if string(group) == other {
		dst = strconv.AppendInt(append(dst, `},"overflow":true,"partition":`...), int64(c.number), 10)
	} else {
		dst = append(dst, '}')
	}
	dst = strconv.AppendBool(append(dst, `,"final":`...), v.final)
	dst = strconv.AppendUint(append(dst, `,"revision":`...), v.revision, 10)
	return append(append(append(dst, `,"updated_at":"`...), c.stamp...), `"}`...)
}

// document is an expired partial for people: what it would have counted, and where.
func (e *expired) document(dst []byte) []byte {
	s := e.series
	dst = appendText(append(dst, `{"pipeline":`...), s.def.Pipeline)
	dst = appendText(append(dst, `,"aggregate":`...), s.def.Name)
	dst = append(append(append(dst, `,"definition":"`...), s.def.id.String()...), `","window":{"start":"`...)
	dst = append(appendTime(dst, e.start), `","end":"`...)
	dst = append(s.group(append(appendTime(dst, e.end), `"},"group":{`...), e.group), `},"measures":{`...)
	for i := range s.names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, s.names[i].name), ':')
		if state := stateOf(e.measures, s.names[i].id); state != nil {
			dst = s.functions[s.names[i].id].AppendJSON(dst, state)
		} else {
			dst = append(dst, "null"...)
		}
	}
	return append(dst, "}}"...)
}
