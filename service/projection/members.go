package projection

import "math/bits"

// object reads the object whose inside begins with json[i], and returns the index behind its closing brace, or -1.
func (p *Projection) object(json []byte, i int, e *Event) int {
	i = skipSpace(json, i)
	if i < len(json) && json[i] == '}' {
		return i + 1
	}
	return p.members(json, i, e)
}

// members reads one member or more, the first of which begins with json[i], and the closing brace of their object. It
// returns the index behind that, or -1.
func (p *Projection) members(json []byte, i int, e *Event) int {
	run := false // the last member is a run of unknown ones, and nothing came between
	for {
		start := i
		field, at := p.key(json, i, e)
		if at < 0 {
			return -1
		}
		var end int
		var kind Kind
		if json[at] == '"' { // value would find that out too, two calls later
			end, kind = stringEnd(json, at+1)
		} else {
			end, kind = value(json, at, 1, &e.open)
		}
		if end < 0 {
			return -1
		}
		switch {
		case field >= 0:
			f := &e.Fields[field]
			if f.Kind == Missing {
				e.Members = append(e.Members, Member{Field: field, Start: uint32(start), End: uint32(end)})
			}
			*f = Field{Key: uint32(start), Start: uint32(at), End: uint32(end), Kind: kind}
			run = false
		case run:
			e.Members[len(e.Members)-1].End = uint32(end)
		default:
			e.Members = append(e.Members, Member{Field: -1, Start: uint32(start), End: uint32(end)})
			run = true
		}
		if i = end; i+2 < len(json) && json[i] == ',' { // what mostly comes: a comma, and no blank or one
			i++
			if json[i] == ' ' {
				i++
			}
			if json[i] == '"' {
				continue
			}
		}
		var more bool
		if i, more = nextKey(json, end); !more {
			return i
		}
	}
}

// nextKey goes from behind a value to the next key. If there is no more it returns the index behind the closing brace, or
// -1 if that is missing.
func nextKey(json []byte, i int) (at int, more bool) {
	i = skipSpace(json, i)
	switch {
	case i == len(json):
		return -1, false
	case json[i] == ',':
		return skipSpace(json, i+1), true
	case json[i] == '}':
		return i + 1, false
	}
	return -1, false
}

// key reads the key whose opening quote is json[i], and its colon. It returns which wanted field that is, or -1, and where
// the value begins, or -1.
func (p *Projection) key(json []byte, i int, e *Event) (field int32, at int) {
	if i > len(json)-9 || json[i] != '"' {
		return p.oddKey(json, i, e)
	}
	i++
	first, last := word(json[i:]), uint64(0)
	end := i
	if m := special(first); m != 0 {
		first &= (m&-m)>>7 - 1 // the bytes below the mark
		end += bits.TrailingZeros64(m) / 8
		if json[end] != '"' {
			return p.oddKey(json, i-1, e)
		}
	} else {
		var kind Kind
		end, kind = stringEnd(json, i+8)
		if kind != Text && kind != Unicode {
			return p.oddKey(json, i-1, e)
		}
		end--
		last = word(json[end-8:])
	}
	if entry := &p.table[p.place(first, last, end-i)]; entry.is(first, last, end-i) {
		field = entry.field
	} else {
		field = p.find(first, last, json[i:end])
		if field < 0 && p.replaced {
			field = p.findDecoded(json[i:end], e)
		}
	}
	return field, valueStart(json, end+1)
}

// oddKey is key for what has an escape, a mistake, or the end of the JSON near.
func (p *Projection) oddKey(json []byte, i int, e *Event) (field int32, at int) {
	if i >= len(json) || json[i] != '"' {
		return -1, -1
	}
	end, _ := stringEnd(json, i+1)
	if end < 0 {
		return -1, -1
	}
	return p.findDecoded(json[i+1:end-1], e), valueStart(json, end)
}
