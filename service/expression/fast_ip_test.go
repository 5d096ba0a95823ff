package expression

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// somewhere is the text of an address, in one of the forms in which people write them, or one with a slip of the pen.
func somewhere(g *rand.Rand) string {
	var text string
	if g.IntN(2) == 0 {
		text = netip.AddrFrom4([4]byte{byte(g.Uint32()), byte(g.Uint32()), byte(g.IntN(12)), byte(g.IntN(120))}).String()
	} else {
		var b [16]byte
		for i := range b {
			if g.IntN(4) > 0 {
				b[i] = byte(g.Uint32())
			}
		}
		for at := g.IntN(20); at < 16 && g.IntN(8) > 0; at++ {
			b[at] = 0
		}
		addr := netip.AddrFrom16(b)
		text = []string{addr.String(), addr.StringExpanded(), strings.ToUpper(addr.String()), strings.Replace(addr.StringExpanded(), ":0", ":", 3)}[g.IntN(4)]
	}
	for g.IntN(2) == 0 {
		at := g.IntN(len(text) + 1)
		text = text[:at] + string(".:0123456789afAg% "[g.IntN(18)]) + text[min(at+g.IntN(2), len(text)):]
	}
	return text
}

func TestMaskIPOfAnyAddressIsThatOfNetip(t *testing.T) {
	g := rand.New(rand.NewPCG(5, 6))
	quick := 0
	for range 1_000_000 {
		text := somewhere(g)
		if ipv4Network(text) > 0 || ipv6Network(text) > 0 {
			quick++
		}
		got, ok := fastMaskIP(nil, []byte("x"), ofText(text))
		if !ok {
			got = append(got, "declined"...)
		}
		want, err := maskIP([]any{text})
		if err != nil || strings.Contains(text, "%") {
			want = "declined"
		}
		if string(got) != "x"+want.(string) {
			t.Fatalf("%q: %s, want %s", text, got, want)
		}
	}
	if quick < 300_000 {
		t.Errorf("only %d of the addresses went without net/netip", quick)
	}
}

func TestEachNumberOfAnIPv4AddressIsChecked(t *testing.T) {
	for _, form := range []string{"#.2.3.4", "1.#.3.4", "1.2.#.4", "1.2.3.#"} {
		for _, number := range append(numbersTo(1100), "", "00", "01", "001", "000", "0x1", "-1", "+1", "1 ", "1e1", "/1", ":1", "1:") {
			text := strings.Replace(form, "#", number, 1)
			if _, err := netip.ParseAddr(text); (err == nil) != (ipv4Network(text) > 0) {
				t.Errorf("%q: %v, but %d", text, err, ipv4Network(text))
			}
		}
	}
}

func numbersTo(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = formatFloat(float64(i))
	}
	return list
}
