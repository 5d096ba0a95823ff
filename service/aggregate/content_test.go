package aggregate

import (
	"fmt"
	"slices"
	"strings"
)

// content is all that a partition holds, as text: equal partitions have equal texts.
func content(p *Partition) string {
	m := p.current()
	lines := []string{fmt.Sprintf("meta %x", m.append(nil))}
	for _, s := range p.order {
		text := fmt.Sprintf("%s %s", s.def.id, s.def.record(nil))
		if s.def.session() {
			lines = append(lines, contentOf(s.index, text+" index")...)
		}
		lines = append(lines, text)
		for _, at := range s.shelves() {
			lines = append(lines, contentOf(at, s.def.id.String())...)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func contentOf(s *shelf, of string) (lines []string) {
	for n := range s.order {
		if e := s.numbered(n); e != nil {
			lines = append(lines, fmt.Sprintf("%s %c %d %q: %x", of, max(s.kind, '-'), s.start, e.key(), e.value()))
		}
	}
	return lines
}
