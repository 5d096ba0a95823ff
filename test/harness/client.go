package harness

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Client is the independent witness: franz-go's client, on the plain listener unless options say otherwise.
type Client struct {
	*kgo.Client
	Admin *kadm.Client
	base  []kgo.Opt
}

// NewClient is for whoever closes it.
func (c *Cluster) NewClient(options ...kgo.Opt) (*Client, error) {
	base := append([]kgo.Opt{kgo.SeedBrokers(c.Bootstrap...), kgo.RetryTimeout(time.Minute), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerLinger(5 * time.Millisecond), kgo.UnknownTopicRetries(20)}, options...)
	client, err := kgo.NewClient(base...)
	if err != nil {
		return nil, err
	}
	return &Client{Client: client, Admin: kadm.NewClient(client), base: base}, nil
}

// Client is one that ends with the test.
func (c *Cluster) Client(t testing.TB, options ...kgo.Opt) *Client {
	t.Helper()
	client, err := c.NewClient(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// Unique is a name that no other test has.
func Unique(t testing.TB) string {
	name := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, t.Name())
	return fmt.Sprintf("%.80s-%s", name, rand.Text()[:6])
}

// CreateTopic makes a topic and waits until every broker knows it.
func (c *Client) CreateTopic(t testing.TB, topic string, partitions int32, configs ...string) {
	t.Helper()
	settings := map[string]*string{}
	for _, line := range configs {
		name, value, _ := strings.Cut(line, "=")
		settings[name] = &value
	}
	Until(t, 30*time.Second, "create topic "+topic, func(ctx context.Context) error {
		answer, err := c.Admin.CreateTopic(ctx, partitions, -1, settings, topic)
		if err != nil && !strings.Contains(err.Error(), "TOPIC_ALREADY_EXISTS") {
			return err
		}
		_ = answer
		details, err := c.Admin.ListTopics(ctx, topic)
		if err != nil {
			return err
		}
		if got := len(details[topic].Partitions); got != int(partitions) {
			return fmt.Errorf("it has %d partitions", got)
		}
		return details[topic].Err
	})
}

// Send produces records to a topic and waits for them; what was sent has its partition and offset then.
func (c *Client) Send(ctx context.Context, topic string, records ...*kgo.Record) error {
	for _, r := range records {
		r.Topic = topic
	}
	return c.ProduceSync(ctx, records...).FirstErr()
}

// ReadAll is everything a topic holds now, as a read_committed reader sees it: by partition, in the order of offsets. It
// waits until no transaction is open.
func (c *Client) ReadAll(ctx context.Context, topic string) ([]*kgo.Record, error) {
	all, err := c.read(ctx, topic)
	return slices.DeleteFunc(all, func(r *kgo.Record) bool { return r.Attrs.IsControl() }), err
}

// Markers counts the ends of transactions in a topic.
func (c *Client) Markers(ctx context.Context, topic string) (commits, aborts int, err error) {
	all, err := c.read(ctx, topic)
	for _, r := range all {
		if !r.Attrs.IsControl() || len(r.Key) < 4 {
			continue
		}
		if r.Key[3] == 0 { // version, type: 0 abort, 1 commit
			aborts++
		} else {
			commits++
		}
	}
	return commits, aborts, err
}

// read is ReadAll with the control records, which show that the end was reached when it is a marker.
func (c *Client) read(ctx context.Context, topic string) ([]*kgo.Record, error) {
	ends, err := c.settled(ctx, topic)
	if err != nil {
		return nil, err
	}
	starts, err := c.Admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	from, next := map[int32]kgo.Offset{}, map[int32]int64{}
	left := 0
	for p, end := range ends {
		start, _ := starts.Lookup(topic, p)
		next[p] = start.Offset
		if start.Offset < end {
			from[p] = kgo.NewOffset().At(start.Offset)
			left++
		}
	}
	if left == 0 {
		return nil, nil
	}
	reader, err := kgo.NewClient(append(slices.Clone(c.base), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(200*time.Millisecond))...)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	var all []*kgo.Record
	for left > 0 {
		fetches := reader.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %d partitions are not at their end: %v of %v", topic, left, next, ends)
		}
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end := ends[r.Partition]
			if next[r.Partition] < end && r.Offset+1 >= end {
				left--
			}
			next[r.Partition] = r.Offset + 1
			if r.Offset < end {
				all = append(all, r)
			}
		})
	}
	slices.SortStableFunc(all, func(a, b *kgo.Record) int { return int(a.Partition - b.Partition) })
	return all, nil
}

// settled waits until no transaction is open in a topic, and returns the ends of its partitions.
func (c *Client) settled(ctx context.Context, topic string) (map[int32]int64, error) {
	for {
		ends, open, err := c.ends(ctx, topic)
		if err == nil && !open {
			return ends, nil
		}
		if err == nil {
			err = errors.New("a transaction is open")
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the end of %s: %w", topic, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *Client) ends(ctx context.Context, topic string) (ends map[int32]int64, open bool, err error) {
	high, err := c.Admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = high.Error()
	}
	if err != nil {
		return nil, false, err
	}
	stable, err := c.Admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = stable.Error()
	}
	if err != nil {
		return nil, false, err
	}
	ends = map[int32]int64{}
	high.Each(func(o kadm.ListedOffset) {
		s, _ := stable.Lookup(topic, o.Partition)
		open = open || s.Offset < o.Offset
		ends[o.Partition] = o.Offset
	})
	return ends, open, nil
}

// Committed are the group's committed offsets of a topic; a partition without one is missing.
func (c *Client) Committed(ctx context.Context, group, topic string) (map[int32]int64, error) {
	answer, err := c.Admin.FetchOffsetsForTopics(ctx, group, topic)
	if err == nil {
		err = answer.Error()
	}
	if err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	for p, o := range answer[topic] {
		if o.At >= 0 {
			offsets[p] = o.At
		}
	}
	return offsets, nil
}
