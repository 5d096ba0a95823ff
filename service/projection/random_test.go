package projection

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// maker makes random JSON: every kind of value, any white space, keys that are wanted, escaped, repeated and unknown.
type maker struct{ *rand.Rand }

func (m maker) pick(list ...string) string { return list[m.IntN(len(list))] }

func (m maker) space() string {
	if m.IntN(3) > 0 {
		return ""
	}
	return m.pick(" ", " ", " ", "\n", "\t", "\r\n  ", "          ")
}

func (m maker) key() string {
	return m.pick(`"user_id"`, `"app_version"`, `"device_type"`, `"ip"`, `"locale"`, `"timestamp"`, `"x"`, `"unknown_field"`, `"user_ix"`,
		`"\u0069p"`, `"local\u0065"`, `""`, `"é"`, `"\u00e9"`, "\"\xff\"", `"abcdefghZabcdefgh"`, `"abcdefghQabcdefgh"`, `"😀"`, `"\ud83d\ude00"`)
}

func (m maker) value(depth int) string {
	switch k := m.IntN(10); {
	case k == 0 && depth < 4:
		return m.object(m.IntN(4), depth+1)
	case k == 1 && depth < 4:
		var list []string
		for range m.IntN(4) {
			list = append(list, m.space()+m.value(depth+1)+m.space())
		}
		return "[" + m.space() + strings.Join(list, ",") + "]"
	case k < 4:
		return fmt.Sprint(m.IntN(1<<40) >> m.IntN(40))
	case k == 4:
		return m.pick("-0", "0", "1.5", "-12.25e+10", "1E5", "12345678901234567890", "123456789.123456789", "1e400")
	case k == 5:
		return m.pick("true", "false", "null")
	case k == 6:
		return m.pick(`"\n"`, `"a\u00e9\ud83d\ude00"`, `"long text with an escape \" in it"`, "\"\xff\xfe\"", `"ünïcödé and more of it"`, `"\ud800"`)
	}
	return `"` + strings.Repeat("v", m.IntN(30)) + `"`
}

func (m maker) object(n, depth int) string {
	var list []string
	for range n {
		list = append(list, m.space()+m.key()+m.space()+":"+m.space()+m.value(depth)+m.space())
	}
	return "{" + m.space() + strings.Join(list, ",") + "}"
}

const damaging = " \"\\{}[]:,0a1.e-+u\n\x01\xff"

func (m maker) damage(event []byte) []byte {
	for range 1 + m.IntN(2) {
		if len(event) == 0 {
			return event
		}
		at := m.IntN(len(event))
		c := damaging[m.IntN(len(damaging))]
		switch m.IntN(5) {
		case 0:
			event = slices.Delete(event, at, at+1)
		case 1:
			event = event[:at]
		case 2:
			event = slices.Insert(event, at, c)
		default:
			event[at] = c
		}
	}
	return event
}

func TestScanAgreesWithEncodingJSONOnDamagedEvents(t *testing.T) {
	const events = 220_000
	m := maker{rand.New(rand.NewPCG(3, 4))}
	p, e := New(wanted), new(Event)
	var verdicts [3]int
	for i := range events {
		event := variedOrRandom(m, i)
		if i%2 == 1 {
			event = m.damage(event)
		}
		if d := disagreement(p, wanted, e, slices.Clip(event)); d != "" {
			t.Fatalf("event %d, %q: %s", i, event, d)
		}
		verdict := verdictOf(event)
		verdicts[verdict]++
		if verdict != IsObject || i%16 != 0 {
			continue
		}
		if want := membersOf(t, wanted, event); !slices.Equal(e.Members, want) {
			t.Fatalf("%q: members %v, want %v", event, e.Members, want)
		}
	}
	if verdicts[IsObject] < events/2 || verdicts[Invalid] < events/4 {
		t.Errorf("verdicts %v: the events are not the mixture they should be", verdicts)
	}
	t.Logf("objects %d, others %d, invalid %d", verdicts[IsObject], verdicts[NotObject], verdicts[Invalid])
}

func variedOrRandom(m maker, i int) []byte {
	if i%8 < 2 {
		return variedLogin(m.Rand)
	}
	if i%100 == 99 {
		return []byte(m.value(0))
	}
	return []byte(m.space() + m.object(m.IntN(7), 0) + m.space())
}
