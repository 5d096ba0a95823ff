package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// finalsSample is how long finals take: from the moment at which the watermark passes the end of a window and its grace,
// until a read_committed consumer has the insight. Milliseconds.
type finalsSample struct {
	Rate    int     `json:"events_per_second"`
	Windows int     `json:"windows"`
	Finals  int     `json:"finals"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
}

const (
	finalsGrace = 4 * time.Second // as in finals.yaml
	finalsFor   = 40 * time.Second
)

// finals times the insights of closed windows at a steady rate. The events carry the time at which they are sent, in whole
// seconds, so that the watermark passes a whole second when it begins.
func (r *race) finals(ctx context.Context) (finalsSample, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	s := finalsSample{Rate: r.rate}
	source, forgetSource, err := r.newTopic(ctx, r.partitions)
	if err != nil {
		return s, err
	}
	defer forgetSource()
	output, _, forget, err := r.topics(ctx)
	if err != nil {
		return s, err
	}
	defer forget()
	l, err := r.start(contestant{name: "finals", binary: "engine", aggregates: true, file: "finals.yaml"}, commitInterval, source, output)
	if err != nil {
		return s, err
	}
	var took []float64
	err = l.during(ctx, func(ctx context.Context) error {
		if err := l.ready(ctx); err != nil {
			return err
		}
		feed, err := r.feed(ctx, source)
		if err != nil {
			return err
		}
		defer feed.close()
		took, s.Windows, err = r.arrivals(ctx, output+"-insights")
		_, failed := feed.stop()
		return errors.Join(err, failed)
	})
	if _, err = l.stop(err); err != nil {
		return s, err
	}
	slices.Sort(took)
	s.Finals, s.P50, s.P99, s.Max = len(took), at(took, 0.5), at(took, 0.99), at(took, 1)
	if s.Finals == 0 {
		return s, errors.New("no window has closed")
	}
	return s, nil
}

// arrivals reads insights as they come, and says how long each final took.
func (r *race) arrivals(ctx context.Context, topic string) (took []float64, windows int, err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.bootstrap), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMinBytes(1))
	if err != nil {
		return nil, 0, err
	}
	defer client.Close()
	ends, until := map[time.Time]bool{}, time.Now().Add(finalsFor)
	for time.Now().Before(until) {
		poll, cancel := context.WithDeadline(ctx, until)
		fetched := client.PollFetches(poll)
		now := time.Now()
		cancel()
		if err := fetched.Err(); err != nil && ctx.Err() == nil && poll.Err() == nil {
			return nil, 0, err
		}
		for record := range fetched.RecordsAll() {
			var insight struct {
				Final  bool
				Window struct{ End time.Time }
			}
			if err := json.Unmarshal(record.Value, &insight); err != nil {
				return nil, 0, fmt.Errorf("%w: %s", err, record.Value)
			}
			if insight.Final {
				ends[insight.Window.End] = true
				took = append(took, millis(now.Sub(insight.Window.End.Add(finalsGrace))))
			}
		}
	}
	return took, len(ends), nil
}
