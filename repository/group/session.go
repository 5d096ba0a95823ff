package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/utils"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// session keeps one generation alive and finds out when it is over.
type session struct {
	m     *Member
	who   identity
	from  basis
	ended chan struct{}
	stop  context.CancelFunc
	tasks sync.WaitGroup

	mu  sync.Mutex
	err error // why ended is closed
}

// startSession begins to beat and to watch the topics, until halt or the end of ctx.
func startSession(ctx context.Context, m *Member, who identity, from basis) *session {
	ctx, stop := context.WithCancel(ctx)
	s := &session{m: m, who: who, from: from, ended: make(chan struct{}), stop: stop}
	s.tasks.Go(func() { s.live(ctx) })
	s.tasks.Go(func() { s.watch(ctx) })
	return s
}

// halt stops the heartbeats and returns when the last one has: none of them can reach into the next generation.
func (s *session) halt(why string) {
	s.stop()
	s.tasks.Wait()
	s.end(&model.Error{Class: model.Rejoin, Op: "generation ended in group", Subject: s.m.cfg.Group, Err: errors.New(why)})
}

func (s *session) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// end closes ended, or, when it is closed already, makes the reason a graver one. It reports whether there is news.
func (s *session) end(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.ended)
		return true
	}
	if gravity(err) <= gravity(s.err) {
		return false
	}
	s.err = err
	return true
}

func gravity(err error) int {
	switch model.ClassOf(err) {
	case model.Replaced:
		return 3
	case model.Fenced:
		return 2
	case model.Rejoin:
		return 1
	default:
		return 0
	}
}

// live beats until the session is halted or the coordinator says that the member is gone. A rebalance is no reason to
// stop: the group waits for the member to join again, and throws it out if it falls silent meanwhile.
func (s *session) live(ctx context.Context) {
	interval := s.m.cfg.HeartbeatInterval
	again := utils.Backoff{Min: interval / 8, Max: interval / 2}
	heard, pause := time.Now(), interval
	defer s.m.observe.Abandoned(beating)
	for utils.Sleep(ctx, s.within(heard, pause)) == nil {
		sent := time.Now() // the broker counts from when it hears a heartbeat, which is after this
		err := s.beat(ctx, s.within(heard, s.callTimeout()))
		if ctx.Err() != nil {
			return
		}
		switch {
		case err == nil || model.ClassOf(err) == model.Rejoin:
			heard, pause = sent, interval
			again.Reset()
			s.m.observe.Recovered(beating)
			continue
		case gravity(err) > 0:
			return
		}
		pause = again.Next()
		s.m.observe.Retrying(beating, err)
		s.m.observe.Pausing(beating, pause)
		if silent := time.Since(heard); silent >= s.m.cfg.SessionTimeout {
			s.expire(silent)
		}
	}
}

// within bounds d by what is left of the session, so that its end is noticed in time.
func (s *session) within(heard time.Time, d time.Duration) time.Duration {
	if left := time.Until(heard.Add(s.m.cfg.SessionTimeout)); left > 0 {
		return min(d, left)
	}
	return d
}

// expire assumes what the coordinator must have done by now. It goes on beating: a coordinator that was away itself
// may still know the member.
func (s *session) expire(silent time.Duration) {
	err := &model.Error{Class: model.Fenced, Op: "heartbeat in group", Subject: s.m.cfg.Group,
		Err:  fmt.Errorf("none was answered for %s", silent.Round(time.Millisecond)),
		Hint: fmt.Sprintf("SESSION_TIMEOUT=%s is over: the group may have given this member's partitions away", s.m.cfg.SessionTimeout)}
	if s.end(err) {
		s.m.log.Warn().AnErr("reason", err).Int32("generation", s.who.generation).Msg("rebalance: session expired")
	}
}

func (s *session) callTimeout() time.Duration {
	return max(s.m.cfg.SessionTimeout/3, time.Second)
}

// beat sends one heartbeat and takes note of the answer.
func (s *session) beat(ctx context.Context, timeout time.Duration) error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.Generation = 4, s.m.cfg.Group, s.who.generation
	req.MemberID, req.InstanceID = s.who.member, s.who.instanceID()
	res, err := call[*kmsg.HeartbeatResponse](ctx, s.m.calls, s.m.cfg.Group, req, timeout)
	if err != nil {
		return fmt.Errorf("heartbeat in group %s: %w", s.m.cfg.Group, err)
	}
	err = s.m.failure("heartbeat in group", s.who, res.ErrorCode)
	if gravity(err) > 0 && s.end(err) {
		s.report(err)
	}
	return err
}

func (s *session) report(err error) {
	log := s.m.log.With().AnErr("reason", err).Int32("generation", s.who.generation).Logger()
	switch model.ClassOf(err) {
	case model.Replaced:
		log.Error().Msgf("rebalance: another process took over INSTANCE_ID=%s", s.who.instance)
	case model.Fenced:
		log.Warn().Msg("rebalance: the group went on without this member")
	default:
		log.Info().Msg("rebalance: members are joining or leaving")
	}
}

// watch ends the generation when a topic has other partitions than those that were shared out: joining again makes the
// leader count anew. Each member watches for itself, since a leader may be restarting just then.
func (s *session) watch(ctx context.Context) {
	topics := sortedKeys(s.from.Partitions)
	if len(topics) == 0 {
		return
	}
	interval := s.m.cfg.TopicCheckInterval
	for _, n := range s.from.Partitions {
		if n == 0 { // there is nothing to do but wait for the topic
			interval = min(interval, s.m.cfg.HeartbeatInterval)
		}
	}
	for utils.Sleep(ctx, interval) == nil {
		now, err := s.m.count(ctx, topics)
		if err != nil {
			continue // whoever fetches from the topics meets the same error and tells
		}
		for _, t := range topics {
			n, there := now[t]
			if !there || n == s.from.Partitions[t] {
				continue
			}
			err := &model.Error{Class: model.Rejoin, Op: "share out topic", Subject: t,
				Err: fmt.Errorf("it has %d partitions now, %d when they were shared out", n, s.from.Partitions[t])}
			if s.end(err) {
				s.m.log.Info().AnErr("reason", err).Int32("generation", s.who.generation).Msg("rebalance: partitions were added")
			}
			return
		}
	}
}

// basisOf is what the share of sub was made from.
func basisOf(sub subscriber, counts map[string]int32) basis {
	b := basis{Partitions: make(map[string]int32, len(sub.topics))}
	for _, t := range sub.topics {
		b.Partitions[t] = counts[t]
	}
	return b
}

func sortedKeys(m map[string]int32) []string {
	return slices.Sorted(maps.Keys(m))
}
