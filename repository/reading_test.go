package repository

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"data-stream-engine/model"
)

// reading is what came out of a stream.
type reading struct {
	t       testing.TB
	s       *Stream
	values  map[int32][]string
	next    map[int32]int64 // position behind what was read
	fetches int
}

// open starts a stream at the given offsets of a topic's partitions.
func (r *rig) open(topic string, maxBytes int, from map[int32]int64) *reading {
	r.t.Helper()
	positions := map[model.TopicPartition]model.Position{}
	for n, offset := range from {
		positions[model.TopicPartition{Topic: topic, Partition: n}] = model.Position{Offset: offset, LeaderEpoch: -1}
	}
	source := NewSource(r.client, r.observer, SourceConfig{MaxBytes: maxBytes, MaxBatchBytes: 8 << 20, Wait: 50 * time.Millisecond})
	s, err := source.Open(context.Background(), positions)
	must(r.t, err)
	r.t.Cleanup(s.Close)
	return &reading{t: r.t, s: s, values: map[int32][]string{}, next: maps.Clone(from)}
}

// fetch takes one answer and reads it to the end.
func (g *reading) fetch() error {
	g.t.Helper()
	f, err := g.s.Next(within(g.t, 30*time.Second))
	if err != nil {
		return err
	}
	g.fetches++
	for i := range f.Parts {
		p := &f.Parts[i]
		records := p.Open()
		var m model.Message
		for records.Next(&m) {
			if m.Partition != p.Partition || m.Topic != p.Topic || m.Offset < g.next[p.Partition] {
				g.t.Fatalf("%s-%d offset %d came after %d", m.Topic, m.Partition, m.Offset, g.next[p.Partition]-1)
			}
			g.values[m.Partition] = append(g.values[m.Partition], string(m.Value))
			g.next[m.Partition] = m.Offset + 1
		}
		must(g.t, records.Err())
		g.next[p.Partition] = records.NextOffset()
	}
	f.Release()
	return nil
}

// until reads on until it has as many records as it should get, and a little longer for what it should not.
func (g *reading) until(want map[int32][]string) {
	g.t.Helper()
	count := func(m map[int32][]string) (n int) {
		for _, v := range m {
			n += len(v)
		}
		return n
	}
	for count(g.values) < count(want) {
		must(g.t, g.fetch())
	}
	if fmt.Sprint(g.values) != fmt.Sprint(want) {
		g.t.Fatalf("got  %s\nwant %s", brief(fmt.Sprint(g.values)), brief(fmt.Sprint(want)))
	}
}

func numbered(prefix string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(prefix, i))
	}
	return all
}
