package aggregate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

func appendMetaKey(dst []byte) []byte { return append(dst, format, keyMeta) }

func appendDefinitionKey(dst []byte, id ID) []byte {
	return binary.BigEndian.AppendUint64(append(dst, format, keyDefinition), uint64(id))
}

const metaInexact = 1

func (m *meta) append(dst []byte) []byte {
	flags := byte(0)
	if m.inexact {
		flags = metaInexact
	}
	dst = binary.AppendUvarint(append(dst, format, flags), uint64(m.sequence))
	dst = binary.AppendVarint(dst, m.watermark)
	for _, q := range slices.Sorted(maps.Keys(m.sources)) {
		source := m.sources[q]
		dst = source.append(dst)
	}
	return dst
}

func parseMeta(b []byte) (meta, error) {
	d := decoder{rest: b}
	if f := d.byte(); f != format {
		return meta{}, fmt.Errorf("its format %d is unknown to this version", f)
	}
	m := meta{inexact: d.byte()&metaInexact != 0, sequence: int64(d.uvarint()), watermark: d.varint(), sources: map[int32]Progress{}}
	for len(d.rest) > 0 {
		var q Progress
		q.read(&d)
		m.sources[q.Partition] = q
	}
	if d.bad {
		return m, errCut
	}
	return m, nil
}

// Restore takes one record of the changelog, in the order of the log. The first error is final: state that cannot be read
// must not be gone on with.
func (p *Partition) Restore(key, value []byte) error {
	d := decoder{rest: key}
	if d.byte() != format || len(d.rest) == 0 {
		return fmt.Errorf("the format of a record in the changelog is unknown to this version: % x", key[:min(len(key), 8)])
	}
	kind := d.byte()
	switch {
	case kind == keyMeta:
		m, err := parseMeta(value)
		if err != nil {
			return fmt.Errorf("the changelog's record of watermarks: %w", err)
		}
		p.meta = m
		return nil
	case kind == keyDefinition && value == nil:
		return nil
	case kind == keyDefinition:
		d := decoder{rest: value}
		if d.byte() != format || d.byte() != kindDefinition {
			return errors.New("the changelog has a definition of a format that is unknown to this version")
		}
		return p.define(d.rest)
	}
	return p.restore(kind, &d, value)
}

// restore puts a record in its place. Records may stand before the definition that they need: compaction keeps the last
// record of each key where it was.
func (p *Partition) restore(kind byte, d *decoder, value []byte) error {
	id, start := ID(d.uint64()), d.varint()
	if d.bad {
		return errCut
	}
	s := p.series[id]
	if s == nil {
		s = newSeries(&Definition{id: id})
		p.series[id] = s
		p.order = append(p.order, s)
	}
	var at *shelf
	switch kind {
	case keyWindow:
		at = s.window(start)
	case keyPane:
		at = s.paneAt(start)
	case keySession:
		at = s.sessions
	case keyHistory:
		at = s.history
	default:
		return fmt.Errorf("the changelog has a record of kind %q, which is unknown to this version", kind)
	}
	if value == nil {
		at.remove(d.rest)
		return nil
	}
	at.put(d.rest, value)
	return nil
}

// Restored ends a restore: everything is checked and indexed.
func (p *Partition) Restored() error {
	for _, s := range p.order {
		if len(s.names) == 0 {
			return fmt.Errorf("the changelog has state of definition %s, but not the definition", s.def.id)
		}
		s.changed = false
		for start, at := range s.windows {
			if at.len() == 0 {
				delete(s.windows, start)
			}
		}
		for start, at := range s.panes {
			if at.len() == 0 {
				delete(s.panes, start)
			}
		}
		for _, at := range s.shelves() {
			if err := s.verify(at); err != nil {
				return fmt.Errorf("the changelog's state of %s: %w", s.def.Name, err)
			}
		}
	}
	return nil
}

// verify checks the values of a shelf, and finds the sessions of each group.
func (s *series) verify(at *shelf) error {
	if at.kind == keyHistory {
		return nil
	}
	for n := range at.entries {
		e := &at.entries[n]
		if e.gone {
			continue
		}
		v, err := parseValue(at.valueOf(e))
		if err == nil {
			err = s.functions.check(v.measures)
		}
		if err != nil {
			return err
		}
		if at.kind != keySession {
			continue
		}
		if len(at.keyOf(e)) < 8 {
			return errCut
		}
		first, group := splitSessionKey(at.keyOf(e))
		all := append(intervals(s.index.get(group)), interval{first, first + v.length})
		slices.SortFunc(all, byTime)
		s.index.put(group, appendIntervals(nil, all))
	}
	return nil
}
