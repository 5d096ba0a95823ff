// Package broker talks to Kafka brokers over kafka-go's Transport: connections, TLS and SASL are the Transport's,
// requests are raw frames in versions that the broker has said it speaks. It knows which broker leads a partition and
// coordinates a group or a transactional id. It never interprets records and never retries by itself, save the one
// repetition that a connection to a restarted broker needs.
package broker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
)

// AnyNode sends a request to whichever broker answers.
const AnyNode int32 = -1

// DefaultTimeout bounds a call whose context has no deadline. Cancelling a context without one would leave the
// connection and its goroutine behind.
const DefaultTimeout = 15 * time.Second

// Client sends requests to the brokers of one cluster. It is safe for concurrent use; requests run on as many
// connections as there are calls under way, since Kafka answers one connection in order.
type Client struct {
	transport kafka.RoundTripper
	bootstrap []string
	clientID  string

	correlation atomic.Int32

	mu           sync.Mutex
	addresses    map[int32]string    // by node id
	versions     map[string]versions // by address
	topics       map[string]Topic
	coordinators map[coordinatorKey]int32
	controller   int32
	answered     string // the address that answered last
}

// New returns a client of the cluster behind the bootstrap addresses (host:port). Nothing is dialled yet.
func New(transport kafka.RoundTripper, bootstrap []string, clientID string) *Client {
	return &Client{
		transport:    transport,
		bootstrap:    bootstrap,
		clientID:     clientID,
		addresses:    map[int32]string{},
		versions:     map[string]versions{},
		topics:       map[string]Topic{},
		coordinators: map[coordinatorKey]int32{},
	}
}

// Call sends a request to a node in the highest version that both sides speak and returns the decoded answer. Error
// codes inside the answer are the caller's to check.
func (c *Client) Call(ctx context.Context, node int32, req kmsg.Request) (kmsg.Response, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var failed error
	candidates := c.candidates(node)
	for i, address := range candidates {
		answer, err := c.callInShare(ctx, len(candidates)-i, address, req)
		if err == nil {
			return answer, nil
		}
		if failed = err; ctx.Err() != nil || model.ClassOf(err) != model.Transient {
			break
		}
	}
	if failed == nil {
		failed = &model.Error{Class: model.Transient, Op: "find", Subject: fmt.Sprintf("broker %d", node), Err: fmt.Errorf("its address is not known yet")}
	}
	return nil, failed
}

// callInShare leaves time for the addresses behind this one: a broker whose process is stopped takes connections and
// never answers.
func (c *Client) callInShare(ctx context.Context, left int, address string, req kmsg.Request) (kmsg.Response, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	answer, err := c.callAddress(ctx, address, req)
	if err == nil {
		c.mu.Lock()
		c.answered = address
		c.mu.Unlock()
	}
	return answer, err
}

func (c *Client) callAddress(ctx context.Context, address string, req kmsg.Request) (kmsg.Response, error) {
	key := kmsg.Key(req.Key())
	version, err := c.negotiate(ctx, address, key)
	if err != nil {
		return nil, err
	}
	req.SetVersion(version)
	f := &Frame{Key: req.Key(), Version: version, Flexible: req.IsFlexible(), FlexibleAnswer: req.IsFlexible(), Pieces: [][]byte{req.AppendTo(nil)}}
	if err := c.exchange(ctx, address, f); err != nil {
		return nil, err
	}
	answer := req.ResponseKind()
	answer.SetVersion(version)
	if err := answer.ReadFrom(f.Answer); err != nil {
		return nil, &model.Error{Class: model.Transient, Op: "read the answer to " + key.Name() + " of broker", Subject: address, Err: err}
	}
	return answer, nil
}

// negotiate asks for the versions of a broker when they are not known and repeats once: after a restart of the broker
// every pooled connection fails one time.
func (c *Client) negotiate(ctx context.Context, address string, key kmsg.Key) (int16, error) {
	v, err := c.versionsOf(ctx, address)
	if err != nil {
		if model.ClassOf(err) != model.Transient || ctx.Err() != nil {
			return 0, err
		}
		if v, err = c.versionsOf(ctx, address); err != nil {
			return 0, err
		}
	}
	return v.pick(address, key)
}

// Exchange sends a frame whose body the caller encoded to a node. The version in the frame must be one that Call would
// choose; it is checked against what the broker speaks. On an error f is used up: see Frame.
func (c *Client) Exchange(ctx context.Context, node int32, f *Frame) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	address, err := c.addressOf(ctx, node)
	if err != nil {
		return err
	}
	if _, err := c.negotiate(ctx, address, kmsg.Key(f.Key)); err != nil {
		return err
	}
	return c.exchange(ctx, address, f)
}

func (c *Client) exchange(ctx context.Context, address string, f *Frame) error {
	f.clientID, f.correlation = c.clientID, c.correlation.Add(1)
	if _, err := c.transport.RoundTrip(ctx, kafka.TCP(address), f); err != nil {
		// Also what an unsupported version looks like: ask again what this broker speaks.
		c.mu.Lock()
		delete(c.versions, address)
		c.mu.Unlock()
		return unreachable("reach broker", address, err)
	}
	return nil
}

// candidates are the addresses to try for a node; for AnyNode the known brokers come after the bootstrap addresses,
// which may all have been replaced since the start. The one that answered last goes first: the others may be gone.
func (c *Client) candidates(node int32) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if node != AnyNode {
		if a, ok := c.addresses[node]; ok {
			return []string{a}
		}
		return nil
	}
	all := append([]string(nil), c.bootstrap...)
	for _, a := range c.addresses {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	if i := slices.Index(all, c.answered); i > 0 {
		all[0], all[i] = all[i], all[0]
	}
	return all
}

func (c *Client) addressOf(ctx context.Context, node int32) (string, error) {
	if known := c.candidates(node); len(known) > 0 {
		return known[0], nil
	}
	if err := c.Refresh(ctx); err != nil {
		return "", err
	}
	if known := c.candidates(node); len(known) > 0 {
		return known[0], nil
	}
	return "", &model.Error{Class: model.Transient, Op: "find", Subject: fmt.Sprintf("broker %d", node), Err: fmt.Errorf("the cluster does not know it")}
}

// learn remembers where a node listens.
func (c *Client) learn(node int32, host string, port int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addresses[node] = joinHostPort(host, port)
}

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, DefaultTimeout)
}
