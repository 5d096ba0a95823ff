package broker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	groupCoordinator       int8 = 0
	transactionCoordinator int8 = 1
)

type coordinatorKey struct {
	kind int8
	key  string
}

// GroupCoordinator is the broker that coordinates a consumer group.
func (c *Client) GroupCoordinator(ctx context.Context, group string) (int32, error) {
	return c.coordinator(ctx, coordinatorKey{groupCoordinator, group})
}

// ForgetGroupCoordinator makes the next GroupCoordinator ask again: after 14, 15, 16 or a failed exchange.
func (c *Client) ForgetGroupCoordinator(group string) {
	c.forgetCoordinator(coordinatorKey{groupCoordinator, group})
}

// TransactionCoordinator is the broker that coordinates a transactional id. On a new cluster it is this question that
// makes the brokers create __transaction_state: without it InitProducerID is answered 16 for ever.
func (c *Client) TransactionCoordinator(ctx context.Context, id string) (int32, error) {
	return c.coordinator(ctx, coordinatorKey{transactionCoordinator, id})
}

// ForgetTransactionCoordinator makes the next TransactionCoordinator ask again.
func (c *Client) ForgetTransactionCoordinator(id string) {
	c.forgetCoordinator(coordinatorKey{transactionCoordinator, id})
}

func (c *Client) coordinator(ctx context.Context, k coordinatorKey) (int32, error) {
	c.mu.Lock()
	node, ok := c.coordinators[k]
	c.mu.Unlock()
	if ok {
		return node, nil
	}
	q := kmsg.NewPtrFindCoordinatorRequest()
	q.CoordinatorType, q.CoordinatorKey = k.kind, k.key
	answer, err := c.Call(ctx, AnyNode, q)
	if err != nil {
		return 0, err
	}
	r, ok := answer.(*kmsg.FindCoordinatorResponse)
	if !ok {
		return 0, fmt.Errorf("unexpected answer %T to FindCoordinator", answer)
	}
	if err := Check("find the coordinator of", k.key, r.ErrorCode); err != nil {
		return 0, err
	}
	c.learn(r.NodeID, r.Host, r.Port)
	c.mu.Lock()
	c.coordinators[k] = r.NodeID
	c.mu.Unlock()
	return r.NodeID, nil
}

func (c *Client) forgetCoordinator(k coordinatorKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.coordinators, k)
}
