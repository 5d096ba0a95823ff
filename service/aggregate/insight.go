package aggregate

import "strconv"

// address is how the key of an insight begins: what it is about, as a JSON array.
func (s *series) address(dst []byte, start, end int64) []byte {
	dst = appendText(append(dst, '['), s.def.Name)
	dst = append(appendHex(append(dst, `,"`...), s.def.id), `","`...)
	dst = append(appendTime(dst, start), `","`...)
	return append(appendTime(dst, end), '"')
}

// address is series.address. All groups of a window share it.
func (s *shelf) address(dst []byte, start, end int64) []byte {
	if s.kind != keyWindow {
		return s.series.address(dst, start, end)
	}
	if s.keys == nil {
		s.keys = s.series.address(nil, start, end)
	}
	return append(dst, s.keys...)
}

// address ends the key of an insight with its group. The overflow of each partition is one of its own.
func (c *committing) address(dst, group []byte) []byte {
	if string(group) == other {
		dst = append(strconv.AppendInt(append(dst, `,{"other":`...), int64(c.number), 10), '}')
	} else if len(group) > 0 {
		dst = append(append(dst, ','), group...)
	}
	return append(dst, ']')
}

// appendAnomaly makes the key of an insight that of the anomaly beside it.
func appendAnomaly(key []byte) []byte { return append(key[:len(key)-1], `,"anomaly"]`...) }

// heading is how an insight begins, up to its group.
func (s *series) heading(dst []byte, kind string, start, end int64) []byte {
	dst = appendText(append(dst, `{"pipeline":`...), s.def.Pipeline)
	dst = appendText(append(dst, `,"aggregate":`...), s.def.Name)
	dst = append(append(append(dst, `,"kind":"`...), kind...), `","window":{"start":"`...)
	dst = append(appendTime(dst, start), `","end":"`...)
	return append(appendTime(dst, end), `"},"group":{`...)
}

// heading is series.heading. All groups of a window share it.
func (s *shelf) heading(dst []byte, start, end int64) []byte {
	if s.kind != keyWindow {
		return s.series.heading(dst, "session", start, end)
	}
	if s.texts == nil {
		s.texts = s.series.heading(nil, "window", start, end)
	}
	return append(dst, s.texts...)
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

// measures writes the members of an insight's measures. One that earlier definitions had is only there where it counted.
func (s *series) measures(dst, measures []byte) []byte {
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
		dst = append(append(dst, m.member...), ':')
		if state == nil {
			dst = append(dst, "null"...)
		} else {
			dst = s.functions.of(m.id).AppendJSON(dst, state)
		}
	}
	return dst
}

// describe writes the insight of a group in a window or session: see docs/aggregation.md.
func (c *committing) describe(dst []byte, at *shelf, start, end int64, group, measures []byte, v *value) []byte {
	s := at.series
	dst = append(s.group(at.heading(dst, start, end), group), `},"measures":{`...)
	first := len(dst)
	dst = s.measures(dst, measures)
	c.highlight(s, start, end, group, dst[first:], measures, v.final)
	dst = append(dst, '}')
	if string(group) == other {
		dst = strconv.AppendInt(append(dst, `,"overflow":true,"partition":`...), int64(c.number), 10)
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
	return append(s.measures(dst, e.measures), "}}"...)
}
