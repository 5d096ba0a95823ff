package expression

import (
	"crypto/sha1" //nolint:gosec // RFC 9562 defines version 5 of UUID with SHA-1
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

func privacyFunctions(s *signer) []function {
	return []function{
		{name: "mask_ip", params: []Kind{Text}, result: Text, call: maskIP, text: fastMaskIP},
		{name: "mask", params: []Kind{Text, Int}, result: Text, call: mask},
		{name: "hash", params: []Kind{Text | Int}, result: Text, call: s.hash, text: s.fastHash},
		{name: "uuid5", params: []Kind{Text, Text}, result: Text, call: uuid5},
	}
}

// maskIP sets the host part of an address to zero: the last 8 bits of IPv4, all but the first 48 of IPv6.
func maskIP(args []any) (any, error) {
	addr, err := netip.ParseAddr(args[0].(string))
	if err != nil {
		return nil, fmt.Errorf("mask_ip: %s is not an IP address", Describe(args[0]))
	}
	masked, ok := network(addr.Unmap().WithZone(""))
	if !ok {
		return nil, fmt.Errorf("mask_ip: %s has no network", Describe(args[0]))
	}
	return masked.String(), nil
}

func network(addr netip.Addr) (netip.Addr, bool) {
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	prefix, err := addr.Prefix(bits)
	return prefix.Addr(), err == nil
}

// mask puts a star in place of every code point but the last keep. Text that is not longer than keep is hidden as a
// whole, since showing all of it would mask nothing.
func mask(args []any) (any, error) {
	s, keep := args[0].(string), args[1].(int64)
	if keep < 0 {
		return nil, fmt.Errorf("mask keeps at least 0 characters, not %d", keep)
	}
	n := utf8.RuneCountInString(s)
	if int64(n) <= keep {
		return strings.Repeat("*", n), nil
	}
	at, hidden := 0, n-int(keep)
	for range hidden {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return strings.Repeat("*", hidden) + s[at:], nil
}

// uuid5 is the name-based UUID of RFC 9562, section 5.5. The namespace is a UUID or one of dns, url, oid and x500.
func uuid5(args []any) (any, error) {
	namespace, err := parseUUID(args[0].(string))
	if err != nil {
		return nil, err
	}
	h := sha1.New() //nolint:gosec // see above
	h.Write(namespace)
	h.Write([]byte(args[1].(string)))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 5<<4
	u[8] = u[8]&0x3f | 0x80
	x := hex.EncodeToString(u)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:], nil
}

func parseUUID(s string) ([]byte, error) {
	switch s {
	case "dns", "url", "oid", "x500":
		// RFC 9562, section 6.6: the four namespaces differ in one digit.
		digit := map[string]int{"dns": 0, "url": 1, "oid": 2, "x500": 4}[s]
		s = "6ba7b81" + strconv.Itoa(digit) + "-9dad-11d1-80b4-00c04fd430c8"
	}
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		if b, err := hex.DecodeString(strings.ReplaceAll(s, "-", "")); err == nil && len(b) == 16 {
			return b, nil
		}
	}
	return nil, fmt.Errorf("uuid5: the namespace is a UUID, dns, url, oid or x500, not %s", Describe(s))
}
