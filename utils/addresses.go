package utils

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Addresses is a list of host:port.
type Addresses []string

// UnmarshalText reads "host:port,host:port" or "embedded".
func (a *Addresses) UnmarshalText(text []byte) error {
	var list Addresses
	for part := range strings.SplitSeq(string(text), ",") {
		part = strings.TrimSpace(part)
		switch {
		case part == "":
			continue
		case strings.EqualFold(part, Embedded):
			part = Embedded
		default:
			if err := checkAddress(part, 1); err != nil {
				return err
			}
		}
		list = append(list, part)
	}
	if len(list) == 0 {
		return errors.New("names no broker")
	}
	if len(list) > 1 && slices.Contains(list, Embedded) {
		return errors.New("mixes embedded with other brokers")
	}
	*a = list
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (a Addresses) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

func (a Addresses) String() string { return strings.Join(a, ",") }

// checkAddress wants host:port with a port of at least minPort. A host may be left out when minPort is 0: that is an
// address to listen on, not one to dial.
func checkAddress(address string, minPort int) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return errors.New("is not host:port (an IPv6 address goes in brackets)")
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < minPort || n > 65535 {
		return errors.New("has no port between " + strconv.Itoa(minPort) + " and 65535")
	}
	if host == "" && minPort > 0 {
		return errors.New("has no host")
	}
	if strings.ContainsAny(host, "/ @") {
		return errors.New("has a host that is not a name or an IP address")
	}
	return nil
}
