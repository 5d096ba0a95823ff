package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/goccy/go-json"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/bench/peers/task"
)

// outcome is what lies in a topic, whatever the order: two services that do the same make equal ones. A record that is
// lost, there twice, in another partition or different in one byte makes another.
type outcome struct {
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"` // of the values, without what may differ
	Sum     uint64 `json:"-"`     // of a hash of each record; its seed is new in each run of the program
}

func (o *outcome) add(sum uint64, bytes int) {
	o.Records++
	o.Bytes += int64(bytes)
	o.Sum += sum
}

// copied is the hash of a record that is passed on as it is.
func copied(seed maphash.Seed, key, value []byte, timestamp int64) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	piece(&h, key)
	piece(&h, value)
	number(&h, timestamp)
	return h.Sum64()
}

func piece[T string | []byte](h *maphash.Hash, text T) {
	number(h, int64(len(text)))
	_, _ = h.WriteString(string(text)) // cannot fail
}

func number(h *maphash.Hash, n int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	_, _ = h.Write(b[:]) // cannot fail
}

// measureOutcome reads a whole topic, read committed, by means that are none of the contestants'. add puts a record to
// what was found.
func (b *bench) measureOutcome(ctx context.Context, topic string, add func(*outcome, *kgo.Record) error) (outcome, error) {
	var o outcome
	ends, err := b.settled(ctx, topic)
	if err != nil {
		return o, err
	}
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	for p, end := range ends {
		if end > 0 {
			from[p], left[p] = kgo.NewOffset().AtStart(), end
		}
	}
	if len(left) == 0 {
		return o, nil
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(b.bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords()) // a topic may end with a marker
	if err != nil {
		return o, err
	}
	defer c.Close()
	for len(left) > 0 {
		fetched := c.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			return o, err
		}
		for r := range fetched.RecordsAll() {
			if !r.Attrs.IsControl() {
				if err := add(&o, r); err != nil {
					return o, fmt.Errorf("%s-%d, offset %d: %w: %s", topic, r.Partition, r.Offset, err, r.Value)
				}
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return o, nil
}

// settled are the ends of a topic as soon as no transaction is open in it.
func (b *bench) settled(ctx context.Context, topic string) (map[int32]int64, error) {
	for {
		stable, err := b.admin.ListCommittedOffsets(ctx, topic)
		if err != nil {
			return nil, err
		}
		ends, err := b.admin.ListEndOffsets(ctx, topic)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(stable.Error(), ends.Error()); err != nil {
			return nil, err
		}
		found, open := map[int32]int64{}, false
		ends.Each(func(end kadm.ListedOffset) {
			found[end.Partition] = end.Offset
			at, ok := stable.Lookup(topic, end.Partition)
			open = open || !ok || at.Offset != end.Offset
		})
		if !open {
			return found, nil
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("a transaction stays open in %s: %w", topic, err)
		}
	}
}

// asItCame looks at records that were passed on as they were.
func asItCame(seed maphash.Seed) func(*outcome, *kgo.Record) error {
	return func(o *outcome, r *kgo.Record) error {
		o.add(copied(seed, r.Key, r.Value, r.Timestamp.UnixMilli()), len(r.Value))
		return nil
	}
}

// processed looks at records that the pipeline made. Everything must be equal but the order of the fields, the
// white space between them, and processed_at, which must be a time within the run.
func processed(seed maphash.Seed, since time.Time) func(*outcome, *kgo.Record) error {
	since = since.Truncate(time.Millisecond)
	return func(o *outcome, r *kgo.Record) error {
		var p task.Processed
		if err := json.Unmarshal(r.Value, &p); err != nil {
			return err
		}
		at, err := time.Parse(time.RFC3339, p.ProcessedAt)
		if err != nil {
			return fmt.Errorf("processed_at: %w", err)
		}
		if at.Before(since) || at.After(time.Now()) {
			return errors.New("processed_at is not a time of this run")
		}
		var h maphash.Hash
		h.SetSeed(seed)
		piece(&h, r.Key)
		number(&h, int64(r.Partition))
		number(&h, r.Timestamp.UnixMilli())
		for _, text := range []string{p.UserID, p.AppVersion, p.DeviceType, p.IP, p.Locale, p.DeviceID, p.LoginAt} {
			piece(&h, text)
		}
		o.add(h.Sum64(), dense(r.Value)-len(p.ProcessedAt))
		return nil
	}
}

// dense is the length of JSON without white space between its parts: one more field shows in it.
func dense(value []byte) (n int) {
	inText := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			inText = !inText
		case inText && c == '\\':
			n++
			i++
		case !inText && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			continue
		}
		n++
	}
	return n
}
