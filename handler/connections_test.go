package handler

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := atMost(inner, 2, 1) // of which this machine may take all
	defer l.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		return conn
	}
	one, two := dial(), dial()
	defer one.Close()
	defer two.Close()
	first, second := <-accepted, <-accepted
	defer second.Close()
	three := dial()
	defer three.Close()
	if _, err := three.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("one too many: %v", err)
	}
	first.Close()
	first.Close() // gives its place back once
	four := dial()
	defer four.Close()
	(<-accepted).Close()
}

func TestNoPeerTakesAllConnections(t *testing.T) {
	l, _ := atMost(nil, 3, 2).(*boundedListener)
	a, b := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("10.1.2.4")
	var got []bool
	for _, peer := range []netip.Addr{a, a, a, b, b} {
		got = append(got, l.enter(peer))
	}
	if !slices.Equal(got, []bool{true, true, false, true, false}) {
		t.Errorf("%v: %d connections of %v", got, l.open, l.peers)
	}
	l.leave(b)
	if l.enter(a) {
		t.Error("one peer has all places")
	}
	l.leave(a)
	if !l.enter(a) || !l.enter(b) {
		t.Error("a place that was left is not free")
	}
	l.leave(a)
	l.leave(a)
	l.leave(b)
	if l.open != 0 || len(l.peers) != 0 {
		t.Errorf("when all have gone: %d of %v", l.open, l.peers)
	}
}
