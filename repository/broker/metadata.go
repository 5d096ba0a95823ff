package broker

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"sort"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/model"
)

// Topic is what the cluster says of one topic.
type Topic struct {
	Name    string
	ID      [16]byte // a topic that was deleted and created again has another one
	Leaders []int32  // by partition; -1: none at the moment
	Epochs  []int32  // leader epochs by partition
}

// Topics returns the named topics from the cache, asking the cluster for the ones that are missing in it. The error
// names the first topic that does not exist (code UnknownTopicOrPartition).
func (c *Client) Topics(ctx context.Context, names ...string) (map[string]Topic, error) {
	found := make(map[string]Topic, len(names))
	missing := false
	c.mu.Lock()
	for _, n := range names {
		t, ok := c.topics[n]
		missing = missing || !ok
		found[n] = t
	}
	c.mu.Unlock()
	if !missing {
		return found, nil
	}
	return c.RefreshTopics(ctx, names...)
}

// Refresh asks the cluster again for its brokers and for every topic in the cache.
func (c *Client) Refresh(ctx context.Context) error {
	c.mu.Lock()
	names := make([]string, 0, len(c.topics))
	for n := range c.topics {
		names = append(names, n)
	}
	c.mu.Unlock()
	sort.Strings(names)
	_, _, err := c.refresh(ctx, names)
	return err
}

// RefreshTopics asks the cluster for the named topics, never creating one, and caches what it says. With an error of one
// topic the others are cached all the same.
func (c *Client) RefreshTopics(ctx context.Context, names ...string) (map[string]Topic, error) {
	found, failed, err := c.refresh(ctx, names)
	if err = cmp.Or(err, failed); err != nil {
		return nil, err
	}
	return found, nil
}

// refresh returns what came of the topics and the error of the first one that has one, or why there was no answer.
func (c *Client) refresh(ctx context.Context, names []string) (found map[string]Topic, failed, err error) {
	q := kmsg.NewPtrMetadataRequest()
	q.AllowAutoTopicCreation = false
	q.Topics = []kmsg.MetadataRequestTopic{} // an empty list asks for no topic, a missing one for all
	for _, n := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(n)
		q.Topics = append(q.Topics, t)
	}
	answer, err := c.Call(ctx, AnyNode, q)
	if err != nil {
		return nil, nil, err
	}
	r, ok := answer.(*kmsg.MetadataResponse)
	if !ok {
		return nil, nil, fmt.Errorf("unexpected answer %T to Metadata", answer)
	}
	for _, b := range r.Brokers {
		c.learn(b.NodeID, b.Host, b.Port)
	}
	c.mu.Lock()
	c.controller = r.ControllerID
	c.mu.Unlock()
	found = make(map[string]Topic, len(r.Topics))
	for _, t := range r.Topics {
		if t.Topic == nil {
			continue
		}
		topic, err := readTopic(*t.Topic, t)
		if err != nil {
			c.forgetTopic(*t.Topic)
			failed = cmp.Or(failed, err)
			continue
		}
		found[topic.Name] = topic
	}
	c.mu.Lock()
	maps.Copy(c.topics, found)
	c.mu.Unlock()
	return found, failed, nil
}

func readTopic(name string, t kmsg.MetadataResponseTopic) (Topic, error) {
	if err := Check("find topic", name, t.ErrorCode); err != nil {
		return Topic{}, err
	}
	topic := Topic{Name: name, ID: t.TopicID, Leaders: make([]int32, len(t.Partitions)), Epochs: make([]int32, len(t.Partitions))}
	for _, p := range t.Partitions {
		if p.Partition < 0 || int(p.Partition) >= len(topic.Leaders) {
			return Topic{}, &model.Error{Class: model.Transient, Op: "read the metadata of topic", Subject: name, Err: fmt.Errorf("partition %d of %d", p.Partition, len(topic.Leaders))}
		}
		leader := p.Leader
		if p.ErrorCode != 0 && p.ErrorCode != 9 { // 9: a replica is not available, which is none of our business
			leader = -1
		}
		topic.Leaders[p.Partition], topic.Epochs[p.Partition] = leader, p.LeaderEpoch
	}
	return topic, nil
}

// Controller is the broker that creates topics in ZooKeeper mode, asked afresh.
func (c *Client) Controller(ctx context.Context) (int32, error) {
	if _, err := c.RefreshTopics(ctx); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.controller, nil
}

func (c *Client) forgetTopic(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.topics, name)
}

// PartitionCounts is the number of partitions of each topic, asked afresh.
func (c *Client) PartitionCounts(ctx context.Context, names []string) (map[string]int32, error) {
	topics, err := c.RefreshTopics(ctx, names...)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int32, len(topics))
	for n, t := range topics {
		counts[n] = int32(len(t.Leaders))
	}
	return counts, nil
}

func joinHostPort(host string, port int32) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
