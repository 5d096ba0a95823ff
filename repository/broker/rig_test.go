package broker

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"data-stream-engine/utils"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rig is a cluster that does as it is told, and a client of it.
type rig struct {
	t         *testing.T
	fake      *kfake.Cluster
	client    *Client
	transport *kafka.Transport

	mu      sync.Mutex
	seen    []request
	scripts map[kmsg.Key]script
	conns   map[net.Conn]bool // accepted by the brokers
}

// request is one that reached a broker.
type request struct {
	kmsg.Request
	node int32
}

// script answers the n-th request of an API, counted from 1. handled false leaves it to the broker; an error closes the
// connection; no answer and no error leaves the caller waiting.
type script func(n int, r request) (answer kmsg.Response, err error, handled bool)

func newRig(t *testing.T, opts ...kfake.Opt) *rig {
	t.Helper()
	r := &rig{t: t, scripts: map[kmsg.Key]script{}, conns: map[net.Conn]bool{}}
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.ListenFn(r.listen)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r.fake = c
	c.Control(r.control)
	r.client, r.transport = newClient(t, c.ListenAddrs()...)
	return r
}

func newClient(t *testing.T, bootstrap ...string) (*Client, *kafka.Transport) {
	t.Helper()
	tr, err := utils.NewTransport(utils.Kafka{SecurityProtocol: "PLAINTEXT", ClientID: "broker-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return New(tr, bootstrap, "broker-test"), tr
}

func (r *rig) control(q kmsg.Request) (kmsg.Response, error, bool) {
	r.fake.KeepControl()
	key := kmsg.Key(q.Key())
	at := request{q, r.fake.CurrentNode()}
	r.mu.Lock()
	r.seen = append(r.seen, at)
	n, f := 0, r.scripts[key]
	for _, s := range r.seen {
		if ours(s) && s.Key() == q.Key() {
			n++
		}
	}
	r.mu.Unlock()
	if f == nil || !ours(at) {
		return nil, nil, false
	}
	return f(n, at)
}

// ours tells the client's requests from those that the Transport makes of its own: it asks for versions in version 0 and
// for metadata in versions that are older than any of ours.
func ours(r request) bool {
	switch kmsg.Key(r.Key()) {
	case kmsg.ApiVersions:
		return r.GetVersion() >= 3
	case kmsg.Metadata:
		return r.GetVersion() >= spoken[kmsg.Metadata].least
	}
	return true
}

// on sets the script for an API.
func (r *rig) on(key kmsg.Key, f script) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.scripts[key] = f
}

// asked is what reached the brokers of an API, in order.
func (r *rig) asked(key kmsg.Key) []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []request
	for _, s := range r.seen {
		if ours(s) && s.Key() == key.Int16() {
			found = append(found, s)
		}
	}
	return found
}

// listen remembers the connections that brokers accept, so that hangUp can close them.
func (r *rig) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	return &listener{l, r}, err
}

type listener struct {
	net.Listener
	rig *rig
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.rig.mu.Lock()
		l.rig.conns[c] = true
		l.rig.mu.Unlock()
	}
	return c, err
}

// hangUp closes every connection on the brokers' side, as a restart of them does, and returns how many there were.
func (r *rig) hangUp() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
	}
	n := len(r.conns)
	clear(r.conns)
	return n
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func findCoordinator(key string) *kmsg.FindCoordinatorRequest {
	q := kmsg.NewPtrFindCoordinatorRequest()
	q.CoordinatorKey = key
	return q
}
