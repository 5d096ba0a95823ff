package expression

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// grammar makes expressions and events that anybody could write, and many that nobody would.
type grammar struct{ *rand.Rand }

func (g grammar) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g grammar) expression(depth int) string {
	if depth == 0 {
		return g.leaf()
	}
	x := func() string { return g.expression(depth - 1) }
	switch g.IntN(14) {
	case 0, 1, 2:
		return "(" + x() + " " + g.pick("==", "!=", "<", "<=", ">", ">=", "in", "&&", "||", "and", "or", "not in") + " " + x() + ")"
	case 3, 4:
		return "(" + x() + " " + g.pick("+", "-", "*", "/", "%", "**", "??", "contains", "startsWith", "endsWith") + " " + x() + ")"
	case 5:
		return g.pick("!", "-", "not ") + "(" + x() + ")"
	case 6:
		return "(" + x() + " ? " + x() + " : " + x() + ")"
	case 7, 8:
		return g.pick("lower", "upper", "trim", "len", "mask_ip", "hash", "rfc3339", "unix", "int", "float", "string", "abs", "ceil",
			"round", "type", "to_json", "parse_json", "date", "duration", "keys", "first", "last", "toBase64", "reverse") + "(" + x() + ")"
	case 9:
		return g.pick("trimPrefix", "trimSuffix", "hasPrefix", "hasSuffix", "coalesce", "mask", "indexOf", "split", "repeat", "min", "truncate_time", "get", "join") + "(" + x() + ", " + x() + ")"
	case 10:
		return x() + g.pick(".b", ".c", "[0]", "[-1]", `["b"]`, "[a]", ".b.c", "?.b", "[1:]")
	case 11:
		return "has(" + g.pick("a", "b", "a.b", "b[0]", `event["odd-name"]`, "c.b.c") + ")"
	case 12:
		return "(let v = " + x() + "; " + g.pick("v", "v == v", "v ?? a", "[v, v]", x()) + ")"
	}
	return g.pick("map(", "filter(", "any(", "count(", "sortBy(") + x() + ", " + g.pick("#", "# == a", "len(#) > 1", "#.b", "true") + ")"
}

func (g grammar) leaf() string {
	return g.pick("a", "b", "c", "d", "e", `event["odd-name"]`, "nil", "true", "false", "0", "1", "-3", "2.5", "1e300", "9223372036854775807",
		`""`, `"x"`, `"Ärger"`, `"iOS"`, `"\ufffd"`, "now()", "[]", `["x", nil, "iOS"]`, `[1, 2.0, "x"]`, `"1m"`, `"192.168.7.9"`, `"b"`, `"2026-01-02T03:04:05Z"`, "[a, b]", `{"b": a}`)
}

func (g grammar) event() string {
	var members []string
	for _, name := range []string{"a", "b", "c", "d", "e", "odd-name", "a", "\\u0061", "other"} {
		if g.IntN(3) > 0 {
			members = append(members, fmt.Sprintf("%s\"%s\"%s:%s%s", g.space(), name, g.space(), g.space(), g.json(2)))
		}
	}
	g.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, ",") + g.space() + "}"
}

func (g grammar) space() string { return g.pick("", "", "", " ", "\n\t", "  ") }

func (g grammar) json(depth int) string {
	n := 16
	if depth > 0 {
		n = 20
	}
	switch i := g.IntN(n); {
	case i < 16:
		return g.pick("null", "true", "false", "0", "-0", "1", "7.0", "2.5e3", "1e999", "-1E-400", "12345678901234567890", "9007199254740993", `""`, `"x"`, `"iOS"`, `"IOS"`,
			`"\u0069OS"`, `"Ärger\n\"q\""`, "\"\xff\"", `"\ud83d\ude00"`, `"\ud800x"`, `"192.168.7.9"`, `"::ffff:1.2.3.4"`, `"fe80::1%eth0"`, `"2026-01-02T03:04:05+02:00"`,
			"1694479551", "1694479551123", `"1694479551"`, "-62135596801", `"0x10"`, `"1_000"`, `"  pad "`)
	case i < 18:
		list := make([]string, g.IntN(4))
		for i := range list {
			list[i] = g.space() + g.json(depth-1) + g.space()
		}
		return "[" + strings.Join(list, ",") + g.space() + "]"
	}
	return fmt.Sprintf(`{%s"b":%s,"c"%s:{"c":%s},"\u0062":%s}`, g.space(), g.json(depth-1), g.space(), g.json(depth-1), g.json(depth-1))
}

// agree holds the two ways to run an expression against each other: the same value, or the same error at the same place.
// It tells whether both gave a value.
func agree(t *testing.T, lib *Library, text, event string) bool {
	t.Helper()
	p, env, err := compiled(lib, text, event)
	if err != nil || p.eval == nil {
		return false
	}
	got, err := p.Run(env)
	want, wantErr := p.onMachine().Run(env)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("%s\nof %q:\n closures %v, %v\n machine  %v, %v", text, event, got, err, want, wantErr)
	}
	if err != nil {
		if written, writeErr := p.AppendJSON(env, nil); p.path == nil && (len(written) > 0 || fmt.Sprint(writeErr) != fmt.Sprint(err)) {
			t.Fatalf("%s\nof %q: written as %s, %v; want %v", text, event, written, writeErr, err)
		}
		return false
	}
	x, err := AppendJSON(nil, got)
	y, wantErr := AppendJSON(nil, want)
	if KindOf(got) != KindOf(want) || string(x) != string(y) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("%s\nof %q:\n closures %s %s (%v)\n machine  %s %s (%v)", text, event, KindOf(got), x, err, KindOf(want), y, wantErr)
	}
	if wantErr == nil {
		written, err := p.AppendJSON(env, []byte("text"))
		raw, ok := bytes.CutPrefix(written, []byte("text"))
		if err != nil || !ok || !json.Valid(raw) || !sameJSON(t, raw, y) {
			t.Fatalf("%s\nof %q: written as %s, %v; want %s", text, event, written, err, y)
		}
	}
	if KindOf(want) == Bool {
		if b, err := p.RunBool(env); err != nil || b != want {
			t.Fatalf("%s\nof %q: as a condition %v, %v; want %v", text, event, b, err, want)
		}
	}
	return true
}

// sameJSON compares JSON by its values, since parts of an event are copied with their white space, and 7.0 stays 7.0. Of an
// object with a number that is out of range and a later one of the same name only the syntax is checked.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	for range 2 { // -1E-400 becomes -0, which becomes 0
		for _, raw := range []*[]byte{&a, &b} {
			v, err := Decode(*raw)
			if err != nil {
				return json.Valid(*raw)
			}
			if *raw, err = AppendJSON(nil, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	return bytes.Equal(a, b)
}

func TestClosuresAndMachineAgree(t *testing.T) {
	g, lib := grammar{rand.New(rand.NewPCG(2026, 11))}, library(t)
	n := 0
	for range 150_000 {
		text := g.expression(1 + g.IntN(3))
		for range 2 {
			if agree(t, lib, text, g.event()) {
				n++
			}
		}
	}
	if n < 20_000 {
		t.Errorf("only %d values were compared", n)
	}
}

func FuzzClosuresAndMachineAgree(f *testing.F) {
	for _, rows := range cases(f) {
		for _, c := range rows {
			f.Add(c.Expr, c.Event, uint64(0))
		}
	}
	lib := library(f)
	f.Fuzz(func(t *testing.T, text, event string, seed uint64) {
		g := grammar{rand.New(rand.NewPCG(seed, 1))}
		agree(t, lib, g.expression(1+g.IntN(3)), g.event())
		if strings.Contains(text, "..") || len(text) > 1000 {
			return // ranges take as long as their author asked for
		}
		agree(t, lib, text, event)
		agree(t, lib, text, g.event())
	})
}
