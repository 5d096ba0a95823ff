package app_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// engineClient is the client id of the engines of these tests. Only their connections are interfered with.
const engineClient = "engine-under-test"

// deed is what befalls one request on its way.
type deed struct {
	drop    bool          // the connection breaks before the broker has seen it
	lose    bool          // the broker does it, and the connection breaks before the answer
	late    time.Duration // the broker does it, and the answer comes this much later
	rewrite func([]byte)  // changes the answer where it lies
}

// wire lies between the engines and the brokers.
type wire struct {
	mu     sync.Mutex
	deeds  map[kmsg.Key]func(n int) deed
	counts map[kmsg.Key]int
	all    func(kmsg.Key) deed
	gone   map[string]bool // client ids that reach nobody any more
}

func newWire() *wire {
	return &wire{deeds: map[kmsg.Key]func(int) deed{}, counts: map[kmsg.Key]int{}, gone: map[string]bool{}}
}

// cut takes the network from a client, for good.
func (w *wire) cut(client string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone[client] = true
}

func (w *wire) reaches(client string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.gone[client]
}

// on says what befalls the n-th request of an API from here on, counted from 1. nil: nothing.
func (w *wire) on(key kmsg.Key, f func(n int) deed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deeds[key], w.counts[key] = f, 0
}

// every says what befalls requests for which nothing else was said. nil: nothing.
func (w *wire) every(f func(kmsg.Key) deed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = f
}

// asked is how many requests of an API came since on.
func (w *wire) asked(key kmsg.Key) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[key]
}

func (w *wire) befall(key kmsg.Key) deed {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[key]++
	if f := w.deeds[key]; f != nil {
		return f(w.counts[key])
	}
	if w.all != nil {
		return w.all(key)
	}
	return deed{}
}

func (w *wire) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	return listener{l, w}, err
}

type listener struct {
	net.Listener
	w *wire
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tap{Conn: c, w: l.w, deeds: map[uint32]deed{}}, nil
}

// tap is the broker's side of one connection. It reads the heads of the requests along with the broker.
type tap struct {
	net.Conn
	w    *wire
	head []byte
	skip int // bytes of the request that are left

	mu    sync.Mutex
	deeds map[uint32]deed // by correlation id
}

// Read implements net.Conn.
func (c *tap) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.note(p[:n]) {
		c.Close()
		return 0, io.EOF
	}
	return n, err
}

// note follows the requests: size, API key, version, correlation id, client id.
func (c *tap) note(p []byte) (drop bool) {
	const fixed = 14
	for len(p) > 0 {
		if c.skip > 0 {
			n := min(c.skip, len(p))
			p, c.skip = p[n:], c.skip-n
			continue
		}
		c.head, p = append(c.head, p[0]), p[1:]
		if len(c.head) < fixed {
			continue
		}
		size := max(int(int16(binary.BigEndian.Uint16(c.head[12:]))), 0)
		if len(c.head) < fixed+size {
			continue
		}
		c.skip = int(binary.BigEndian.Uint32(c.head)) + 4 - len(c.head)
		drop = drop || !c.w.reaches(string(c.head[fixed:]))
		if string(c.head[fixed:]) == engineClient {
			d := c.w.befall(kmsg.Key(int16(binary.BigEndian.Uint16(c.head[4:]))))
			c.mu.Lock()
			c.deeds[binary.BigEndian.Uint32(c.head[8:])] = d
			c.mu.Unlock()
			drop = drop || d.drop
		}
		c.head = c.head[:0]
	}
	return drop
}

// Write implements net.Conn. Brokers write an answer at once.
func (c *tap) Write(p []byte) (int, error) {
	c.mu.Lock()
	id := binary.BigEndian.Uint32(p[4:])
	d := c.deeds[id]
	delete(c.deeds, id)
	c.mu.Unlock()
	if d.late > 0 {
		time.Sleep(d.late)
	}
	if d.lose {
		c.Close()
		return 0, io.ErrClosedPipe
	}
	if d.rewrite != nil {
		d.rewrite(p)
	}
	return c.Conn.Write(p)
}

// first makes a deed befall the first n requests.
func first(n int, d deed) func(int) deed {
	return func(i int) deed {
		if i <= n {
			return d
		}
		return deed{}
	}
}
