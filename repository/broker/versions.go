package broker

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
)

// span is a range of versions of one API.
type span struct{ least, most int16 }

// spoken lists the versions of each API that the engine can write and read. The upper ends stay at the transaction
// protocol TV1 on purpose (docs/architecture.md), and at Produce v8, Fetch v11 and OffsetFetch v7, whose bodies are
// encoded by hand. The lower ends are what Kafka 2.8 offers.
var spoken = map[kmsg.Key]span{
	kmsg.Produce:            {8, 8},
	kmsg.Fetch:              {11, 11},
	kmsg.ListOffsets:        {5, 7},
	kmsg.Metadata:           {10, 12},
	kmsg.OffsetCommit:       {7, 8},
	kmsg.OffsetFetch:        {7, 7},
	kmsg.FindCoordinator:    {3, 3},
	kmsg.JoinGroup:          {7, 9},
	kmsg.Heartbeat:          {4, 4},
	kmsg.LeaveGroup:         {4, 5},
	kmsg.SyncGroup:          {5, 5},
	kmsg.CreateTopics:       {5, 7},
	kmsg.CreatePartitions:   {2, 3},
	kmsg.InitProducerID:     {4, 4},
	kmsg.AddPartitionsToTxn: {3, 3},
	kmsg.AddOffsetsToTxn:    {3, 3},
	kmsg.EndTxn:             {3, 3},
	kmsg.TxnOffsetCommit:    {3, 3},
	kmsg.DescribeConfigs:    {1, 4},
}

const (
	neededRelease      = "Kafka 2.8 or newer is needed"
	unsupportedVersion = 35
)

// versions is what one broker answered to ApiVersions.
type versions map[int16]span

// pick is the highest version of an API that both sides speak.
func (v versions) pick(address string, key kmsg.Key) (int16, error) {
	ours, ok := spoken[key]
	if !ok {
		return 0, fmt.Errorf("no version is known for %s", key.Name())
	}
	theirs, ok := v[key.Int16()]
	if !ok {
		theirs = span{0, -1}
	}
	if best := min(ours.most, theirs.most); best >= max(ours.least, theirs.least) {
		return best, nil
	}
	hint, had := neededRelease, fmt.Sprintf("%d to %d", theirs.least, theirs.most)
	if theirs.least > ours.most {
		hint = "the broker is newer than this release knows"
	}
	if !ok {
		had = "none"
	}
	return 0, &model.Error{Class: model.Misconfigured, Op: "talk to broker", Subject: address, Hint: hint,
		Err: fmt.Errorf("it speaks %s versions %s, needed is %d to %d", key.Name(), had, ours.least, ours.most)}
}

// versionsOf asks a broker once for what it speaks. A raw request of another version would be answered by a closed
// connection, which looks like a network fault and would be retried for ever.
func (c *Client) versionsOf(ctx context.Context, address string) (versions, error) {
	c.mu.Lock()
	v, ok := c.versions[address]
	c.mu.Unlock()
	if ok {
		return v, nil
	}
	q := kmsg.NewPtrApiVersionsRequest()
	q.Version, q.ClientSoftwareName, q.ClientSoftwareVersion = 3, "data-stream-engine", "1"
	f := &Frame{Key: q.Key(), Version: q.Version, Flexible: true, Pieces: [][]byte{q.AppendTo(nil)}}
	if err := c.exchange(ctx, address, f); err != nil {
		return nil, err
	}
	if len(f.Answer) >= 2 && binary.BigEndian.Uint16(f.Answer) == unsupportedVersion {
		// Before Kafka 2.4: the rest of the answer is in version 0 (KIP-511).
		return nil, &model.Error{Class: model.Misconfigured, Op: "talk to broker", Subject: address, Code: unsupportedVersion,
			Hint: neededRelease, Err: fmt.Errorf("it does not speak ApiVersions version %d", q.Version)}
	}
	r := kmsg.NewPtrApiVersionsResponse()
	r.Version = q.Version
	if err := r.ReadFrom(f.Answer); err != nil {
		return nil, fmt.Errorf("read the versions of broker %s: %w", address, err)
	}
	if err := Check("ask for the versions of broker", address, r.ErrorCode); err != nil {
		return nil, err
	}
	v = make(versions, len(r.ApiKeys))
	for _, k := range r.ApiKeys {
		v[k.ApiKey] = span{k.MinVersion, k.MaxVersion}
	}
	c.mu.Lock()
	c.versions[address] = v
	c.mu.Unlock()
	return v, nil
}
