package pipelinetest

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"data-stream-engine/service"
)

// diff collects what differs in a case, as lines for a person.
type diff struct {
	exact bool
	lines []string
}

func (d *diff) add(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// records compares the records of one topic, or the dead letters (topic ""), with those that were expected, in order.
func (d *diff) records(topic string, want []*expected, got []*service.Written) {
	what := "record"
	if topic == "" {
		what = "dead letter"
	}
	title := func(n int, input int) string {
		text := fmt.Sprintf("%s %d", what, n)
		if topic != "" {
			text += " of " + topic
		}
		if input >= 0 {
			text += fmt.Sprintf(", from input %d", input+1)
		}
		return text
	}
	for _, p := range d.align(want, got) {
		switch {
		case p.got < 0:
			d.add("%s: expected, but it did not come", title(p.want+1, -1))
			d.wanted(want[p.want])
		case p.want < 0:
			w := got[p.got]
			d.add("%s: came, but was not expected", title(p.got+1, w.Message))
			d.came(w, topic == "")
		default:
			if list := differences(want[p.want], got[p.got], d.exact); len(list) > 0 {
				d.add("%s:", title(p.got+1, got[p.got].Message))
				d.table(list)
			}
		}
	}
}

// pair is an expected record and the one that came for it; -1: none.
type pair struct{ want, got int }

// align pairs what was expected with what came, in order and with as few differences as there can be: one record that
// is missing does not shift all that follow it.
func (d *diff) align(want []*expected, got []*service.Written) []pair {
	const gap, differs = 3, 4 // a pair that differs is better than one too few and one too many, one of another key little
	costs := make([][]int, len(want)+1)
	for i := len(want); i >= 0; i-- {
		costs[i] = make([]int, len(got)+1)
		for j := len(got); j >= 0; j-- {
			switch {
			case i == len(want):
				costs[i][j] = gap * (len(got) - j)
			case j == len(got):
				costs[i][j] = gap * (len(want) - i)
			default:
				both := costs[i+1][j+1]
				if list := differences(want[i], got[j], d.exact); len(list) > 0 {
					both += differs
					if list[0].what == "key" {
						both++
					}
				}
				costs[i][j] = min(both, gap+costs[i+1][j], gap+costs[i][j+1])
			}
		}
	}
	var pairs []pair
	i, j := 0, 0
	for i < len(want) || j < len(got) {
		switch {
		case i < len(want) && costs[i][j] == gap+costs[i+1][j]:
			pairs = append(pairs, pair{i, -1})
			i++
		case j < len(got) && costs[i][j] == gap+costs[i][j+1]:
			pairs = append(pairs, pair{-1, j})
			j++
		default:
			pairs = append(pairs, pair{i, j})
			i, j = i+1, j+1
		}
	}
	return pairs
}

// table puts expected and got below each other, so that the eye finds where they part.
func (d *diff) table(list []difference) {
	for _, x := range list {
		d.add("    %s", x.what)
		d.add("        expected  %s", service.Printable(x.expected))
		d.add("        got       %s", service.Printable(x.got))
		if mark := firstDifference(service.Printable(x.expected), service.Printable(x.got)); mark > 20 {
			d.add("                  %s^", strings.Repeat(" ", mark))
		}
	}
}

// firstDifference is how many characters two texts share at their beginning.
func firstDifference(a, b string) int {
	n := 0
	for a != "" && b != "" {
		x, size := utf8.DecodeRuneInString(a)
		y, _ := utf8.DecodeRuneInString(b)
		if x != y {
			break
		}
		a, b, n = a[size:], b[size:], n+1
	}
	return n
}

func (d *diff) wanted(e *expected) {
	for _, x := range []struct {
		what string
		text *string
	}{{"stage", e.stage}, {"code", e.code}, {"reason", e.reason}} {
		if x.text != nil {
			d.add("        %-8s  %s", x.what, service.Printable(*x.text))
		}
	}
	if e.key != nil {
		d.add("        key       %s", service.Printable(show(e.key.bytes)))
	}
	if e.value != nil {
		d.add("        value     %s", service.Printable(show(e.value.bytes)))
	}
}

func (d *diff) came(w *service.Written, letter bool) {
	if letter {
		for _, h := range []struct{ what, header string }{{"stage", service.HeaderStage}, {"code", service.HeaderCode}, {"reason", service.HeaderMessage}} {
			text, _ := w.Header(h.header)
			d.add("        %-8s  %s", h.what, service.Printable(text))
		}
	}
	d.add("        key       %s", service.Printable(show(w.Key)))
	d.add("        value     %s", service.Printable(show(w.Value)))
}
