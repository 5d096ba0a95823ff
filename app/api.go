package app

import (
	"net"
	"net/netip"

	"data-stream-engine/handler/guard"
)

// guarding says who may do what through the HTTP door, and what it is encrypted with.
func (a *App) guarding() (*guard.Guard, *guard.Certificate, error) {
	s := a.settings.Around
	g, err := guard.New(s.HTTPToken.Reveal())
	if err != nil || s.HTTPTLSCert == "" {
		return g, nil, err
	}
	c, err := guard.LoadCertificate(within(a.dir, s.HTTPTLSCert), within(a.dir, s.HTTPTLSKey))
	return g, c, err
}

// warn tells what is open to whom when the door can be reached from other machines.
func (a *App) warn() {
	if a.settings.Around.HTTPToken != "" || onlyHere(a.settings.Around.HTTPAddr) {
		return
	}
	a.log.Warn().Str("address", a.settings.Around.HTTPAddr).Msg("HTTP_TOKEN is not set, and HTTP_ADDR can be reached from other machines: everybody who reaches it " +
		"sees status, pipeline file, insights, dead letters without content, and metrics; only this machine itself may pause, reload, replay and see events")
}

// onlyHere tells whether an address to listen on can be reached from this machine only.
func onlyHere(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
