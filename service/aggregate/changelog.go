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
	dst = binary.AppendUvarint(dst, uint64(len(m.sources)))
	for _, q := range slices.Sorted(maps.Keys(m.sources)) {
		source := m.sources[q]
		dst = source.append(dst)
	}
	for _, id := range slices.Sorted(maps.Keys(m.horizons)) {
		dst = binary.AppendVarint(binary.BigEndian.AppendUint64(dst, uint64(id)), m.horizons[id])
	}
	return dst
}

func parseMeta(b []byte) (meta, error) {
	d := decoder{rest: b}
	if f := d.byte(); f != format {
		return meta{}, fmt.Errorf("its format %d is unknown to this version", f)
	}
	m := meta{inexact: d.byte()&metaInexact != 0, sequence: int64(d.uvarint()), watermark: d.varint(), sources: map[int32]Progress{}, horizons: map[ID]int64{}}
	if m.sequence <= 0 || m.watermark != NoWatermark && !within(m.watermark) {
		d.fail()
	}
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		var q Progress
		if q.read(&d); !d.bad {
			m.sources[q.Partition] = q
		}
	}
	for len(d.rest) > 0 {
		id := ID(d.uint64())
		m.horizons[id] = d.varint()
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
		p.add(s)
	}
	var at *shelf
	switch kind {
	case keyWindow:
		at = s.windows.at(s, start)
	case keyPane:
		at = s.panes.at(s, start)
	case keySession:
		at = s.sessions
	case keyHistory:
		at = s.history
	default:
		return fmt.Errorf("the changelog has a record of kind %q, which is unknown to this version", kind)
	}
	if len(d.rest) > maxKey {
		return errCut
	}
	if value != nil {
		at.put(d.rest, value)
	} else if e, _ := at.find(d.rest); e != nil {
		at.drop(e)
	}
	return nil
}

// Restored ends a restore: everything is checked and indexed.
func (p *Partition) Restored() error {
	for _, s := range p.order {
		if len(s.names) == 0 {
			return fmt.Errorf("the changelog has state of definition %s, but not the definition", s.def.id)
		}
		s.changed = false
		s.windows.prune()
		s.panes.prune()
		for _, at := range s.shelves() {
			for n := range at.order {
				e := at.numbered(n)
				if e == nil {
					continue
				}
				if err := s.verify(at, e.key(), e.value()); err != nil {
					return fmt.Errorf("the changelog's state of %s: %w", s.def.Name, err)
				}
			}
		}
	}
	return nil
}

// verify checks a value, and puts a session into the index.
func (s *series) verify(at *shelf, key, b []byte) error {
	if at.kind == keyHistory {
		return verifyPast(key, b)
	}
	v, err := parseValue(b)
	if err != nil {
		return err
	}
	if err := s.functions.check(v.measures); err != nil {
		return err
	}
	switch {
	case at.kind != keySession:
		if size := s.step(at.kind); size == 0 || at.start != floor(at.start, size) || !within(at.start) {
			return errCut
		}
	case len(key) < 8:
		return errCut
	default:
		first, group := splitSessionKey(key)
		if !within(first) || !within(first+v.length) {
			return errCut
		}
		all := append(intervals(nil, s.index.get(group)), interval{first, first + v.length})
		slices.SortFunc(all, byTime)
		s.index.put(group, appendIntervals(nil, all))
	}
	return nil
}

// step is what the starts of windows or panes are multiples of, 0 when a series has none.
func (s *series) step(kind byte) int64 {
	switch {
	case s.def.session(), kind == keyPane && !s.hopping():
		return 0
	case kind == keyPane:
		return s.def.panes
	}
	return s.def.Window.Every
}
