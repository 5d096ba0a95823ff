package projection

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestPathsAgreeWithEncodingJSONWhereverTheyAreCut(t *testing.T) {
	for _, sample := range append(samples, `[1, "a]" , [2,[]], {"ip":["}"]} ,null]`) {
		for cut := range len(sample) + 1 {
			for _, name := range wanted {
				raw := bytes.Trim([]byte(sample[:cut]), " \t\r\n")
				if d := pathDisagreement(raw, name, cut%7-3); d != "" {
					t.Errorf("%q, %q, %d: %s", raw, name, cut%7-3, d)
				}
			}
		}
	}
}

func TestPathsAgreeWithEncodingJSONOnRandomAndDamagedValues(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(5, 6))}
	for i := range 50_000 {
		raw := []byte(m.object(m.IntN(6), 0))
		if i%3 == 1 {
			raw = []byte("[" + m.value(0) + m.space() + "," + m.value(0) + "," + m.space() + m.value(0) + "]")
		}
		if i%3 == 2 {
			raw = bytes.Trim(m.damage(raw), " \t\r\n")
		}
		if d := pathDisagreement(raw, wanted[i%len(wanted)], m.IntN(9)-4); d != "" {
			t.Fatalf("%q: %s", raw, d)
		}
	}
}

func TestElementsCountFromBothEnds(t *testing.T) {
	list := []byte(`[ "a" , [1,2], {"b":[3]} ]`)
	for index, want := range map[int]string{
		0: `"a"`, 1: `[1,2]`, 2: `{"b":[3]}`, 3: "", -1: `{"b":[3]}`, -2: `[1,2]`, -3: `"a"`, -4: "", math.MaxInt: "", math.MinInt: "",
	} {
		if got, ok := ElementOf(list, index); string(got) != want || ok != (want != "") {
			t.Errorf("element %d is %q, %v, want %q", index, got, ok, want)
		}
	}
}

func TestPathsGoDeep(t *testing.T) {
	raw := []byte(strings.Repeat(`{"a":[`, 1000) + "1" + strings.Repeat("]}", 1000))
	for range 1000 {
		member, ok := MemberOf(raw, "a")
		if !ok || KindAt(member) != List {
			t.Fatalf("no list in %.20q", raw)
		}
		if raw, ok = ElementOf(member, -1); !ok {
			t.Fatalf("no element in %.20q", member)
		}
	}
	if string(raw) != "1" {
		t.Errorf("at the bottom is %.20q", raw)
	}
}

func TestPathsAllocateNothing(t *testing.T) {
	object := []byte(`{"x":[1,2,{"y":"\u00e9"}],"\u0061b":[true,"` + strings.Repeat("z", 100) + `"],"n":{}}`)
	n := testing.AllocsPerRun(100, func() {
		list, _ := MemberOf(object, "ab")
		if text, ok := ElementOf(list, -1); !ok || KindAt(text) != Text {
			t.Error("not found")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func ExampleMemberOf() {
	address, _ := MemberOf([]byte(`{"address": {"lines": ["1 High Street", "Ealing"]}}`), "address")
	lines, _ := MemberOf(address, "lines")
	last, ok := ElementOf(lines, -1)
	fmt.Println(string(last), ok)
	// Output: "Ealing" true
}
