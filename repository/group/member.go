// Package group is this process's place in a Kafka consumer group: it joins with the classic protocol, keeps the
// membership alive with heartbeats, tells when a generation is over, and, when it leads, shares the partitions out.
//
// It never reads or commits offsets and never touches a record: what a generation may still commit is for its caller
// to decide. It never stops beating while the caller drains, for a member that falls silent is thrown out.
package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Caller sends requests to brokers. It lowers the version of a request to what the broker speaks.
type Caller interface {
	Call(ctx context.Context, node int32, req kmsg.Request) (kmsg.Response, error)
	GroupCoordinator(ctx context.Context, group string) (int32, error)
	ForgetGroupCoordinator(group string)
}

// Topics tells how many partitions topics have now, never from a cache. A topic that does not exist is left out, or is
// an error with Kafka's code 3 for the whole call.
type Topics interface {
	PartitionCounts(ctx context.Context, topics []string) (map[string]int32, error)
}

// Observer hears of joins and heartbeats that have to be tried again.
type Observer interface {
	// Retrying says that an operation failed and will be tried again.
	Retrying(op string, err error)
	// Pausing says how long it is until then.
	Pausing(op string, pause time.Duration)
	// Recovered says that it succeeded; nothing need have failed before.
	Recovered(op string)
	// Abandoned says that it is not tried any more.
	Abandoned(op string)
}

// Config is who joins what, and for how long the group waits for it.
type Config struct {
	Group      string
	InstanceID string // group.instance.id of a static member (KIP-345); empty: a dynamic member
	ClientID   string // named in the reason of a join, which brokers log
	Topics     []string

	// SessionTimeout is how long the group waits for a silent member; brokers accept 6 s to 30 min by default.
	SessionTimeout time.Duration
	// RebalanceTimeout is how long the group waits for a member to finish its work and join the next generation.
	RebalanceTimeout time.Duration
	// HeartbeatInterval is a third of the session timeout by default, at least 100 ms and at most 3 s.
	HeartbeatInterval time.Duration
	// TopicCheckInterval is how often a member looks whether its topics have new partitions; 10 s by default.
	TopicCheckInterval time.Duration
}

func (c Config) withDefaults() Config {
	if c.HeartbeatInterval <= 0 {
		c.HeartbeatInterval = min(max(c.SessionTimeout/3, 100*time.Millisecond), 3*time.Second)
	}
	if c.TopicCheckInterval <= 0 {
		c.TopicCheckInterval = 10 * time.Second
	}
	return c
}

// Member is one member of the group. Join, Leave, Subscribe and GoDynamic are for one goroutine; Alive and Err are for any.
type Member struct {
	cfg     Config
	calls   Caller
	topics  Topics
	observe Observer
	log     zerolog.Logger

	mu      sync.Mutex
	who     identity    // under which the next join happens
	owned   possessions // what the last generation gave
	session *session    // of the last generation; nil before the first
}

// identity is what a coordinator knows a member by.
type identity struct {
	member     string // given by the coordinator; empty: not a member yet
	instance   string // of a static member, until it goes dynamic
	generation int32  // -1: none
}

func (w identity) instanceID() *string {
	if w.instance == "" {
		return nil
	}
	return &w.instance
}

// possessions are partitions and the generation that gave them.
type possessions struct {
	partitions []model.TopicPartition
	generation int32
}

// New is a member that has not joined yet. Nothing is sent before Join.
func New(cfg Config, calls Caller, topics Topics, observer Observer, log zerolog.Logger) *Member {
	return &Member{
		cfg: cfg.withDefaults(), calls: calls, topics: topics, observe: observer,
		log:   log.With().Str("group", cfg.Group).Logger(),
		who:   identity{instance: cfg.InstanceID, generation: -1},
		owned: possessions{generation: -1},
	}
}

// Err tells why Assignment.Ended was closed, and is nil as long as it is open. Its class is Rejoin for a rebalance,
// Fenced when the group went on without this member or its session must have expired, and Replaced when another
// process joined with its instance id. A rebalance that is drained for too long turns from Rejoin into Fenced.
func (m *Member) Err() error {
	if s := m.current(); s != nil {
		return s.cause()
	}
	return nil
}

// Alive sends one heartbeat now: nil means that this member and its generation are still the group's. The class of the
// error is as in Err; a Transient one means that there was no answer to learn from.
func (m *Member) Alive(ctx context.Context) error {
	s := m.current()
	if s == nil {
		return &model.Error{Class: model.Rejoin, Op: "heartbeat in group", Subject: m.cfg.Group,
			Err: errors.New("not a member yet")}
	}
	return s.beat(ctx, s.callTimeout())
}

// GoDynamic gives the instance id up: after an error of class Replaced, the next Join is that of a new dynamic member
// with an id of its own, so that two processes with one INSTANCE_ID do not throw each other out for ever.
func (m *Member) GoDynamic() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.who.instance == "" {
		return
	}
	m.log.Error().Str("instance_id", m.who.instance).
		Msgf("another process uses INSTANCE_ID=%s: this one goes on as a dynamic member; give each process its own", m.who.instance)
	// What the old identity owned belongs to the other process now: claiming it would move it back.
	m.who, m.owned = identity{generation: -1}, possessions{generation: -1}
}

// Subscribe says which topics the next Join is for, and whether they are others than before. Until then nothing changes.
func (m *Member) Subscribe(topics []string) (others bool) {
	if slices.Equal(topics, m.cfg.Topics) {
		return false
	}
	m.cfg.Topics = slices.Clone(topics)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owned.partitions = slices.DeleteFunc(slices.Clone(m.owned.partitions), func(tp model.TopicPartition) bool { return !slices.Contains(topics, tp.Topic) })
	return true
}

// Leave ends the membership and stops the heartbeats. A dynamic member tells the group, which then goes on without it
// at once. A static member sends nothing: its next incarnation takes over in the same generation, or the session
// timeout passes. When the call fails the group finds out by the session timeout.
func (m *Member) Leave(ctx context.Context) error {
	if s := m.current(); s != nil {
		s.halt("left the group")
	}
	who := m.identity()
	if who.member == "" || who.instance != "" {
		return nil
	}
	m.setIdentity(identity{generation: -1})
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group, req.MemberID = 5, m.cfg.Group, who.member // the single id is for v0 to v2
	gone := kmsg.NewLeaveGroupRequestMember()
	gone.MemberID, gone.Reason = who.member, kmsg.StringPtr("stopping")
	req.Members = append(req.Members, gone)
	res, err := call[*kmsg.LeaveGroupResponse](ctx, m.calls, m.cfg.Group, req, leaveTimeout)
	if err != nil {
		return fmt.Errorf("leave group %s: %w", m.cfg.Group, err)
	}
	code := res.ErrorCode
	if code == 0 && len(res.Members) == 1 { // v3 and later answer for each member
		code = res.Members[0].ErrorCode
	}
	if code == broker.UnknownMember { // thrown out before: gone is gone
		code = 0
	}
	if err := m.failure("leave group", who, code); err != nil {
		return err
	}
	m.log.Info().Str("member", who.member).Msg("left group")
	return nil
}

func (m *Member) current() *session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session
}

func (m *Member) identity() identity {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.who
}

func (m *Member) setIdentity(w identity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.who = w
}
