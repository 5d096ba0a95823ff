package aggregate

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// past is what a group usually has: an exponentially weighted mean and variance over its closed windows (Finch,
// "Incremental calculation of weighted mean and variance", 2009, section 9).
type past struct {
	windows  uint64 // that it knows, counted up to what is asked for
	silent   uint64 // of them the last ones, without an event
	last     int64  // start of the last one
	mean     float64
	variance float64
}

// weight is that of the newest window, once there are enough: the last twenty count for two thirds.
const weight = 0.05

func (h *past) append(dst []byte) []byte {
	dst = binary.AppendVarint(binary.AppendUvarint(binary.AppendUvarint(dst, h.windows), h.silent), h.last)
	dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(h.mean))
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(h.variance))
}

func readPast(b []byte) past {
	d := decoder{rest: b}
	return past{windows: d.uvarint(), silent: d.uvarint(), last: d.varint(), mean: math.Float64frombits(d.uint64()), variance: math.Float64frombits(d.uint64())}
}

// learn takes a window into account.
func (h *past) learn(x float64) {
	h.windows++
	alpha := max(weight, 1/float64(h.windows)) // the plain mean, while there are few
	step := alpha * (x - h.mean)
	h.variance = (1 - alpha) * (h.variance + (x-h.mean)*step)
	h.mean += step
}

// deviation is what is usual around the mean. A count varies by its root at least (Poisson), and nothing is as steady as
// never to vary by a hundredth.
func (h *past) deviation(counts bool) float64 {
	least := math.Abs(h.mean) / 100
	if counts {
		least = max(least, math.Sqrt(math.Abs(h.mean)), 1)
	}
	return max(math.Sqrt(h.variance), least, 1e-9)
}

// begun is the key of the history that says which window of a definition was the first and which the last to be closed.
// It is no JSON, so that no group has it.
const begun = "\x00begun"

// detect looks at a window that has closed, and at those before it that had no event at all.
func (c *committing) detect(s *series, at *shelf) {
	if s.def.Detect == nil {
		return
	}
	b := s.history.get([]byte(begun))
	if b == nil { // the first one began in its middle: it says nothing
		c.note(s, []byte(begun), &past{last: at.start})
		return
	}
	if at.start <= readPast(b).last { // closed before: a revision
		return
	}
	for next, listening := s.unheard(); listening && next < at.start; next, listening = s.unheard() {
		c.silence(s, next)
	}
	for n := range at.entries {
		e := &at.entries[n]
		if e.gone || string(at.keyOf(e)) == other {
			continue
		}
		group := slices.Clone(at.keyOf(e))
		measures := c.measuresOf(s, at, group)
		c.limits(s, at.start, s.end(at.start), group, measures)
		if x, ok := s.number(measures); ok && s.def.Detect.Sigma > 0 {
			c.compare(s, at.start, group, x)
		}
	}
	if s.def.Detect.Sigma > 0 {
		c.silence(s, at.start)
	} else {
		c.note(s, []byte(begun), &past{last: at.start})
	}
}

// unheard is the start of the next window whose silence would be noticed, if groups have a history at all.
func (s *series) unheard() (start int64, listening bool) {
	if s.def.Detect == nil || s.def.Detect.Sigma == 0 || s.history.len() < 2 || s.def.session() {
		return 0, false
	}
	return readPast(s.history.get([]byte(begun))).last + s.def.Window.Every, true
}

// quiet closes windows that nobody had an event in.
func (c *committing) quiet(s *series) {
	for next, listening := s.unheard(); listening && s.def.closedAt(s.end(next)) <= c.next.watermark; next, listening = s.unheard() {
		if c.spent() {
			c.did.More = true
			return
		}
		c.left = max(c.left-s.history.len(), 0)
		c.silence(s, next)
	}
}

// number is the value of the measure that detect names.
func (s *series) number(measures []byte) (float64, bool) {
	i := slices.IndexFunc(s.names, func(m measured) bool { return m.name == s.def.Detect.Measure })
	if i < 0 {
		return 0, false
	}
	state := stateOf(measures, s.names[i].id)
	if state == nil {
		return 0, false
	}
	return s.functions[s.names[i].id].Number(state)
}

// counts tells whether the measure of detect counts something, so that silence is 0 of it.
func (s *series) counts() bool {
	i := slices.IndexFunc(s.def.Measures, func(m MeasureSpec) bool { return m.Name == s.def.Detect.Measure })
	return i >= 0 && slices.Contains([]string{"count", "distinct", "sum"}, s.def.Measures[i].Function)
}

// note keeps a history, and writes it to the changelog.
func (c *committing) note(s *series, key []byte, h *past) {
	c.value = h.append(c.value[:0])
	c.journal.set(s.history, key, c.value)
	c.record(s.history, key, s.history.get(key))
}

// compare holds a value against the history of its group, and then learns it.
func (c *committing) compare(s *series, start int64, group []byte, x float64) {
	var h past
	if b := s.history.get(group); b != nil {
		h = readPast(b)
	} else if s.history.len() > c.groupsOf(s) {
		return // the overflow has no history
	}
	d := s.def.Detect
	if h.windows >= uint64(max(d.MinWindows, 1)) {
		deviation := h.deviation(s.counts())
		if far := math.Abs(x-h.mean) / deviation; far > d.Sigma {
			c.anomaly(s, start, s.end(start), group, fmt.Sprintf("%s, usually %s ± %s (%s sigma)", c.finding(s, start, s.end(start), group, x), short(h.mean), short(deviation), short(far)),
				appendNumbers(nil, d.Measure, x, "usual", h.mean, "deviation", deviation, "sigma", far))
		}
	}
	h.learn(x)
	h.last, h.silent = start, 0
	c.note(s, group, &h)
}

// silence counts groups with a history and no event in a window as 0, for as many windows as a history needs; then they
// are forgotten.
func (c *committing) silence(s *series, start int64) {
	counts := s.counts()
	for n := 0; n < len(s.history.entries); n++ {
		e := &s.history.entries[n]
		if e.gone || string(s.history.keyOf(e)) == begun {
			continue
		}
		h := readPast(s.history.valueOf(e))
		if h.last >= start {
			continue
		}
		group := slices.Clone(s.history.keyOf(e))
		silent := h.silent + 1
		if silent > uint64(max(s.def.Detect.MinWindows, 1)) {
			c.journal.remove(s.history, group)
			c.record(s.history, group, nil)
			continue
		}
		if counts {
			c.compare(s, start, group, 0)
			h = readPast(s.history.get(group))
		}
		h.silent, h.last = silent, start
		c.note(s, group, &h)
	}
	c.note(s, []byte(begun), &past{last: start})
}

// limits holds a value against the fixed limits.
func (c *committing) limits(s *series, start, end int64, group, measures []byte) {
	d := s.def.Detect
	if d == nil || d.Above == nil && d.Below == nil {
		return
	}
	x, ok := s.number(measures)
	if !ok {
		return
	}
	if d.Above != nil && x > *d.Above {
		c.anomaly(s, start, end, group, c.finding(s, start, end, group, x)+", above the limit of "+short(*d.Above), appendNumbers(nil, d.Measure, x, "above", *d.Above))
	}
	if d.Below != nil && x < *d.Below {
		c.anomaly(s, start, end, group, c.finding(s, start, end, group, x)+", below the limit of "+short(*d.Below), appendNumbers(nil, d.Measure, x, "below", *d.Below))
	}
}

// finding is the first half of a sentence: "logins of android, RU: 431 in 10:00-10:01".
func (c *committing) finding(s *series, start, end int64, group []byte, x float64) string {
	var values []string
	for v := range elements(group) {
		values = append(values, plain(v))
	}
	of := ""
	if len(values) > 0 {
		of = " of " + strings.Join(values, ", ")
	}
	return fmt.Sprintf("%s%s: %s in %s", s.def.Detect.Measure, of, short(x), span(start, end))
}

// plain is a scalar of JSON for people.
func plain(value []byte) string {
	if text, err := strconv.Unquote(string(value)); err == nil {
		return text
	}
	return string(value)
}

// span is a stretch of time in UTC for people, its date left out where it is short.
func span(start, end int64) string {
	from, to := time.UnixMilli(start).UTC(), time.UnixMilli(end).UTC()
	layout := "15:04"
	if start%60_000 != 0 || end%60_000 != 0 {
		layout = "15:04:05"
	}
	if from.YearDay() != to.Add(-1).YearDay() || to.Sub(from) >= 24*time.Hour {
		layout = "2006-01-02 " + layout
	}
	return from.Format(layout) + "-" + to.Format(layout)
}

// short is a number with as many digits as a person reads.
func short(x float64) string {
	switch a := math.Abs(x); {
	case x == math.Trunc(x) && a < 1e15:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 1:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// appendNumbers writes the members of an anomaly: the measure, its value, and names with numbers.
func appendNumbers(dst []byte, measure string, x float64, pairs ...any) []byte {
	dst = appendText(append(dst, `"measure":`...), measure)
	dst = strconv.AppendFloat(append(dst, `,"value":`...), x, 'g', -1, 64)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		number, _ := pairs[i+1].(float64)
		dst = strconv.AppendFloat(append(append(append(dst, `,"`...), name...), `":`...), number, 'g', -1, 64)
	}
	return dst
}

// anomaly writes an insight of its own beside that of the window.
func (c *committing) anomaly(s *series, start, end int64, group []byte, sentence string, numbers []byte) {
	c.did.Anomalies = append(c.did.Anomalies, sentence)
	dst := s.group(c.heading(nil, s, "anomaly", start, end), group)
	dst = append(append(append(dst, `},"anomaly":{`...), numbers...), `,"sentence":`...)
	dst = append(appendText(dst, sentence), `},"final":true,"revision":1,"updated_at":"`...)
	dst = append(append(dst, c.stamp...), `"}`...)
	key := c.insightKey(s, start, end, group)
	c.publish(append(key[:len(key)-1:len(key)-1], `,"anomaly"]`...), dst)
}
