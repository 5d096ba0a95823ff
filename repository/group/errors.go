package group

import (
	"context"
	"fmt"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/repository/broker"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	leaveTimeout = 5 * time.Second
	findTimeout  = 10 * time.Second
	// joinSlack is what a join or sync may take beyond the rebalance timeout, at which the broker answers.
	joinSlack = 10 * time.Second
)

// failure turns the code of an answer into an error whose class decides what happens next; nil for 0. The classes are a member's,
// which for some codes are others than those of a commit (broker.Check), as are the hints.
func (m *Member) failure(op string, who identity, code int16) error {
	if code == 0 {
		return nil
	}
	if code == broker.CoordinatorLoading || code == broker.CoordinatorNotAvailable || code == broker.NotCoordinator {
		m.calls.ForgetGroupCoordinator(m.cfg.Group)
	}
	e := &model.Error{Class: model.Transient, Op: op, Subject: m.cfg.Group, Code: code, Err: kafka.Error(code)}
	switch code {
	case broker.IllegalGeneration, broker.UnknownMember:
		e.Class = model.Fenced
	case broker.RebalanceInProgress, broker.MemberIDRequired:
		e.Class = model.Rejoin
	case broker.FencedInstanceID:
		e.Class = model.Replaced
		e.Hint = fmt.Sprintf("another process uses INSTANCE_ID=%s; give each process its own", who.instance)
	case broker.InvalidSessionTimeout:
		e.Class = model.Misconfigured
		e.Hint = fmt.Sprintf("SESSION_TIMEOUT=%s lies outside the broker's group.min.session.timeout.ms..group.max.session.timeout.ms, usually 6s..30m", m.cfg.SessionTimeout)
	case broker.InconsistentProtocol:
		e.Class = model.Misconfigured
		e.Hint = fmt.Sprintf("another consumer with another assignment protocol uses the group id %s; set KAFKA_GROUP_ID to one of its own", m.cfg.Group)
	case broker.InvalidGroupID:
		e.Class = model.Misconfigured
		e.Hint = "the broker refuses this group id; set KAFKA_GROUP_ID"
	case broker.GroupMaxSize:
		e.Class = model.Misconfigured
		e.Hint = "the group has as many members as the broker's group.max.size allows; run fewer instances or raise it"
	case broker.GroupUnauthorized:
		e.Class = model.Unauthorized
		e.Hint = fmt.Sprintf("the principal needs the ACL READ on group %s", m.cfg.Group)
	}
	return e
}

// call sends req to the group's coordinator, within timeout. After an error of the connection the coordinator is
// looked up anew, since a broker that is gone leads nothing.
func call[R kmsg.Response](ctx context.Context, c Caller, group string, req kmsg.Request, timeout time.Duration) (R, error) {
	var none R
	find, cancel := context.WithTimeout(ctx, min(timeout, findTimeout))
	node, err := c.GroupCoordinator(find, group)
	cancel()
	if err != nil {
		return none, err
	}
	ctx, cancel = context.WithTimeout(ctx, timeout)
	defer cancel()
	res, err := c.Call(ctx, node, req)
	if err != nil {
		c.ForgetGroupCoordinator(group)
		return none, err
	}
	r, ok := res.(R)
	if !ok {
		return none, fmt.Errorf("request %d was answered with %T", req.Key(), res)
	}
	return r, nil
}
