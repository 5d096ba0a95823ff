package measure

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// unsound says what is wrong with how a measure takes two states that came from anywhere.
func unsound(m Measure, a, b []byte) string {
	if !m.Valid(a) {
		return ""
	}
	value := m.AppendJSON(nil, a)
	n, ok := m.Number(a)
	switch {
	case !json.Valid(value):
		return fmt.Sprintf("%s is not JSON", value)
	case ok && (math.IsNaN(n) || math.IsInf(n, 0)):
		return fmt.Sprintf("%s is the number %g", value, n)
	case string(m.Merge(nil, a, nil)) != string(a) || string(m.Merge(nil, nil, a)) != string(a):
		return "it is changed by nothing"
	case !m.Valid(b):
		return ""
	}
	ab, ba := m.Merge(nil, a, b), m.Merge(nil, b, a)
	switch {
	case string(ab) != string(ba):
		return fmt.Sprintf("merged it is %x and %x", ab, ba)
	case !m.Valid(ab):
		return fmt.Sprintf("merged it is %x, which is not valid", ab)
	case !json.Valid(m.AppendJSON(nil, ab)):
		return fmt.Sprintf("merged it is %s", m.AppendJSON(nil, ab))
	}
	return ""
}

func FuzzStates(f *testing.F) {
	all := subjects(f)
	rng := rand.New(rand.NewPCG(10, 1))
	for i, s := range all {
		for _, sample := range samples(s.Function) {
			m := s.measure()
			f.Add(byte(i), state(f, m, events(rng, sample, 5)), state(f, m, events(rng, sample, 100)))
		}
	}
	f.Add(byte(2), make([]byte, denseSize), make([]byte, 4*mostMarks))
	f.Fuzz(func(t *testing.T, which byte, a, b []byte) {
		s := all[int(which)%len(all)]
		if fault := unsound(s.measure(), a, b); fault != "" {
			t.Fatalf("%s: %x, %x: %s", s, a, b, fault)
		}
	})
}

// changed is a state with a few bytes that are not its own.
func changed(rng *rand.Rand, state []byte) []byte {
	state = append([]byte(nil), state...)
	for range 1 + rng.IntN(3) {
		i := rng.IntN(len(state) + 1)
		c := []byte{0, 1, 0x7f, 0x80, 0xff, byte(rng.IntN(256))}[rng.IntN(6)]
		switch rng.IntN(5) {
		case 0:
			state = state[:i]
		case 1:
			state = append(state[:i], append([]byte{c}, state[i:]...)...)
		case 2:
			state = append(state[:i], state[min(i+1, len(state)):]...)
		default:
			if i < len(state) {
				state[i] = c
			}
		}
	}
	return state
}

func TestForgedStatesDoNoHarm(t *testing.T) {
	accepted, all := 0, 0
	eachCase(t, 8, func(t *testing.T, rng *rand.Rand, s subject, list []event) {
		m := s.measure()
		a, b := state(t, m, list[:len(list)/2]), state(t, m, list[len(list)/2:])
		for range 20 {
			forged := changed(rng, a)
			if fault := unsound(m, forged, b); fault != "" {
				t.Fatalf("%x: %s", forged, fault)
			}
			all++
			if m.Valid(forged) {
				accepted++
			}
		}
	})
	t.Logf("%d of %d forged states could be genuine", accepted, all)
	if accepted == 0 || accepted == all {
		t.Error("the forgeries are no test")
	}
}

// Whatever is cut off from a state, it is another one or none: never the same in other bytes.
func TestCutStatesAreNotTakenForWhole(t *testing.T) {
	eachCase(t, 4, func(t *testing.T, _ *rand.Rand, s subject, list []event) {
		m := s.measure()
		st := state(t, m, list[:min(len(list), 60)])
		for n := range st {
			if fault := unsound(m, st[:n], st); fault != "" {
				t.Fatalf("%x: %s", st[:n], fault)
			}
		}
		if longer := append(st, 0); m.Valid(longer) && (s.Name != "first" && s.Name != "last") {
			t.Fatalf("%x is valid", longer)
		}
	})
}

// Counts near the limit of an int64 stay there.
func TestHugeCountsDoNotWrap(t *testing.T) {
	for _, c := range []struct{ call, state, want string }{
		{"count", "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "9223372036854775807"},
		{"avg", "\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00", "0"},
		{"percentile 99", "\x00\xc0\x2e\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "0"},
		{"top 1", "\x00\x01\x14\xff\xff\xff\xff\xff\xff\xff\xff\x7f", `[{"value":0,"count":9223372036854775807}]`},
	} {
		m := call(t, c.call)
		if !m.Valid([]byte(c.state)) {
			t.Errorf("%s: %x is not valid", c.call, c.state)
			continue
		}
		twice := m.Merge(nil, []byte(c.state), []byte(c.state))
		if got := text(m, twice); got != c.want || string(twice) != c.state {
			t.Errorf("%s: %x, %s", c.call, twice, got)
		}
	}
}

// The same events have one encoding: what means the same in other bytes is refused like what means nothing.
func TestOnlyOneEncodingIsValid(t *testing.T) {
	dense := func(first byte) string { return string(first) + strings.Repeat("\x00", denseSize-1) }
	for _, c := range []struct{ call, valid, invalid string }{
		{"count", "\x05", "\x00"},
		{"count", "\x80\x01", "\x80\x00"},
		{"count", "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		{"count", "\x05", "\x05\x05"},
		{"sum", "\x01", "\x00"},
		{"sum", "\x80\x01", "\x81\x00"},
		{"sum", strings.Repeat("\xff", 18) + "\x03", strings.Repeat("\xff", 18) + "\x04"},
		{"sum", "\x80\x01", "\x80"},
		{"avg", "\x01\x00", "\x01"},
		{"avg", "\x01\x00", "\x00\x00"},
		{"min", "\x14", "\x01"},
		{"min", "\x15\x07", "\x15\x00"},
		{"min", "\x16\x01\x00", "\x16\x00\x01"},
		{"min", "\x13\xfe", "\x13\xff"},
		{"min", "\x12\xfe\xff", "\x12\xff\x00"},
		{"min", "\x1c\x7f\xff\xff\xff\xff\xff\xff\xff", "\x1c\x80\x00\x00\x00\x00\x00\x00\x00"},
		{"max", "\x0c\x7f\xff\xff\xff\xff\xff\xff\xff", "\x0c\x7f\xff\xff\xff\xff\xff\xff\xfe"},
		{"max", "\x21\xbf\xf8\x00\x00\x00\x00\x00\x00", "\x21\xbf\xf0\x00\x00\x00\x00\x00\x00"}, // 1.5, 1.0
		{"max", "\x21\xff\xef\xff\xff\xff\xff\xff\xff", "\x21\xff\xf0\x00\x00\x00\x00\x00\x00"}, // the largest, infinity
		{"max", "\x15\x07", "\x30a"},
		{"first", "\x00\x00\x00\x30", "\x00\x00\x00"},
		{"first", "\x00\x00\x00\x02", "\x00\x00\x00\x02\x00"},
		{"last", "\x00\xfe\xff\xff\xff\x0f\x00\x01", "\x00\x80\x80\x80\x80\x10\x00\x01"},
		{"last", "\x00\x00\x00\x30" + strings.Repeat("x", maxText), "\x00\x00\x00\x30" + strings.Repeat("x", maxText+1)},
		{"distinct", "\x00\x00\x00\x02", "\x00\x00\x00\x00"},
		{"distinct", "\x00\x00\x00\x02\x00\x00\x00\x04", "\x00\x00\x00\x04\x00\x00\x00\x02"},
		{"distinct", "\x00\x00\x00\x02\x00\x00\x00\x04", "\x00\x00\x00\x02\x00\x00\x00\x02"},
		{"distinct", "\x00\x05\x00\x01", "\x00\x04\xc0\x01"}, // rank 20, 19
		{"distinct", "\x00\x0d\x40\x01", "\x00\x0d\x80\x01"}, // rank 53, 54
		{"distinct", dense(53), dense(54)},
		{"distinct", dense(1), dense(0)},
		{"distinct", dense(0)[1:] + "\x04", dense(0)[1:] + "\xfc"}, // the last register: 1, 63
		{"percentile 50", "\x00\xc0\x2e\x01", "\x00\xc0\x2e\x00"},
		{"percentile 50", "\x00\xc0\x2e\x01", "\x02\xc0\x2e\x01"},
		{"percentile 50", "\x01\x80\x5d\x01", "\x01\x81\x5d\x01"},
		{"percentile 50", "\x01\x00\x01\x00\x01", "\x01\x00\x01\x00"},
		{"percentile 50", "\x01\xc1\x2e\x01", "\x00\xc1\x2e\x01"}, // no whole number is that near to 0
		{"top 1", "\x00\x01\x02\x05", "\x00\x01\x02\x00"},
		{"top 1", "\x00\x01\x01\x05\x01\x02\x05", "\x00\x01\x02\x05\x01\x01\x05"},
		{"top 1", "\x00\x01\x01\x05\x01\x02\x05", "\x00\x01\x01\x05\x01\x01\x05"},
		{"top 1", "\x00\x01\x01\x05", "\x01\x01\x01\x05\x00"},
		{"top 1", "\x00\x01\x01\x05", "\x00"},
		{"top 1", counters64(5, 5, 4), counters64(5, 5, 6)},
		{"top 1", counters64(5, 5, 4), counters64(5, 4, 4)},
		{"top 1", counters64(5, 5, 4), counters64(5, 5, 4)[:64*5]},
	} {
		m := call(t, c.call)
		if !m.Valid([]byte(c.valid)) {
			t.Errorf("%s: %x is not valid", c.call, c.valid)
		}
		if m.Valid([]byte(c.invalid)) {
			t.Errorf("%s: %x is valid", c.call, c.invalid)
		}
	}
}

// counters64 is a state of top with 64 counters.
func counters64(floor, count, mistake byte) string {
	state := []byte{floor}
	for n := range byte(64) {
		state = append(state, 2, typeText, n, count, mistake)
	}
	return string(state)
}
