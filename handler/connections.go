package handler

import (
	"net"
	"net/netip"
	"sync"
)

// atMost is a listener that has at most n connections open at a time, of one peer at most each, and closes what comes beyond
// them at once: whoever watches sees that, while one that is left to wait looks like a service that hangs. This machine
// itself may take all of them: a proxy or a probe there asks for others.
func atMost(l net.Listener, n, each int) net.Listener {
	return &boundedListener{Listener: l, most: n, each: each, peers: map[netip.Addr]int{}}
}

type boundedListener struct {
	net.Listener
	most, each int

	mu    sync.Mutex
	open  int
	peers map[netip.Addr]int // of which so many
}

func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
		peer := from.Addr().Unmap()
		if l.enter(peer) {
			return &boundedConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(peer) })}, nil
		}
		_ = conn.Close()
	}
}

func (l *boundedListener) enter(peer netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.most || l.peers[peer] >= l.each && !peer.IsLoopback() {
		return false
	}
	l.open++
	l.peers[peer]++
	return true
}

func (l *boundedListener) leave(peer netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.peers[peer]--; l.peers[peer] == 0 {
		delete(l.peers, peer)
	}
}

type boundedConn struct {
	net.Conn
	leave func()
}

func (c *boundedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
