package group

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"
	"data-stream-engine/utils"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The operations of a member, for an Observer.
const (
	joining = "join group"
	beating = "heartbeat"
)

// Join enters the next generation of the group and starts its heartbeats, which run until the next Join or Leave. The
// generation before is over for this member as soon as Join is called: its work must be committed or dropped by then.
//
// Join blocks until there is a generation: errors that pass are retried for ever, with backoff. What it returns is
// Misconfigured or Unauthorized, Replaced when another process has this member's instance id (see GoDynamic), or the
// context's error.
func (m *Member) Join(ctx context.Context) (model.Assignment, error) {
	start, why := time.Now(), "joining"
	if s := m.current(); s != nil {
		s.halt("joining again")
		why = s.cause().Error()
	}
	failed := utils.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	moved := utils.Backoff{Min: 20 * time.Millisecond, Max: time.Second} // the group waits for us
	for {
		a, err := m.enter(ctx, why)
		if err == nil {
			m.observe.Recovered(joining)
			m.log.Info().Int32("generation", a.Generation).Str("member", a.MemberID).Func(instance(a.InstanceID)).
				Int("partitions", len(a.Partitions)).Stringer("took", time.Since(start).Round(time.Millisecond)).Msg("joined group")
			return a, nil
		}
		if ctx.Err() != nil {
			return model.Assignment{}, fmt.Errorf("join group %s: %w", m.cfg.Group, ctx.Err())
		}
		var pause time.Duration
		switch model.ClassOf(err) {
		case model.Transient:
			pause = failed.Next()
			m.observe.Retrying(joining, err)
			m.observe.Pausing(joining, pause)
		case model.Rejoin, model.Fenced:
			pause = moved.Next()
			m.log.Info().AnErr("reason", err).Msg("rebalance: the group moved on while joining, joining again")
			m.step(err)
		default:
			return model.Assignment{}, err
		}
		if err := utils.Sleep(ctx, pause); err != nil {
			return model.Assignment{}, fmt.Errorf("join group %s: %w", m.cfg.Group, err)
		}
	}
}

// instance names the instance id in the log, if there is one.
func instance(id string) func(*zerolog.Event) {
	return func(e *zerolog.Event) {
		if id != "" {
			e.Str("instance_id", id)
		}
	}
}

// step prepares the next attempt. A member that the coordinator does not know needs a new id. One that only missed a
// generation keeps its id, or the group would wait for the old one until its session expires.
func (m *Member) step(err error) {
	if broker.Code(err) != broker.UnknownMember {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.who.member = ""
}

// enter makes one attempt at JoinGroup and SyncGroup.
func (m *Member) enter(ctx context.Context, why string) (model.Assignment, error) {
	joined, err := m.joinGroup(ctx, why)
	if err != nil {
		return model.Assignment{}, err
	}
	shared, err := m.lead(ctx, joined)
	if err != nil {
		return model.Assignment{}, err
	}
	synced, err := m.syncGroup(ctx, shared)
	if err != nil {
		return model.Assignment{}, err
	}
	partitions, from, err := readShare(synced.MemberAssignment)
	if err != nil {
		return model.Assignment{}, fmt.Errorf("sync group %s: %w", m.cfg.Group, err)
	}
	own, err := m.subscribed(partitions, from)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owned = possessions{partitions: own, generation: m.who.generation}
	if err != nil {
		return model.Assignment{}, err
	}
	m.session = startSession(context.WithoutCancel(ctx), m, m.who, from)
	return model.Assignment{
		Generation: m.who.generation, MemberID: m.who.member, InstanceID: m.who.instance,
		Partitions: own, Ended: m.session.ended,
	}, nil
}

// subscribed are the partitions of the topics that this member subscribes to. With an error of class Rejoin they are not
// what it should have: a coordinator lets a static member take over what its predecessor had, without a look at what
// it subscribes to now. Joining once more, with these as its own, is news to the coordinator, and the group shares out anew.
func (m *Member) subscribed(partitions []model.TopicPartition, from basis) (own []model.TopicPartition, err error) {
	stale := func(topic string) error {
		return &model.Error{Class: model.Rejoin, Op: "take over from the instance before", Subject: m.cfg.Group, Err: fmt.Errorf("it had other topics: %s", topic)}
	}
	for _, tp := range partitions {
		if slices.Contains(m.cfg.Topics, tp.Topic) {
			own = append(own, tp)
		} else {
			err = stale(tp.Topic)
		}
	}
	for _, topic := range m.cfg.Topics {
		if _, known := from.Partitions[topic]; !known && len(from.Partitions) > 0 {
			err = stale(topic)
		}
	}
	return own, err
}

// joinGroup blocks at the broker until all members are there, or their rebalance timeout is over.
func (m *Member) joinGroup(ctx context.Context, why string) (*kmsg.JoinGroupResponse, error) {
	for {
		m.mu.Lock()
		who, owned := m.who, m.owned
		m.mu.Unlock()

		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.MemberID, req.InstanceID = 9, m.cfg.Group, who.member, who.instanceID()
		req.SessionTimeoutMillis = int32(m.cfg.SessionTimeout.Milliseconds())
		req.RebalanceTimeoutMillis = int32(m.cfg.RebalanceTimeout.Milliseconds())
		req.ProtocolType = protocolType
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = protocolName, subscription(m.cfg.Topics, owned)
		req.Protocols = append(req.Protocols, p)
		req.Reason = reason(m.cfg.ClientID, why)

		res, err := call[*kmsg.JoinGroupResponse](ctx, m.calls, m.cfg.Group, req, m.cfg.RebalanceTimeout+joinSlack)
		if err != nil {
			return nil, fmt.Errorf("join group %s: %w", m.cfg.Group, err)
		}
		if res.ErrorCode == broker.MemberIDRequired && res.MemberID != "" && res.MemberID != who.member {
			who.member = res.MemberID // KIP-394: the coordinator names a member before it makes the group wait for it
			m.setIdentity(who)
			continue
		}
		if err := m.failure("join group", who, res.ErrorCode); err != nil {
			return nil, err
		}
		who.member, who.generation = res.MemberID, res.Generation
		m.setIdentity(who)
		return res, nil
	}
}

// reason is what the broker logs about a join (KIP-800), at most 255 bytes of it.
func reason(client, why string) *string {
	if client != "" {
		why = client + ": " + why
	}
	why = strings.ToValidUTF8(why[:min(len(why), 255)], "")
	return &why
}

// count is the number of partitions of each topic that exists. A topic that is missing must not keep the group from
// working on the others, so after an error that names one, each is asked for by itself.
func (m *Member) count(ctx context.Context, topics []string) (map[string]int32, error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	counts, err := m.topics.PartitionCounts(ctx, topics)
	if broker.Code(err) != broker.UnknownTopicOrPartition {
		return counts, err
	}
	counts = make(map[string]int32, len(topics))
	for _, t := range topics {
		one, err := m.topics.PartitionCounts(ctx, []string{t})
		if broker.Code(err) == broker.UnknownTopicOrPartition {
			continue
		}
		if err != nil {
			return nil, err
		}
		counts[t] = one[t]
	}
	return counts, nil
}

// lead shares the partitions out when this member leads the generation, and returns nothing when another one does. A
// static leader that was restarted must not compute: the assignment of the generation stands (KIP-814).
func (m *Member) lead(ctx context.Context, joined *kmsg.JoinGroupResponse) ([]kmsg.SyncGroupRequestGroupAssignment, error) {
	if joined.LeaderID != joined.MemberID || joined.SkipAssignment {
		return nil, nil
	}
	members := make([]subscriber, 0, len(joined.Members))
	wanted := map[string]int32{}
	for _, jm := range joined.Members {
		sub, err := readSubscription(jm)
		if err != nil {
			m.log.Error().Err(err).Msg("a member of the group gets no partitions: its subscription is unreadable")
		}
		for _, t := range sub.topics {
			wanted[t] = 0
		}
		members = append(members, sub)
	}
	counts, err := m.count(ctx, sortedKeys(wanted))
	if err != nil {
		return nil, fmt.Errorf("count the partitions to share out in group %s: %w", m.cfg.Group, err)
	}
	for _, t := range sortedKeys(wanted) {
		if wanted[t] = counts[t]; counts[t] == 0 {
			m.log.Warn().Str("topic", t).Msg("the topic does not exist: the group waits for it")
		}
	}
	shared := assign(members, wanted)
	out := make([]kmsg.SyncGroupRequestGroupAssignment, 0, len(members))
	for _, sub := range members {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID = sub.id
		if a.MemberAssignment, err = share(shared[sub.id], basisOf(sub, wanted)); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	m.log.Info().Int32("generation", joined.Generation).Int("members", len(members)).Msg("led group: shared the partitions out")
	return out, nil
}

// syncGroup hands in what the leader shared out and blocks until the leader has done so.
func (m *Member) syncGroup(ctx context.Context, shared []kmsg.SyncGroupRequestGroupAssignment) (*kmsg.SyncGroupResponse, error) {
	who := m.identity()
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.Generation = 5, m.cfg.Group, who.generation
	req.MemberID, req.InstanceID = who.member, who.instanceID()
	req.ProtocolType, req.Protocol = kmsg.StringPtr(protocolType), kmsg.StringPtr(protocolName)
	req.GroupAssignment = shared
	res, err := call[*kmsg.SyncGroupResponse](ctx, m.calls, m.cfg.Group, req, m.cfg.RebalanceTimeout+joinSlack)
	if err != nil {
		return nil, fmt.Errorf("sync group %s: %w", m.cfg.Group, err)
	}
	if err := m.failure("sync group", who, res.ErrorCode); err != nil {
		return nil, err
	}
	return res, nil
}
