package guard

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// Local tells whether a request comes from this machine itself and not through a proxy, and names it as one does there.
// Anything that was forwarded comes from somebody else, whatever its last hop is.
func Local(r *http.Request) bool {
	return fromLoopback(r) && !forwarded(r.Header) && isLocalName(r.Host)
}

func fromLoopback(r *http.Request) bool {
	peer, ok := peerOf(r)
	return ok && peer.IsLoopback()
}

// peerOf is the address that a request came from.
func peerOf(r *http.Request) (netip.Addr, bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return peer.Addr().Unmap().WithZone(""), err == nil
}

// forwarded tells whether a proxy has left its mark.
func forwarded(h http.Header) bool {
	for name := range h {
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded") {
			return true
		}
	}
	return false
}

func isLocalName(host string) bool {
	name, ok := hostname(host)
	return ok && (strings.EqualFold(name, "localhost") || name == "127.0.0.1" || name == "::1")
}

// isAddress tells whether Host is an address: unlike a name it cannot be made to point elsewhere.
func isAddress(host string) bool {
	name, ok := hostname(host)
	_, err := netip.ParseAddr(name)
	return ok && err == nil
}

// hostname is Host without its port.
func hostname(host string) (string, bool) {
	if inner, ok := strings.CutPrefix(host, "["); ok && strings.HasSuffix(inner, "]") {
		return strings.TrimSuffix(inner, "]"), true
	}
	if !strings.Contains(host, ":") {
		return host, host != ""
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return "", false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return name, err == nil
}
