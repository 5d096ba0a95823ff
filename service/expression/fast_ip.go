package expression

import "net/netip"

func fastMaskIP(_ *work, dst []byte, a value) ([]byte, bool) {
	text := a.text()
	if n := ipv4Network(text); n > 0 {
		return append(append(dst, text[:n]...), '0'), true
	}
	if n := ipv6Network(text); n > 0 {
		return append(append(dst, text[:n]...), "::"...), true
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return dst, false
	}
	masked, ok := network(addr.Unmap())
	if !ok {
		return dst, false
	}
	return masked.AppendTo(dst), true
}

// ipv4Network is the length of the first three numbers of an IPv4 address with their dots; 0 when s is none.
func ipv4Network(s string) (n int) {
	dots, digits, number := 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.' && digits > 0 && dots < 3:
			dots, digits, number, n = dots+1, 0, 0, i+1
		case c-'0' > 9, digits > 0 && number == 0: // no digit, or a number that starts with 0
			return 0
		default:
			digits, number = digits+1, number*10+int(c-'0')
			if number > 255 {
				return 0
			}
		}
	}
	if dots < 3 || digits == 0 {
		return 0
	}
	return n
}

// ipv6Network is the length of an IPv6 address' first groups when, with :: behind them, they are its network as it has to be
// written (RFC 5952): three groups, or two and ::, in small letters, none of them with a 0 in front. It is 0 for addresses
// in any other form, and for what is no address.
func ipv6Network(s string) (n int) {
	groups, digits, gap := 0, 0, false // whole groups; digits of the group that is being read; there was ::
	for i := range len(s) {
		c := s[i]
		switch {
		case c != ':':
		case digits > 0:
			if groups++; groups == 3 && !gap {
				n = i
			}
			digits = 0
			continue
		case groups < 2 || gap:
			return 0
		default:
			gap = true
			if groups == 2 {
				n = i - 1
			}
			continue
		}
		if network := groups < 3; digits == 4 || network && c == '0' && digits == 0 || !isHex(c, !network) {
			return 0
		}
		digits++
	}
	switch {
	case digits > 0:
		groups++
	case !gap || s[len(s)-2] != ':': // a colon at the end
		return 0
	}
	if gap && groups <= 7 || groups == 8 && !gap {
		return n
	}
	return 0
}

func isHex(c byte, capitals bool) bool { return c-'0' <= 9 || c-'a' < 6 || capitals && c-'A' < 6 }
