// Package control is how a group is operated as a whole: it keeps what all instances are asked to do, and what each of them
// tells of itself, both through the group's control topic. It decides what the records of that topic mean; it never touches
// the stream itself and never stops it because the topic cannot be reached: what was known last goes on to hold.
package control

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// Topic is the control topic.
type Topic interface {
	// Follow shows every record from the beginning on and calls reached once when everything is shown that was there at
	// first. It returns when ctx ends, or when it has to be begun anew.
	Follow(ctx context.Context, see func(*model.Message), reached func()) error
	// Put writes one record, nil to delete what its key has, and returns its offset. It tries until ctx ends.
	Put(ctx context.Context, key string, value []byte) (offset int64, err error)
}

// Observer hears of what has to be tried again.
type Observer interface {
	// Retrying says that an operation failed and will be tried again.
	Retrying(op string, err error)
	// Recovered says that it succeeded; nothing need have failed before.
	Recovered(op string)
}

// Config is what Control is made of.
type Config struct {
	Topic    Topic
	Name     string // of the topic, for messages
	Observer Observer
	Log      zerolog.Logger
	// Own is what this instance has to tell. It is called a few times a second.
	Own func() model.InstanceStatus
	// OnPause is called with each change, in order: nil says that the group goes on. It must not call back.
	OnPause func(*model.Pause)
}

const (
	// every is how often an instance tells its status.
	every = 3 * time.Second
	// look is how often it looks whether its status has changed so much that others should know at once.
	look = 250 * time.Millisecond
	// answerTimeout is how long the brokers have to take a record.
	answerTimeout = 5 * time.Second
	// aliveFor is how many times Every an instance may be silent until it is not taken for alive.
	aliveFor = 3
	// forgetAfter is how long an instance may be silent until its status is deleted from the topic, by anybody.
	forgetAfter = time.Hour
	// followAgain is how long to wait before the topic is begun anew.
	followAgain = time.Second
)

// Control is one instance's part in operating the group. It is safe for concurrent use.
type Control struct {
	cfg   Config
	ready chan struct{} // closed when the topic has been read to its end for the first time

	mu      sync.Mutex
	known   *state
	reading *state // while the topic is read from its beginning; known otherwise
	own     model.InstanceStatus
	warned  map[string]bool
}

// New returns a Control that knows nothing yet.
func New(cfg Config) *Control {
	s := newState()
	return &Control{cfg: cfg, ready: make(chan struct{}), known: s, reading: s, warned: map[string]bool{}}
}

// Read is closed when the topic has been read to its end for the first time: from then on Paused is what the group was asked.
func (c *Control) Read() <-chan struct{} { return c.ready }

// Run follows the topic and tells the status of this instance, until ctx ends.
func (c *Control) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { c.follow(ctx) })
	both.Go(func() { c.tell(ctx) })
	both.Wait()
}

// Pause asks the whole group to stand still. A group that is paused stays so, with the new reason and since when it was.
// After an error nobody knows whether it was written.
func (c *Control) Pause(ctx context.Context, reason string) (*model.Pause, error) {
	if len(reason) > mostReason {
		return nil, &model.Error{Class: model.Rejected, Op: "pause the group", Err: errReason, Hint: "say it in fewer words"}
	}
	p := &model.Pause{By: c.name(), At: stamp(time.Now()), Reason: reason}
	if before := c.Paused(); before != nil {
		p.At = before.At
	}
	value, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	if err := c.put(ctx, "pause the group", pauseKey, value); err != nil {
		return nil, err
	}
	return p, nil
}

// Resume lets the whole group go on. After an error nobody knows whether it was written.
func (c *Control) Resume(ctx context.Context) error {
	return c.put(ctx, "resume the group", pauseKey, nil)
}

// Paused is what the group is asked: nil to go on.
func (c *Control) Paused() *model.Pause {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known.pause == nil {
		return nil
	}
	p := *c.known.pause
	return &p
}

// put writes a record and takes note of it at once, so that whoever asked sees what they have done.
func (c *Control) put(ctx context.Context, op, key string, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	offset, err := c.cfg.Topic.Put(ctx, key, value)
	if err != nil {
		failed := &model.Error{Class: model.ClassOf(err), Op: op, Err: err}
		if failed.Class == model.Transient {
			failed.Hint = "no broker has confirmed it within " + answerTimeout.String() + ": look at the status whether it holds, and ask again"
		}
		return failed
	}
	now := time.Now()
	c.see(&model.Message{Offset: offset, Timestamp: now.UnixMilli(), Key: []byte(key), Value: value}, true)
	return nil
}

// follow reads the topic, and begins anew when it has to.
func (c *Control) follow(ctx context.Context) {
	for {
		c.mu.Lock()
		c.reading = newState()
		c.mu.Unlock()
		err := c.cfg.Topic.Follow(ctx, func(m *model.Message) { c.see(m, false) }, c.reached)
		if ctx.Err() != nil {
			return
		}
		c.cfg.Log.Warn().Err(err).Str("topic", c.cfg.Name).Msg("reading the control topic from its beginning again: what is known holds until then")
		c.cfg.Observer.Retrying("follow the control topic", err)
		if utils.Sleep(ctx, followAgain) != nil {
			return
		}
	}
}

// see takes note of a record: one that was read, or one that was written here and is confirmed.
func (c *Control) see(m *model.Message, written bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	into := c.reading
	if written {
		into = c.known
	}
	before := into.pause
	arrived := time.Now()
	if c.reading != c.known && !written { // it was there before: only its timestamp tells since when
		arrived = arrived.Add(-max(arrived.Sub(time.UnixMilli(m.Timestamp)), 0))
	}
	if kind, err := into.take(m, arrived); err != nil {
		c.warn(kind, m, err)
	}
	if written && c.reading != c.known { // or it would not hold between the end of that reading and its own turn
		_, _ = c.reading.take(m, arrived) // it is one of ours
	}
	if into == c.known && before != into.pause {
		c.changed()
	}
}

// reached says that everything has been read: what was read holds from now on.
func (c *Control) reached() {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.known.pause
	c.known = c.reading
	c.cfg.Observer.Recovered("follow the control topic")
	if !same(before, c.known.pause) {
		c.changed()
	}
	select {
	case <-c.ready:
	default:
		close(c.ready)
	}
}

// changed tells what the group is asked now. The caller holds mu.
func (c *Control) changed() {
	p := c.known.pause
	if p == nil {
		c.cfg.Log.Info().Msg("the group was resumed")
		c.cfg.OnPause(nil)
		return
	}
	c.cfg.Log.Info().Str("by", p.By).Time("since", p.At).Str("reason", p.Reason).Msg("the group is paused: it reads nothing until somebody resumes it")
	told := *p
	c.cfg.OnPause(&told)
}

// warn tells once for each kind of record that one cannot be read. The caller holds mu.
func (c *Control) warn(kind string, m *model.Message, err error) {
	if c.warned[kind] {
		return
	}
	c.warned[kind] = true
	c.cfg.Log.Warn().Str("topic", c.cfg.Name).Int64("offset", m.Offset).Bytes("key", m.Key[:min(len(m.Key), 200)]).Err(err).
		Msg("a record of the control topic cannot be read and is skipped, as are others like it: a newer version may have written it")
}
