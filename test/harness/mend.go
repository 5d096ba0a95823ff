package harness

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// mendFor is how long after its start a broker is looked at. It hangs what it hangs while it starts.
const mendFor = 3 * time.Second

// breaksTransactions tells whether a restart of the target may leave transactions hanging. Kafka 4.3.1 does when its only
// broker restarts, whichever client and protocol version: a transaction whose end was decided (PrepareCommit,
// PrepareAbort) and whose markers were not all written is loaded, declared complete, and its markers are never written.
// Readers with read_committed and OffsetFetch with RequireStable then stand still for ever. With three brokers, and with
// 3.9.2, it does not happen.
func (c *Cluster) breaksTransactions() bool {
	return c.broker == nil && c.brokers == 1 && strings.HasPrefix(c.target, "4.")
}

// mend writes the markers that a restarted broker has forgotten, with the outcome that the transaction coordinator itself
// has written down: what an administrator would have to do. It never decides anything.
func (c *Cluster) mend() error {
	client, err := c.NewClient()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for began := time.Now(); time.Since(began) < mendFor; time.Sleep(300 * time.Millisecond) {
		n, err := client.mendOnce(ctx)
		c.mended += n
		if err != nil {
			return fmt.Errorf("mend transactions that the broker left hanging: %w", err)
		}
	}
	return nil
}

// Mended is how many transactions the brokers have left hanging, and were ended by the tests.
func (c *Cluster) Mended() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mended
}

// pending is a transaction that is open in some partitions, each with the offset of its first record there.
type pending struct {
	producer    int64
	epoch       int16
	coordinator int32
	from        map[place]int64
}

// place is a partition.
type place struct {
	topic     string
	partition int32
}

// mendOnce looks at the partitions, at the coordinator's log, and at the partitions again: what was open all the while,
// though the coordinator has declared it complete in between, will not be ended by anybody.
func (c *Client) mendOnce(ctx context.Context) (int, error) {
	before, err := c.open(ctx)
	if err != nil || len(before) == 0 {
		return 0, err
	}
	history, err := c.decisions(ctx)
	if err != nil {
		return 0, err
	}
	after, err := c.open(ctx)
	if err != nil {
		return 0, err
	}
	mended := 0
	for producer, p := range before {
		committed, complete := decision(history[producer], p.epoch)
		if p.keep(after[producer]); !complete || len(p.from) == 0 {
			continue
		}
		if err := c.writeMarkers(ctx, p, committed); err != nil {
			return mended, err
		}
		mended++
	}
	return mended, nil
}

// keep drops the partitions in which the transaction is not open any more, or another one is.
func (p *pending) keep(now *pending) {
	maps.DeleteFunc(p.from, func(at place, offset int64) bool {
		if now == nil {
			return true
		}
		still, ok := now.from[at]
		return !ok || still != offset
	})
}

// open lists the transactions that partitions know to be open, internal topics included.
func (c *Client) open(ctx context.Context) (map[int64]*pending, error) {
	metadata, err := c.Admin.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	described, err := c.Admin.DescribeProducers(ctx, metadata.Topics.TopicsSet())
	if err != nil {
		return nil, err
	}
	found := map[int64]*pending{}
	described.EachProducer(func(d kadm.DescribedProducer) {
		if d.CurrentTxnStartOffset < 0 {
			return
		}
		p := found[d.ProducerID]
		if p == nil {
			p = &pending{producer: d.ProducerID, epoch: d.ProducerEpoch, from: map[place]int64{}}
			found[d.ProducerID] = p
		}
		p.coordinator = max(p.coordinator, d.CoordinatorEpoch)
		p.from[place{d.Topic, d.Partition}] = d.CurrentTxnStartOffset
	})
	return found, nil
}

// decisions are the states that the coordinator has written down for each producer id, in order.
func (c *Client) decisions(ctx context.Context) (map[int64][]kmsg.TxnMetadataValue, error) {
	records, err := c.ReadAll(ctx, "__transaction_state")
	if err != nil {
		return nil, err
	}
	history := map[int64][]kmsg.TxnMetadataValue{}
	for _, r := range records {
		if r.Value == nil {
			continue
		}
		state := kmsg.NewTxnMetadataValue()
		if err := state.ReadFrom(r.Value); err != nil {
			return nil, fmt.Errorf("%s: %w", Place(r), err)
		}
		history[state.ProducerID] = append(history[state.ProducerID], state)
	}
	return history, nil
}

// decision is how the last transaction with this epoch ended. It is complete only when the coordinator says that it wrote
// the markers; otherwise they may be on their way.
func decision(history []kmsg.TxnMetadataValue, epoch int16) (committed, complete bool) {
	begun := -1
	for i, state := range history {
		if state.ProducerEpoch == epoch && state.State == kmsg.TransactionStateOngoing {
			begun = i
		}
	}
	for _, state := range history[begun+1:] {
		switch state.State {
		case kmsg.TransactionStateCompleteCommit:
			return true, begun >= 0
		case kmsg.TransactionStateCompleteAbort:
			return false, begun >= 0
		case kmsg.TransactionStateOngoing: // the next one
			return false, false
		default:
		}
	}
	return false, false
}

func (c *Client) writeMarkers(ctx context.Context, p *pending, committed bool) error {
	marker := kmsg.NewWriteTxnMarkersRequestMarker()
	marker.ProducerID, marker.ProducerEpoch, marker.CoordinatorEpoch, marker.Committed = p.producer, p.epoch, p.coordinator, committed
	for at := range p.from {
		t := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
		t.Topic, t.Partitions = at.topic, []int32{at.partition}
		marker.Topics = append(marker.Topics, t)
	}
	request := kmsg.NewPtrWriteTxnMarkersRequest()
	request.Markers = append(request.Markers, marker)
	brokers := c.DiscoveredBrokers()
	if len(brokers) != 1 {
		return fmt.Errorf("%d brokers, and only one can be mended", len(brokers))
	}
	answer, err := brokers[0].RetriableRequest(ctx, request)
	if err != nil {
		return err
	}
	written, ok := answer.(*kmsg.WriteTxnMarkersResponse)
	if !ok {
		return fmt.Errorf("unexpected answer %T", answer)
	}
	for _, m := range written.Markers {
		for _, t := range m.Topics {
			for _, x := range t.Partitions {
				if x.ErrorCode != 0 {
					return fmt.Errorf("marker for producer %d in %s-%d: error %d", p.producer, t.Topic, x.Partition, x.ErrorCode)
				}
			}
		}
	}
	return nil
}
